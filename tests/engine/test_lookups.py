"""Calls that may have been executed: looked up, held, and never made elsewhere before they are proven absent."""

from itertools import pairwise

import pytest
from given import MS, NOON, Ending, Story, fails, finds, given, is_abandoned, policy_for, succeeds

from understudy.engine.errors import BrokenRule
from understudy.engine.next_step import next_step
from understudy.engine.request import doubt_of
from understudy.engine.request_state import Calling
from understudy.engine.steps import Call, Fail, Finish, Hold, LookUp, Suspend, Wait
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.events.policy import ProviderSettings
from understudy.events.requests import (
    RequestCompleted,
    RequestFailed,
    RequestResumed,
    RequestSuspended,
    RetryScheduled,
)
from understudy.events.vocabulary import AbandonReason, Effect, EndReason, FailureKind, Finding, SuspendReason, Via

AMBIGUOUS = fails(FailureKind.AMBIGUOUS)


def doubtful(*, settle_ms: int = 0, deadline_ms: int = 30_000, **settings: object) -> Story:
    """A `once` request whose first call may have been executed."""
    providers = [ProviderSettings(id=name, has_lookup=True, settle_ms=settle_ms) for name in ("a", "b")]
    return given(policy_for(*providers, **settings)).accepts(Effect.ONCE, deadline_ms=deadline_ms).tries(AMBIGUOUS)


def held() -> Story:
    """A `once` request in doubt at a provider that cannot be asked."""
    return given(policy_for("a", "b")).accepts(Effect.ONCE).plays(AMBIGUOUS)


def resumed(story: Story, *, executed: bool) -> Story:
    story.note(RequestResumed(request_id="r1", executed=executed, actor="op", reason="asked them by phone"))
    return story


def test_the_look_up_asks_at_once_for_the_call_in_doubt_under_its_key() -> None:
    story = doubtful()
    step = story.when()
    assert isinstance(step, LookUp)
    assert (step.event.provider, step.event.operation, step.event.attempt) == ("a", "lookup", 1)
    assert step.event.key == story.calls[0].key
    assert step.event.deadline_at_us == story.now_us + 5_000 * MS


def test_no_caller_waits_for_a_look_up_past_the_deadline() -> None:
    story = doubtful(deadline_ms=1_000)
    step = story.when()
    assert isinstance(step, LookUp)
    assert step.event.deadline_at_us == NOON + 1_000 * MS
    late = doubtful(deadline_ms=1_000).later(ms=1_000).when()
    assert isinstance(late, Suspend)
    assert late.event.reason is SuspendReason.UNDECIDED


def test_found_succeeded_completes_the_request_through_the_look_up() -> None:
    end = doubtful().plays(finds(Finding.SUCCEEDED)).last(RequestCompleted)
    assert (end.provider, end.attempt, end.via) == ("a", 1, Via.LOOKUP)


@pytest.mark.parametrize("finding", [Finding.FAILED, Finding.ABSENT])
def test_proven_failed_or_absent_goes_to_the_next_provider(finding: Finding) -> None:
    story = doubtful().plays(finds(finding), succeeds())
    assert story.called == ["a", "b"]
    assert [call.attempt for call in story.calls] == [1, 2]


@pytest.mark.parametrize("finding", [Finding.PENDING, Finding.UNKNOWN])
def test_pending_or_unknown_is_looked_up_again(finding: Finding) -> None:
    story = doubtful().tries(finds(finding))
    assert isinstance(story.when(), Wait)
    assert isinstance(story.moves(), LookUp)


@pytest.mark.parametrize("kind", FailureKind)
def test_a_look_up_that_fails_is_as_good_as_none(kind: FailureKind) -> None:
    story = doubtful().tries(fails(kind))
    assert isinstance(story.moves(), LookUp | Suspend)
    assert story.called == ["a"]


def test_a_look_up_that_is_abandoned_is_as_good_as_none() -> None:
    story = doubtful().tries(is_abandoned(AbandonReason.CRASHED))
    assert isinstance(story.moves(), LookUp)


