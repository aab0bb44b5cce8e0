"""When a circuit opens, what it says while it is open, and what closes it."""

from decimal import Decimal
from typing import Any

import pytest
from telling import Telling, policy

from understudy.events.operations import AlertCleared, AlertRaised
from understudy.projections import lane_step as lane

REST = 300


def opened(**fields: Any) -> Telling:
    """A history whose circuit has opened at second 3."""
    telling = Telling(policy=policy(**fields))
    assert telling.fail(3, at=3) & lane.OPENED
    return telling


def test_the_circuit_opens_at_the_third_failed_request_in_a_row() -> None:
    telling = Telling()
    assert not telling.fail(2, at=2) & lane.OPENED
    assert telling.circuit(at=2) == lane.IS_CLOSED
    assert telling.fail(1, at=3) & lane.OPENED
    assert telling.circuit(at=3) == lane.IS_OPEN


def test_a_success_between_failures_keeps_the_circuit_closed() -> None:
    telling = Telling()
    telling.fail(2, at=2)
    telling.call("success", at=3)
    assert not telling.fail(2, at=5) & lane.OPENED


def test_a_provider_may_have_a_limit_of_its_own() -> None:
    telling = Telling(policy=policy(alpha={"max_failures": 1, "recovery_time_ms": 1_000}))
    assert telling.fail(1, at=1) & lane.OPENED
    assert telling.circuit(at=1.9) == lane.IS_OPEN
    assert telling.circuit(at=2) == lane.MAY_PROBE


def test_the_failure_rate_opens_only_from_the_minimum_of_calls_on() -> None:
    telling = Telling(policy=policy(max_failures=99, max_failure_rate=Decimal(50), min_calls=4))
    assert [bool(telling.call(how, at=at) & lane.OPENED) for at, how in enumerate(["transient"] * 4, start=1)] == [
        False,
        False,
        False,
        True,
    ]


def test_a_failure_rate_below_the_limit_does_not_open() -> None:
    telling = Telling(policy=policy(max_failures=99, max_failure_rate=Decimal(50), min_calls=4))
    told = [telling.call(how, at=at) for at, how in enumerate(["success", "success", "success", "transient"], start=1)]
    assert not told[-1] & lane.OPENED
    telling.call("transient", at=5)
    assert telling.call("transient", at=6) & lane.OPENED


def test_a_failure_rate_of_nothing_opens_at_the_first_failure_that_may_be_judged() -> None:
    telling = Telling(policy=policy(max_failures=99, max_failure_rate=Decimal(0), min_calls=2))
    assert not telling.fail(1, at=1) & lane.OPENED
    assert telling.fail(1, at=2) & lane.OPENED


def test_slow_successes_open_at_the_slow_rate_and_a_call_at_the_limit_is_not_slow() -> None:
    telling = Telling(policy=policy(slow_call_ms=1_000, max_slow_rate=Decimal(50), min_calls=2))
    assert telling.call("success", at=10, latency=1) == 0
    assert telling.slot("SINCE_CLOSED_SLOW") == 0
    assert telling.call("success", at=20, latency=1.001) & lane.OPENED


def test_slow_calls_are_forgiven_while_a_local_fault_is_suspected() -> None:
    telling = Telling(policy=policy(slow_call_ms=1_000, max_slow_rate=Decimal(50), min_calls=1))
    telling.fault(at=1)
    assert telling.call("success", at=20, latency=9) == 0


def test_a_minimum_of_calls_beyond_the_window_is_the_window() -> None:
    telling = Telling(policy=policy(max_failures=99, max_failure_rate=Decimal(100), min_calls=50, window=2))
    telling.fail(1, at=1)
    assert telling.fail(1, at=2) & lane.OPENED


def test_rates_look_only_at_what_came_since_the_circuit_closed() -> None:
    lenient = policy(max_failures=3, max_failure_rate=Decimal(50), min_calls=3, min_success_rate=Decimal(0))
    telling = Telling(policy=lenient)
    telling.fail(3, at=3)
    assert telling.call("success", at=400) & lane.CLOSED
    telling.call("success", at=401)
    assert not telling.fail(1, at=402) & lane.OPENED
    assert telling.slot("COUNT") == 6


def test_a_degraded_lane_that_rested_begins_its_window_anew() -> None:
    telling = Telling(policy=policy(max_failures=100))
    for second in range(98):
        telling.call("success", at=second / 100)
    telling.fail(10, at=2)
    telling.call("success", at=2 + REST - 1)
    assert telling.slot("COUNT") == 100
    telling.call("success", at=2 + REST - 1 + REST)
    assert telling.slot("COUNT") == 1


def test_a_healthy_lane_that_rested_keeps_its_window() -> None:
    telling = Telling(policy=policy())
    telling.call("success", at=1)
    telling.call("success", at=1 + 10 * REST)
    assert telling.slot("COUNT") == 2


