"""Alerts that hold a figure against a mark: raised beyond it, and cleared only well on the other side of it.

Between the two marks an alert stays what it is, so that nobody is called out again and again. All is answered from the
standing: after an event by `due`, and by `overdue` where nothing but time has passed. A rate is looked at when a call
fails, a share when a request is served after a failover: nothing else makes them worse.
"""

from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from understudy.engine.stock_alerts import listed_no_more, of_offers, of_ware
from understudy.events.alerts import CIRCUIT_OPEN, FALLBACK_SHARE, LONG_THROTTLE, LOW_STOCK, MEASURED, SUCCESS_RATE
from understudy.events.calls import CallAbandoned, CallFact, CallFailed, CallStarted, CallSucceeded
from understudy.events.decisions import Event
from understudy.events.drills import DrillEnded
from understudy.events.exact import in_parts
from understudy.events.operations import AlertCleared, AlertRaised, PolicyActivated
from understudy.events.policy import Policy
from understudy.events.requests import RequestCompleted
from understudy.events.stock import OffersListed
from understudy.events.vocabulary import SIDE_OPERATIONS, FailureKind
from understudy.projections import lane_step as lane
from understudy.projections.lanes import CIRCUITS, LaneKey
from understudy.projections.open_call import call_context
from understudy.projections.provider_record import stock_key
from understudy.projections.standing import Standing
from understudy.projections.views import percent

Alert = AlertRaised | AlertCleared

_SOLD_OUT: Final = frozenset({FailureKind.OUT_OF_STOCK, FailureKind.NOT_OFFERED})
_NONE: Final = Decimal(0)
_WHOLE_BP: Final = 10_000


def may_raise(standing: Standing, event: Event) -> bool:
    """Whether an event that nothing else follows may raise one of these alerts."""
    kind: Any = type(event)  # Asked several times a call: `isinstance` takes twice as long.
    told: Any = event
    if kind is RequestCompleted:
        return bool(told.failovers)
    if kind is CallSucceeded:
        return told.stock is not None and standing.policy.alert_min_stock is not None
    return kind is OffersListed and standing.policy.alert_min_stock is not None


def due(standing: Standing, event: Event, changed: int) -> Alert | None:
    """The alert event that must follow this event, which has been folded already; asked again until None."""
    match event:
        case CallFailed():
            return _after_failure(standing, event)
        case CallSucceeded():
            return _after_success(standing, event)
        case CallStarted() | CallAbandoned() if changed & lane.CLOSED and standing.alerting.measured:
            return _circuit_closed(standing, event)
        case RequestCompleted():
            return _of_failovers(standing, event)
        case OffersListed():
            return next(of_offers(standing, event), None)
        case DrillEnded(provider=str() as provider) if standing.alerts:
            return _drilled_no_more(standing, provider)
        case PolicyActivated() if standing.alerting.measured:
            return _pointless(standing)
        case _:
            return None


def overdue(standing: Standing, at_us: int) -> AlertRaised | None:
    """The alert that time alone has made due by an instant: a circuit that has not been closed for long."""
    mark_ms = standing.policy.alert_circuit_open_ms
    if not mark_ms:
        return None
    for index, since_us in _open(standing, at_us):
        subject = lane_name(standing.lanes.keys[index])
        if at_us >= since_us + mark_ms * 1000 and f"{CIRCUIT_OPEN}|{subject}" not in standing.alerts:
            message = f"the circuit of {subject} has not been closed for {_length(mark_ms)}"
            return AlertRaised(alert=CIRCUIT_OPEN, subject=subject, message=message)
    return None


def next_overdue_us(standing: Standing, at_us: int) -> int | None:
    """When `overdue` will have something to say, if nothing happens until then; None for never."""
    mark_ms = standing.policy.alert_circuit_open_ms
    if not mark_ms:
        return None
    keys = standing.lanes.keys
    waiting = (
        since_us + mark_ms * 1000
        for index, since_us in _open(standing, at_us)
        if f"{CIRCUIT_OPEN}|{lane_name(keys[index])}" not in standing.alerts
    )
    return min(waiting, default=None)


def lane_name(key: LaneKey) -> str:
    """What a lane is called in an alert: the provider, and what else the policy splits its record by."""
    provider, kind = key[:2]
    return " ".join([provider, *([] if kind == "serve" else [kind]), *(value or "any" for value in key[3:])])


