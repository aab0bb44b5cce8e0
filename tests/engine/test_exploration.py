"""Exploration, the propensities that every decision records, and the one probe that goes first."""

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from given import Story, fails, given, policy_for, succeeds
from hypothesis import given as for_all
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from understudy.engine.dice import FULL, below, derive
from understudy.events.policy import ProviderSettings
from understudy.events.vocabulary import Effect, FailureKind, Strategy

TRANSIENT = fails(FailureKind.TRANSIENT)
RANKING = [Strategy.SCORE, Strategy.FASTEST, Strategy.LEAST_USED, Strategy.BEST_RATE, Strategy.CHEAPEST]
DRAWS = st.integers(min_value=0, max_value=FULL - 1)


def firsts(story: Story, draws: int, **request: Any) -> Counter[str | None]:
    return Counter(story.decides(draw=number * (FULL // draws), **request).provider for number in range(draws))


@pytest.mark.parametrize("strategy", RANKING)
def test_a_small_share_of_decisions_starts_with_another_provider(strategy: Strategy) -> None:
    story = given(policy_for("a", "b", "c", strategy=strategy, exploration="0.2"))
    found = firsts(story, 4_000)
    for name, share in (("a", 0.8), ("b", 0.1), ("c", 0.1)):
        assert abs(found[name] - 4_000 * share) < 5 * (4_000 * share * (1 - share)) ** 0.5
        assert story.sees(name).propensity_ppm == share * 1_000_000


@pytest.mark.parametrize("strategy", sorted(set(Strategy) - set(RANKING)))
def test_strategies_that_turn_or_roll_do_not_explore(strategy: Strategy) -> None:
    story = given(policy_for("a", "b", strategy=strategy, exploration=1))
    assert not any(story.decides(draw=draw).explored for draw in range(0, FULL, FULL // 64))


def test_the_default_share_is_one_in_a_hundred() -> None:
    story = given(policy_for("a", "b", exploration=Decimal("0.01")))
    assert [story.sees(name).propensity_ppm for name in ("a", "b")] == [990_000, 10_000]


@pytest.mark.parametrize(("allowed", "ppm"), [(False, 0), (True, 500_000)])
def test_once_operations_explore_only_when_that_is_enabled(allowed: bool, ppm: int) -> None:
    story = given(policy_for("a", "b", exploration="0.5", explore_once=allowed))
    assert story.sees("b", effect=Effect.ONCE).propensity_ppm == ppm
    assert (firsts(story, 64, effect=Effect.ONCE)["b"] > 0) is allowed


def test_a_failover_does_not_explore() -> None:
    story = given(policy_for("a", "b", "c", exploration=1))
    assert not any(story.decides(draw=draw, tried=("a",)).explored for draw in range(0, FULL, FULL // 64))


def test_exploration_stays_within_the_tier() -> None:
    story = given(policy_for("a", ProviderSettings.model_validate({"id": "b", "priority": 2}), exploration=1))
    assert firsts(story, 64) == {"a": 64}


def test_an_explored_decision_keeps_the_others_in_their_order() -> None:
    story = given(policy_for("a", "b", "c", exploration=1))
    assert {story.decides(draw=draw).order for draw in range(0, FULL, FULL // 64)} == {
        ("b", "a", "c"),
        ("c", "a", "b"),
    }
    assert story.decides().explored is True


@hypothesis_settings(max_examples=60)
@for_all(
    strategy=st.sampled_from(Strategy),
    weights=st.lists(st.integers(min_value=0, max_value=9), min_size=1, max_size=6),
    exploration=st.decimals(min_value=0, max_value=1, places=3),
    sick=st.sets(st.integers(min_value=0, max_value=5)),
    resting=st.sets(st.integers(min_value=0, max_value=5)),
    draw=DRAWS,
)
def test_propensities_sum_to_one_and_the_first_choice_had_a_chance(
    *, strategy: Strategy, weights: list[int], exploration: Decimal, sick: set[int], resting: set[int], draw: int
) -> None:
    providers = [ProviderSettings.model_validate({"id": f"p{n}", "weight": w}) for n, w in enumerate(weights)]
    story = given(policy_for(*providers, strategy=strategy, exploration=exploration, recovery_time_ms=1_000))
    for number in range(len(weights)):
        story.serves(f"p{number}", succeeds(after_ms=1), *[fails(FailureKind.TRANSIENT, after_ms=1)] * (number in sick))
        story.serves(f"p{number}", *[fails(FailureKind.TRANSIENT, after_ms=1)] * (3 * (number in resting)))
    story.later(ms=1_000)
    decision = story.decides(draw=draw)
    total = sum(one.propensity_ppm for one in decision.candidates)
    assert 1_000_000 - len(weights) < total <= 1_000_000
    assert next(one for one in decision.candidates if one.provider == decision.provider).propensity_ppm > 0
    assert sorted(one.rank for one in decision.candidates if one.rank) == list(range(1, len(weights) + 1))


@pytest.mark.parametrize("strategy", Strategy)
def test_recorded_propensities_are_the_shares_of_first_choices(strategy: Strategy) -> None:
    providers = [
        ProviderSettings.model_validate({"id": n, "weight": w}) for n, w in zip("abcd", (5, 3, 2, 7), strict=True)
    ]
    story = given(policy_for(*providers, strategy=strategy, exploration="0.3")).serves(
        "d", TRANSIENT, succeeds(), times=2
    )
    draws = 3_000
    found = firsts(story, draws)
    for one in story.decides().candidates:
        chance = one.propensity_ppm / 1_000_000
        assert abs(found[one.provider] - draws * chance) <= 5 * (draws * chance * (1 - chance)) ** 0.5


# --- dice


@for_all(
    draw=DRAWS, purpose=st.integers(min_value=0, max_value=2_000), limit=st.integers(min_value=1, max_value=10**13)
)
def test_a_derived_number_lies_below_its_limit(draw: int, purpose: int, limit: int) -> None:
    assert 0 <= derive(draw, purpose) < FULL
    assert 0 <= below(draw, purpose, limit) < limit


@pytest.mark.parametrize("weights", [(50, 30, 20), (1, 1, 1), (1, 9, 90)])
def test_a_hundred_thousand_draws_fall_as_their_weights(weights: tuple[int, ...]) -> None:
    draws, total = 100_000, sum(weights)
    rolled = Counter(below(number * 21_474, 1_000, total) for number in range(draws))
    begin = 0
    for weight in weights:
        chance = weight / total
        found = sum(rolled[face] for face in range(begin, begin + weight))
        assert abs(found - draws * chance) < 5 * (draws * chance * (1 - chance)) ** 0.5
        begin += weight


def test_two_purposes_of_one_draw_do_not_lean_on_each_other() -> None:
    draws = 20_000
    both = Counter((below(n, 1, 4), below(n, 2, 4)) for n in range(draws))
    assert all(abs(count - draws / 16) < 5 * (draws / 16) ** 0.5 for count in both.values())
    assert len(both) == 16


# --- probes


def resting(*names: str, **settings: object) -> Story:
    """Providers whose circuits have opened, and whose rest is over, before healthy `c`."""
    story = given(policy_for(*names, "c", max_failures=1, recovery_time_ms=1_000, **settings))
    for name in names:
        story.serves(name, TRANSIENT)
    return story.serves("c", succeeds()).later(ms=1_000)


@pytest.mark.parametrize("strategy", Strategy)
def test_the_probe_of_a_half_open_circuit_goes_first_and_once(strategy: Strategy) -> None:
    story = resting("a", strategy=strategy)
    decision = story.decides()
    assert (decision.order, decision.candidates[0].verdict) == (("a", "c"), "probe")
    assert [one.propensity_ppm for one in decision.candidates] == [1_000_000, 0]
    story.starts("a")
    assert story.decides().order == ("c",)


def test_of_several_probes_only_one_leads() -> None:
    assert resting("a", "b").decides().order == ("a", "c", "b")


def test_a_probe_does_not_lead_a_failover() -> None:
    assert resting("a", tries := "b").decides(tried=(tries,)).order == ("c", "a")


@pytest.mark.parametrize("settings", [{"fallback_enabled": False}, {"max_providers": 1}])
def test_a_probe_does_not_lead_a_request_that_may_not_fall_back(settings: dict[str, object]) -> None:
    assert resting("a", **settings).decides().provider == "c"


def test_a_probe_alone_serves() -> None:
    story = resting("a", exploration="0.5")
    assert story.decides(tried=("c",)).order == ("a",)


def test_a_probe_does_not_come_from_a_lower_tier() -> None:
    low = ProviderSettings.model_validate({"id": "a", "priority": 2, "max_failures": 1, "recovery_time_ms": 1_000})
    story = given(policy_for(low, "b")).serves("a", TRANSIENT).later(ms=1_000)
    assert story.decides().order == ("b",)


def test_a_herd_at_a_half_open_circuit_sends_one_probe() -> None:
    story = resting("a")
    for number in range(50):
        story.accepts(request_id=f"q{number}")
        story.moves(f"q{number}")
        story.takes(f"q{number}")
    assert Counter(story.called) == {"a": 1, "c": 49}


def test_a_herd_that_was_decided_before_the_probe_went_out_is_part_of_the_log() -> None:
    story = resting("a")
    for number in range(3):
        story.accepts(request_id=f"q{number}")
        story.takes(f"q{number}")
    assert [one.provider for one in story.all(type(story.decides()))] == ["a", "a", "a"]
    for number in range(3):
        story.takes(f"q{number}")
    assert story.called[0] == "a"


def test_a_failed_probe_falls_back_and_the_request_is_served() -> None:
    story = resting("a").accepts().plays(TRANSIENT, succeeds())
    assert story.called == ["a", "c"]
    assert story.sees("a").verdict == "circuit_open"


def test_a_successful_probe_brings_the_provider_back() -> None:
    story = resting("a").accepts().plays(succeeds())
    assert story.sees("a").verdict == "eligible"
