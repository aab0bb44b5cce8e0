"""The caller goes away, or the engine stops: what becomes of the request depends on what may have happened."""

import pytest
from given import Ending, Story, fails, finds, given, is_abandoned, policy_for, succeeds

from understudy.engine.errors import BrokenRule
from understudy.engine.request import evolve
from understudy.engine.request_state import Settled
from understudy.engine.steps import Call, Decide, Fail, Finish, LookUp, Sleep, Suspend
from understudy.events.calls import CallStarted
from understudy.events.decisions import DecisionMade
from understudy.events.policy import ProviderSettings
from understudy.events.requests import RequestCancelled, RequestCompleted, RequestFailed, RetryScheduled
from understudy.events.vocabulary import AbandonReason, Effect, EndReason, FailureKind, Finding, Via

GONE = pytest.mark.parametrize(
    ("how", "reason"),
    [(AbandonReason.CANCELLED, EndReason.CANCELLED), (AbandonReason.CRASHED, EndReason.INTERRUPTED)],
)


def begun(effect: Effect, *, has_lookup: bool = True) -> Story:
    providers = [ProviderSettings(id=name, has_lookup=has_lookup) for name in ("a", "b")]
    return given(policy_for(*providers)).accepts(effect)


@GONE
@pytest.mark.parametrize("effect", [Effect.READ, Effect.IDEMPOTENT])
def test_a_request_that_may_be_repeated_ends_when_its_caller_is_gone(
    effect: Effect, how: AbandonReason, reason: EndReason
) -> None:
    story = begun(effect).tries(is_abandoned(how)).cancels(reason).plays()
    assert story.last(RequestFailed).reason is reason
    assert story.lookups == []


@GONE
def test_a_once_request_is_settled_although_its_caller_is_gone(how: AbandonReason, reason: EndReason) -> None:
    story = begun(Effect.ONCE).tries(is_abandoned(how)).cancels(reason)
    assert isinstance(story.when(), LookUp)
    assert story.plays(finds(Finding.SUCCEEDED)).last(RequestCompleted).via is Via.LOOKUP


@GONE
def test_a_once_request_found_absent_is_not_made_elsewhere_for_nobody(how: AbandonReason, reason: EndReason) -> None:
    story = begun(Effect.ONCE).tries(is_abandoned(how)).cancels(reason).plays(finds(Finding.ABSENT))
    assert (story.last(RequestFailed).reason, story.called) == (reason, ["a"])


@GONE
def test_a_once_request_that_cannot_be_looked_up_is_held(how: AbandonReason, reason: EndReason) -> None:
    story = begun(Effect.ONCE, has_lookup=False).tries(is_abandoned(how)).cancels(reason)
    assert isinstance(story.when(), Suspend)


@pytest.mark.parametrize("effect", Effect)
def test_a_request_of_which_nothing_was_sent_ends(effect: Effect) -> None:
    story = begun(effect).cancels()
    assert isinstance(story.when(), Fail)
    story.plays()
    assert (story.last(RequestFailed).reason, story.called) == (EndReason.CANCELLED, [])


@pytest.mark.parametrize("effect", Effect)
def test_a_chosen_provider_is_not_called_for_nobody(effect: Effect) -> None:
    story = begun(effect)
    story.takes()
    assert isinstance(story.cancels().when(), Fail)


@pytest.mark.parametrize("effect", Effect)
def test_a_back_off_is_not_waited_out_for_nobody(effect: Effect) -> None:
    story = begun(effect).tries(fails(FailureKind.TRANSIENT))
    story.takes()
    assert isinstance(story.cancels().when(), Fail)


def test_a_failure_is_not_tried_again_for_nobody() -> None:
    story = begun(Effect.READ).tries(fails(FailureKind.TRANSIENT)).cancels().plays()
    assert (story.last(RequestFailed).reason, story.called) == (EndReason.CANCELLED, ["a"])


def test_an_end_in_doubt_is_settled_for_nobody() -> None:
    story = begun(Effect.ONCE).tries(fails(FailureKind.AMBIGUOUS)).cancels()
    assert isinstance(story.when(), LookUp)


def test_a_cancellation_during_a_look_up_does_not_stop_the_settling() -> None:
    story = begun(Effect.ONCE).tries(fails(FailureKind.AMBIGUOUS))
    story.takes()
    under_way = story.recorded[-1]
    story.cancels().ends(under_way, finds(Finding.PENDING))
    assert isinstance(story.moves(), LookUp)
    assert story.plays(finds(Finding.ABSENT)).last(RequestFailed).reason is EndReason.CANCELLED


