"""Every classic way in which failover goes wrong, as a scenario, and what must happen instead.

Judged from the log and from the providers' own books, never from the engine's opinion of itself.
"""

from collections import Counter
from itertools import pairwise

import pytest
from scenarios_for_tests import Told, told

from understudy.events.calls import CallFailed, CallStarted, CallSucceeded
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.events.requests import RequestAccepted, RequestCompleted, RequestFailed, RequestSuspended
from understudy.events.vocabulary import SIDE_OPERATIONS
from understudy.replay.simulate import bundled_scenarios

# One worker plays each scenario once.
pytestmark = pytest.mark.xdist_group("scenarios")


@pytest.mark.parametrize("name", bundled_scenarios())
def test_every_decision_of_a_scenario_can_be_made_again_from_its_log(name: str) -> None:
    checked = told(name).report.verify
    assert (checked.identical, checked.differs) == (told(name).report.decisions, 0)
    assert checked.identical > 0


@pytest.mark.parametrize("name", bundled_scenarios())
def test_every_request_of_a_scenario_ends(name: str) -> None:
    run = told(name)
    accepted = {one.request_id for _, one in run.of(RequestAccepted)}
    ended = [one.request_id for _, one in run.of(RequestCompleted)] + [
        one.request_id for _, one in run.of(RequestFailed)
    ]
    assert sorted(accepted) == sorted(ended)


@pytest.mark.parametrize("name", bundled_scenarios())
def test_the_log_has_every_call_that_a_provider_has_seen(name: str) -> None:
    run = told(name)
    serving = Counter(one.provider for _, one in run.of(CallStarted) if one.operation not in SIDE_OPERATIONS)
    assert serving == Counter({provider: len(books.calls) for provider, books in run.books.items() if books.calls})


def test_in_an_outage_nobody_is_left_without_an_answer() -> None:
    run = told("outage")
    assert run.report.success_rate == 1
    # One request finds it out, with its retries; pings tell the rest, and when it is over.
    assert run.books["alpha"].calls_between(120, 300) <= 9
    assert run.verdicts("alpha", from_s=160, until_s=300).keys() <= {"pings_fail", "circuit_open", "already_tried"}
    assert run.verdicts("alpha", from_s=380).keys() == {"eligible"}
    assert run.books["gamma"].calls == []  # The second tier rests while the first has somebody.


def test_in_a_brown_out_traffic_goes_round_the_ill_provider() -> None:
    run = told("brown-out")
    assert run.report.success_rate == 1
    assert run.served_by("alpha", from_s=0, until_s=120) > 0.9
    assert run.served_by("beta", from_s=130, until_s=420) > 0.95


def test_a_throttled_provider_is_left_alone_as_long_as_it_asked_and_is_not_thought_ill() -> None:
    run = told("throttling")
    assert run.report.success_rate == 1
    assert_undisturbed(run, "alpha")
    assert run.books["alpha"].endings["success"] > 200
    assert "circuit_open" not in run.verdicts("alpha")


def assert_undisturbed(run: Told, provider: str) -> None:
    """No call begins between a 429 and the end of the pause that it asked for."""
    pauses = [
        (at_s, at_s + (one.retry_after_us or 0) / 1_000_000)
        for at_s, one in run.of(CallFailed)
        if one.provider == provider and one.outcome == "rate_limited"
    ]
    assert pauses
    begun = [at_s for at_s, one in run.of(CallStarted) if one.provider == provider]
    assert [at_s for at_s in begun for first, last in pauses if first < at_s < last] == []


def test_slow_answers_count_against_a_provider_though_all_of_them_are_successes() -> None:
    run = told("slow-but-200")
    assert run.books["alpha"].endings.keys() == {"success"}
    assert run.books["alpha"].calls_between(75, 600) == 0
    assert run.served_by("beta", from_s=80) == 1


def test_a_flapping_provider_is_not_flapped_along_with() -> None:
    run = told("flapping")
    assert run.report.success_rate == 1
    downs = 30
    assert run.books["alpha"].endings["transient"] < downs / 2


def test_when_everybody_fails_at_once_nobody_pays_for_it() -> None:
    run = told("local-fault")
    raised = [at_s for at_s, one in run.of(AlertRaised) if one.alert == "local_fault"]
    cleared = [at_s for at_s, one in run.of(AlertCleared) if one.alert == "local_fault"]
    assert (len(raised), len(cleared)) == (1, 1)
    assert 60 <= raised[0] < 61
    assert 80 <= cleared[0] < 81
    for provider in run.books:
        assert "circuit_open" not in run.verdicts(provider)
    assert run.served_by("alpha", from_s=80) == 1
    assert run.report.success_rate == pytest.approx(1 - 20 / 180)


def test_one_request_at_a_time_tries_a_half_open_provider() -> None:
    run = told("half-open-herd")
    assert run.report.success_rate == 1
    # What was under way when it died is lost to it; after that, one probe for each rest.
    herd = [at_s for at_s, one in run.of(CallStarted) if one.provider == "alpha" and at_s > 16]
    assert 1 <= len(herd) <= 4
    assert all(later - earlier > 30 for earlier, later in pairwise(herd))


