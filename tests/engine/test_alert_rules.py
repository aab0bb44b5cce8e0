"""Alerts that hold a figure against a mark: when they are raised, when they are cleared, and that they do not flap."""

from typing import Any

import pytest
from given import Story, fails, given, policy_for, succeeds
from hypothesis import given as for_all
from hypothesis import strategies as st

from understudy.engine.alert_rules import next_overdue_us, overdue
from understudy.engine.stock_alerts import MOST_WARES
from understudy.events.drills import DrillEnd, DrillEnded, DrillForm, DrillStarted
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.events.policy import ProviderSettings
from understudy.events.requests import RequestCompleted
from understudy.events.stock import OffersListed
from understudy.events.vocabulary import FailureKind
from understudy.projections.snapshot import dump_standing, load_standing
from understudy.projections.views import provider_view

TRANSIENT = FailureKind.TRANSIENT
MINUTE_MS = 60_000


def told(story: Story, alert: str) -> list[str]:
    """How often an alert was raised and cleared, in order, with its subject."""
    found = []
    for _, _, event in story.recorded:
        if isinstance(event, AlertRaised | AlertCleared) and event.alert == alert:
            found.append(f"{'raised' if isinstance(event, AlertRaised) else 'cleared'} {event.subject}")
    return found


def plays(story: Story, pattern: str, *, provider: str = "a", **fields: Any) -> Story:
    """Calls that end well (`+`) or not (`-`)."""
    for one in pattern:
        story.ends(story.starts(provider, **fields), succeeds() if one == "+" else fails(TRANSIENT))
    return story


def quiet(*providers: Any, **settings: Any) -> Story:
    """Circuits stay closed, so that rates alone speak."""
    return given(policy_for(*(providers or ("a", "b")), max_failures=1_000, **settings))


def test_a_success_rate_below_the_mark_is_told_once_and_only_with_enough_calls() -> None:
    story = plays(quiet(), "-" * 19)
    assert told(story, "success_rate") == []
    plays(story, "-" * 5)
    assert told(story, "success_rate") == ["raised a"]
    assert story.last(AlertRaised).message == ("a has succeeded in 0.00 % of its last 20 calls, less than 90 %")


def test_a_rate_at_the_mark_is_no_alert_and_one_between_the_marks_clears_none() -> None:
    story = plays(quiet(window=100), "-" * 10 + "+" * 90)
    assert told(story, "success_rate") == [], "it is failures that are looked at, and these came before 20 calls"
    story = plays(quiet(window=100), "+" * 90 + "-" * 10)
    assert told(story, "success_rate") == [], "90 % is not below 90 %"
    plays(story, "-")  # A success leaves the window.
    assert told(story, "success_rate") == ["raised a"]
    plays(story, "+" * 92)
    assert told(story, "success_rate") == ["raised a"], "92 % is above the mark, and not yet clear of it"
    plays(story, "+")
    assert told(story, "success_rate") == ["raised a", "cleared a"]


def test_each_lane_has_an_alert_of_its_own() -> None:
    story = quiet(lane_by=("country",))
    plays(story, "-" * 20, country="us")
    plays(story, "-" * 20, country="fr")
    plays(story, "+" * 100, country="us")
    assert told(story, "success_rate") == ["raised a us", "raised a fr", "cleared a us"]


def test_a_window_that_was_begun_anew_says_nothing_until_it_has_enough_calls() -> None:
    story = plays(quiet(recovery_time_ms=1_000), "-" * 20).later(ms=5_000)
    plays(story, "+" * 19)
    assert told(story, "success_rate") == ["raised a"]
    plays(story, "+")
    assert told(story, "success_rate") == ["raised a", "cleared a"]


def test_a_local_fault_is_no_low_rate_of_anybody() -> None:
    story = given(policy_for("a", "b", "c", alert_min_calls=2, max_failures=1_000))
    for provider in ("a", "b", "c", "a", "b", "c"):
        story.ends(story.starts(provider), fails(TRANSIENT, network=True))
    assert "local_fault|" in story.standing.alerts
    assert told(story, "success_rate") == []


def test_a_circuit_is_told_of_when_it_has_not_been_closed_for_long_however_often_it_was_opened() -> None:
    story = given(policy_for("a", "b", max_failures=1, alert_circuit_open_ms=15 * MINUTE_MS))
    plays(story, "-")
    opened_us = story.now_us
    story.later(ms=5 * MINUTE_MS)
    plays(story, "-")  # The probe fails: it rests for ten minutes more.
    due_us = opened_us + 15 * MINUTE_MS * 1_000
    assert next_overdue_us(story.standing, story.now_us) == due_us
    assert overdue(story.standing, due_us - 1) is None
    alert = overdue(story.standing, due_us)
    assert alert is not None
    assert alert.message == "the circuit of a has not been closed for 15 min"
    story.now_us = due_us
    story.note(alert)
    assert overdue(story.standing, due_us + 10**12) is None, "it stands"
    assert next_overdue_us(story.standing, due_us) is None
    story.later(ms=60 * MINUTE_MS)
    plays(story, "+")
    assert told(story, "circuit_open") == ["raised a", "cleared a"]