def _open(standing: Standing, at_us: int) -> Iterator[tuple[int, int]]:
    """The lanes whose circuit is not closed at an instant, and since when."""
    lanes = standing.lanes
    state, known = lanes.state, standing.policy.by_id
    for index, key in enumerate(lanes.keys):
        base = lanes.base(index)
        if key[1] not in CIRCUITS or not state[base + lane.OPENED_US] or key[0] not in known:
            continue
        if lane.circuit(state, base, lanes.params[index], at_us) != lane.IS_CLOSED:
            yield index, state[base + lane.OPEN_SINCE_US]


def _after_failure(standing: Standing, event: CallFailed) -> Alert | None:
    if event.operation in SIDE_OPERATIONS:
        return None
    if event.outcome in _SOLD_OUT and standing.policy.alert_min_stock is not None:
        return of_ware(standing, stock_key(event.provider, event.service, event.country))
    index = standing.serving_lane(event.provider, call_context(event))
    return None if index is None or standing.shielded else _of_rate(standing, index)


def _after_success(standing: Standing, event: CallSucceeded) -> Alert | None:
    if event.stock is not None and standing.policy.alert_min_stock is not None:
        ware = of_ware(standing, stock_key(event.provider, event.service, event.country))
        if ware is not None:
            return ware
    if not standing.alerting.measured:
        return None
    if event.operation == "sync":
        return listed_no_more(standing, event.provider)
    if event.operation not in SIDE_OPERATIONS:
        index = standing.serving_lane(event.provider, call_context(event))
        if index is not None and (cleared := _of_rate(standing, index)):
            return cleared
    return _circuit_closed(standing, event)


def _of_rate(standing: Standing, index: int) -> Alert | None:
    """Whether a lane succeeds too seldom, or often enough again."""
    policy, lanes = standing.policy, standing.lanes
    mark = policy.alert_success_rate
    base = lanes.base(index)
    count, successes = lanes.state[base + lane.COUNT], lanes.state[base + lane.SUCCESSES]
    if count < min(policy.alert_min_calls, policy.window):
        return None
    subject = lane_name(lanes.keys[index])
    stands = f"{SUCCESS_RATE}|{subject}" in standing.alerts
    share = successes * _WHOLE_BP
    rate = f"{subject} has succeeded in {percent(successes, of=count)} % of its last {count} calls"
    if not stands and share < _basis_points(mark, _NONE) * count:
        return AlertRaised(alert=SUCCESS_RATE, subject=subject, message=f"{rate}, less than {mark} %")
    if stands and share >= _basis_points(mark, policy.alert_success_margin) * count:
        return AlertCleared(alert=SUCCESS_RATE, subject=subject, message=rate)
    return None


def _circuit_closed(standing: Standing, event: CallFact) -> AlertCleared | None:
    """A circuit that is closed again: by a call that it let through, or by a ping that is trusted."""
    lanes = standing.lanes
    match event.operation:
        case "quote":
            indexes = [lanes.find((event.provider, "quote"))]
        case "ping":
            indexes = [index for key, index in lanes.of(event.provider) if key[1] in CIRCUITS]
        case operation if operation in SIDE_OPERATIONS:
            return None
        case _:
            indexes = [standing.serving_lane(event.provider, call_context(event))]
    for index in indexes:
        name = None if index is None else lane_name(lanes.keys[index])
        if index is None or name is None or f"{CIRCUIT_OPEN}|{name}" not in standing.alerts:
            continue
        if lane.circuit(lanes.state, lanes.base(index), lanes.params[index], standing.at_us) == lane.IS_CLOSED:
            return AlertCleared(alert=CIRCUIT_OPEN, subject=name)
    return None


def _drilled_no_more(standing: Standing, provider: str) -> AlertCleared | None:
    """A drill is over, and the provider stands as without it: what it alone had raised has no reason any more."""
    policy, lanes, drilled = standing.policy, standing.lanes, standing.alerting.drilled
    for key, index in lanes.of(provider):
        base, name = lanes.base(index), lane_name(key)
        count, successes = lanes.state[base + lane.COUNT], lanes.state[base + lane.SUCCESSES]
        margin = _NONE if f"{SUCCESS_RATE}|{name}" in drilled else policy.alert_success_margin
        is_low = successes * _WHOLE_BP < _basis_points(policy.alert_success_rate, margin) * count
        is_well = count < min(policy.alert_min_calls, policy.window) or not is_low
        is_closed = lane.circuit(lanes.state, base, lanes.params[index], standing.at_us) == lane.IS_CLOSED
        for alert, over in ((SUCCESS_RATE, is_well), (CIRCUIT_OPEN, is_closed)):
            if over and f"{alert}|{name}" in standing.alerts:
                return _over_with_the_drill(alert, name)
    record = standing.providers.get(provider)
    is_free = record is None or record.throttled_until_us <= standing.at_us
    if is_free and f"{LONG_THROTTLE}|{provider}" in drilled:
        return _over_with_the_drill(LONG_THROTTLE, provider)
    return None if standing.drills else _shares_drilled_no_more(standing)


