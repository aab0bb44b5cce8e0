"""What a request can be: one small state for each stage of its life. A state holds only what is true in it."""

from decimal import Decimal

from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.decisions import Decision, DecisionMade
from understudy.events.quotes import Quote, QuotesRequested
from understudy.events.record import record
from understudy.events.requests import (
    RequestAccepted,
    RequestCancelled,
    RequestCompleted,
    RequestFailed,
    RequestResumed,
    RequestSuspended,
    RetryScheduled,
)
from understudy.events.vocabulary import EndReason, FailureKind, Finding, Via

LOOKUP = "lookup"
QUOTE = "quote"

MAYBE_EXECUTED = frozenset({FailureKind.TIMED_OUT, FailureKind.AMBIGUOUS, FailureKind.INVALID_REPLY})
"""Endings that leave open whether a write was executed."""


@record
class TakenQuote:
    """What came of asking a provider for a quote: `quote` is None if it gave none.

    Units:  it came at `at_us`, and is good until `good_until_us`.
    """

    provider: str
    at_us: int
    quote: Quote | None = None
    good_until_us: int = 0


@record
class Progress:
    """What stays true of a request through its stages.

    Shape:  `asked` are the providers called so far in order, without immediate repeats; `tried` those we are done with.
            `quotes` are the latest of each provider, in the order of asking; `spent` those whose quotes were no good;
            `rounds` counts how often quotes were asked for.
    Units:  it was accepted at `since_us`.
    """

    accepted: RequestAccepted
    since_us: int
    attempts: int = 0
    asked: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()
    given_up: EndReason | None = None
    last_outcome: str | None = None
    last_message: str | None = None
    quotes: tuple[TakenQuote, ...] = ()
    spent: tuple[str, ...] = ()
    rounds: int = 0

    @property
    def failovers(self) -> int:
        """How often the provider changed."""
        return max(0, len(self.asked) - 1)


@record
class OpenEnd:
    """A call that may have been executed, and when we stopped listening to it."""

    started: CallStarted
    ended_us: int


@record
class Turn:
    """The turn of one provider within a request: the decision's draw, and which try this is.

    Shape:  `open_end` is the latest earlier try of the turn that may have been executed, None if there is none.
            `taken` is the quote that was accepted, `due` what it promises. `created` tells that the first of two parts
            is done.
    """

    provider: str
    draw: int
    retry: int = 0
    open_end: OpenEnd | None = None
    taken: TakenQuote | None = None
    due: Decimal | None = None
    created: bool = False

    def is_stale(self, now_us: int) -> bool:
        """Whether the accepted quote is no longer good."""
        return self.taken is not None and now_us >= self.taken.good_until_us


@record
class Ready:
    """A decision is due."""

    progress: Progress


@record
class Quoting:
    """Quotes are being asked for: `to_ask` has not been asked yet, `open` has not answered yet.

    Units:  `good` quotes that have a voice have come in so far; two, or all that there will be, were there at
            `enough_us` (0 before).
    """

    progress: Progress
    asked: QuotesRequested
    to_ask: tuple[str, ...]
    open: tuple[str, ...] = ()
    good: int = 0
    enough_us: int = 0


@record
class Chosen:
    """A provider has its turn: a call is due."""

    progress: Progress
    turn: Turn


@record
class Nobody:
    """Nobody was eligible; `until_us` is when a passing veto ends, None if there is none.

    Shape:  `why` is set if there were quotes, and none that could be trusted.
    """

    progress: Progress
    until_us: int | None
    why: EndReason | None = None


@record
class Calling:
    """A call is under way."""

    progress: Progress
    turn: Turn
    started: CallStarted


@record
class Answered:
    """A success is known; the request is about to be completed."""

    progress: Progress
    provider: str
    attempt: int
    via: Via


@record
class LetDown:
    """A call failed.

    Units:  `throttled_us` is the instant until which the provider asked us to wait, 0 if it did not; `again_us` the one
            at which it says that this very request is worth trying again, 0 if it does not.
    """

    progress: Progress
    turn: Turn
    started: CallStarted
    kind: FailureKind
    ended_us: int
    throttled_us: int = 0
    again_us: int = 0


@record
class Doubtful:
    """A call may have been executed and must be settled first.

    Shape:  `finding` is what the latest look-up said, None before the first; `looked_us` is when that was asked,
            `found_us` when it was answered. `held` tells that the caller has been told that the outcome is unknown.
    """

    progress: Progress
    turn: Turn
    started: CallStarted
    ended_us: int
    lookups: int = 0
    finding: Finding | None = None
    looked_us: int = 0
    found_us: int = 0
    held: bool = False


@record
class LookingUp:
    """A look-up is under way."""

    doubt: Doubtful

    @property
    def progress(self) -> Progress:
        """What stays true."""
        return self.doubt.progress


@record
class Waiting:
    """Nothing to do before `until_us`; then it goes on as `then`."""

    until_us: int
    then: "Ready | Chosen | Doubtful"

    @property
    def progress(self) -> Progress:
        """What stays true."""
        return self.then.progress


@record
class NotExecuted:
    """An operator, or the writer itself, knows that nothing was executed."""

    progress: Progress


@record
class Settled:
    """The request has ended."""

    end: RequestCompleted | RequestFailed


OpenState = (
    Ready | Quoting | Chosen | Nobody | Calling | Answered | LetDown | Doubtful | LookingUp | Waiting | NotExecuted
)
"""A request that has not ended."""

RequestState = OpenState | Settled

RequestEvent = (
    QuotesRequested
    | DecisionMade
    | Decision
    | CallStarted
    | CallSucceeded
    | CallFailed
    | CallAbandoned
    | RetryScheduled
    | RequestCancelled
    | RequestSuspended
    | RequestResumed
    | RequestCompleted
    | RequestFailed
)
