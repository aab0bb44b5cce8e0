"""Tiers, degraded providers, each strategy, and the pin."""

from collections import Counter

import pytest
from given import Ending, Story, fails, given, policy_for, succeeds

from understudy.events.policy import ProviderSettings
from understudy.events.vocabulary import FailureKind, ForcedState, ServicePriority, Strategy

TRANSIENT = fails(FailureKind.TRANSIENT)


def tiers(**priorities: int) -> list[ProviderSettings]:
    return [ProviderSettings(id=name, priority=ServicePriority(tier)) for name, tier in priorities.items()]


def served(story: Story, requests: int) -> Counter[str]:
    """How many requests each provider served, when all of them succeed after 10 ms."""
    for number in range(requests):
        story.draw = (number * 7_919_993) % 2**31
        story.accepts(request_id=f"q{number}").plays(succeeds(after_ms=10), request_id=f"q{number}")
    return Counter(story.called)


# --- tiers


def test_the_first_tier_is_the_primary_one() -> None:
    decision = given(policy_for(*tiers(d=4, c=3, b=2, a=1))).decides()
    assert (decision.order, decision.tier) == (("a",), 1)


@pytest.mark.parametrize("strategy", Strategy)
def test_the_next_tier_is_asked_only_when_nobody_above_is_eligible(strategy: Strategy) -> None:
    story = given(policy_for(*tiers(a=1, b=1, c=2, d=4), strategy=strategy))
    assert set(story.decides().order) == {"a", "b"}
    story.forces("a", ForcedState.OPEN)
    assert story.decides().order == ("b",)
    story.forces("b", ForcedState.DRAIN)
    assert (story.decides().order, story.decides().tier) == (("c",), 2)
    story.forces("c", ForcedState.OPEN)
    assert (story.decides().order, story.decides().tier) == (("d",), 4)
    story.forces("d", ForcedState.OPEN)
    decision = story.decides()
    assert (decision.order, decision.tier, decision.provider) == ((), None, None)


def test_a_failover_goes_down_the_tiers() -> None:
    story = given(policy_for(*tiers(a=1, b=2, c=3), retry_attempts=0)).accepts()
    assert story.plays(TRANSIENT, TRANSIENT, succeeds()).called == ["a", "b", "c"]


def test_a_bad_primary_is_still_asked_before_a_good_secondary() -> None:
    story = given(policy_for(*tiers(a=1, b=2), max_failures=99)).serves("a", TRANSIENT, times=5)
    assert story.decides().order == ("a",)


# --- degraded


def test_a_degraded_provider_ranks_behind_every_healthy_one_and_is_not_excluded() -> None:
    story = given(policy_for("a", "b", "c")).serves("a", TRANSIENT, succeeds(), times=2)
    assert story.decides().order == ("b", "c", "a")


@pytest.mark.parametrize(("good", "bad", "missed"), [(95, 5, None), (94, 6, "success_rate")])
def test_below_the_least_success_rate_a_provider_is_degraded(good: int, bad: int, missed: str | None) -> None:
    story = (
        given(policy_for("a", max_failures=99)).serves("a", TRANSIENT, times=bad).serves("a", succeeds(), times=good)
    )
    assert story.sees("a").degraded == missed


@pytest.mark.parametrize(("average_ms", "missed"), [(3_000, None), (3_001, "response_time")])
def test_above_the_longest_average_a_provider_is_degraded(average_ms: int, missed: str | None) -> None:
    assert given(policy_for("a")).serves("a", succeeds(after_ms=average_ms), times=2).sees("a").degraded == missed


def test_who_misses_both_thresholds_is_told_of_the_success_rate() -> None:
    assert (
        given(policy_for("a")).serves("a", fails(FailureKind.TIMED_OUT), times=2).sees("a").degraded == "success_rate"
    )


@pytest.mark.parametrize("ending", [TRANSIENT, fails(FailureKind.TIMED_OUT), succeeds(after_ms=4_999)])
def test_one_outcome_alone_is_no_evidence(ending: Ending) -> None:
    story = given(policy_for("a", "b")).serves("a", ending)
    assert story.sees("a").degraded is None
    assert story.serves("a", ending).sees("a").degraded is not None


def test_a_degraded_provider_left_alone_for_a_rest_is_tried_anew() -> None:
    story = given(policy_for("a", "b", recovery_time_ms=60_000)).serves("a", TRANSIENT, succeeds(), times=2)
    assert story.later(ms=59_999).sees("a").degraded == "success_rate"
    assert story.later(ms=1).sees("a").degraded is None
    story.serves("a", succeeds())
    assert (story.sees("a").success_bp, story.sees("a").degraded) == (10_000, None)


def test_a_healthy_provider_left_alone_for_a_rest_keeps_its_record() -> None:
    story = given(policy_for("a", recovery_time_ms=60_000)).serves("a", succeeds(), succeeds(), TRANSIENT, succeeds())
    story.later(ms=60_000).serves("a", succeeds())
    assert story.sees("a").success_bp == 8_000


@pytest.mark.parametrize("strategy", sorted(set(Strategy) - {Strategy.FASTEST, Strategy.IN_ORDER}))
def test_every_strategy_but_fastest_and_in_order_puts_the_degraded_behind(strategy: Strategy) -> None:
    story = given(policy_for("a", "b", "c", strategy=strategy)).serves("b", TRANSIENT, succeeds(), times=2)
    assert all(story.decides(draw=draw).order[-1] == "b" for draw in range(0, 2**31, 2**27))


