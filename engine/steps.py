"""The steps that a request can take. Each that changes something carries the event that puts it on record."""

from understudy.events.calls import CallStarted
from understudy.events.decisions import Decision
from understudy.events.quotes import QuotesRequested
from understudy.events.record import record
from understudy.events.requests import RequestCompleted, RequestFailed, RequestSuspended, RetryScheduled


@record
class Decide:
    """Put a decision on record and ask again."""

    event: Decision


@record
class AskQuotes:
    """Put on record whom to ask for quotes, and ask again."""

    event: QuotesRequested


@record
class TakeQuote:
    """Ask a provider for a quote, and go on meanwhile."""

    event: CallStarted


@record
class AwaitQuotes:
    """Wait for those who have been asked; from `until_us` on, if it is set, for nobody any more."""

    until_us: int | None = None


@record
class Call:
    """Call a provider."""

    event: CallStarted


@record
class LookUp:
    """Ask a provider what became of an earlier call."""

    event: CallStarted


@record
class Wait:
    """Put a wait on record, then sleep until its end."""

    event: RetryScheduled


@record
class Sleep:
    """Go on sleeping: the wait is on record already (after a restart, say). `in_line` for a free slot at anybody's."""

    until_us: int
    in_line: bool = False


@record
class Suspend:
    """Tell the caller that the outcome is unknown, and go on looking."""

    event: RequestSuspended


@record
class Hold:
    """Nothing to do before an operator speaks."""


@record
class Finish:
    """The request was served."""

    event: RequestCompleted


@record
class Fail:
    """The request ends without success."""

    event: RequestFailed


Deed = TakeQuote | AwaitQuotes | Call | LookUp | Wait | Sleep | Hold
"""After which the rules are asked again."""
End = Finish | Fail | Suspend
"""After which the caller is told."""
Step = Decide | AskQuotes | Deed | End