def _over_with_the_drill(alert: str, subject: str) -> AlertCleared:
    return AlertCleared(alert=alert, subject=subject, message="the drill is over")


def _shares_drilled_no_more(standing: Standing) -> AlertCleared | None:
    """The last drill is over, and shares are what they would be without any."""
    policy, alerting = standing.policy, standing.alerting
    for name, seq in alerting.seqs.items():
        alert, _, operation = name.partition("|")
        share = alerting.shares.get(operation)
        margin = _NONE if seq > alerting.drills_seq else policy.alert_fallback_margin
        mark_bp = _share_bp(policy.alert_fallback_share, margin)
        if alert == FALLBACK_SHARE and (share is None or share.failed_over * _WHOLE_BP <= mark_bp * share.requests):
            return _over_with_the_drill(alert, operation)
    return None


def _of_failovers(standing: Standing, event: RequestCompleted) -> Alert | None:
    """Whether an operation is served by others than the first too often, or seldom enough again."""
    policy, operation = standing.policy, event.operation
    share, mark = standing.alerting.shares.get(operation), policy.alert_fallback_share
    if share is None or share.requests < min(policy.alert_min_calls, policy.alert_fallback_requests):
        return None
    found, count = share.failed_over, share.requests
    stands = f"{FALLBACK_SHARE}|{operation}" in standing.alerts
    told = f"{found} of the last {count} requests for {operation} were served after a failover"
    if not stands and event.failovers and found * _WHOLE_BP > _share_bp(mark, _NONE) * count:
        return AlertRaised(alert=FALLBACK_SHARE, subject=operation, message=told)
    if stands and found * _WHOLE_BP <= _share_bp(mark, policy.alert_fallback_margin) * count:
        return AlertCleared(alert=FALLBACK_SHARE, subject=operation, message=told)
    return None


def _pointless(standing: Standing) -> AlertCleared | None:
    """An alert that nothing can clear under a new policy: its rule is off, its provider or its lane's record gone."""
    policy, on = standing.policy, rules_on(standing.policy)
    lanes, state = standing.lanes, standing.lanes.state
    begun = {
        lane_name(key)
        for index, key in enumerate(lanes.keys)
        if not state[lanes.base(index) + lane.COUNT] and state[lanes.base(index) + lane.CLOSED_US] == standing.at_us
    }
    for name in standing.alerts:
        alert, _, subject = name.partition("|")
        if alert not in MEASURED:
            continue
        gone = alert != FALLBACK_SHARE and subject.partition(" ")[0] not in policy.by_id
        if alert not in on or gone or (alert in {SUCCESS_RATE, CIRCUIT_OPEN} and subject in begun):
            return AlertCleared(alert=alert, subject=subject, message="the policy asks for it no more")
    return None


def rules_on(policy: Policy) -> frozenset[str]:
    """The alerts whose rules a policy has not switched off."""
    on = {
        SUCCESS_RATE: policy.alert_success_rate > 0,
        CIRCUIT_OPEN: policy.alert_circuit_open_ms > 0,
        FALLBACK_SHARE: policy.alert_fallback_share < 1,
        LOW_STOCK: policy.alert_min_stock is not None,
    }
    return frozenset(alert for alert, is_on in on.items() if is_on)


@lru_cache(maxsize=64)
def _basis_points(percents: Decimal, more: Decimal) -> int:
    return min(in_parts(percents, 100) + in_parts(more, 100), _WHOLE_BP)


@lru_cache(maxsize=64)
def _share_bp(share: Decimal, less: Decimal) -> int:
    return max(in_parts(share, _WHOLE_BP) - in_parts(less, _WHOLE_BP), 0)


def _length(length_ms: int) -> str:
    minutes, rest_ms = divmod(length_ms, 60_000)
    return f"{minutes:,} min" if not rest_ms else f"{length_ms / 1000:,g} s"