@pytest.mark.parametrize("earlier", [(), ("service",)])
def test_a_circuit_that_no_call_falls_into_any_more_is_not_told_of(earlier: tuple[str, ...]) -> None:
    rules: Any = {"max_failures": 3, "alert_circuit_open_ms": MINUTE_MS, "alert_min_calls": 3}
    story = plays(given(policy_for("a", "b", lane_by=earlier, **rules)), "---")
    assert next_overdue_us(story.standing, story.now_us) is not None, "or the test shows nothing"
    story.later(ms=MINUTE_MS)
    alert = overdue(story.standing, story.now_us)
    assert alert is not None
    story.note(alert)
    assert len(story.standing.alerts) == 2, "its success rate is one, too"
    story.adopts(policy_for("a", "b", lane_by=("country",), **rules))
    assert not story.standing.alerts
    assert next_overdue_us(story.standing, story.now_us) is None
    story.later(ms=60 * MINUTE_MS)
    assert overdue(story.standing, story.now_us) is None, "no call could ever clear it"
    plays(story, "---", country="us")
    assert next_overdue_us(story.standing, story.now_us) is not None, "one into which calls fall is told of"


@pytest.mark.parametrize("earlier", [(), ("service",), ("service", "country")])
def test_nor_does_a_call_that_has_begun_before_open_one(earlier: tuple[str, ...]) -> None:
    rules: Any = {"max_failures": 1, "alert_circuit_open_ms": MINUTE_MS}
    story = given(policy_for("a", "b", lane_by=earlier, **rules))
    under_way = story.starts("a", country="us", service="wa")
    story.adopts(policy_for("a", "b", lane_by=("country",), **rules))
    story.ends(under_way, fails(TRANSIENT))
    assert next_overdue_us(story.standing, story.now_us) is None
    assert [
        one.circuit
        for one in provider_view(story.standing, "a", now_us=story.now_us).lanes
        if one.operation_class == "serve"
    ] == ["closed"]


def test_a_trusted_ping_ends_it_too() -> None:
    alpha = ProviderSettings(id="a", has_ping=True, trust_ping=True)
    story = plays(given(policy_for(alpha, max_failures=1, alert_circuit_open_ms=MINUTE_MS)), "-").later(ms=MINUTE_MS)
    alert = overdue(story.standing, story.now_us)
    assert alert is not None
    story.note(alert)
    story.later(ms=5 * MINUTE_MS).serves("a", succeeds(), operation="ping")
    assert told(story, "circuit_open") == ["raised a", "cleared a"]


def completes(story: Story, pattern: str, operation: str = "rent") -> Story:
    """Requests that are served by the first (`+`) or by another one."""
    for one in pattern:
        number = len(story.recorded)
        story.note(
            RequestCompleted(
                request_id=f"q{number}", operation=operation, provider="a", attempt=1, failovers=int(one == "-")
            )
        )
    return story


def test_too_many_requests_served_by_others_are_told_by_operation() -> None:
    story = completes(quiet(alert_fallback_requests=20), "+" * 14 + "-" * 6)
    completes(story, "+" * 20, operation="code")
    assert told(story, "fallback_share") == [], "six of twenty are not more than 30 %"
    completes(story, "-")
    assert told(story, "fallback_share") == ["raised rent"]
    assert story.last(AlertRaised).message == "7 of the last 20 requests for rent were served after a failover"
    completes(story, "+" * 15)
    assert told(story, "fallback_share") == ["raised rent"], "5 of 20 are between the marks"
    completes(story, "+")
    assert told(story, "fallback_share") == ["raised rent", "cleared rent"]


def listed(story: Story, **units: int | None) -> Story:
    started = story.starts("a", "sync")
    story.note(OffersListed(provider="a", offers={"us": {name: (count, None) for name, count in units.items()}}))
    return story.ends(started, succeeds())


def test_little_stock_is_told_and_enough_of_it_ends_that() -> None:
    story = listed(quiet(alert_min_stock=5), wa=4, tg=5, vk=None)
    assert told(story, "low_stock") == ["raised a us:wa"]
    listed(story, wa=14, tg=5, vk=None)
    assert told(story, "low_stock") == ["raised a us:wa"], "14 is not ten more than 5"
    listed(story, wa=15, tg=4, vk=None)
    assert told(story, "low_stock") == ["raised a us:wa", "cleared a us:wa", "raised a us:tg"]
    listed(story, wa=15)
    assert told(story, "low_stock")[-1] == "cleared a us:tg", "it is not in the list any more"


def test_only_the_wares_that_were_asked_for_are_told_and_not_thousands_of_them() -> None:
    story = listed(quiet(alert_min_stock=5, alert_stock_of=("us:tg",)), wa=0, tg=0)
    assert told(story, "low_stock") == ["raised a us:tg"]
    story = listed(quiet(alert_min_stock=5), **{f"s{number}": 0 for number in range(1_000)})
    assert len(told(story, "low_stock")) == MOST_WARES


