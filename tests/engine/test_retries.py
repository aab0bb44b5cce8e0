"""More tries at the same provider: how many, how long apart, and when there are none."""

from dataclasses import asdict

import pytest
from given import MS, Story, fails, finds, given, policy_for, succeeds
from hypothesis import given as for_all
from hypothesis import strategies as st

from understudy.engine.request import doubt_of
from understudy.engine.request_state import Doubtful, LookingUp
from understudy.engine.steps import Call, Decide, Fail, LookUp, Sleep, Suspend, Wait
from understudy.events.policy import ProviderSettings
from understudy.events.requests import RetryScheduled
from understudy.events.vocabulary import Effect, EndReason, FailureKind, Finding

TRANSIENT, AMBIGUOUS, TIMED_OUT = FailureKind.TRANSIENT, FailureKind.AMBIGUOUS, FailureKind.TIMED_OUT
DRAWS = st.integers(min_value=0, max_value=2**31 - 1)


def delays_ms(story: Story) -> list[int]:
    """The waits of a story, each from the end of the call before it."""
    waits = []
    for before, recorded in zip(story.recorded, story.recorded[1:], strict=False):
        if isinstance(recorded.event, RetryScheduled):
            waits.append((recorded.event.until_us - before.at_us) // MS)
    return waits


def test_two_more_tries_are_made_before_the_next_provider_is_asked() -> None:
    story = given(policy_for("a", "b")).accepts().plays(*[fails(TRANSIENT)] * 3, succeeds())
    assert story.called == ["a", "a", "a", "b"]
    assert [call.retry for call in story.calls] == [0, 1, 2, 0]


def test_attempts_are_numbered_without_gaps() -> None:
    story = given(policy_for("a", "b")).accepts().plays(*[fails(TRANSIENT)] * 3, succeeds())
    assert [call.attempt for call in story.calls] == [1, 2, 3, 4]


def test_no_retries_means_one_try_a_provider() -> None:
    story = given(policy_for("a", "b", retry_attempts=0)).accepts().plays(fails(TRANSIENT), fails(TRANSIENT))
    assert story.called == ["a", "b"]
    assert story.end.kind == "request_failed.v1"


def test_every_try_at_a_provider_has_the_same_key_and_every_provider_another() -> None:
    story = given(policy_for("a", "b")).accepts(Effect.IDEMPOTENT, free_to_abandon=True)
    story.plays(*[fails(TIMED_OUT)] * 3, succeeds())
    keys = [call.key for call in story.calls]
    assert len(set(keys[:3])) == 1
    assert keys[3] not in keys[:3]


@for_all(draw=DRAWS)
def test_a_back_off_lies_between_nothing_and_twice_as_much_each_time(draw: int) -> None:
    story = given(policy_for("a", retry_attempts=6, retry_delay_cap_ms=2_000, max_failures=9, deadline_ms=60_000))
    story.draw = draw
    story.accepts(deadline_ms=60_000).plays(*[fails(TRANSIENT)] * 7)
    limits = [500, 1_000, 2_000, 2_000, 2_000, 2_000]
    assert len(delays_ms(story)) == 6
    assert all(0 <= delay <= limit for delay, limit in zip(delays_ms(story), limits, strict=True))


def test_back_offs_use_the_whole_of_their_range() -> None:
    found: list[list[int]] = [[], []]
    for number in range(400):
        story = given(policy_for("a"))
        story.draw = number * (2**31 // 400)
        story.accepts().plays(*[fails(TRANSIENT)] * 3)
        for delays, delay in zip(found, delays_ms(story), strict=True):
            delays.append(delay)
    for delays, limit in zip(found, (500, 1_000), strict=True):
        assert min(delays) < limit * 0.03
        assert max(delays) > limit * 0.97
        assert limit * 0.46 < sum(delays) / len(delays) < limit * 0.54


def test_the_same_draw_gives_the_same_back_off_and_another_another() -> None:
    def delays(draw: int) -> list[int]:
        story = given(policy_for("a"))
        story.draw = draw
        return delays_ms(story.accepts().plays(*[fails(TRANSIENT)] * 3))

    assert delays(17) == delays(17)
    assert delays(17) != delays(18)


@pytest.mark.parametrize("pause_ms", [1, 700, 20_000])
def test_a_retry_after_is_honoured_and_never_shortened(pause_ms: int) -> None:
    story = given(policy_for("a", fallback_enabled=False)).accepts()
    story.plays(fails(FailureKind.RATE_LIMITED, retry_after_ms=pause_ms), succeeds())
    first, second = (recorded for recorded in story.recorded if recorded.event in story.calls)
    assert second.at_us - first.at_us == (100 + pause_ms) * MS


def test_a_throttle_that_names_no_time_counts_as_the_policys_pause() -> None:
    story = given(policy_for("a", fallback_enabled=False, throttle_ms=300)).accepts()
    story.tries(fails(FailureKind.RATE_LIMITED))
    step = story.when()
    assert isinstance(step, Wait)
    assert step.event.until_us == story.now_us + 300 * MS


@pytest.mark.parametrize(("pause_ms", "expected"), [(4_899, Wait), (4_900, Fail), (5_000, Fail)])
def test_a_retry_after_that_reaches_the_deadline_ends_the_request(pause_ms: int, expected: type) -> None:
    story = given(policy_for("a", fallback_enabled=False)).accepts(deadline_ms=5_000)
    assert isinstance(story.tries(fails(FailureKind.RATE_LIMITED, retry_after_ms=pause_ms)).when(), expected)


def test_a_back_off_that_would_reach_the_deadline_is_not_begun() -> None:
    story = given(policy_for("a", "b", retry_delay_ms=1_000_000, retry_delay_cap_ms=1_000_000))
    story.draw = 5
    story.accepts(deadline_ms=3_000).tries(fails(TRANSIENT))
    assert isinstance(story.when(), Decide)


def test_a_wait_is_slept_through_and_no_second_one_is_written() -> None:
    story = given(policy_for("a")).accepts().tries(fails(TRANSIENT))
    until_us = story.now_us + 100
    wait = RetryScheduled(request_id="r1", provider="a", until_us=until_us, reason="test")
    story.note(wait)
    assert story.when() == Sleep(until_us)
    story.now_us = until_us
    assert isinstance(story.when(), Call)


# --- the retry budget


def retries_of(story: Story, requests: int) -> int:
    for number in range(requests):
        request_id = f"q{number}"
        story.accepts(request_id=request_id).plays(fails(TRANSIENT, after_ms=1), request_id=request_id)
        if request_id in story.ledger.requests:
            story.plays(*[fails(TRANSIENT, after_ms=1)] * 2, request_id=request_id)
    return sum(1 for call in story.calls if call.retry)


def test_ten_retries_a_minute_are_always_allowed_and_no_more_when_everything_fails() -> None:
    story = given(policy_for("a", retry_delay_ms=1, retry_attempts=1, max_failures=1_000))
    assert retries_of(story, 30) == 10


def test_a_fifth_of_the_recent_calls_may_be_retries() -> None:
    story = given(policy_for("a", retry_delay_ms=1, retry_attempts=1, max_failures=1_000))
    story.serves("a", succeeds(after_ms=1), times=200)
    # n retries are allowed while n < 0.2 * (200 first calls + a call and a retry each): the fiftieth is the last.
    assert retries_of(story, 70) == pytest.approx(0.2 * (200 + 70) / (1 - 0.2), abs=2)


def test_the_retry_budget_comes_back_after_a_minute() -> None:
    story = given(policy_for("a", retry_delay_ms=1, retry_attempts=1, max_failures=1_000, retry_budget_min=2))
    assert retries_of(story, 10) <= 4
    before = len(story.calls)
    story.later(ms=60_000).accepts().plays(fails(TRANSIENT), succeeds())
    assert len(story.calls) == before + 2


def test_a_budget_of_nothing_means_no_retry() -> None:
    story = given(policy_for("a", "b", retry_budget=0, retry_budget_min=0))
    assert story.accepts().plays(fails(TRANSIENT), succeeds()).called == ["a", "b"]


# --- what comes between


def test_no_retry_follows_when_this_failure_has_opened_the_circuit() -> None:
    story = given(policy_for("a", "b", max_failures=1))
    assert story.accepts().plays(fails(TRANSIENT), succeeds()).called == ["a", "b"]


def test_no_retry_follows_when_the_circuit_opened_during_the_back_off() -> None:
    story = given(policy_for("a", "b", max_failures=2)).accepts().tries(fails(TRANSIENT))
    story.takes()
    story.serves("a", fails(TRANSIENT))
    assert story.plays(succeeds()).called == ["a", "b"]
    assert story.sees("a").verdict == "circuit_open"


@pytest.mark.parametrize("effect", Effect)
def test_several_tries_of_one_request_at_one_provider_are_one_failure_in_a_row(effect: Effect) -> None:
    story = given(policy_for("a", "b")).accepts(effect).plays(*[fails(TRANSIENT)] * 3)
    assert story.lane("a").streak == 1
    assert story.lane("a").failed == 3


# --- idempotent writes that may have been executed


def doubtful(*, has_lookup: bool = False, free: bool = False, **settings: object) -> Story:
    providers = [ProviderSettings(id=name, has_lookup=has_lookup) for name in ("a", "b")]
    return given(policy_for(*providers, **settings)).accepts(Effect.IDEMPOTENT, free_to_abandon=free)


@pytest.mark.parametrize(
    "second",
    [TRANSIENT, FailureKind.RATE_LIMITED, FailureKind.OUT_OF_STOCK, FailureKind.MISCONFIGURED],
)
def test_an_idempotent_write_in_doubt_stays_with_its_provider_whatever_a_later_try_ends_in(second: FailureKind) -> None:
    story = doubtful(retry_attempts=1).tries(fails(AMBIGUOUS), fails(second))
    assert isinstance(story.moves(), Suspend)


def test_an_idempotent_write_in_doubt_is_looked_up_when_it_may_not_be_tried_again() -> None:
    story = doubtful(has_lookup=True, retry_attempts=1).tries(fails(TIMED_OUT), fails(TRANSIENT))
    assert isinstance(story.moves(), LookUp)


def test_an_idempotent_write_in_doubt_waits_for_a_provider_that_throttles() -> None:
    story = doubtful().tries(fails(AMBIGUOUS), fails(FailureKind.RATE_LIMITED, retry_after_ms=2_000))
    ended_us = story.now_us
    step = story.moves()
    assert isinstance(step, Call)
    assert step.event.provider == "a"
    assert story.now_us == ended_us + 2_000 * MS


@pytest.mark.parametrize(("has_lookup", "expected"), [(True, LookUp), (False, Suspend)])
def test_an_idempotent_write_in_doubt_is_settled_when_the_circuit_opens_during_the_back_off(
    has_lookup: bool, expected: type
) -> None:
    story = doubtful(has_lookup=has_lookup, max_failures=2).tries(fails(AMBIGUOUS))
    story.takes()
    story.serves("a", fails(TRANSIENT))
    step = story.moves()
    assert isinstance(step, expected)
    story.takes()
    state = story.ledger.requests["r1"]
    assert isinstance(state, LookingUp if has_lookup else Doubtful)
    assert doubt_of(state).started == story.calls[0]
    assert doubt_of(state).held is not has_lookup


def test_an_idempotent_write_that_a_look_up_proves_absent_goes_to_the_next_provider() -> None:
    story = doubtful(has_lookup=True, max_failures=2).tries(fails(AMBIGUOUS))
    story.takes()
    story.serves("a", fails(TRANSIENT))
    assert story.plays(finds(Finding.FAILED), succeeds()).called == ["a", "b"]


def test_an_idempotent_write_that_is_free_to_abandon_goes_on_elsewhere() -> None:
    story = doubtful(free=True, retry_attempts=1).plays(fails(AMBIGUOUS), fails(TRANSIENT), succeeds())
    assert story.called == ["a", "a", "b"]


def test_a_request_that_is_tried_in_vain_everywhere_is_exhausted() -> None:
    story = given(policy_for("a", "b")).accepts().plays(*[fails(TRANSIENT)] * 6)
    assert {name: value for name, value in asdict(story.end).items() if value is not None} == {
        "request_id": "r1",
        "operation": "rent",
        "reason": EndReason.EXHAUSTED,
        "attempt": 6,
        "tried": ("a", "b"),
        "last_outcome": "transient",
        "last_message": "as told",
    }
