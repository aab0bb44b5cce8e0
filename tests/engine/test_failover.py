"""Failing over: who is asked next, who is not, and when to give up or to wait."""

import pytest
from given import MS, Story, fails, given, policy_for, succeeds

from understudy.engine.steps import Wait
from understudy.events.decisions import DecisionMade
from understudy.events.operations import AlertCleared, AlertRaised, EngineStarted, OverrideCleared
from understudy.events.policy import ProviderSettings
from understudy.events.requests import RequestCompleted, RequestFailed, RetryScheduled
from understudy.events.vocabulary import Effect, EndReason, FailureKind

TRANSIENT, RATE_LIMITED = FailureKind.TRANSIENT, FailureKind.RATE_LIMITED
ONE_TRY = {"retry_attempts": 0}


def verdicts(decision: DecisionMade) -> dict[str, str]:
    return {one.provider: one.verdict for one in decision.candidates}


def test_each_failover_is_a_decision_in_which_the_tried_ones_are_vetoed() -> None:
    story = given(policy_for("a", "b", "c", **ONE_TRY)).accepts().plays(fails(TRANSIENT), fails(TRANSIENT), succeeds())
    first, second, third = story.all(DecisionMade)
    assert first.order == ("a", "b", "c")
    assert (second.order, verdicts(second)["a"]) == (("b", "c"), "already_tried")
    assert third.order == ("c",)
    assert verdicts(third) == {"a": "already_tried", "b": "already_tried", "c": "eligible"}


def test_the_end_tells_who_served_and_how_often_the_provider_changed() -> None:
    story = given(policy_for("a", "b", "c")).accepts().plays(*[fails(TRANSIENT)] * 6, succeeds())
    end = story.last(RequestCompleted)
    assert (end.provider, end.attempt, end.failovers) == ("c", 7, 2)
    assert story.standing.totals.failovers == 1


@pytest.mark.parametrize(("limit", "expected"), [(1, ["a"]), (2, ["a", "b"]), (None, ["a", "b", "c"])])
def test_no_more_providers_are_tried_than_the_policy_allows(limit: int | None, expected: list[str]) -> None:
    story = given(policy_for("a", "b", "c", max_providers=limit, **ONE_TRY)).accepts().plays(*[fails(TRANSIENT)] * 3)
    assert story.called == expected
    assert story.last(RequestFailed).reason is EndReason.EXHAUSTED


def test_without_fallback_only_the_first_choice_is_ever_asked() -> None:
    story = given(policy_for("a", "b", fallback_enabled=False)).accepts().plays(*[fails(TRANSIENT)] * 3)
    assert story.called == ["a", "a", "a"]
    assert story.all(DecisionMade)[0].order == ("a",)
    assert story.last(RequestFailed).reason is EndReason.EXHAUSTED


@pytest.mark.parametrize("effect", Effect)
def test_a_request_that_is_rejected_is_asked_of_nobody_else(effect: Effect) -> None:
    story = given(policy_for("a", "b")).accepts(effect).plays(fails(FailureKind.REJECTED))
    end = story.last(RequestFailed)
    assert (story.called, end.reason, end.last_outcome) == (["a"], EndReason.REJECTED, "rejected")


def test_when_nobody_is_eligible_from_the_start_the_request_fails_at_once() -> None:
    story = given(policy_for("a", max_failures=1)).serves("a", fails(TRANSIENT)).accepts().plays()
    assert (story.called, story.last(RequestFailed).reason) == ([], EndReason.NO_PROVIDER)
    assert verdicts(story.last(DecisionMade)) == {"a": "circuit_open"}


def test_without_providers_nobody_is_eligible() -> None:
    assert given(policy_for()).accepts().plays().last(RequestFailed).reason is EndReason.NO_PROVIDER


# --- our account


def test_a_misconfigured_provider_is_out_until_it_is_fixed_and_somebody_is_told() -> None:
    story = given(policy_for("a", "b")).accepts().plays(fails(FailureKind.MISCONFIGURED), succeeds())
    assert story.called == ["a", "b"]
    alert = story.last(AlertRaised)
    assert (alert.alert, alert.subject, alert.message) == (
        "misconfigured",
        "a",
        "a does not accept our key or account: as told",
    )
    assert story.later(ms=10**8).sees("a").verdict == "misconfigured"
    story.note(OverrideCleared(provider="a", actor="op", reason="new key"))
    assert story.sees("a").verdict == "eligible"
    assert story.all(AlertCleared) == []
    story.serves("a", succeeds())
    assert story.last(AlertCleared).subject == "a"


