"""Laws that hold for every history, whatever happened in it."""

import hypothesis
from hypothesis import strategies as st
from plain_model import PlainModel
from telling import Telling, policies, tellings

from understudy.events.policy import Policy
from understudy.projections import lane_step as lane
from understudy.projections.lanes import Lanes
from understudy.projections.standing import Standing

WORDS = {
    lane.IS_CLOSED: "closed",
    lane.IS_OPEN: "open",
    lane.NEEDS_PING: "needs ping",
    lane.MAY_PROBE: "may probe",
    lane.PROBING: "probing",
}


def sums_of(window: list[int]) -> dict[str, int]:
    """The sums of a window, counted afresh."""
    entries = [(entry >> 3, entry & 7) for entry in window]
    return {
        "COUNT": len(entries),
        "SUCCESSES": sum(bits & lane.SUCCESS_BIT for _, bits in entries),
        "SUCCESS_LATENCY_US": sum(us for us, bits in entries if bits & lane.SUCCESS_BIT),
        "FAILURE_LATENCY_US": sum(us for us, bits in entries if not bits & lane.SUCCESS_BIT),
        "TIMED": sum(bool(bits & lane.TIMED_BIT) for _, bits in entries),
        "TIMED_LATENCY_US": sum(us for us, bits in entries if bits & lane.TIMED_BIT),
    }


@hypothesis.given(tellings())
def test_the_sums_are_those_of_the_window_which_never_holds_more_than_it_may(telling: Telling) -> None:
    lanes = telling.standing.lanes
    for index, key in enumerate(lanes.keys):
        window = lanes.window(index)
        assert len(window) <= telling.standing.policy.window
        assert sums_of(window) == {name: telling.slot(name, key=key) for name in sums_of([])}
        since_closed = telling.slot("SINCE_CLOSED", key=key)
        assert since_closed <= len(window)
        recent = window[len(window) - since_closed :]
        assert telling.slot("SINCE_CLOSED_FAILURES", key=key) == sum(not entry & lane.SUCCESS_BIT for entry in recent)
        assert telling.slot("SINCE_CLOSED_SLOW", key=key) == sum(bool(entry & lane.SLOW_BIT) for entry in recent)


@hypothesis.given(tellings(changes=False), st.integers(0, 20_000_000))
def test_a_plain_model_of_the_rules_agrees(telling: Telling, later_us: int) -> None:
    model, standing = PlainModel(telling.policy), Standing()
    for recorded in telling.log:
        standing.fold(recorded)
        model.fold(recorded)
        for key, mine in model.lanes.items():
            index = standing.lanes.places[key]
            base, state, params = standing.lanes.base(index), standing.lanes.state, standing.lanes.params[index]
            assert state[base + lane.STREAK] == mine.streak
            assert state[base + lane.OPENED_US] == mine.opened_us
            assert state[base + lane.OPEN_UNTIL_US] == mine.until_us
            window = [(bool(entry & lane.SUCCESS_BIT), entry >> 3) for entry in standing.lanes.window(index)]
            assert window == mine.outcomes
            assert state[base + lane.SINCE_CLOSED] == len(mine.since_closed)
            for now_us in (recorded.at_us, recorded.at_us + later_us):
                assert WORDS[lane.circuit(state, base, params, now_us)] == model.says(key, now_us)


@hypothesis.given(tellings(ended=True))
def test_nothing_is_in_flight_once_all_calls_have_ended(telling: Telling) -> None:
    standing = Standing()
    for recorded in telling.log:
        standing.fold(recorded)
        for index in range(len(standing.lanes.keys)):
            assert standing.lanes.state[standing.lanes.base(index) + lane.IN_FLIGHT] >= 0
    assert all(telling.slot("IN_FLIGHT", key=key) == 0 for key in standing.lanes.keys)
    assert all(record.in_flight == 0 for record in standing.providers.values())
    assert standing.calls == {}


@hypothesis.given(tellings())
def test_every_call_is_counted_once_as_what_it_came_to(telling: Telling) -> None:
    ends = ("IN_FLIGHT", "SUCCEEDED", "FAILED", "THROTTLED", "DECLINED", "ABANDONED")
    for key in telling.standing.lanes.keys:
        assert telling.slot("STARTED", key=key) == sum(telling.slot(name, key=key) for name in ends)


@hypothesis.given(tellings(), policies())
def test_a_change_of_the_window_keeps_the_latest_outcomes_and_all_else(telling: Telling, other: Policy) -> None:
    lanes = telling.standing.lanes
    before = {key: (lanes.window(index), head(lanes, index)) for key, index in lanes.places.items()}
    own = telling.standing.policy
    size, split = own.window, {"lane_by": own.lane_by}
    wider = own.model_copy(update={"window": size + 3, "min_calls": 1})
    for changed in (wider, other.model_copy(update=split), own):
        lanes.adopt(changed, telling.standing.at_us)
        size = min(size, lanes.policy.window)
        for key, (window, kept) in before.items():
            index = lanes.places[key]
            assert lanes.window(index) == window[len(window) - min(size, len(window)) :]
            assert head(lanes, index) == kept


def head(lanes: Lanes, index: int) -> list[int]:
    """The slots of a lane that have nothing to do with the window."""
    base = lanes.base(index)
    return [*lanes.state[base : base + lane.NEXT], *lanes.state[base + lane.CLOSED_US : base + lane.LANE_HEAD]]


@hypothesis.given(tellings(), st.sampled_from(((), ("country",), ("service",), ("country", "service"))))
def test_split_otherwise_serving_lanes_begin_anew_and_all_that_is_counted_stays(
    telling: Telling, lane_by: tuple[str, ...]
) -> None:
    lanes, at_us = telling.standing.lanes, telling.standing.at_us + 1
    changed = telling.standing.policy.model_copy(update={"lane_by": lane_by})
    before = list(lanes.state)
    lanes.adopt(changed, at_us)
    for key, index in lanes.places.items():
        base = lanes.base(index)
        was = before[base : base + lanes.words]
        if key[1] != "serve" or lane_by == telling.standing.policy.lane_by:
            assert list(lanes.state[base : base + lanes.words]) == was
            continue
        assert lane.circuit(lanes.state, base, lanes.params[index], at_us) == lane.IS_CLOSED
        assert lanes.window(index) == []
        assert list(lanes.state[base : base + lane.STREAK]) == was[: lane.STREAK]


@hypothesis.given(tellings())
def test_folding_the_same_log_again_gives_the_same_standing(telling: Telling) -> None:
    again = Standing()
    for recorded in telling.log:
        again.fold(recorded)
    assert again.lanes.state == telling.standing.lanes.state
    assert again.providers == telling.standing.providers