def test_an_order_is_never_executed_twice_whatever_breaks() -> None:
    run = told("ambiguous-once")
    executed = run.executions
    completed = {one.request_id for _, one in run.of(RequestCompleted)}
    assert set(executed.values()) == {1}
    assert executed.keys() == completed
    assert [one for _, one in run.of(RequestCompleted) if one.via == "lookup"]
    assert sum(books.lookups for books in run.books.values()) > 0


def test_retries_do_not_become_a_storm() -> None:
    run = told("retry-storm")
    calls = [one for at_s, one in run.of(CallStarted) if 30 <= at_s < 90]
    retries = [one for one in calls if one.retry > 0]
    assert 0 < len(retries) <= 0.12 * len(calls)


def test_a_dead_provider_costs_a_cold_start_no_more_than_its_first_tries() -> None:
    run = told("cold-start-on-a-dead-provider")
    assert run.report.success_rate == 1
    assert 1 <= len(run.books["alpha"].calls) <= 3


def test_an_old_record_is_no_record() -> None:
    run = told("stale-window")
    assert run.served_by("beta", from_s=61, until_s=100) > 0.8
    assert run.served_by("alpha", from_s=89_000) > 0.8


def test_an_error_inside_a_200_counts_as_the_failure_that_it_is() -> None:
    run = told("error-inside-a-200")
    assert run.report.success_rate == 1
    assert run.books["alpha"].endings["invalid_reply"] == 3
    assert run.verdicts("alpha", from_s=65, until_s=240)["eligible"] == 0


def test_failures_further_apart_than_their_timeout_still_add_up() -> None:
    run = told("window-shorter-than-the-timeout")
    assert run.report.success_rate == 1
    assert len(run.books["alpha"].calls) == 3
    assert run.verdicts("alpha", from_s=200).keys() == {"circuit_open"}


def test_calls_under_way_count_before_they_have_failed() -> None:
    run = told("in-flight-not-counted")
    assert run.report.success_rate == 1
    assert run.books["alpha"].most_under_way == 5
    assert run.verdicts("alpha")["max_in_flight"] > 100


def test_not_everybody_moves_to_the_fastest() -> None:
    run = told("everybody-moves-to-the-fastest")
    assert run.report.success_rate == 1
    assert run.books["alpha"].most_under_way <= 4
    assert run.books["beta"].most_under_way <= 8
    assert run.report.p99_ms <= 500
    assert all(books.endings["success"] > 50 for books in run.books.values())


def test_a_health_page_that_lies_permits_probes_and_nothing_more() -> None:
    run = told("health-probe-on-another-path")
    assert run.report.success_rate == 1
    assert run.books["alpha"].pings > 3
    after_opening = [at_s for at_s, one in run.of(CallStarted) if one.provider == "alpha" and one.request_id][3:]
    # Rests of 30, 60, 120 s: a probe for each, whatever the pings say.
    assert len(after_opening) <= 4
    assert all(later - earlier >= 30 for earlier, later in pairwise(after_opening))


def test_a_pause_that_was_asked_for_is_given_in_full() -> None:
    run = told("retry-after-honoured")
    assert run.report.success_rate == 1
    assert_undisturbed(run, "alpha")
    assert run.books["alpha"].calls_between(41, 120) > 300


def test_a_late_success_is_found_and_not_repeated_elsewhere() -> None:
    run = told("late-success-after-failover")
    assert [one.reason for _, one in run.of(RequestSuspended)]
    assert set(run.executions.values()) == {1}
    assert len(run.executions) == len(run.of(RequestAccepted)) == len(run.of(RequestCompleted))
    assert [one.provider for _, one in run.of(RequestCompleted) if one.via == "lookup"] == ["alpha"] * 3


def test_a_lost_probe_does_not_lock_the_door() -> None:
    run = told("lost-half-open-probe")
    assert run.books["alpha"].endings["cancelled"] == 1
    assert run.verdicts("alpha", from_s=41, until_s=42)["probe"] == 1
    assert run.served_by("alpha", from_s=45) == 1


def test_no_caller_waits_longer_than_the_deadline_whatever_is_tried_again() -> None:
    run = told("deadline-stretched-by-retries")
    assert run.report.success_rate == 0
    assert run.report.calls_per_request > 1
    assert run.report.p99_ms <= 7_000
    accepted = {one.request_id: at_s for at_s, one in run.of(RequestAccepted)}
    assert all(at_s - accepted[one.request_id] <= 7.001 for at_s, one in run.of(RequestFailed))


def test_retries_in_several_layers_do_not_multiply() -> None:
    run = told("retries-multiplied-across-layers")
    # Three tries of the caller at two providers are six calls; eighteen would be three tries of ours at each.
    assert 6 <= run.report.calls_per_request < 7.5


def test_a_window_does_not_stay_frozen_when_its_provider_has_recovered() -> None:
    run = told("window-frozen-by-its-oldest-entries")
    assert run.served_by("beta", from_s=220, until_s=320) > 0.8
    assert run.served_by("alpha", from_s=1_800) > 0.9


def test_listed_stock_is_believed_until_a_call_finds_out_otherwise() -> None:
    run = told("phantom-stock")
    assert run.report.success_rate == 1
    assert run.books["alpha"].endings["success"] == 10
    found_out = [at_s for at_s, one in run.of(CallFailed) if one.outcome == "out_of_stock"]
    assert 1 <= len(found_out) <= 5
    assert run.of(CallSucceeded)