def test_after_the_rest_one_probe_may_go_and_no_second_one() -> None:
    telling = opened()
    assert telling.circuit(at=3 + REST - 0.001) == lane.IS_OPEN
    assert telling.circuit(at=3 + REST) == lane.MAY_PROBE
    telling.start(at=3 + REST)
    assert telling.circuit(at=3 + REST) == lane.PROBING


def test_a_lost_probe_cannot_lock_the_door() -> None:
    telling = opened(probe_permit_ms=30_000)
    telling.start(at=400)
    assert telling.circuit(at=429.9) == lane.PROBING
    assert telling.circuit(at=430) == lane.MAY_PROBE
    telling.start(at=431)
    assert telling.circuit(at=432) == lane.PROBING


@pytest.mark.parametrize("how", ["rate_limited", "out_of_stock", "abandoned"])
def test_a_probe_without_verdict_lets_somebody_else_ask(how: str) -> None:
    telling = opened()
    telling.end(telling.start(at=400), how, at=401)
    assert telling.circuit(at=401) == lane.MAY_PROBE


def test_the_success_of_a_probe_closes_and_forgets() -> None:
    telling = opened()
    assert telling.call("success", at=400) == lane.CLOSED
    assert telling.circuit(at=400) == lane.IS_CLOSED
    assert (telling.slot("STREAK"), telling.slot("OPENINGS"), telling.slot("PROBE_US")) == (0, 0, 0)
    assert not telling.fail(2, at=402) & lane.OPENED