def test_the_next_provider_has_a_lookup_of_its_own_call() -> None:
    story = doubtful().tries(finds(Finding.FAILED), AMBIGUOUS)
    step = story.when()
    assert isinstance(step, LookUp)
    assert (step.event.provider, step.event.attempt) == ("b", 2)


# --- when an absence is believed


def test_an_absence_is_not_believed_before_the_provider_has_settled() -> None:
    story = doubtful(settle_ms=2_000)
    ended_us = story.now_us
    story.tries(finds(Finding.ABSENT))
    assert isinstance(story.moves(), LookUp)
    assert story.now_us == ended_us + 2_000 * MS
    assert story.plays(finds(Finding.ABSENT), succeeds()).called == ["a", "b"]


def test_an_absence_asked_for_too_early_is_not_believed_however_late_the_answer_comes() -> None:
    story = doubtful(settle_ms=2_000).tries(finds(Finding.ABSENT, after_ms=3_000))
    assert isinstance(story.moves(), LookUp)
    assert story.called == ["a"]


def test_a_failure_is_believed_at_once() -> None:
    assert isinstance(doubtful(settle_ms=60_000).tries(finds(Finding.FAILED)).moves(), Call)


# --- how often


def pauses_ms(story: Story) -> list[int]:
    """From the end of each look-up to the start of the next, in milliseconds."""
    ends = [recorded.at_us for recorded in story.recorded if recorded.event.kind == "call_succeeded.v1"]
    starts = [recorded.at_us for recorded in story.recorded if recorded.event in story.lookups]
    return [(start - end) // MS for end, start in zip(ends, starts[1:], strict=False)]


def test_look_ups_come_at_pauses_that_double_up_to_the_cap() -> None:
    story = doubtful(lookup_interval_ms=500, lookup_interval_cap_ms=3_000).plays(*[finds(Finding.PENDING)] * 7)
    assert pauses_ms(story) == [500, 1_000, 2_000, 3_000, 3_000, 3_000]


def test_hundreds_of_look_ups_later_the_pause_is_still_the_cap() -> None:
    story = doubtful(lookup_interval_ms=500, lookup_interval_cap_ms=3_000).plays(*[finds(Finding.PENDING)] * 200)
    assert pauses_ms(story)[-1] == 3_000


def test_at_the_deadline_the_request_is_held_once_and_looked_up_further() -> None:
    story = doubtful(deadline_ms=2_000).plays(*[finds(Finding.PENDING)] * 6)
    assert [one.reason for one in story.all(RequestSuspended)] == [SuspendReason.UNDECIDED]
    assert len(story.lookups) == 6
    places = [type(recorded.event) for recorded in story.recorded]
    assert places.index(RequestSuspended) < len(places) - 4


def test_a_held_request_that_turns_out_to_have_succeeded_is_completed() -> None:
    story = doubtful(deadline_ms=2_000).plays(*[finds(Finding.PENDING)] * 4, finds(Finding.SUCCEEDED))
    assert story.last(RequestCompleted).via is Via.LOOKUP


def test_a_held_request_that_turns_out_not_to_have_happened_fails_and_is_not_made_elsewhere() -> None:
    story = doubtful(deadline_ms=2_000).plays(*[finds(Finding.PENDING)] * 4, finds(Finding.ABSENT))
    assert (story.last(RequestFailed).reason, story.called) == (EndReason.NOT_EXECUTED, ["a"])


def test_what_is_proven_absent_only_at_the_deadline_is_not_made_elsewhere() -> None:
    story = doubtful(deadline_ms=1_000).plays(finds(Finding.ABSENT, after_ms=900))
    assert (story.last(RequestFailed).reason, story.called) == (EndReason.DEADLINE, ["a"])


def test_time_between_look_ups_never_runs_backward() -> None:
    story = doubtful().plays(*[finds(Finding.UNKNOWN)] * 12)
    assert all(before.at_us <= after.at_us for before, after in pairwise(story.recorded))


# --- holding, and the operator's word


def test_a_request_that_nobody_can_look_up_is_held_and_somebody_is_told() -> None:
    story = held()
    suspended = story.last(RequestSuspended)
    assert (suspended.provider, suspended.attempt, suspended.reason) == ("a", 1, SuspendReason.NO_LOOKUP)
    assert suspended.key == story.calls[0].key
    assert (story.last(AlertRaised).alert, story.last(AlertRaised).subject) == ("suspended", "r1")
    assert story.when() == Hold()
    assert story.later(ms=10**9).when() == Hold()


def test_an_operator_who_says_executed_completes_a_held_request() -> None:
    story = resumed(held(), executed=True).plays()
    end = story.last(RequestCompleted)
    assert (end.provider, end.via) == ("a", Via.OPERATOR)
    assert story.last(AlertCleared).subject == "r1"


def test_an_operator_who_says_not_executed_ends_a_held_request() -> None:
    story = resumed(held(), executed=False).plays()
    assert (story.last(RequestFailed).reason, story.called) == (EndReason.NOT_EXECUTED, ["a"])
    assert story.last(AlertCleared).subject == "r1"


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize(
    "answer", [finds(Finding.FAILED), fails(FailureKind.TIMED_OUT), is_abandoned(AbandonReason.CRASHED)]
)
def test_an_operator_may_speak_while_a_look_up_is_under_way_and_has_the_last_word(
    executed: bool, answer: Ending
) -> None:
    story = doubtful(deadline_ms=2_000).plays(*[finds(Finding.PENDING)] * 4)
    story.moves()
    story.takes()
    under_way = story.recorded[-1]
    resumed(story, executed=executed)
    story.ends(under_way, answer)
    assert isinstance(story.when(), Finish if executed else Fail)


def test_an_operator_may_speak_during_the_pause_between_look_ups() -> None:
    story = doubtful(deadline_ms=2_000).tries(*[finds(Finding.PENDING)] * 4)
    wait = story.when()
    assert isinstance(wait, Wait)
    story.note(wait.event)
    assert isinstance(resumed(story, executed=True).when(), Finish)


def test_the_wait_between_look_ups_names_the_provider_and_the_reason() -> None:
    wait = doubtful().tries(finds(Finding.PENDING)).when()
    assert isinstance(wait, Wait)
    assert (wait.event.provider, wait.event.reason) == ("a", "look up again what became of the call")


def test_a_policy_without_the_provider_holds_its_call_in_doubt() -> None:
    story = doubtful().adopts(policy_for("b"))
    assert isinstance(story.when(), Suspend)


def test_a_look_up_that_the_policy_no_longer_allows_holds_the_request() -> None:
    story = doubtful().tries(finds(Finding.PENDING)).adopts(policy_for("a", "b"))
    assert isinstance(story.when(), Suspend)


def test_a_settling_time_that_the_policy_takes_back_lets_the_request_go_on() -> None:
    story = doubtful(settle_ms=5_000).tries(finds(Finding.ABSENT))
    wait = story.when()
    assert isinstance(wait, Wait)
    story.note(wait.event)
    story.now_us = wait.event.until_us
    story.adopts(policy_for(*(ProviderSettings(id=name, has_lookup=True) for name in ("a", "b"))))
    assert story.plays(succeeds()).called == ["a", "b"]


# --- what cannot be


def test_nothing_can_be_in_doubt_where_nothing_was_called() -> None:
    story = given(policy_for("a")).accepts(Effect.ONCE)
    with pytest.raises(BrokenRule, match="nothing is in doubt"):
        doubt_of(story.ledger.requests["r1"])


def test_a_call_under_way_has_no_next_step() -> None:
    story = given(policy_for("a")).accepts()
    story.moves()
    story.takes()
    assert isinstance(story.ledger.requests["r1"], Calling)
    with pytest.raises(BrokenRule, match="no step follows"):
        next_step(story.ledger.requests["r1"], story.standing, now_us=story.now_us)


def test_a_wait_cannot_follow_a_call_under_way() -> None:
    story = given(policy_for("a")).accepts()
    story.moves()
    story.takes()
    with pytest.raises(BrokenRule, match="no wait follows"):
        story.note(RetryScheduled(request_id="r1", until_us=story.now_us, reason="test"))