def test_a_rule_that_is_off_says_nothing_and_one_that_is_put_off_clears_its_alert() -> None:
    off = {"alert_success_rate": 0, "alert_fallback_share": 1, "alert_circuit_open_ms": 0}
    story = completes(plays(given(policy_for("a", "b", **off, max_failures=1)), "-" * 50), "-" * 50)
    assert not story.standing.alerts
    assert next_overdue_us(story.standing, story.now_us) is None
    assert overdue(story.standing, story.now_us + 10**13) is None
    story = completes(plays(quiet(), "-" * 20), "-" * 20)
    assert story.standing.alerts.keys() == {"success_rate|a", "fallback_share|rent"}
    story.adopts(policy_for("b", max_failures=1_000))
    assert story.standing.alerts.keys() == {"fallback_share|rent"}, "a is configured no more"
    story.adopts(policy_for("b", **off))
    assert not story.standing.alerts


_ENDS = st.lists(st.tuples(st.sampled_from("ab"), st.booleans(), st.sampled_from((0, 1_000, 400_000))), max_size=150)


@for_all(
    _ENDS,
    st.integers(min_value=0, max_value=100),
    st.integers(min_value=0, max_value=20),
    st.integers(min_value=1, max_value=30),
    st.integers(min_value=1, max_value=30),
)
def test_raised_and_cleared_alternate_and_nothing_flaps_between_the_marks(
    ends: list[tuple[str, bool, int]], mark: int, margin: int, window: int, least: int
) -> None:
    marks = {"alert_success_rate": mark, "alert_success_margin": margin, "alert_min_calls": least}
    policy = policy_for("a", "b", window=window, max_failures=2, recovery_time_ms=5_000, **marks)
    story = given(policy.model_copy(update={"alert_circuit_open_ms": 300_000, "alert_fallback_requests": window}))
    for provider, well, pause_ms in ends:
        story.later(ms=pause_ms)
        while (alert := overdue(story.standing, story.now_us)) is not None:
            story.note(alert)
        due_us = next_overdue_us(story.standing, story.now_us)
        assert due_us is None or due_us > story.now_us
        plays(story, "+" if well else "-", provider=provider)
        completes(story, "+" if well else "-")
    _assert_alternate(story)
    _assert_beyond_the_marks(story, mark=mark, clear=min(mark + margin, 100), least=min(least, window))
    restored = load_standing(dump_standing(story.standing))
    assert dump_standing(restored) == dump_standing(story.standing)
    assert restored.alerting == story.standing.alerting


def _assert_alternate(story: Story) -> None:
    standing = set()
    for _, _, event in story.recorded:
        if isinstance(event, AlertRaised):
            assert (event.alert, event.subject) not in standing, f"{event} was raised twice"
            standing.add((event.alert, event.subject))
        elif isinstance(event, AlertCleared):
            standing.remove((event.alert, event.subject))
    assert {f"{alert}|{subject}" for alert, subject in standing} == story.standing.alerts.keys()
    measured = {name for name, _ in standing if name in {"success_rate", "circuit_open", "fallback_share"}}
    assert (story.standing.alerting.measured > 0) == bool(measured)


def _assert_beyond_the_marks(story: Story, *, mark: int, clear: int, least: int) -> None:
    """What each alert says of the rate is beyond the mark that it is about: computed from its own words."""
    for _, _, event in story.recorded:
        if isinstance(event, AlertRaised | AlertCleared) and event.alert == "success_rate":
            words = (event.message or "").split()
            rate, count = float(words[4]), int(words[9])
            assert count >= least
            if isinstance(event, AlertRaised):
                assert rate <= mark, event
                assert mark > 0
            else:
                assert rate >= clear - 0.005, event


def test_the_same_history_gives_the_same_alerts() -> None:
    stories = [plays(quiet(), "+-" * 40) for _ in range(2)]
    assert told(stories[0], "success_rate") == told(stories[1], "success_rate") == ["raised a"]
    assert dump_standing(stories[0].standing) == dump_standing(stories[1].standing)


def test_what_a_drill_alone_has_raised_is_over_with_it() -> None:
    story = plays(given(policy_for("a", "b", max_failures=3, alert_circuit_open_ms=1_000)), "+" * 40)
    drill = {"drill": "d1", "form": DrillForm.OUTAGE, "provider": "a"}
    told_by = {"actor": "ann", "reason": "to see"}
    story.note(DrillStarted.of({**drill, **told_by, "for_us": 10**9, "until_us": story.now_us + 10**9, "seed": 1}))
    plays(story, "-" * 20, drill="d1")
    alert = overdue(story.standing, story.now_us + 1_000_000)
    assert alert is not None
    story.note(alert)
    assert set(story.standing.alerts) >= {"success_rate|a", "circuit_open|a"}
    story.note(DrillEnded.of({**drill, **told_by, "cause": DrillEnd.STOPPED}))
    assert "circuit_open|a" not in story.standing.alerts
    assert "success_rate|a" not in story.standing.alerts
