"""Drills leave no trace in health: it is what it would be if they had touched no call."""

from collections.abc import Mapping

import hypothesis
from hypothesis import strategies as st
from telling import NOON, Telling, policy, tellings

from understudy.events.calls import CallFact
from understudy.events.drills import DrillEnded, DrillStarted
from understudy.events.row import Recorded
from understudy.projections import lane_step as lane
from understudy.projections.lanes import Lanes
from understudy.projections.snapshot import dump_standing, load_standing
from understudy.projections.standing import Standing

HEALTH = ("throttled_until_us", "slow_start", "unreachable_us", "cut_off_us", "answered_us", "unheard")


def is_of_a_drill(recorded: Recorded) -> bool:
    event = recorded.event
    return isinstance(event, DrillStarted | DrillEnded) or (isinstance(event, CallFact) and event.drill is not None)


def without_drills(log: list[Recorded]) -> Standing:
    """The fold of a history from which all that drills have touched is left out."""
    standing = Standing()
    for recorded in log:
        if not is_of_a_drill(recorded):
            standing.fold(recorded)
    return standing


def by_lane(lanes: Lanes) -> Mapping[object, object]:
    """What is in each lane, but for those in which nothing ever was; and the words of the engine as a whole."""
    found: dict[object, object] = {"all": list(lanes.state[: lane.GLOBAL_WORDS])}
    for index, key in enumerate(lanes.keys):
        words = lanes.state[lanes.base(index) : lanes.base(index) + lanes.words]
        if any(words):
            found[key] = list(words)
    return found


def health(standing: Standing) -> Mapping[str, object]:
    """What the records of providers say of health, as far as there is anything."""
    found = {name: [getattr(one, field) for field in HEALTH] for name, one in standing.providers.items()}
    return {name: told for name, told in found.items() if told != [0, None, 0, 0, 0, 0]}


@hypothesis.given(tellings())
def test_after_drills_everything_stands_as_if_they_had_touched_no_call(telling: Telling) -> None:
    for provider in list(telling.drills):
        telling.drill_over(at=10_000, provider=provider)
    expected = without_drills(telling.log)
    assert by_lane(telling.standing.lanes) == by_lane(expected.lanes)
    assert health(telling.standing) == health(expected)
    assert telling.standing.lanes.undrilled is None


@hypothesis.given(tellings(), st.data())
def test_that_is_so_across_a_restart_in_the_middle(telling: Telling, data: st.DataObject) -> None:
    for provider in list(telling.drills):
        telling.drill_over(at=10_000, provider=provider)
    cut = data.draw(st.integers(0, len(telling.log)))
    standing = Standing()
    for recorded in telling.log[:cut]:
        standing.fold(recorded)
    standing = load_standing(dump_standing(standing))
    for recorded in telling.log[cut:]:
        standing.fold(recorded)
    assert dump_standing(standing) == dump_standing(telling.standing)


def test_during_a_drill_its_faults_count_in_full() -> None:
    telling = Telling(policy=policy(max_failures=3))
    drill = telling.drill(at=1)
    for second in (2, 3, 4):
        telling.call("transient", at=second, drill=drill)
    assert telling.circuit(at=5) == lane.IS_OPEN
    telling.drill_over(at=6)
    assert telling.circuit(at=6) == lane.IS_CLOSED
    assert telling.slot("STREAK") == telling.slot("FAILED") == 0


def test_what_goes_wrong_by_itself_during_a_drill_counts_afterwards() -> None:
    telling = Telling(policy=policy(max_failures=3))
    drill = telling.drill(at=1)
    for second in (2, 3, 4):
        telling.call("transient", at=second)
        telling.call("transient", at=second + 0.5, drill=drill)
    telling.drill_over(at=6)
    assert (telling.slot("FAILED"), telling.circuit(at=6)) == (3, lane.IS_OPEN)


def test_a_touched_call_that_outlives_its_drill_counts_for_nothing_but_room() -> None:
    telling = Telling(policy=policy(max_failures=1))
    held_back = telling.start(at=2, drill=telling.drill(at=1))
    telling.drill_over(at=3)
    assert telling.standing.providers["alpha"].in_flight == 1
    telling.end(held_back, "timed_out", at=4)
    assert (telling.standing.providers["alpha"].in_flight, telling.slot("FAILED")) == (0, 0)
    assert telling.standing.providers["alpha"].unreachable_us == 0


def test_what_a_drill_has_touched_spares_no_later_try() -> None:
    telling = Telling(policy=policy(max_failures=1))
    drill = telling.drill(at=1)
    telling.call("rate_limited", at=2, request_id="same", drill=drill)
    telling.call("transient", at=3, request_id="same", retry=1)
    telling.drill_over(at=4)
    assert (telling.slot("FAILED"), telling.slot("STREAK")) == (1, 0)  # As of the try alone that was not touched.
    assert by_lane(telling.standing.lanes) == by_lane(without_drills(telling.log).lanes)


def test_nothing_is_kept_of_a_request_that_is_looked_up_after_its_end() -> None:
    telling = Telling()
    drill = telling.drill(at=1)
    telling.call("transient", at=2, request_id="ended", operation="lookup", drill=drill)
    assert telling.standing.alerting.touched == {}
    telling.call("transient", at=3, request_id="open", drill=drill)
    assert telling.standing.alerting.touched == {"open": drill}


def test_a_second_drill_does_not_count_what_the_first_has_touched() -> None:
    telling = Telling(policy=policy(max_failures=1))
    held_back = telling.start(at=2, drill=telling.drill(at=1))
    telling.drill_over(at=3)
    telling.drill(at=4)
    telling.end(held_back, "transient", at=5)
    assert telling.circuit(at=5) == lane.IS_CLOSED


def test_a_pause_that_a_drill_has_asked_for_is_over_with_it() -> None:
    telling = Telling()
    throttled = telling.start(at=2, drill=telling.drill(at=1))
    telling.end(throttled, "rate_limited", at=2.5, retry_after_us=600_000_000)
    assert telling.standing.providers["alpha"].throttled_until_us > NOON
    telling.drill_over(at=3)
    assert telling.standing.providers["alpha"].throttled_until_us == 0
