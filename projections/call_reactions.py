"""What calls do to the standing: the lanes and the record of the provider that is called."""

from typing import TYPE_CHECKING, Final

from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.row import Recorded
from understudy.events.vocabulary import FREE_OF_FUNDS, FREE_OF_KEY, SIDE_OPERATIONS, AbandonReason, FailureKind
from understudy.projections import lane_step as lane
from understudy.projections.drill_reactions import ended_in_vain_aside, outlives, started_aside, succeeded_aside
from understudy.projections.end_reactions import called_back
from understudy.projections.open_call import OpenCall, call_context, ending_code
from understudy.projections.quote_reactions import read_quotes
from understudy.projections.stock_reactions import heard, sold_out

if TYPE_CHECKING:
    from understudy.projections.lanes import LaneKey
    from understudy.projections.standing import Standing

# An enum's member costs several times a global to look up.
_OUT_OF_TIME: Final = AbandonReason.OUT_OF_TIME


def call_started(standing: "Standing", recorded: Recorded, event: CallStarted) -> int:
    """A call begins: its lane counts it as under way."""
    seq, at_us, _ = recorded
    provider = event.provider
    lanes = standing.lanes
    kind = SIDE_OPERATIONS.get(event.operation, "serve")
    key: LaneKey = (provider, kind)
    if standing.policy.lane_by:
        key = standing.lane_key(provider, kind, call_context(event))
    index = lanes.places.get(key)
    if index is None:
        index = lanes.index(key)
        lanes.kept.pop(provider, None)
    # Straight to `tuple`: a NamedTuple's own constructor takes twice as long.
    standing.calls[seq] = tuple.__new__(OpenCall, (index, at_us, event))
    record = standing.providers.get(provider) or standing.provider(provider)
    if record.rate_interval_us:
        record.spend(at_us)
    if standing.rate_interval_us:
        standing.rate_used_us = max(standing.rate_used_us, at_us) + standing.rate_interval_us
    if kind == "serve":
        record.in_flight += 1
        if record.slow_start is not None:
            record.begins_slowly(at_us)
    if event.drill is not None:
        if event.request_id is not None and event.operation != "lookup":  # Which may come after the request's end.
            standing.alerting.touched[event.request_id] = event.drill
        if outlives(standing, event):
            return 0
    elif lanes.undrilled is not None:
        started_aside(standing, event, index, at_us)
    base = lane.GLOBAL_WORDS + index * lanes.words
    return lane.start(lanes.state, base, lanes.params[index], at_us, event.retry)


def call_succeeded(standing: "Standing", recorded: Recorded, event: CallSucceeded) -> int:
    """A call has been answered."""
    call = standing.calls.pop(event.started_seq, None)
    if call is None:
        return 0  # It has been ended already; `verify` reports such a log.
    index, started_us, started = call
    _, at_us, _ = recorded
    record = standing.providers[started.provider]
    if started.operation not in FREE_OF_KEY:
        record.misconfigured_us = 0
    if started.operation not in FREE_OF_FUNDS:
        record.unfunded_us = 0
    serving = started.operation not in SIDE_OPERATIONS
    if serving:
        record.in_flight -= 1
        if event.cost is not None:
            standing.totals.charged(event.provider, event.cost)
    if event.pair is not None:
        read_quotes(standing, started, event, at_us)
    if started.operation == "lookup" or standing.leftovers.doubts or standing.unused.open:
        called_back(standing, started, event)
    if event.stock is not None or event.operation == "sync" or standing.stock:
        heard(standing, event, at_us, since_us=started_us)
    lanes = standing.lanes
    lanes.kept.pop(started.provider, None)
    if started.drill is not None:
        if outlives(standing, started):
            return 0
    elif lanes.undrilled is not None:
        succeeded_aside(standing, call, event, at_us)
    record.answered_us = at_us  # As `ProviderRecord.answers` has it: a call would cost more than what it does.
    if serving:
        record.unheard = 0
        if record.slow_start is not None:
            record.slow_start.end(started_us, gained=1)
    base = lane.GLOBAL_WORDS + index * lanes.words
    return lane.end(lanes.state, base, lanes.params[index], lane.SUCCESS, at_us, started_us, event.latency_us, 0)


def call_failed(standing: "Standing", recorded: Recorded, event: CallFailed) -> int:
    """A call has failed."""
    call = standing.calls.pop(event.started_seq, None)
    if call is None:
        return 0
    _, at_us, _ = recorded
    record = standing.providers[call.started.provider]
    match event.outcome:
        case FailureKind.MISCONFIGURED:
            record.misconfigured_us = at_us
        case FailureKind.INSUFFICIENT_FUNDS:
            record.unfunded_us = at_us
        case FailureKind.OUT_OF_STOCK | FailureKind.NOT_OFFERED if event.operation not in SIDE_OPERATIONS:
            sold_out(standing, event, at_us)
        case _:
            pass
    if call.started.drill is None or not outlives(standing, call.started):
        record.hears_of(event, at_us, throttle_us=standing.policy.throttle_ms * 1000)
    return _end_in_vain(standing, recorded, event, call=call)


def call_abandoned(standing: "Standing", recorded: Recorded, event: CallAbandoned) -> int:
    """A call was given up: nobody's fault."""
    call = standing.calls.pop(event.started_seq, None)
    if call is None:
        return 0
    if event.reason is _OUT_OF_TIME and (call.started.drill is None or not outlives(standing, call.started)):
        standing.provider(event.provider).unheard += 1
    return _end_in_vain(standing, recorded, event, call=call)


def _end_in_vain(standing: "Standing", recorded: Recorded, event: CallFailed | CallAbandoned, *, call: OpenCall) -> int:
    index, started_us, started = call
    retry = standing.tries_that_count(event)
    lanes = standing.lanes
    lanes.kept.pop(started.provider, None)
    record, serving = standing.providers[started.provider], started.operation not in SIDE_OPERATIONS
    if serving:
        record.in_flight -= 1
    if started.drill is not None:
        if outlives(standing, started):
            return 0
    elif lanes.undrilled is not None:
        ended_in_vain_aside(standing, call, event, recorded.at_us, retry=retry)
    base, params = lanes.base(index), lanes.params[index]
    told = lane.end(lanes.state, base, params, ending_code(event), recorded.at_us, started_us, event.latency_us, retry)
    if serving:
        record.ends_in_vain(started_us, refused=ending_code(event) == lane.DECLINE)
        if started.drill is None:  # What a drill has made up spares nobody, and condemns nobody.
            _spare(standing, event, counted=told & lane.COUNTED_FAILURE != 0 or retry > 0)
    return told


def _spare(standing: "Standing", event: CallFailed | CallAbandoned, *, counted: bool) -> None:
    """Remember, as long as the request is open, whether no try of it at this provider has counted so far."""
    request_id = event.request_id
    if request_id is None:
        return
    if not counted:
        standing.spared.setdefault(request_id, set()).add(event.provider)
    elif request_id in standing.spared:
        standing.spared[request_id].discard(event.provider)
