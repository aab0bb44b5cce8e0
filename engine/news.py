"""What of an event is news to those who listen: signals and what they say. Pure; the hooks send them."""

from typing import Any, Final, NamedTuple

from understudy.engine.assess import MISSED
from understudy.engine.request_state import QUOTE, OpenState
from understudy.events import signals
from understudy.events.alerts import LOG_TROUBLE
from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.decisions import Decision
from understudy.events.operations import AlertCleared, AlertRaised, ModeChanged
from understudy.events.requests import RequestCompleted, RequestFailed, RequestSuspended
from understudy.events.row import Recorded
from understudy.events.vocabulary import SIDE_OPERATIONS
from understudy.projections import lane_step as lane
from understudy.projections.open_call import call_context
from understudy.projections.standing import Standing

CALLS: Final = (CallStarted, CallSucceeded, CallFailed, CallAbandoned)


class News(NamedTuple):
    """One signal and what it says."""

    signal: str
    says: dict[str, Any]


class Newsroom:
    """Turns events into news. Remembers which lanes were degraded, to tell when one becomes it."""

    def __init__(self) -> None:
        self._degraded: dict[int, int] | None = None

    def look(self, standing: Standing) -> None:
        """Take note of what is so already, before the first event that somebody listens to is folded."""
        if self._degraded is None:
            lanes = standing.lanes
            self._degraded = {
                one: lane.degraded(lanes.state, lanes.base(one), lanes.params[one]) for one in range(len(lanes.keys))
            }

    def of(self, recorded: Recorded, changed: int, standing: Standing, before: OpenState | None) -> list[News]:
        """The news of an event that has been folded with these bits; `before` is what its request was until then."""
        event = recorded.event
        match event:
            case CallStarted() | CallSucceeded() | CallFailed() | CallAbandoned():
                return self._of_call(recorded, changed, standing)
            case Decision(request_id=request_id, provider=provider, order=order):
                return [News(signals.DECISION_MADE, {"request_id": request_id, "service_id": provider, "order": order})]
            case RequestCompleted():
                return _of_completion(event, before)
            case RequestFailed(request_id=request_id, reason=reason):
                return [News(signals.REQUEST_FAILED, {"request_id": request_id, "reason": reason})]
            case RequestSuspended(request_id=request_id, provider=provider, reason=held):
                says = {"request_id": request_id, "service_id": provider, "reason": held}
                return [News(signals.REQUEST_SUSPENDED, says)]
            case ModeChanged(mode=mode, previous=previous):
                return [News(f"mode:{mode}", {"previous": previous})]
            case AlertRaised(alert=alert) if alert == LOG_TROUBLE:
                return []  # It was told before it could be put on record.
            case AlertRaised(alert=alert, subject=subject):
                is_silenced = standing.alerting.silenced_until_us(f"{alert}|{subject}", recorded.at_us)
                return [] if is_silenced else [of_alert(event)]
            case AlertCleared():
                return [] if standing.alerting.hushed else [of_alert(event)]
            case _:
                return []

    def _of_call(self, recorded: Recorded, changed: int, standing: Standing) -> list[News]:
        event: Any = recorded.event
        if event.operation == QUOTE:
            index = standing.lanes.find((event.provider, QUOTE))
        elif event.operation in SIDE_OPERATIONS:
            return []
        else:
            index = standing.serving_lane(event.provider, call_context(event))
        assert index is not None  # noqa: S101 - the call's start has made its lane.
        state, base = standing.lanes.state, standing.lanes.base(index)
        who = {"service_id": event.provider}
        found = []
        if changed & lane.COUNTED_FAILURE:
            found.append(News(signals.SERVICE_FAILURE, {**who, "failures": state[base + lane.STREAK]}))
        if changed & (lane.OPENED | lane.REOPENED):
            until_us, again = state[base + lane.OPEN_UNTIL_US], bool(changed & lane.REOPENED)
            found.append(News(signals.CIRCUIT_OPENED, {**who, "until_us": until_us, "again": again}))
        if changed & lane.CLOSED:
            found += [News(signals.CIRCUIT_CLOSED, dict(who)), News(signals.SERVICE_RECOVERED, dict(who))]
        if isinstance(event, CallStarted):
            if state[base + lane.OPENED_US] and state[base + lane.PROBE_US] == recorded.at_us:
                found.append(News(signals.CIRCUIT_HALF_OPENED, who))
            return found
        missed = self._newly_missed(standing, index)
        if missed is not None:
            found.append(News(signals.SERVICE_DEGRADED, {**who, "threshold": missed}))
        return found

    def _newly_missed(self, standing: Standing, index: int) -> str | None:
        """Which threshold a lane misses that it did not miss before."""
        lanes, known = standing.lanes, self._degraded or {}
        now = lane.degraded(lanes.state, lanes.base(index), lanes.params[index])
        before = known.get(index, lane.NOT_DEGRADED)
        known[index] = now
        self._degraded = known
        return MISSED[now] if now not in {before, lane.NOT_DEGRADED} else None


def of_alert(event: AlertRaised | AlertCleared) -> News:
    """What an alert says."""
    signal = signals.ALERT_RAISED if isinstance(event, AlertRaised) else signals.ALERT_CLEARED
    return News(signal, {"alert": event.alert, "subject": event.subject, "message": event.message})


def _of_completion(event: RequestCompleted, before: OpenState | None) -> list[News]:
    says = {"request_id": event.request_id, "service_id": event.provider, "failovers": event.failovers}
    found = [News(signals.REQUEST_COMPLETED, says)]
    first = before.progress.asked[0] if before is not None and before.progress.asked else None
    if event.failovers and first is not None and first != event.provider:
        handed = {"from_service": first, "to_service": event.provider, "failovers": event.failovers}
        found.insert(0, News(signals.FAILOVER_SUCCESS, handed))
    return found