def test_each_failed_probe_doubles_the_rest_up_to_the_cap() -> None:
    telling = opened(recovery_time_ms=10_000, recovery_time_cap_ms=35_000)
    at, rests = 3.0, []
    for _ in range(4):
        rests.append((telling.slot("OPEN_UNTIL_US") - telling.slot("OPENED_US")) // 1_000_000)
        at += rests[-1] + 1
        assert telling.call("transient", at=at, latency=0.5) & lane.REOPENED
    assert rests == [10, 20, 35, 35]


def test_a_cap_below_the_rest_does_not_shorten_it() -> None:
    telling = opened(recovery_time_ms=10_000, recovery_time_cap_ms=1_000)
    assert telling.circuit(at=12.9) == lane.IS_OPEN


def test_after_a_closing_the_first_rest_is_short_again() -> None:
    telling = opened(recovery_time_ms=10_000)
    telling.call("transient", at=14)
    telling.call("success", at=40)
    telling.fail(3, at=50)
    assert telling.slot("OPEN_UNTIL_US") - telling.slot("OPENED_US") == 10_000_000


def test_a_straggler_neither_closes_nor_reopens() -> None:
    telling = Telling()
    early, late = telling.start(at=1), telling.start(at=1)
    telling.fail(3, at=3.5)
    assert telling.end(early, "success", at=400) == 0
    assert not telling.end(late, "transient", at=401) & lane.REOPENED
    assert telling.circuit(at=401) == lane.MAY_PROBE
    assert telling.slot("OPENINGS") == 1


def test_a_straggler_that_began_in_the_very_instant_of_the_opening_does_not_close() -> None:
    telling = Telling()
    early = telling.start(at=3)
    telling.fail(3, at=3)
    assert telling.end(early, "success", at=4) == 0


def test_stragglers_that_fail_after_the_closing_do_not_open_again() -> None:
    telling = Telling(policy=policy(recovery_time_ms=1_000))
    stragglers = [telling.start(at=2.5) for _ in range(5)]
    telling.fail(3, at=3)
    assert telling.call("success", at=4.5) & lane.CLOSED
    assert [telling.end(one, "timed_out", at=7.5, latency=5) for one in stragglers] == [0] * 5
    assert telling.circuit(at=7.5) == lane.IS_CLOSED


def test_a_call_that_an_operator_forced_through_closes_when_it_succeeds_and_prolongs_nothing_when_it_fails() -> None:
    telling = opened()
    until_us = telling.slot("OPEN_UNTIL_US")
    assert not telling.call("transient", at=10) & lane.REOPENED
    assert telling.slot("OPEN_UNTIL_US") == until_us
    assert telling.call("success", at=20) & lane.CLOSED


def test_with_a_ping_a_successful_one_after_the_rest_must_come_first() -> None:
    telling = opened(alpha={"has_ping": True})
    telling.call("success", at=200, operation="ping")
    assert telling.circuit(at=400) == lane.NEEDS_PING
    telling.start(at=401)
    assert telling.slot("PROBE_US") == 0
    telling.call("success", at=402, operation="ping")
    assert telling.circuit(at=402) == lane.MAY_PROBE


def test_a_trusted_ping_closes_alone_and_the_next_call_takes_note() -> None:
    telling = opened(trust_ping=True, alpha={"has_ping": True})
    telling.call("success", at=400, operation="ping")
    assert telling.circuit(at=400) == lane.IS_CLOSED
    assert telling.slot("OPENED_US") != 0
    started = telling.start(at=401)
    assert telling.slot("OPENED_US") == 0
    assert telling.end(started, "transient", at=402) == lane.COUNTED_FAILURE
    assert telling.slot("STREAK") == 1


def test_the_end_of_a_straggler_takes_note_of_a_trusted_ping_too() -> None:
    telling = Telling(policy=policy(trust_ping=True, alpha={"has_ping": True}))
    straggler = telling.start(at=1)
    telling.fail(3, at=3)
    telling.call("success", at=400, operation="ping")
    assert telling.end(straggler, "timed_out", at=401) == lane.CLOSED
    assert telling.slot("STREAK") == 0


def test_a_provider_may_refuse_the_trust_in_its_ping() -> None:
    telling = opened(trust_ping=True, alpha={"has_ping": True, "trust_ping": False})
    telling.call("success", at=400, operation="ping")
    assert telling.circuit(at=400) == lane.MAY_PROBE


def test_a_probe_that_an_operator_wants_ends_the_rest_and_no_other() -> None:
    telling = opened()
    for second in (4, 5, 6):
        telling.call("transient", at=second, provider="beta")
    telling.probe(at=10)
    assert telling.circuit(at=9.999) == lane.IS_OPEN
    assert telling.circuit(at=10) == lane.MAY_PROBE
    assert telling.circuit(at=10, key=("beta", "serve")) == lane.IS_OPEN
    telling.start(at=11)
    assert telling.circuit(at=11) == lane.PROBING


def test_a_probe_that_an_operator_wants_fails_and_succeeds_as_any_other() -> None:
    telling = opened(recovery_time_ms=10_000)
    telling.probe(at=4)
    assert telling.call("transient", at=5, latency=0.5) & lane.REOPENED
    assert telling.slot("OPEN_UNTIL_US") - telling.slot("OPENED_US") == 20_000_000
    telling.probe(at=6)
    assert telling.call("success", at=7, latency=0.5) == lane.CLOSED


def test_a_probe_that_an_operator_wants_still_needs_a_ping_first_where_there_is_one() -> None:
    telling = opened(alpha={"has_ping": True})
    telling.call("success", at=9, operation="ping")
    telling.probe(at=10)
    assert telling.circuit(at=10) == lane.NEEDS_PING
    telling.call("success", at=11, operation="ping")
    assert telling.circuit(at=11) == lane.MAY_PROBE


def test_wanting_a_probe_changes_nothing_where_no_circuit_rests() -> None:
    telling = opened()
    telling.start(at=3 + REST)
    telling.call("success", at=1, provider="beta")
    before = list(telling.standing.lanes.state)
    telling.probe(at=4 + REST)
    telling.probe(at=4 + REST, provider="beta")
    telling.probe(at=4 + REST, provider="nobody")
    assert list(telling.standing.lanes.state) == before
    assert telling.circuit(at=4 + REST) == lane.PROBING, "one probe at a time"


def test_a_suspected_local_fault_takes_back_fresh_openings_only() -> None:
    telling = opened(local_fault_window_ms=10_000)
    for second in (10, 11, 12):
        telling.call("transient", at=second, provider="beta")
    telling.fault(at=14)
    assert telling.circuit(at=14) == lane.IS_OPEN
    assert telling.circuit(at=14, key=("beta", "serve")) == lane.IS_CLOSED
    assert telling.standing.shielded


def test_while_a_local_fault_is_suspected_nothing_counts_against_anybody() -> None:
    telling = Telling()
    telling.fail(2, at=2)
    telling.fault(at=2.5)
    assert telling.fail(9, at=12) == 0
    assert (telling.slot("STREAK"), telling.slot("FAILED")) == (0, 11)


def test_what_began_during_a_local_fault_is_held_against_nobody_afterwards() -> None:
    telling = Telling(policy=policy(max_failure_rate=Decimal(50), min_calls=3))
    telling.fault(at=1)
    during = [telling.start(at=2) for _ in range(3)]
    telling.fail(5, at=8)
    telling.fault_over(at=9)
    assert [telling.end(one, "timed_out", at=10) for one in during] == [0, 0, 0]
    assert not telling.standing.shielded
    assert telling.fail(2, at=13) == lane.COUNTED_FAILURE


def test_a_retry_after_a_shielded_try_counts() -> None:
    telling = Telling()
    telling.fault(at=1)
    telling.call("transient", at=2, request_id="same")
    telling.fault_over(at=3)
    assert telling.call("transient", at=4, request_id="same", retry=1) & lane.COUNTED_FAILURE


def test_other_alerts_shield_nobody() -> None:
    telling = Telling()
    telling.say(AlertRaised(alert="misconfigured", subject="alpha", message="wrong key"), at=1)
    assert not telling.standing.shielded
    assert list(telling.standing.alerts) == ["misconfigured|alpha"]
    telling.say(AlertCleared(alert="misconfigured", subject="alpha"), at=2)
    assert telling.standing.alerts == {}