def test_a_restart_does_not_shorten_the_pause_between_look_ups() -> None:
    story = begun(Effect.ONCE).tries(is_abandoned(AbandonReason.CRASHED)).cancels(EndReason.INTERRUPTED)
    story.tries(finds(Finding.PENDING))
    until_us = story.now_us + 500_000
    story.note(RetryScheduled(request_id="r1", provider="a", until_us=until_us, reason="test"))
    assert story.when() == Sleep(until_us)


def test_an_answer_in_hand_completes_the_request_whether_or_not_anybody_waits() -> None:
    story = begun(Effect.READ).tries(succeeds()).cancels()
    assert isinstance(story.when(), Finish)


def test_nobody_waits_for_a_limit_to_pass_for_nobody() -> None:
    story = given(policy_for("a", max_in_flight=1))
    story.starts("a")
    story.accepts()
    story.takes()
    assert isinstance(story.cancels(EndReason.INTERRUPTED).plays().steps[-1][3], Fail)
    assert story.last(RequestFailed).reason is EndReason.INTERRUPTED


def test_an_intent_that_never_became_durable_was_surely_not_executed() -> None:
    story = begun(Effect.ONCE).tries(is_abandoned(AbandonReason.NOT_SENT)).plays()
    assert story.last(RequestFailed).reason is EndReason.NOT_EXECUTED


TOO_LATE = is_abandoned(AbandonReason.NOT_SENT, after_ms=31_000)
"""The log took so long that the call's own limit had passed: nothing was sent."""


def test_an_intent_that_became_durable_too_late_for_its_call_is_decided_anew() -> None:
    story = begun(Effect.ONCE).tries(TOO_LATE).plays(succeeds())
    assert (story.last(RequestCompleted).attempt, story.last(RequestCompleted).failovers) == (2, 0)


def test_an_intent_that_became_durable_too_late_for_its_request_ends_by_its_deadline() -> None:
    story = given(policy_for("a", "b")).accepts(Effect.ONCE, deadline_ms=5_000).tries(TOO_LATE).plays()
    assert story.last(RequestFailed).reason is EndReason.DEADLINE


def test_intents_that_are_always_too_late_have_an_end() -> None:
    story = given(policy_for("a", "b", retry_attempts=1)).accepts(Effect.ONCE, deadline_ms=600_000)
    story.tries(TOO_LATE).plays(*[TOO_LATE] * 5)
    assert (story.last(RequestFailed).reason, story.last(RequestFailed).attempt) == (EndReason.DEADLINE, 6)


def test_an_intent_given_up_with_its_caller_ends_as_cancelled() -> None:
    story = begun(Effect.ONCE).tries(is_abandoned(AbandonReason.NOT_SENT)).cancels().plays()
    assert story.last(RequestFailed).reason is EndReason.CANCELLED


# --- facts that come late


def test_nothing_happens_to_a_settled_request() -> None:
    story = begun(Effect.READ).plays(succeeds())
    before = dict(story.ledger.requests)
    story.cancels()
    story.starts("a", request_id="r1", attempt=2)
    assert story.ledger.requests == before == {}


def test_a_settled_state_stays_as_it_is_when_the_caller_goes() -> None:
    settled = Settled(begun(Effect.READ).plays(succeeds()).last(RequestCompleted))
    assert evolve(settled, RequestCancelled(request_id="r1", reason=EndReason.CANCELLED), 0) is settled


@pytest.mark.parametrize("ending", [succeeds(), fails(FailureKind.TRANSIENT), is_abandoned(AbandonReason.CANCELLED)])
def test_an_end_without_a_call_is_a_broken_rule(ending: Ending) -> None:
    story = begun(Effect.READ)
    story.moves()
    story.takes()
    started = story.recorded[-1]
    story.ends(started, fails(FailureKind.TRANSIENT))
    with pytest.raises(BrokenRule, match="no call is under way"):
        story.ends(started, ending)


def test_a_call_that_was_not_decided_on_is_a_broken_rule() -> None:
    story = begun(Effect.READ)
    call = CallStarted(request_id="r1", provider="a", operation="rent", attempt=1, key="", deadline_at_us=0)
    with pytest.raises(BrokenRule, match="a call cannot start"):
        story.note(call)


def test_a_decision_during_a_call_is_a_broken_rule() -> None:
    story = begun(Effect.READ)
    assert isinstance(story.moves(), Call)
    decision = story.last(DecisionMade)
    story.takes()
    with pytest.raises(BrokenRule, match="no decision follows"):
        story.note(decision)


def test_a_decision_and_its_call_are_two_steps() -> None:
    story = begun(Effect.READ)
    assert isinstance(story.when(), Decide)
    story.takes()
    assert isinstance(story.when(), Call)
