"""Provider calls: one starts, and ends in exactly one of three ways. Every call is logged, pings and look-ups too."""

from decimal import Decimal
from typing import ClassVar

from understudy.events.fact import Fact, Json
from understudy.events.quotes import Quote
from understudy.events.record import record
from understudy.events.vocabulary import AbandonReason, FailureKind, Finding


@record(kw_only=True)
class CallFact(Fact):
    """What all call events share: whose call it was, and for what.

    Shape:  `request_id` is None for calls outside a request (pings, stock). `attempt` counts the calls of the request
            from 1 (0 outside a request); `retry` counts the tries of this request at this provider from 0. Service,
            country, rental and pair repeat the request's context, so that nobody needs a join. `drill` is the drill
            that makes the call fail, or holds it back; None for a call that none touches.
    """

    request_id: str | None = None
    provider: str
    operation: str
    attempt: int = 0
    retry: int = 0
    service: str | None = None
    country: str | None = None
    rental_id: str | None = None
    pair: str | None = None
    drill: str | None = None


@record(kw_only=True)
class CallStarted(CallFact):
    """A provider is about to be called.

    Shape:  ended by the one `CallSucceeded`, `CallFailed` or `CallAbandoned` whose `started_seq` is this event's seq.
            `key` is the provider-side idempotency key: the same on every try of one request here.
    Units:  `deadline_at_us` is the instant at which we stop listening. `amount_due` is what the quote that was taken
            promises to pay out.
    Source: `engine.request.next_step` for requests, the runner for pings and side calls.
    """

    kind: ClassVar[str] = "call_started.v1"
    key: str
    deadline_at_us: int
    amount_due: Decimal | None = None


@record(kw_only=True)
class CallSucceeded(CallFact):
    """A provider answered, and the answer passed validation.

    Shape:  `reply` is the provider's answer with sensitive values concealed. `finding` is set by look-ups only,
            `stock` by stock calls (units on offer, for this event's country and service), `quote` by quotes.
    Units:  `latency_us` runs from `CallStarted`. `cost` is what the provider charges, in its own unit; `amount_out`
            what a conversion really paid out, in the coin bought.
    """

    kind: ClassVar[str] = "call_succeeded.v1"
    outcome: ClassVar[str] = "success"
    started_seq: int
    latency_us: int
    reply: Json = None
    reference: str | None = None
    cost: Decimal | None = None
    stock: int | None = None
    finding: Finding | None = None
    quote: Quote | None = None
    amount_out: Decimal | None = None


@record(kw_only=True)
class CallFailed(CallFact):
    """A provider did not deliver.

    Shape:  `outcome` is our word for it; `code`, `message` and `error_type` are the provider's own, redacted and cut.
            `network` tells that it failed between us and them, not inside.
    Units:  `latency_us` runs from `CallStarted`; of a timed-out call it is the limit. `retry_after_us` is a length.
    """

    kind: ClassVar[str] = "call_failed.v1"
    outcome: FailureKind
    started_seq: int
    latency_us: int
    network: bool = False
    code: str | None = None
    message: str | None = None
    error_type: str | None = None
    retry_after_us: int | None = None


@record(kw_only=True)
class CallAbandoned(CallFact):
    """We walked away from a call: outcome unknown, nobody's fault; or it was never sent (`not_sent`), for certain."""

    kind: ClassVar[str] = "call_abandoned.v1"
    outcome: ClassVar[str] = "abandoned"
    started_seq: int
    latency_us: int
    reason: AbandonReason
