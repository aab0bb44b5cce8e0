"""Every cell of the table of endings, run as a spec; and the page that is printed from it."""

import subprocess
import sys

import pytest
from endings_table import CLASSES, ROWS, EffectClass, Next
from given import Ending, Story, fails, given, policy_for, succeeds
from repository import ROOT

from understudy.engine.steps import Call, Fail, Finish, LookUp, Step, Suspend
from understudy.events.operations import AlertRaised
from understudy.events.policy import ProviderSettings
from understudy.events.vocabulary import AbandonReason, Effect, EndReason, FailureKind

Outcome = FailureKind | AbandonReason | None
CELLS = [(outcome, one) for outcome in ROWS for one in CLASSES]


def ending(outcome: Outcome) -> Ending:
    return fails(outcome) if isinstance(outcome, FailureKind) else Ending(outcome=outcome)


def ended(outcome: Outcome, one: EffectClass = EffectClass.READ, *, tries_left: bool = True) -> Story:
    """A first call at `a`, which had one failure before, has just ended; `b` would be next."""
    settings = [ProviderSettings(id=name, has_lookup=one.has_lookup) for name in ("a", "b")]
    never_degraded = {"min_success_rate": 0, "max_response_time_ms": 10_000}
    tries = 2 if tries_left else 0
    story = given(policy_for(*settings, strategy="in_order", retry_attempts=tries, **never_degraded))
    story.serves("a", fails(FailureKind.TRANSIENT, after_ms=100))
    story.accepts(one.effect, free_to_abandon=one is EffectClass.FREE).tries(ending(outcome))
    if outcome in {AbandonReason.CANCELLED, AbandonReason.CRASHED}:
        story.cancels(EndReason.INTERRUPTED)
    return story


def in_a_word(step: Step) -> Next:
    match step:
        case Finish():
            return Next.DONE
        case Call(event=call):
            return Next.AGAIN if call.provider == "a" else Next.OTHER
        case LookUp():
            return Next.LOOK_UP
        case Suspend():
            return Next.SUSPEND
        case Fail():
            return Next.FAIL
        case _:
            raise AssertionError(step)


def what_follows(story: Story) -> Next:
    return in_a_word(story.moves())


def test_the_table_has_every_ending() -> None:
    assert set(ROWS) == {None, *FailureKind, *AbandonReason}


@pytest.mark.parametrize(("outcome", "one"), CELLS, ids=str)
def test_what_follows_while_tries_are_left(outcome: Outcome, one: EffectClass) -> None:
    assert what_follows(ended(outcome, one)) is ROWS[outcome].first[one]


@pytest.mark.parametrize(("outcome", "one"), CELLS, ids=str)
def test_what_follows_when_no_try_is_left(outcome: Outcome, one: EffectClass) -> None:
    assert what_follows(ended(outcome, one, tries_left=False)) is ROWS[outcome].then[one]


@pytest.mark.parametrize("outcome", ROWS, ids=str)
def test_what_an_ending_is_to_the_success_rate(outcome: Outcome) -> None:
    lane = ended(outcome).lane("a")
    expected = {"success": (2, "50.00"), "failure": (2, "0.00"), "-": (1, "0.00")}[ROWS[outcome].counts]
    assert (lane.count, str(lane.success_rate)) == expected


@pytest.mark.parametrize("outcome", ROWS, ids=str)
def test_what_an_ending_is_to_the_average_response(outcome: Outcome) -> None:
    expected = {"counts": 100, "at its limit": 5_000, "-": None}[ROWS[outcome].average]
    assert ended(outcome).lane("a").average_ms == expected


@pytest.mark.parametrize("outcome", ROWS, ids=str)
def test_what_an_ending_is_to_the_streak(outcome: Outcome) -> None:
    assert ended(outcome).lane("a").streak == ROWS[outcome].streak


@pytest.mark.parametrize("outcome", ROWS, ids=str)
def test_what_an_ending_says_of_the_stock(outcome: Outcome) -> None:
    beliefs = [belief.units for belief in ended(outcome).standing.stock.values()]
    assert beliefs == ([0] if ROWS[outcome].stock == "none left" else [])


@pytest.mark.parametrize("outcome", ROWS, ids=str)
def test_whether_an_ending_keeps_the_provider_out(outcome: Outcome) -> None:
    story = ended(outcome)
    assert (story.sees("a").verdict == "eligible") == (ROWS[outcome].out == "-")
    ends = {"until its time": 1_000, "while the belief lasts": 60_000, "for a rest, or until an answer": 300_000}
    story.later(ms=ends.get(ROWS[outcome].out, 86_000_000))
    assert (story.sees("a").verdict == "eligible") == (ROWS[outcome].out != "until fixed")


@pytest.mark.parametrize("outcome", ROWS, ids=str)
def test_which_alert_an_ending_raises(outcome: Outcome) -> None:
    expected = [] if ROWS[outcome].alert == "-" else [ROWS[outcome].alert]
    assert [alert.alert for alert in ended(outcome).all(AlertRaised)] == expected


def test_an_empty_account_is_asked_again_as_soon_as_it_has_answered() -> None:
    story = ended(FailureKind.INSUFFICIENT_FUNDS)
    assert story.sees("a").verdict == "insufficient_funds"
    assert story.serves("a", succeeds()).sees("a").verdict == "eligible"


def test_the_table_tells_each_effect_by_its_name() -> None:
    assert {one.effect for one in CLASSES} == set(Effect)


def test_the_page_is_what_the_table_prints() -> None:
    script = ROOT / "tools" / "print_endings.py"
    printed = subprocess.run([sys.executable, script], check=True, capture_output=True, env={"PYTHONUTF8": "1"}).stdout
    assert (ROOT / "docs" / "endings.md").read_bytes() == printed, (
        "run: python tools/print_endings.py > docs/endings.md"
    )
