"""The life of a request, from its acceptance to its end."""

from dataclasses import field
from decimal import Decimal
from typing import ClassVar

from understudy.events.fact import Fact, Json
from understudy.events.record import record
from understudy.events.vocabulary import Effect, EndReason, SuspendReason, Via


@record(kw_only=True)
class RequestAccepted(Fact):
    """A caller asked for something, and we took it on.

    Shape:  `labels` is the caller's context beyond the four columns. `body` is what providers will be given, with
            sensitive values concealed. `key` is the caller's idempotency key, unique with `principal` and `operation`;
            `body_hash` tells a repeat from a different request under the same key. `free_to_abandon` marks an
            idempotent write whose half-done leftovers at a provider cost nothing. `preferred` is the provider that
            this caller wants first, when it is eligible. `quoted` (True, or left out) tells that providers are asked
            for quotes first, of `amount` for the `pair`. `only` is the one provider that may be asked, for what is
            asked about something that it has given. `undone_by` is the operation that takes back what this one does,
            should nobody have a use for it; `undoes` is the request whose unused effect is taken back at `only`.
            `max_price` is the most that this caller pays for it, in the unit of the providers' prices. `subject` is the
            salted hash of whose data the sensitive values are, where the caller has said.
    Units:  `deadline_at_us` is an instant, handed down to every call, so that retries cannot stretch it.
    Errors: the only event that may be refused at append.
    Source: `Engine.call`.
    """

    kind: ClassVar[str] = "request_accepted.v1"
    request_id: str
    operation: str
    effect: Effect
    deadline_at_us: int
    free_to_abandon: bool = False
    preferred: str | None = None
    quoted: bool | None = None
    only: str | None = None
    undone_by: str | None = None
    undoes: str | None = None
    max_price: Decimal | None = None
    subject: str | None = None
    service: str | None = None
    country: str | None = None
    rental_id: str | None = None
    pair: str | None = None
    labels: dict[str, Json] = field(default_factory=dict)
    amount: Decimal | None = None
    body: Json = None
    principal: str = ""
    key: str | None = None
    body_hash: str | None = None


@record(kw_only=True)
class RequestCancelled(Fact):
    """The caller went away, or the engine was restarted, before the request was settled.

    What the world did to us; what follows from it (`RequestFailed`, or look-ups) is ours and comes after.

    Shape:  `reason` is `cancelled` or `interrupted`.
    """

    kind: ClassVar[str] = "request_cancelled.v1"
    request_id: str
    reason: EndReason


@record(kw_only=True)
class RetryScheduled(Fact):
    """We wait before the next step of a request.

    Shape:  `provider` is who will be asked then; None while we wait for anyone to become eligible.
    Units:  `until_us` is an instant.
    """

    kind: ClassVar[str] = "retry_scheduled.v1"
    request_id: str
    provider: str | None = None
    until_us: int
    reason: str


@record(kw_only=True)
class RequestCompleted(Fact):
    """A request was served.

    Shape:  `provider` served it in call `attempt`; `failovers` counts the changes of provider on the way.
    """

    kind: ClassVar[str] = "request_completed.v1"
    request_id: str
    operation: str
    provider: str
    attempt: int
    failovers: int
    via: Via = Via.CALL


@record(kw_only=True)
class RequestFailed(Fact):
    """A request ended without success, and surely without effect unless `last_outcome` says otherwise.

    Shape:  `attempt` tells how many calls were made.
    """

    kind: ClassVar[str] = "request_failed.v1"
    request_id: str
    operation: str
    reason: EndReason
    attempt: int
    tried: tuple[str, ...] = ()
    last_outcome: str | None = None
    last_message: str | None = None


@record(kw_only=True)
class RequestSuspended(Fact):
    """The outcome of a request is unknown. Look-ups go on in the background; an operator may decide.

    Shape:  `provider` and `attempt` name the call in doubt, `key` what to look for there.
    """

    kind: ClassVar[str] = "request_suspended.v1"
    request_id: str
    operation: str
    provider: str
    attempt: int
    key: str
    reason: SuspendReason


@record(kw_only=True)
class RequestResumed(Fact):
    """An operator decided what became of a suspended request.

    Shape:  `executed` True with the provider's `reference`, or False: surely not executed.
    """

    kind: ClassVar[str] = "request_resumed.v1"
    request_id: str
    executed: bool
    reference: str | None = None
    actor: str
    reason: str
