"""A request's deadline is set once, and nothing stretches it."""

import pytest
from given import MS, NOON, fails, given, policy_for, succeeds

from understudy.engine.steps import Call, Fail
from understudy.events.policy import ProviderSettings
from understudy.events.requests import RequestAccepted, RequestFailed
from understudy.events.vocabulary import Effect, EndReason, FailureKind

TRANSIENT, TIMED_OUT = FailureKind.TRANSIENT, FailureKind.TIMED_OUT


@pytest.mark.parametrize(
    ("deadline_ms", "own_ms", "policy_ms", "expected_ms"),
    [(30_000, None, 5_000, 5_000), (30_000, 700, 5_000, 700), (300, 700, 5_000, 300), (30_000, 9_000, 5_000, 9_000)],
)
def test_a_calls_deadline_is_the_nearest_of_all(
    deadline_ms: int, own_ms: int | None, policy_ms: int, expected_ms: int
) -> None:
    alpha = ProviderSettings(id="a", request_timeout_ms=own_ms)
    story = given(policy_for(alpha, request_timeout_ms=policy_ms)).accepts(deadline_ms=deadline_ms)
    step = story.moves()
    assert isinstance(step, Call)
    assert step.event.deadline_at_us == NOON + expected_ms * MS


def test_retries_and_failovers_do_not_stretch_the_deadline() -> None:
    story = given(policy_for("a", "b", request_timeout_ms=4_000)).accepts(deadline_ms=10_000)
    story.plays(*[fails(TIMED_OUT)] * 6)
    limit_us = story.last(RequestAccepted).deadline_at_us
    assert all(call.deadline_at_us <= limit_us for call in story.calls)
    assert story.calls[-1].deadline_at_us == limit_us
    assert story.now_us == limit_us
    assert story.last(RequestFailed).reason is EndReason.DEADLINE


def test_no_call_starts_at_the_deadline() -> None:
    story = given(policy_for("a")).accepts(deadline_ms=1_000)
    story.takes()
    story.later(ms=1_000)
    assert isinstance(story.when(), Fail)
    story.plays()
    assert (story.last(RequestFailed).reason, story.called) == (EndReason.DEADLINE, [])


def test_no_decision_is_made_at_the_deadline() -> None:
    story = given(policy_for("a")).accepts(deadline_ms=1_000).later(ms=1_000).plays()
    assert story.last(RequestFailed).reason is EndReason.DEADLINE
    assert story.standing.totals.decisions == 0


def test_a_failure_at_the_deadline_ends_the_request() -> None:
    story = given(policy_for("a", "b")).accepts(deadline_ms=1_000).plays(fails(TRANSIENT, after_ms=1_000))
    assert (story.last(RequestFailed).reason, story.called) == (EndReason.DEADLINE, ["a"])


def test_a_success_at_the_deadline_is_a_success() -> None:
    story = given(policy_for("a")).accepts(Effect.ONCE, deadline_ms=1_000).plays(succeeds(after_ms=1_000))
    assert story.end.kind == "request_completed.v1"
