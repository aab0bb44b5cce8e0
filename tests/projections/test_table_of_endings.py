"""What each ending means to the record: the table of the design, row by row."""

import pytest
from telling import Telling, policy

from understudy.events.operations import PolicyActivated
from understudy.events.vocabulary import FailureKind
from understudy.projections import lane_step as lane
from understudy.projections.open_call import CODES

FAILURES = ("transient", "timed_out", "ambiguous", "invalid_reply")
DECLINES = ("out_of_stock", "not_offered", "too_expensive", "insufficient_funds", "misconfigured", "rejected")


def test_every_failure_kind_has_a_row() -> None:
    assert set(CODES) == set(FailureKind)


def test_a_success_counts_in_rate_and_latency_and_ends_the_streak() -> None:
    telling = Telling()
    telling.fail(2, at=2)
    telling.call("success", at=3, latency=0.4)
    assert telling.slot("STREAK") == 0
    assert (telling.slot("SUCCESSES"), telling.slot("COUNT"), telling.slot("SUCCEEDED")) == (1, 3, 1)
    assert (telling.slot("TIMED"), telling.slot("TIMED_LATENCY_US")) == (1, 400_000)


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_counts_in_the_rate_and_in_the_streak(kind: str) -> None:
    telling = Telling()
    assert telling.call(kind, at=1) & lane.COUNTED_FAILURE
    assert (telling.slot("STREAK"), telling.slot("FAILED")) == (1, 1)
    assert (telling.slot("COUNT"), telling.slot("SUCCESSES")) == (1, 0)


@pytest.mark.parametrize("kind", ["timed_out", "ambiguous"])
def test_a_failure_that_kept_us_waiting_counts_in_the_average_at_its_limit(kind: str) -> None:
    telling = Telling()
    telling.call(kind, at=5, latency=5)
    assert (telling.slot("TIMED"), telling.slot("TIMED_LATENCY_US")) == (1, 5_000_000)


@pytest.mark.parametrize("kind", ["transient", "invalid_reply"])
def test_a_failure_that_came_at_once_makes_no_provider_look_fast(kind: str) -> None:
    telling = Telling()
    telling.call(kind, at=1, latency=0.001)
    assert (telling.slot("TIMED"), telling.slot("TIMED_LATENCY_US")) == (0, 0)
    assert telling.slot("FAILURE_LATENCY_US") == 1_000


@pytest.mark.parametrize(
    ("kind", "counter"),
    [("rate_limited", "THROTTLED"), ("abandoned", "ABANDONED"), *((kind, "DECLINED") for kind in DECLINES)],
)
def test_what_is_no_illness_is_counted_apart_and_leaves_window_and_streak_alone(kind: str, counter: str) -> None:
    telling = Telling()
    telling.fail(1, at=1)
    assert telling.call(kind, at=2) == 0
    assert telling.slot(counter) == 1
    assert (telling.slot("STREAK"), telling.slot("COUNT"), telling.slot("FAILED")) == (1, 1, 1)
    assert telling.slot("IN_FLIGHT") == 0


def test_several_tries_of_one_request_are_one_in_the_streak() -> None:
    telling = Telling()
    for retry in range(3):
        telling.call("transient", at=1 + retry, request_id="same", retry=retry)
    assert (telling.slot("STREAK"), telling.slot("FAILED"), telling.slot("RETRIED")) == (1, 3, 2)


@pytest.mark.parametrize("first", ["rate_limited", "abandoned"])
def test_a_retry_is_the_first_in_the_streak_if_the_try_before_it_was_spared(first: str) -> None:
    telling = Telling()
    telling.call(first, at=1, request_id="same")
    telling.call("transient", at=2, request_id="same", retry=1)
    assert telling.slot("STREAK") == 1
    telling.call("transient", at=3, request_id="same", retry=2)
    assert telling.slot("STREAK") == 1


def test_a_spared_try_at_one_provider_says_nothing_about_another() -> None:
    telling = Telling()
    telling.call("rate_limited", at=1, request_id="same")
    telling.call("transient", at=2, request_id="same", provider="beta", retry=1)
    assert telling.slot("STREAK", key=("beta", "serve")) == 0


def test_look_ups_of_a_request_neither_spare_nor_count_its_calls() -> None:
    telling = Telling()
    telling.call("rate_limited", at=1, request_id="same")
    telling.call("transient", at=2, request_id="same", operation="lookup")
    telling.call("transient", at=3, request_id="same", retry=1)
    telling.call("rate_limited", at=4, request_id="same", operation="lookup", retry=0)
    telling.call("transient", at=5, request_id="same", retry=2)
    assert telling.slot("STREAK") == 1


def test_spared_tries_are_forgotten_with_their_request() -> None:
    telling = Telling()
    telling.call("rate_limited", at=1, request_id="same")
    assert telling.standing.spared == {"same": {"alpha"}}
    telling.request_fails("same", at=2)
    assert telling.standing.spared == {}


