"""Together is suspicious: when nearly all providers fail on the network at once, we suspect ourselves."""

import pytest
from given import MS, Story, fails, given, policy_for, succeeds

from understudy.events.operations import AlertCleared, AlertRaised
from understudy.events.policy import ProviderSettings
from understudy.events.vocabulary import FailureKind

CUT = fails(FailureKind.TRANSIENT, network=True)
TIMED_OUT = fails(FailureKind.TIMED_OUT)


def cut_off(*names: str, **settings: object) -> Story:
    """Every provider fails on the network, one after another."""
    story = given(policy_for(*names, **settings))
    for name in names:
        story.serves(name, CUT)
    return story


def verdicts(story: Story) -> list[str]:
    return [one.verdict for one in story.decides().candidates]


def test_nearly_all_failing_on_the_network_raises_one_alert() -> None:
    story = cut_off("a", "b", "c")
    assert [(one.alert, one.subject) for one in story.all(AlertRaised)] == [("local_fault", "")]
    assert story.standing.shielded


def test_calls_that_time_out_count_as_failing_on_the_network() -> None:
    story = given(policy_for("a", "b", "c", local_fault_window_ms=60_000))
    for name in "abc":
        story.serves(name, TIMED_OUT)
    assert story.standing.shielded


def test_failures_inside_the_providers_raise_no_suspicion() -> None:
    story = given(policy_for("a", "b", "c", max_failures=1))
    for name in "abc":
        story.serves(name, fails(FailureKind.TRANSIENT))
    assert not story.standing.shielded
    assert verdicts(story) == ["circuit_open"] * 3


def test_fewer_than_three_providers_cannot_tell_a_local_fault() -> None:
    assert not cut_off("a", "b").standing.shielded


@pytest.mark.parametrize(("failing", "suspected"), [(3, False), (4, True)])
def test_four_in_five_are_nearly_all(failing: int, suspected: bool) -> None:
    story = given(policy_for(*"abcde"))
    for name in "abcde"[failing:]:
        story.serves(name, succeeds())
    for name in "abcde"[:failing]:
        story.serves(name, CUT)
    assert story.standing.shielded is suspected


def test_failures_far_apart_raise_no_suspicion() -> None:
    story = given(policy_for("a", "b", "c", local_fault_window_ms=10_000))
    for name in "abc":
        story.serves(name, CUT).later(ms=5_000)
    assert not story.standing.shielded


def test_providers_that_are_not_in_use_do_not_count() -> None:
    story = given(policy_for(*"abcdefgh"))
    for name in "abc":
        story.serves(name, CUT)
    assert story.standing.shielded


def test_while_a_local_fault_is_suspected_nothing_opens() -> None:
    story = cut_off("a", "b", "c", max_failures=2)
    for _ in range(5):
        for name in "abc":
            story.serves(name, CUT)
    assert verdicts(story) == ["eligible"] * 3


def test_openings_just_before_the_suspicion_are_taken_back() -> None:
    story = given(policy_for("a", "b", "c", max_failures=1)).serves("a", CUT).serves("b", CUT)
    assert verdicts(story) == ["circuit_open", "circuit_open", "eligible"]
    story.serves("c", CUT)
    assert verdicts(story) == ["eligible"] * 3


def test_openings_long_before_the_suspicion_stay() -> None:
    story = given(policy_for("a", "b", "c", "d", max_failures=1)).serves("d", CUT).later(ms=11_000)
    for name in "abc":
        story.serves(name, CUT)
    assert verdicts(story) == ["eligible"] * 3 + ["circuit_open"]


def test_an_answer_clears_the_suspicion() -> None:
    story = cut_off("a", "b", "c").serves("a", succeeds())
    assert [one.alert for one in story.all(AlertCleared)] == ["local_fault"]
    assert not story.standing.shielded


def test_an_answer_that_is_a_failure_clears_the_suspicion_too() -> None:
    story = cut_off("a", "b", "c").serves("a", fails(FailureKind.TRANSIENT))
    assert not story.standing.shielded


def test_an_answer_about_our_account_clears_the_suspicion_and_raises_its_own_alert() -> None:
    story = cut_off("a", "b", "c").serves("a", fails(FailureKind.MISCONFIGURED))
    assert [one.alert for one in story.all(AlertRaised)] == ["local_fault", "misconfigured"]
    assert not story.standing.shielded


def test_calls_begun_during_the_suspicion_are_held_against_nobody_afterwards() -> None:
    story = cut_off("a", "b", "c", max_failures=1)
    late = story.starts("b")
    story.later(ms=500).serves("a", succeeds())
    story.ends(late, fails(FailureKind.TRANSIENT, network=True, after_ms=2_000))
    assert verdicts(story) == ["eligible"] * 3
    assert story.serves("b", CUT).sees("b").verdict == "circuit_open"


def test_failing_pings_are_no_veto_during_the_suspicion() -> None:
    providers = [ProviderSettings(id=name, has_ping=True) for name in "abc"]
    story = given(policy_for(*providers, local_fault_window_ms=60_000))
    story.serves("a", CUT, times=3, operation="ping")
    assert story.sees("a").verdict == "pings_fail"
    story.serves("b", CUT).serves("c", CUT)
    assert story.standing.shielded
    assert story.sees("a").verdict == "eligible"


def test_the_alerts_come_at_the_time_of_what_raised_them() -> None:
    story = cut_off("a", "b", "c")
    (raised,) = (one for one in story.recorded if isinstance(one.event, AlertRaised))
    assert raised.at_us == story.now_us
    assert story.recorded[raised.seq - 2].at_us == raised.at_us
    assert raised.at_us % MS == 0


def test_somebody_who_goes_on_answering_speaks_for_our_own_connection() -> None:
    story = given(policy_for(*"abcde", max_failures=3))
    for _ in range(4):
        story.serves("e", succeeds())
        for name in "abcd":
            story.serves(name, CUT)
    assert len(story.all(AlertRaised)) == 1
    assert verdicts(story)[:4] == ["circuit_open"] * 4