def test_a_restart_gives_a_misconfigured_provider_another_chance() -> None:
    story = given(policy_for("a")).serves("a", fails(FailureKind.MISCONFIGURED))
    story.note(EngineStarted(version="0", rules_version=1, python="3", writer="again"))
    assert story.sees("a").verdict == "eligible"


def test_an_alert_stands_until_it_is_cleared_and_is_not_raised_twice() -> None:
    story = given(policy_for("a", "b")).serves("a", fails(FailureKind.MISCONFIGURED), times=2)
    assert len(story.all(AlertRaised)) == 1


def test_a_provider_without_our_funds_rests_and_is_asked_again() -> None:
    story = given(policy_for("a", "b", recovery_time_ms=60_000))
    story.accepts(Effect.ONCE).plays(fails(FailureKind.INSUFFICIENT_FUNDS), succeeds())
    assert story.called == ["a", "b"]
    assert story.sees("a").until_us == story.now_us - 100 * MS + 60_000 * MS
    assert story.later(ms=59_000).sees("a").verdict == "insufficient_funds"
    assert story.later(ms=1_000).sees("a").verdict == "eligible"


def test_a_provider_that_is_out_of_stock_is_out_for_that_country_and_service_only() -> None:
    story = given(policy_for("a", "b", sold_out_ttl_ms=60_000))
    story.accepts(country="us", service="wa").plays(fails(FailureKind.OUT_OF_STOCK), succeeds())
    assert story.called == ["a", "b"]
    assert story.sees("a", country="us", service="wa").verdict == "out_of_stock"
    assert story.sees("a", country="fr", service="wa").verdict == "eligible"
    assert story.later(ms=60_000).sees("a", country="us", service="wa").verdict == "eligible"


# --- waiting when everybody is at a limit


def throttled(*pauses_ms: int, **settings: object) -> Story:
    """Every provider throttles the request, each for its own time."""
    names = [chr(ord("a") + number) for number in range(len(pauses_ms))]
    story = given(policy_for(*names, **settings)).accepts(deadline_ms=10_000)
    return story.tries(*(fails(RATE_LIMITED, retry_after_ms=pause_ms) for pause_ms in pauses_ms))


def test_a_request_waits_for_the_first_of_those_who_throttle_it() -> None:
    story = throttled(5_000, 3_000)
    ended_us = story.now_us
    story.plays(succeeds())
    assert story.called == ["a", "b", "b"]
    assert story.last(RetryScheduled).until_us == ended_us + 3_000 * MS
    assert story.last(RetryScheduled).provider is None


def test_one_who_throttles_has_not_been_tried_and_one_who_fails_has() -> None:
    story = given(policy_for("a", "b", **ONE_TRY)).accepts()
    story.plays(fails(RATE_LIMITED, retry_after_ms=2_000), fails(TRANSIENT), succeeds())
    assert story.called == ["a", "b", "a"]
    assert verdicts(story.all(DecisionMade)[2]) == {"a": "throttled", "b": "already_tried"}


def test_a_throttle_beyond_the_deadline_is_not_waited_for() -> None:
    story = throttled(9_900, 9_900).plays()
    assert story.last(RequestFailed).reason is EndReason.EXHAUSTED


@pytest.mark.parametrize(
    ("alpha", "settings"),
    [
        ({"max_calls_per_second": 1}, {}),
        ({"max_in_flight": 1}, {}),
        ({}, {"max_calls_per_second": 1, "burst": 1}),
        ({}, {"max_in_flight": 1}),
    ],
)
def test_a_request_waits_when_everybody_is_at_our_own_limits(
    alpha: dict[str, object], settings: dict[str, object]
) -> None:
    story = given(policy_for(ProviderSettings.model_validate({"id": "a", **alpha}), **settings))
    story.starts("a")
    story.accepts()
    story.takes()
    assert isinstance(story.when(), Wait)


def test_after_a_wait_the_request_looks_again() -> None:
    story = given(policy_for("a", max_in_flight=1))
    under_way = story.starts("a")
    story.accepts()
    story.takes()
    story.takes()
    story.takes()
    assert story.last(DecisionMade).provider is None
    story.ends(under_way, succeeds(after_ms=0))
    assert story.plays(succeeds()).called == ["a"]


def test_those_who_only_throttle_are_not_asked_until_the_deadline() -> None:
    story = given(policy_for("a", retry_attempts=2)).accepts(deadline_ms=1_000_000)
    for _ in range(4):
        story.tries(fails(RATE_LIMITED, retry_after_ms=0))
    assert story.plays().last(RequestFailed).reason is EndReason.EXHAUSTED
