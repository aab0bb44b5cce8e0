"""Everybody's circuit is open: where the policy allows it, requests go there one by one, for want of others."""

from typing import Any

import pytest
from given import Story, fails, given, policy_for, succeeds

from understudy.events.policy import ProviderSettings
from understudy.events.requests import RequestCompleted, RequestFailed
from understudy.events.vocabulary import EndReason, FailureKind, ForcedState, ServicePriority

TRANSIENT = fails(FailureKind.TRANSIENT)
RESTS = {"max_failures": 1, "recovery_time_ms": 60_000, "retry_attempts": 0, "last_resort_ms": 500}


def all_out(*providers: str | ProviderSettings, **settings: Any) -> Story:
    """Everybody has failed, and was left alone for the pause since."""
    providers = providers or ("a", "b")
    story = given(policy_for(*providers, **{**RESTS, **settings}))
    for one in providers:
        story.serves(one if isinstance(one, str) else one.id, TRANSIENT)
    return story.later(ms=500)


def verdicts(story: Story, **request: Any) -> dict[str, str]:
    return {one.provider: one.verdict for one in story.decides(**request).candidates}


def test_without_the_setting_an_open_circuit_stays_shut_whoever_else_is_out() -> None:
    assert verdicts(all_out(last_resort_ms=None).later(ms=30_000)) == {"a": "circuit_open", "b": "circuit_open"}


def test_when_all_circuits_are_open_a_request_goes_to_one_that_was_left_alone_for_the_pause() -> None:
    story = all_out()
    assert verdicts(story) == {"a": "last_resort", "b": "last_resort"}
    assert story.decides().order == ("a", "b")
    story = given(policy_for("a", "b", **RESTS)).serves("a", TRANSIENT).serves("b", TRANSIENT).later(ms=499)
    assert verdicts(story) == {"a": "last_resort", "b": "circuit_open"}  # `a` was asked a tenth of a second earlier.


def test_a_success_closes_the_circuit_at_once() -> None:
    story = all_out().accepts().plays(succeeds())
    assert story.last(RequestCompleted).provider == "a"
    assert (story.lane("a").circuit, verdicts(story)) == ("closed", {"a": "eligible", "b": "circuit_open"})


def test_a_failure_neither_prolongs_the_rest_nor_doubles_it() -> None:
    story = all_out()
    ends_us = story.lane("a").open_until_us
    story.accepts().plays(TRANSIENT, TRANSIENT)
    assert story.last(RequestFailed).reason is EndReason.EXHAUSTED
    assert story.called == ["a", "b"]
    assert verdicts(story) == {"a": "circuit_open", "b": "circuit_open"}
    assert story.lane("a").open_until_us == ends_us


def test_while_one_asks_nobody_else_does() -> None:
    story = all_out("a")
    story.starts("a")
    assert verdicts(story.later(ms=5_000)) == {"a": "circuit_open"}


def test_nobody_is_asked_as_a_last_resort_while_another_may_be_or_is_only_at_a_limit() -> None:
    full = ProviderSettings(id="c", max_in_flight=1)
    story = given(policy_for("a", full, **RESTS)).serves("a", TRANSIENT).later(ms=10_000)
    assert verdicts(story) == {"a": "circuit_open", "c": "eligible"}
    story.starts("c")
    assert verdicts(story, left_ms=1_000) == {"a": "circuit_open", "c": "max_in_flight"}


def test_a_limit_beyond_the_deadline_is_not_worth_waiting_for() -> None:
    story = given(policy_for("a", "c", **RESTS)).serves("a", TRANSIENT)
    story.serves("c", fails(FailureKind.RATE_LIMITED, retry_after_ms=3_600_000)).later(ms=10_000)
    assert verdicts(story, left_ms=1_000) == {"a": "last_resort", "c": "throttled"}


def test_each_lane_is_asked_for_itself() -> None:
    story = given(policy_for("a", lane_by=("country",), **RESTS))
    for country in ("us", "de"):
        started = story.starts("a", country=country)
        story.ends(started, TRANSIENT)
    story.later(ms=10_000)
    story.starts("a", country="de")
    assert verdicts(story, country="us") == {"a": "last_resort"}
    assert verdicts(story, country="de") == {"a": "circuit_open"}


def test_a_backup_in_order_goes_before_a_primary_at_rest() -> None:
    story = given(policy_for("a", ProviderSettings(id="z", priority=ServicePriority.EMERGENCY), **RESTS)).serves(
        "a", TRANSIENT
    )
    assert story.later(ms=10_000).decides().order == ("z",)


def test_among_those_at_rest_the_better_tier_goes_first() -> None:
    story = all_out("a", ProviderSettings(id="z", priority=ServicePriority.EMERGENCY))
    assert story.decides().order == ("a",)
    story.accepts().plays(TRANSIENT, succeeds())
    assert story.called == ["a", "z"]


@pytest.mark.parametrize("state", [ForcedState.OPEN, ForcedState.DRAIN])
def test_whom_an_operator_keeps_out_stays_out(state: ForcedState) -> None:
    story = all_out("a").forces("a", state)
    assert verdicts(story)["a"] != "last_resort"


def test_whose_pings_fail_stays_out() -> None:
    story = all_out(ProviderSettings(id="a", has_ping=True))
    story.serves("a", TRANSIENT, operation="ping").later(ms=10_000)
    assert verdicts(story) == {"a": "pings_fail"}
