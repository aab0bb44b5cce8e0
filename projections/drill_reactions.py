"""What drills do to the standing, and what it would be without them.

While a drill makes faults up at a provider, its lanes and its record are kept twice: as they are, by which everything
is decided, and as they would be by the calls alone that no drill has touched. At the end of the drill the second take
the place of the first. What a touched call says once its drill is over counts for nothing.
"""

from collections.abc import Collection
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.drills import DrillEnded, DrillSkipped, DrillStarted
from understudy.events.row import Recorded
from understudy.events.vocabulary import SIDE_OPERATIONS, AbandonReason
from understudy.projections import lane_step as lane
from understudy.projections.lanes import turn
from understudy.projections.open_call import OpenCall, ending_code

if TYPE_CHECKING:
    from understudy.projections.standing import Standing

_HEALTH: Final = ("throttled_until_us", "slow_start", "unreachable_us", "cut_off_us", "answered_us", "unheard")
"""What a touched call may change of a provider's record, but for what is under way there in truth."""


def drill_started(standing: "Standing", recorded: Recorded, event: DrillStarted) -> None:
    """A drill begins: from here on its provider's health is kept as it would be without it, too."""
    if event.line in standing.drill_lines and event.due_us is not None:
        standing.drill_lines[event.line] = event.due_us
    if event.provider is None:
        standing.courses[event.drill] = event
        return
    turn(standing.lanes, recorded)
    if not standing.drills:
        standing.alerting.drills_begin(recorded.seq)
    standing.drills[event.provider] = event
    record = standing.provider(event.provider)
    slow_start = None if record.slow_start is None else replace(record.slow_start)
    standing.undrilled[event.provider] = replace(record, slow_start=slow_start)


def drill_ended(standing: "Standing", recorded: Recorded, event: DrillEnded) -> None:
    """A drill is over: its provider stands as if it had touched no call."""
    if event.provider is None:
        standing.courses.pop(event.drill, None)
        return
    turn(standing.lanes, recorded)
    standing.drills.pop(event.provider, None)
    if not standing.drills:
        standing.alerting.drills_are_over()
    aside, record = standing.undrilled.pop(event.provider, None), standing.provider(event.provider)
    if aside is not None:
        for name in _HEALTH:
            setattr(record, name, getattr(aside, name))


def drill_skipped(standing: "Standing", _: Recorded, event: DrillSkipped) -> None:
    """A drill was due, and was not held."""
    if event.line in standing.drill_lines:
        standing.drill_lines[event.line] = event.due_us


def schedule_told(standing: "Standing", lines: Collection[str], at_us: int) -> None:
    """From here on this is the schedule: what a new line would have been due for before does not concern it."""
    standing.drill_lines = {line: standing.drill_lines.get(line, at_us) for line in lines}


def outlives(standing: "Standing", started: CallStarted) -> bool:
    """Whether the drill that touched a call is over."""
    drill = standing.drills.get(started.provider)
    return drill is None or drill.drill != started.drill


def without_drills(standing: "Standing") -> "Standing":
    """The standing as if no drill that runs had touched a call, to read; itself where none does."""
    if standing.lanes.undrilled is None:
        return standing
    seen = copy(standing)
    seen.lanes, seen.undrilled, seen.drills = standing.lanes.undrilled, {}, {}
    seen.providers = dict(standing.providers)
    for provider, aside in standing.undrilled.items():
        health = {name: getattr(aside, name) for name in _HEALTH}
        seen.providers[provider] = replace(standing.provider(provider), **health)
    return seen


def started_aside(standing: "Standing", event: CallStarted, index: int, at_us: int) -> None:
    """A call begins that no drill has touched."""
    lanes, record = standing.lanes.undrilled, standing.undrilled.get(event.provider)
    if lanes is not None:
        lane.start(lanes.state, lanes.base(index), lanes.params[index], at_us, event.retry)
    if record is None:
        return
    if record.rate_interval_us:
        record.spend(at_us)
    if event.operation not in SIDE_OPERATIONS:
        record.begins_slowly(at_us)


def succeeded_aside(standing: "Standing", call: OpenCall, event: CallSucceeded, at_us: int) -> None:
    """A call succeeds that no drill has touched."""
    _end(standing, call, event, at_us, retry=0)
    record = standing.undrilled.get(event.provider)
    if record is not None:
        record.answers(at_us, call.started_us, serving=event.operation not in SIDE_OPERATIONS)


def ended_in_vain_aside(
    standing: "Standing", call: OpenCall, event: CallFailed | CallAbandoned, at_us: int, *, retry: int
) -> None:
    """A call ends without success that no drill has touched."""
    _end(standing, call, event, at_us, retry=retry)
    record = standing.undrilled.get(event.provider)
    if record is None:
        return
    if isinstance(event, CallAbandoned):
        record.unheard += event.reason is AbandonReason.OUT_OF_TIME
    else:
        record.hears_of(event, at_us, throttle_us=standing.policy.throttle_ms * 1000)
    if event.operation not in SIDE_OPERATIONS:
        record.ends_in_vain(call.started_us, refused=ending_code(event) == lane.DECLINE)


def _end(
    standing: "Standing", call: OpenCall, event: CallSucceeded | CallFailed | CallAbandoned, at_us: int, *, retry: int
) -> None:
    lanes, index = standing.lanes.undrilled, call.lane
    if lanes is not None:
        base, params = lanes.base(index), lanes.params[index]
        lane.end(lanes.state, base, params, ending_code(event), at_us, call.started_us, event.latency_us, retry)
