"""The mode of the engine as a whole, from what its providers are able to do."""

import pytest
from given import Story, fails, given, policy_for, succeeds

from understudy.events.operations import ModeChanged, OverrideCleared, OverrideSet
from understudy.events.policy import ProviderSettings
from understudy.events.vocabulary import FailureKind, ForcedState, Mode

PRIMARY, BACKUP, EMERGENCY = (
    ProviderSettings.model_validate({"id": name, "priority": tier, "max_failures": 1})
    for name, tier in (("a", 1), ("c", 3), ("x", 4))
)


def modes(story: Story) -> list[str]:
    return [event.mode.value for event in story.all(ModeChanged)]


def down(story: Story, *names: str) -> Story:
    """Each of these fails once, which opens its circuit."""
    for name in names:
        story.ends(story.starts(name), fails(FailureKind.TRANSIENT))
    return story


def test_it_degrades_tier_by_tier_to_an_emergency_and_comes_back() -> None:
    story = given(policy_for(PRIMARY, BACKUP, EMERGENCY))
    assert modes(down(story, "a")) == ["degraded"]
    assert modes(down(story, "c")) == ["degraded", "emergency"]
    assert modes(down(story, "x")) == ["degraded", "emergency"]
    story.later(ms=400_000)
    story.ends(story.starts("c"), succeeds())
    story.ends(story.starts("a"), succeeds())
    assert modes(story) == ["degraded", "emergency", "degraded", "normal"]
    assert [event.previous.value for event in story.all(ModeChanged)] == ["normal", "degraded", "emergency", "degraded"]


def test_a_record_that_is_split_otherwise_now_says_nothing_for_its_provider() -> None:
    story = given(policy_for(PRIMARY, BACKUP))
    story.ends(story.starts("a", country="us"), succeeds())
    story.adopts(policy_for(PRIMARY, BACKUP, lane_by=("country",)))
    story.ends(story.starts("a", country="us"), fails(FailureKind.TRANSIENT))
    assert modes(story) == ["degraded"]


def test_one_primary_of_several_is_enough() -> None:
    story = given(policy_for(PRIMARY, "b", BACKUP))
    assert modes(down(story, "a")) == []


def test_with_a_single_tier_nobody_left_is_an_emergency() -> None:
    assert modes(down(given(policy_for(PRIMARY)), "a")) == ["emergency"]


@pytest.mark.parametrize("state", [ForcedState.OPEN, ForcedState.DRAIN])
def test_what_an_operator_forces_counts(state: ForcedState) -> None:
    story = given(policy_for(PRIMARY, BACKUP))
    story.note(OverrideSet(provider="a", state=state, actor="ann", reason="test"))
    story.note(OverrideCleared(provider="a", actor="ann", reason="test"))
    assert modes(story) == ["degraded", "normal"]


def test_an_account_that_is_not_accepted_counts_until_it_is() -> None:
    story = given(policy_for(PRIMARY, BACKUP))
    story.ends(story.starts("a"), fails(FailureKind.MISCONFIGURED))
    assert modes(story) == ["degraded"]
    story.ends(story.starts("a"), succeeds())
    assert modes(story) == ["degraded", "normal"]


def test_nobody_configured_is_no_emergency() -> None:
    assert given(policy_for()).standing.mode is Mode.NORMAL


def test_a_best_tier_that_fails_on_quotes_alone_degrades_too() -> None:
    story = given(policy_for(PRIMARY, BACKUP))
    story.serves("a", succeeds())
    story.ends(story.starts("a", "quote"), fails(FailureKind.TRANSIENT))
    assert modes(story) == ["degraded"]


def test_an_idle_best_tier_whose_pings_fail_degrades_before_a_request_finds_out() -> None:
    story = given(policy_for(PRIMARY.model_copy(update={"has_ping": True, "max_failures": 2}), BACKUP))
    story.ends(story.starts("a", "ping"), fails(FailureKind.TRANSIENT))
    assert modes(story) == []
    story.ends(story.starts("a", "ping"), fails(FailureKind.TRANSIENT))
    assert (modes(story), story.sees("a").verdict) == (["degraded"], "pings_fail")
    story.ends(story.starts("a", "ping"), succeeds())
    assert (modes(story), story.sees("a").verdict) == (["degraded", "normal"], "eligible")


@pytest.mark.parametrize(("trusted", "then"), [(True, ["degraded", "normal"]), (False, ["degraded"])])
def test_a_ping_after_the_rest_brings_the_mode_back_where_it_is_trusted(trusted: bool, then: list[str]) -> None:
    story = given(policy_for(PRIMARY.model_copy(update={"has_ping": True, "trust_ping": trusted}), BACKUP))
    down(story, "a").later(ms=300_000)
    story.ends(story.starts("a", "ping"), succeeds())
    assert modes(story) == then