def test_degraded_ones_are_ordered_by_the_strategy_among_themselves() -> None:
    story = given(policy_for("a", "b", "c")).serves("a", TRANSIENT, succeeds(), times=2)
    story.serves("b", TRANSIENT, succeeds(), succeeds(), times=2)
    assert story.decides().order == ("c", "b", "a")


# --- in order


def test_in_order_is_as_configured() -> None:
    assert given(policy_for("c", "a", "b", strategy="in_order")).decides().order == ("c", "a", "b")


def test_in_order_keeps_to_the_configured_order_come_what_may() -> None:
    story = given(policy_for("a", "b", strategy="in_order")).serves("a", TRANSIENT, succeeds(after_ms=4_900), times=2)
    assert story.sees("a").degraded == "success_rate"
    assert story.decides().order == ("a", "b")


# --- fastest


def test_fastest_counts_the_failed_tries_before_a_success() -> None:
    story = given(policy_for("a", "b", strategy="fastest"))
    story.serves("a", succeeds(after_ms=100), fails(FailureKind.TIMED_OUT))
    story.serves("b", succeeds(after_ms=1_000), succeeds(after_ms=1_000))
    # 100 ms of its own + 5,000 ms of failures over (1 + 1) tries that may follow.
    assert [story.sees(name).expected_us for name in ("a", "b")] == [2_600_000, 1_000_000]
    assert story.decides().order == ("b", "a")


def test_fastest_does_not_put_the_degraded_behind_its_measure_knows_of_failures_already() -> None:
    story = given(policy_for("a", "b", strategy="fastest"))
    story.serves("b", succeeds(after_ms=10), fails(FailureKind.TRANSIENT, after_ms=10), times=2)
    story.serves("a", succeeds(after_ms=500))
    assert story.sees("b").degraded == "success_rate"
    assert story.decides().order == ("b", "a")


def test_fastest_takes_the_unknown_for_fast_and_ties_in_configured_order() -> None:
    story = given(policy_for("a", "b", "c", strategy="fastest")).serves("a", succeeds(after_ms=1))
    assert story.decides().order == ("b", "c", "a")


def test_fastest_knows_a_provider_that_never_succeeded_by_its_failures() -> None:
    story = given(policy_for("a", "b", strategy="fastest")).serves("a", TRANSIENT).serves("b", succeeds(after_ms=99))
    assert story.sees("a").expected_us == 100_000
    assert story.decides().order == ("b", "a")


# --- least used


def test_least_used_counts_the_calls_begun_in_the_last_minute() -> None:
    story = given(policy_for("a", "b", "c", strategy="least_used")).serves("a", succeeds(), times=2)
    story.serves("b", succeeds())
    assert [story.sees(name).used_60s for name in ("a", "b")] == [2, 1]
    assert story.decides().order == ("c", "b", "a")
    story.later(ms=65_000)
    assert story.decides().order == ("a", "b", "c")


def test_least_used_shares_evenly() -> None:
    assert served(given(policy_for("a", "b", "c", strategy="least_used")), 99) == {"a": 33, "b": 33, "c": 33}


# --- round robin


def test_round_robin_gives_everybody_an_equal_part() -> None:
    story = given(policy_for("a", "b", "c", strategy="round_robin"))
    served(story, 99)
    assert story.called == ["a", "b", "c"] * 33


def test_round_robin_skips_who_is_out_and_goes_on_in_turn() -> None:
    story = given(policy_for("a", "b", "c", strategy="round_robin")).forces("b", ForcedState.OPEN)
    served(story, 4)
    assert story.called == ["a", "c", "a", "c"]


def test_round_robin_goes_on_after_the_place_of_one_who_has_left() -> None:
    story = given(policy_for("a", "b", "c", strategy="round_robin"))
    served(story, 2)
    story.forces("b", ForcedState.OPEN)
    assert story.decides().order == ("c", "a")


def test_round_robin_starves_nobody_when_one_always_fails() -> None:
    story = given(
        policy_for("a", "b", "c", strategy="round_robin", max_failures=999, min_success_rate=0, retry_attempts=0)
    )
    for number in range(30):
        story.accepts(request_id=f"q{number}")
        while f"q{number}" in story.ledger.requests:
            step = story.moves(f"q{number}")
            assert step.event.kind == "call_started.v1"  # type: ignore[union-attr]
            bad = step.event.provider == "b"  # type: ignore[union-attr]
            story.tries(TRANSIENT if bad else succeeds(), request_id=f"q{number}").plays(request_id=f"q{number}")
    asked = Counter(story.called)
    assert min(asked["a"], asked["c"]) >= 10


def test_each_tier_has_a_turn_of_its_own() -> None:
    story = given(policy_for(*tiers(a=1, b=2, c=2), strategy="round_robin", retry_attempts=0))
    for number in range(4):
        story.accepts(request_id=f"q{number}").plays(
            fails(FailureKind.OUT_OF_STOCK), succeeds(), request_id=f"q{number}"
        )
        story.later(ms=60_000)
    assert story.called == ["a", "b", "a", "c", "a", "b", "a", "c"]
