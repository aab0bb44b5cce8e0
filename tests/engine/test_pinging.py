"""When a provider is pinged, so that an outage of an idle one is known within 30 seconds."""

import pytest
from given import MS, NOON, Ending, Story, fails, given, policy_for, succeeds
from hypothesis import given as for_all
from hypothesis import strategies as st

from understudy.engine.pinging import next_ping_us
from understudy.events.policy import ProviderSettings
from understudy.events.vocabulary import FailureKind, ForcedState

SETTINGS = ProviderSettings(id="a", has_ping=True)
TRANSIENT = fails(FailureKind.TRANSIENT)


def due_in_ms(story: Story) -> int:
    """In how many milliseconds a ping of `a` is due; negative if it is overdue."""
    return (next_ping_us(story.standing, SETTINGS, story.now_us) - story.now_us) // MS


def pings(story: Story, ending: Ending) -> None:
    """Wait until a ping is due, and let it end."""
    while (due_us := next_ping_us(story.standing, SETTINGS, story.now_us)) > story.now_us:
        story.now_us = due_us
    story.serves("a", ending, operation="ping")


def test_a_provider_that_was_never_asked_is_pinged_at_once() -> None:
    assert next_ping_us(given(policy_for(SETTINGS)).standing, SETTINGS, NOON) <= NOON


def test_an_idle_provider_is_pinged_every_ten_seconds() -> None:
    assert due_in_ms(given(policy_for(SETTINGS)).serves("a", succeeds(), operation="ping")) == 10_000


def test_traffic_makes_pings_needless() -> None:
    story = given(policy_for(SETTINGS)).serves("a", succeeds(), operation="ping").later(ms=9_000)
    assert due_in_ms(story.serves("a", succeeds())) == 10_000


def test_side_calls_do_not_make_pings_needless() -> None:
    story = given(policy_for(SETTINGS)).serves("a", succeeds(), operation="ping").later(ms=9_000)
    assert due_in_ms(story.serves("a", succeeds(stock=3), operation="stock")) == 900


def test_after_a_failed_ping_the_next_comes_two_seconds_later() -> None:
    assert due_in_ms(given(policy_for(SETTINGS)).serves("a", TRANSIENT, operation="ping")) == 2_000


def test_a_provider_whose_circuit_is_open_rests_from_pings_too() -> None:
    story = given(policy_for(SETTINGS, max_failures=1, recovery_time_ms=60_000)).serves("a", TRANSIENT)
    assert due_in_ms(story) == 60_000
    story.serves("a", TRANSIENT, operation="ping")
    assert due_in_ms(story) == 59_900


def test_when_the_rest_is_over_a_ping_is_due_at_once_and_then_as_often_as_any() -> None:
    story = given(policy_for(SETTINGS, max_failures=1, recovery_time_ms=60_000)).serves("a", TRANSIENT).later(ms=60_000)
    assert due_in_ms(story) == 0
    assert due_in_ms(story.serves("a", succeeds(), operation="ping")) == 10_000


def test_a_provider_that_is_forced_open_is_not_pinged() -> None:
    story = given(policy_for(SETTINGS)).forces("a", ForcedState.OPEN, for_ms=25_000)
    assert due_in_ms(story) == 10_000
    assert due_in_ms(story.later(ms=10_000)) == 10_000
    assert due_in_ms(story.later(ms=15_000)) < 0


def test_a_drained_provider_is_pinged_so_that_its_return_is_no_surprise() -> None:
    assert due_in_ms(given(policy_for(SETTINGS)).forces("a", ForcedState.DRAIN)) < 0


@pytest.mark.parametrize("ending", [TRANSIENT, fails(FailureKind.TIMED_OUT), fails(FailureKind.AMBIGUOUS)])
@for_all(since_ping_ms=st.integers(min_value=0, max_value=10_000))
def test_an_outage_of_an_idle_provider_is_known_within_thirty_seconds(ending: Ending, since_ping_ms: int) -> None:
    story = given(policy_for(SETTINGS, "b"))
    pings(story, succeeds())
    outage_us = story.now_us + since_ping_ms * MS
    while story.sees("a").verdict == "eligible":
        pings(story, ending)
    assert story.now_us - outage_us <= 30_000 * MS
    assert story.sees("a").verdict == "pings_fail"


@for_all(up_ms=st.integers(min_value=0, max_value=20_000))
def test_the_return_of_an_idle_provider_is_known_within_ten_seconds(up_ms: int) -> None:
    story = given(policy_for(SETTINGS))
    for _ in range(3):
        pings(story, TRANSIENT)
    back_us = story.now_us + up_ms * MS
    while story.sees("a").verdict != "eligible":
        pings(story, succeeds() if story.now_us + 2_000 * MS >= back_us else TRANSIENT)
    assert story.now_us - back_us <= 10_000 * MS


def test_a_ping_that_is_refused_is_not_repeated_at_once() -> None:
    story = given(policy_for(SETTINGS)).serves("a", fails(FailureKind.RATE_LIMITED), operation="ping")
    assert due_in_ms(story) == 10_000 - 100
