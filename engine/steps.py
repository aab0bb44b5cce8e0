"""The steps that a request can take. Each that changes something carries the event that puts it on record."""

from dataclasses import dataclass

from understudy.events.calls import CallStarted
from understudy.events.decisions import Decision
from understudy.events.requests import RequestCompleted, RequestFailed, RequestSuspended, RetryScheduled


@dataclass(frozen=True, slots=True)
class Decide:
    """Put a decision on record and ask again."""

    event: Decision


@dataclass(frozen=True, slots=True)
class Call:
    """Call a provider."""

    event: CallStarted


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask a provider what became of an earlier call."""

    event: CallStarted


@dataclass(frozen=True, slots=True)
class Wait:
    """Put a wait on record, then sleep until its end."""

    event: RetryScheduled


@dataclass(frozen=True, slots=True)
class Sleep:
    """Go on sleeping: the wait is on record already (after a restart, say)."""

    until_us: int


@dataclass(frozen=True, slots=True)
class Suspend:
    """Tell the caller that the outcome is unknown, and go on looking."""

    event: RequestSuspended


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing to do before an operator speaks."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The request was served."""

    event: RequestCompleted


@dataclass(frozen=True, slots=True)
class Fail:
    """The request ends without success."""

    event: RequestFailed


Step = Decide | Call | LookUp | Wait | Sleep | Suspend | Hold | Finish | Fail
