"""How requests rest and end: the events of waits and failures, filled in from a request's progress."""

from understudy.engine.request_state import Progress
from understudy.engine.steps import Fail, Step
from understudy.events.requests import RequestFailed, RetryScheduled
from understudy.events.vocabulary import EndReason


def scheduled(progress: Progress, *, until_us: int, provider: str | None, reason: str) -> RetryScheduled:
    """A wait until an instant, for a provider or for anybody."""
    return RetryScheduled(request_id=progress.accepted.request_id, provider=provider, until_us=until_us, reason=reason)


def fail(progress: Progress, reason: EndReason) -> Step:
    """The end of a request that was not served."""
    return Fail(
        RequestFailed(
            request_id=progress.accepted.request_id,
            operation=progress.accepted.operation,
            reason=reason,
            attempt=progress.attempts,
            tried=progress.asked,
            last_outcome=progress.last_outcome,
            last_message=progress.last_message,
        )
    )
