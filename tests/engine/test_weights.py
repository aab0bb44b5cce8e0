"""Weighted shares: relative within a tier, drawn without replacement, nothing for weight 0."""

from collections import Counter

import pytest
from given import fails, given, policy_for

from understudy.events.policy import ProviderSettings
from understudy.events.vocabulary import FailureKind, ForcedState


def weights(**shares: object) -> list[ProviderSettings]:
    return [ProviderSettings.model_validate({"id": name, "weight": weight}) for name, weight in shares.items()]


@pytest.mark.parametrize(
    "shares", [{"a": 50, "b": 30, "c": 20}, {"a": 1, "b": 1, "c": 1}, {"a": "0.5", "b": 4, "c": 8}]
)
def test_weights_are_shares_of_the_first_choices(shares: dict[str, object]) -> None:
    story = given(policy_for(*weights(**shares), strategy="weighted"))
    draws = 4_000
    firsts = Counter(story.decides(draw=number * (2**31 // draws)).provider for number in range(draws))
    total = sum(float(str(share)) for share in shares.values())
    for name, share in shares.items():
        chance = float(str(share)) / total
        margin = 5 * (draws * chance * (1 - chance)) ** 0.5
        assert abs(firsts[name] - draws * chance) <= margin
        assert story.sees(name).propensity_ppm == int(chance * 1_000_000 + 1e-6)


def test_weights_need_not_sum_to_anything() -> None:
    small = given(policy_for(*weights(a="0.2", b="0.1"), strategy="weighted"))
    large = given(policy_for(*weights(a=20, b=10), strategy="weighted"))
    draws = range(0, 2**31, 2**22)
    assert [small.decides(draw=draw).order for draw in draws] == [large.decides(draw=draw).order for draw in draws]


def test_weight_nothing_is_never_first_by_weight_but_stands_by() -> None:
    story = given(policy_for(*weights(a=0, b=1, c=2), strategy="weighted"))
    assert all(story.decides(draw=draw).order[-1] == "a" for draw in range(0, 2**31, 2**23))
    assert story.sees("a").propensity_ppm == 0
    assert story.decides(tried=("b", "c")).order == ("a",)


def test_when_all_weigh_nothing_they_keep_the_configured_order() -> None:
    story = given(policy_for(*weights(b=0, a=0), strategy="weighted"))
    assert story.decides().order == ("b", "a")
    assert story.sees("b").propensity_ppm == 1_000_000


def test_the_weights_of_those_who_are_out_go_to_the_others() -> None:
    story = given(policy_for(*weights(a=98, b=1, c=1), strategy="weighted")).forces("a", ForcedState.OPEN)
    assert [story.sees(name).propensity_ppm for name in "abc"] == [0, 500_000, 500_000]


def test_places_behind_the_first_are_drawn_by_weight_too() -> None:
    story = given(policy_for(*weights(a=1, b=1, c=8), strategy="weighted"))
    seconds = Counter(
        story.decides(draw=draw).order[1] for draw in range(0, 2**31, 2**20) if story.decides(draw=draw).order[0] == "a"
    )
    assert 0.85 < seconds["c"] / sum(seconds.values()) < 0.93


def test_a_provider_without_weight_stands_behind_degraded_ones_that_have_some() -> None:
    story = given(policy_for(*weights(a=1, b=0), strategy="weighted", max_failures=100))
    story.serves("a", fails(FailureKind.TRANSIENT), times=3)
    assert story.decides().order == ("a", "b")
