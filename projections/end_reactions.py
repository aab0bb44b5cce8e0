"""What ends of requests do to the standing."""

from typing import TYPE_CHECKING

from understudy.events.calls import CallStarted, CallSucceeded
from understudy.events.requests import (
    RequestCancelled,
    RequestCompleted,
    RequestFailed,
    RequestResumed,
    RequestSuspended,
)
from understudy.events.row import Recorded
from understudy.projections.unused import alert_on

if TYPE_CHECKING:
    from understudy.projections.standing import Standing


def called_back(standing: "Standing", started: CallStarted, event: CallSucceeded) -> None:
    """A look-up tells what became of a call, or a call succeeds that may have to be undone."""
    standing.leftovers.succeeded(started, event)
    if standing.unused.open:
        standing.unused.succeeded(event)
    left = standing.leftovers.watched.get(event.request_id or "", {}).get(event.provider)
    if left is not None and left.found and left.undone_by is not None:
        standing.unused.found(started, event, left.undone_by)


def completed(standing: "Standing", recorded: Recorded, event: RequestCompleted) -> None:
    """A request has been served."""
    totals = standing.totals
    totals.completed += 1
    totals.served[event.provider] = totals.served.get(event.provider, 0) + 1
    if event.failovers:
        totals.failovers += 1
    most = standing.policy.alert_fallback_requests
    standing.alerting.served(event.request_id, event.operation, event.failovers, most=most)
    if standing.spared:
        standing.spared.pop(event.request_id, None)
    if standing.leftovers.doubts:
        undone_by = _undone_by(standing, event.request_id)
        standing.leftovers.ended(event.request_id, recorded[1], served_by=event.provider, undone_by=undone_by)
    if standing.unused.open or standing.unused.undoing:
        standing.unused.completed(event)
        tidy_up(standing, None)


def failed(standing: "Standing", recorded: Recorded, event: RequestFailed) -> None:
    """A request has failed."""
    standing.totals.failed += 1
    standing.alerting.touched.pop(event.request_id, None)
    standing.spared.pop(event.request_id, None)
    undone_by = _undone_by(standing, event.request_id)
    standing.leftovers.ended(event.request_id, recorded[1], served_by=None, undone_by=undone_by)
    standing.unused.failed(event.request_id)


def cancelled(standing: "Standing", _: Recorded, event: RequestCancelled) -> None:
    """The caller of a request is gone."""
    standing.unused.left(event.request_id)


def suspended(standing: "Standing", _: Recorded, event: RequestSuspended) -> None:
    """The caller of a request has been told that its outcome is not known."""
    standing.totals.suspended += 1
    standing.unused.left(event.request_id)


def resumed(standing: "Standing", _: Recorded, event: RequestResumed) -> None:
    """An operator has said what became of a request: nothing more is done about it by rule."""
    standing.spoken[event.request_id] = event.executed
    standing.unused.forget(event.request_id)


def tidy_up(standing: "Standing", alert: str | None) -> None:
    """Forget what has been undone, and is told by the end of that alert; or where there was none to begin with."""
    for key, one in list(standing.unused.owed.items()):
        if one.done is not None and alert_on(standing.alerts, one) == alert:
            standing.unused.told(key)


def _undone_by(standing: "Standing", request_id: str) -> str | None:
    mine = standing.unused.open.get(request_id)
    return None if mine is None else mine.undone_by
