"""An operator says one thing of a request, and a look-up that was under way the other: somebody must be told."""

import pytest
from given import Ending, Story, fails, finds, given, is_abandoned, policy_for

from understudy.engine import reports
from understudy.engine.alerts import CONTRADICTION
from understudy.engine.commands import awaits_last_word
from understudy.engine.provider import Found
from understudy.engine.reports import Discretion
from understudy.engine.steps import Fail, Finish
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.events.policy import ProviderSettings
from understudy.events.requests import RequestResumed
from understudy.events.vocabulary import AbandonReason, Effect, FailureKind, Finding
from understudy.projections.snapshot import dump_standing, load_standing


def spoken(*, executed: bool) -> Story:
    """A held request of which an operator has just spoken, while a look-up is under way."""
    story = given(policy_for(ProviderSettings(id="a", has_lookup=True)))
    story.accepts(Effect.ONCE, deadline_ms=2_000).tries(fails(FailureKind.AMBIGUOUS))
    story.plays(*[finds(Finding.PENDING)] * 4)
    story.moves()
    story.takes()
    return says(story, executed=executed)


def says(story: Story, *, executed: bool) -> Story:
    story.note(RequestResumed(request_id="r1", executed=executed, actor="op", reason="asked them by phone"))
    return story


def comes_back(story: Story, ending: Ending) -> Story:
    """The look-up ends."""
    under_way = next(one for one in reversed(story.recorded) if one.event.kind == "call_started.v1")
    return story.ends(under_way, ending)


def contradictions(story: Story) -> list[AlertRaised]:
    return [alert for alert in story.all(AlertRaised) if alert.alert == CONTRADICTION]


@pytest.mark.parametrize(
    ("executed", "finding", "told"),
    [
        (False, Finding.SUCCEEDED, "was not executed, but a has executed it"),
        (False, Finding.PENDING, "was not executed, but a is still executing it"),
        (True, Finding.FAILED, "was executed, but a has failed to execute it"),
        (True, Finding.ABSENT, "was executed, but a does not know of it"),
    ],
)
def test_a_look_up_that_says_the_opposite_raises_an_alert(executed: bool, finding: Finding, told: str) -> None:
    story = comes_back(spoken(executed=executed), finds(finding))
    (alert,) = contradictions(story)
    assert alert.subject == "r1"
    assert alert.message == f"an operator says that request r1 {told}"


def test_the_alert_names_the_reference() -> None:
    story = spoken(executed=False)
    started = next(one for one in reversed(story.recorded) if one.event.kind == "call_started.v1")
    found = Found(finding=Finding.SUCCEEDED, reference="order-99")
    story.note(reports.succeeded(started, found, at_us=story.now_us, discretion=Discretion())[0])
    (alert,) = contradictions(story)
    assert alert.message.endswith("but a has executed it (reference order-99)")


@pytest.mark.parametrize("executed", [True, False])
@pytest.mark.parametrize(
    "ending",
    [finds(Finding.UNKNOWN), fails(FailureKind.TIMED_OUT), is_abandoned(AbandonReason.CRASHED)],
)
def test_a_look_up_that_says_nothing_raises_none(executed: bool, ending: Ending) -> None:
    assert contradictions(comes_back(spoken(executed=executed), ending)) == []


@pytest.mark.parametrize(("executed", "finding"), [(True, Finding.SUCCEEDED), (False, Finding.ABSENT)])
def test_a_look_up_that_agrees_raises_none(executed: bool, finding: Finding) -> None:
    assert contradictions(comes_back(spoken(executed=executed), finds(finding))) == []


def test_a_look_up_of_another_request_raises_none() -> None:
    story = given(policy_for(ProviderSettings(id="a", has_lookup=True)))
    story.note(RequestResumed(request_id="r0", executed=False, actor="op", reason="known"))
    story.accepts(Effect.ONCE).tries(fails(FailureKind.AMBIGUOUS), finds(Finding.SUCCEEDED))
    assert contradictions(story) == []


@pytest.mark.parametrize("executed", [True, False])
def test_the_request_ends_as_the_operator_has_said(executed: bool) -> None:
    story = comes_back(spoken(executed=executed), finds(Finding.ABSENT if executed else Finding.SUCCEEDED))
    assert isinstance(story.when(), Finish if executed else Fail)


def test_it_stands_until_an_operator_speaks_once_more_after_the_end() -> None:
    story = comes_back(spoken(executed=False), finds(Finding.SUCCEEDED))
    assert not awaits_last_word(story.ledger, "r1"), "the request has not ended yet"
    story.plays()
    assert list(story.standing.alerts) == ["contradiction|r1"]
    assert awaits_last_word(story.ledger, "r1")
    says(story, executed=True)
    assert story.last(AlertCleared).alert == CONTRADICTION
    assert story.standing.alerts == {}
    assert not awaits_last_word(story.ledger, "r1")


def test_what_operators_have_said_is_forgotten_with_the_end_of_the_request() -> None:
    story = comes_back(spoken(executed=False), finds(Finding.UNKNOWN))
    assert story.standing.spoken == {"r1": False}
    assert dump_standing(load_standing(dump_standing(story.standing))) == dump_standing(story.standing)
    assert story.plays().standing.spoken == {}
    story = comes_back(spoken(executed=False), finds(Finding.SUCCEEDED)).plays()
    assert says(story, executed=True).standing.spoken == {}