def test_a_call_that_has_ended_cannot_end_again() -> None:
    telling = Telling()
    started = telling.start(at=1)
    telling.end(started, "success", at=2)
    for how in ("success", "transient", "abandoned"):
        assert telling.end(started, how, at=3) == 0
    assert (telling.slot("COUNT"), telling.slot("IN_FLIGHT")) == (1, 0)
    assert telling.standing.provider("alpha").in_flight == 0


def test_side_calls_have_lanes_of_their_own_whose_circuits_never_open() -> None:
    telling = Telling()
    for second in range(9):
        assert not telling.call("timed_out", at=1 + second, operation="ping", request_id=None) & lane.OPENED
    assert telling.slot("STREAK", key=("alpha", "ping")) == 9
    assert telling.standing.lanes.find(("alpha", "serve")) is None


def test_a_lane_unused_for_too_long_begins_its_window_anew() -> None:
    telling = Telling(policy=policy(stale_after_ms=60_000))
    telling.fail(2, at=10)
    telling.call("success", at=70, latency=0)
    assert (telling.slot("COUNT"), telling.slot("SUCCESSES"), telling.slot("FAILURE_LATENCY_US")) == (1, 1, 0)
    assert telling.slot("FAILED") == 2


def test_calls_of_the_last_minute_are_counted_for_the_lane_and_for_all() -> None:
    telling = Telling()
    for second in (1, 2, 59):
        telling.call("success", at=second, latency=0, retry=second % 2)
    telling.call("success", at=59, latency=0, provider="beta")
    state, base = telling.standing.lanes.state, telling.standing.lanes.base(1)
    now_us = telling.standing.at_us
    assert lane.recent(state, base + lane.USED, now_us) == 3
    assert lane.recent(state, lane.ALL_USED, now_us) == 4
    assert lane.recent(state, lane.ALL_RETRIED, now_us) == 2
    assert lane.recent(state, base + lane.USED, now_us + 10_000_000) == 1
    assert lane.recent(state, base + lane.USED, now_us + 60_000_000) == 0


def test_a_step_does_what_start_and_end_do() -> None:
    stepped, told = Telling(), Telling()
    told.call("success", at=2, latency=1)
    lanes = stepped.standing.lanes
    index = lanes.index(("alpha", "serve"))
    begun_us = stepped.standing.at_us + 1_000_000
    for code, at_us, started_us, latency_us in (
        (lane.NOTHING, 0, 0, 0),
        (lane.START, begun_us, 0, 0),
        (lane.SUCCESS, begun_us + 1_000_000, begun_us, 1_000_000),
    ):
        base, params = lanes.base(index), lanes.params[index]
        assert lane.step(lanes.state, base, params, code, at_us, started_us, latency_us, 0) == 0
    assert lanes.state == told.standing.lanes.state


def test_lanes_are_split_by_what_the_policy_names() -> None:
    telling = Telling(policy=policy(lane_by=("country", "service")))
    telling.call("success", at=1, country="us")
    assert telling.standing.serving_lane("alpha", {"country": "us", "service": None}) == 1
    assert telling.standing.serving_lane("alpha", {"country": "de"}) is None
    telling.say(PolicyActivated(policy=policy(), policy_hash=""), at=2)
    assert telling.standing.serving_lane("alpha", {"country": "us"}) is None


def test_a_full_window_lets_the_oldest_go_and_its_times_with_it() -> None:
    telling = Telling(policy=policy(window=2, max_failures=99))
    for number, how in enumerate(("transient", "transient", "transient", "success", "timed_out", "timed_out")):
        telling.call(how, at=10 + number, latency=(1 + number) / 10)
        seen = [telling.slot(name) for name in ("SUCCESS_LATENCY_US", "FAILURE_LATENCY_US", "TIMED_LATENCY_US")]
        wanted = [
            [0, 100_000, 0],
            [0, 300_000, 0],
            [0, 500_000, 0],
            [400_000, 300_000, 400_000],
            [400_000, 500_000, 900_000],
            [0, 1_100_000, 1_100_000],
        ]
        assert seen == wanted[number]
    telling.call("timed_out", at=20, latency=1)
    assert telling.slot("TIMED_LATENCY_US") == 1_600_000


def test_two_calls_may_end_in_the_same_instant() -> None:
    telling = Telling()
    for how in ("success", "success", "transient", "transient"):
        telling.call(how, at=1)
    assert telling.slot("LAST_SUCCESS_US") == telling.slot("LAST_FAILURE_US") == telling.standing.at_us
    assert telling.slot("COUNT") == 4


def test_a_call_outside_any_request_is_nobodys_retry() -> None:
    telling = Telling()
    assert telling.call("rate_limited", at=1, request_id=None) == 0
    assert telling.call("transient", at=2, request_id=None) & lane.COUNTED_FAILURE
    assert telling.standing.spared == {}
