"""The plan that a decision makes: the pin first, one entry without fallback, and every candidate on record."""

import pytest
from given import fails, given, policy_for, succeeds

from understudy.events.policy import ProviderSettings
from understudy.events.vocabulary import Effect, FailureKind, ForcedState, ServicePriority, Strategy

TRANSIENT = fails(FailureKind.TRANSIENT)


def tiers(**priorities: int) -> list[ProviderSettings]:
    return [ProviderSettings(id=name, priority=ServicePriority(tier)) for name, tier in priorities.items()]


@pytest.mark.parametrize("strategy", Strategy)
def test_a_preferred_provider_goes_first_whatever_the_strategy_and_its_tier(strategy: Strategy) -> None:
    story = given(policy_for(*tiers(a=1, b=1, c=3), strategy=strategy, preferred_provider="c", exploration=1))
    decision = story.decides()
    assert (decision.order[0], set(decision.order), decision.pinned) == ("c", {"a", "b", "c"}, True)
    assert [one.propensity_ppm for one in decision.candidates] == [0, 0, 1_000_000]
    assert decision.explored is False


def test_a_request_may_prefer_another_provider_than_the_policy() -> None:
    story = given(policy_for("a", "b", "c", preferred_provider="c"))
    assert story.decides(preferred="b").order == ("b", "a", "c")


def test_a_preferred_provider_that_is_not_eligible_is_no_pin() -> None:
    story = given(policy_for("a", "b", preferred_provider="b")).forces("b", ForcedState.OPEN)
    assert (story.decides().order, story.decides().pinned) == (("a",), False)


def test_a_preferred_provider_is_not_asked_twice() -> None:
    story = given(policy_for("a", "b", preferred_provider="b", retry_attempts=0)).accepts()
    assert story.plays(TRANSIENT, TRANSIENT).called == ["b", "a"]


def test_a_request_pins_its_own_first_call() -> None:
    assert given(policy_for("a", "b")).accepts(Effect.ONCE, preferred="b").plays(succeeds()).called == ["b"]


# --- the plan


def test_without_fallback_the_plan_has_one_entry() -> None:
    story = given(policy_for("a", "b", "c", fallback_enabled=False))
    assert story.decides().order == ("a",)
    assert [one.rank for one in story.decides().candidates] == [1, None, None]


def test_a_decision_holds_every_candidate_in_configured_order_with_its_rank() -> None:
    story = (
        given(policy_for("c", "a", "b"))
        .forces("a", ForcedState.OPEN)
        .serves("b", succeeds(stock=500), operation="stock")
    )
    decision = story.decides(draw=17)
    assert [(one.provider, one.verdict, one.rank) for one in decision.candidates] == [
        ("c", "eligible", 2),
        ("a", "forced_open", None),
        ("b", "eligible", 1),
    ]
    assert (decision.draw, decision.strategy, decision.request_id) == (17, Strategy.SCORE, "r")
