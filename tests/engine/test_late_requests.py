"""A request that comes late to a provider: when it is still sent, and when its running out of time says nothing."""

from typing import Any

import pytest
from given import MS, Story, fails, given, is_abandoned, policy_for, succeeds

from understudy.engine.patience import blames, needed_us
from understudy.engine.steps import Call
from understudy.events.decisions import DecisionMade
from understudy.events.policy import ProviderSettings
from understudy.events.requests import RequestFailed
from understudy.events.vocabulary import AbandonReason, Effect, EndReason, FailureKind

ENDLESS = 10**9


def known(usual_ms: int, *, times: int = 3, **limits: Any) -> Story:
    """`a` is asked first and has never answered; `b`, whose slots are counted, takes so long as a rule."""
    b = ProviderSettings.model_validate({"id": "b", **(limits or {"max_in_flight": 9})})
    story = given(policy_for("a", b, strategy="in_order", retry_attempts=0, max_failures=50))
    return story.serves("b", succeeds(after_ms=usual_ms), times=times)


def comes_to_b(story: Story, *, after_ms: int, deadline_ms: int = 1_000) -> str:
    """The verdict on `b` when `a` has kept a request for so long."""
    story.accepts(deadline_ms=deadline_ms).tries(fails(FailureKind.TRANSIENT, after_ms=after_ms))
    story.moves()
    return next(one.verdict for one in story.last(DecisionMade).candidates if one.provider == "b")


@pytest.mark.parametrize(
    ("usual_ms", "waited_ms", "verdict"),
    [
        (100, 850, "eligible"),  # 150 ms are left, half as long again as usual.
        (100, 851, "too_late"),
        (400, 400, "eligible"),
        (400, 401, "too_late"),
        (800, 101, "too_late"),  # 899 ms are left, and 900 needed: half of the 200 that there are beyond 800.
        (800, 100, "eligible"),  # Fresh: only a tenth of the time has gone.
        (999, 100, "eligible"),
    ],
)
def test_who_has_waited_is_sent_only_where_it_may_be_served_in_time(
    usual_ms: int, waited_ms: int, verdict: str
) -> None:
    decided = known(usual_ms).decides(waited_ms=waited_ms, left_ms=1_000 - waited_ms)
    assert decided.candidates[1].verdict == verdict


@pytest.mark.parametrize(
    ("usual_ms", "after_ms", "verdict"), [(400, 600, "eligible"), (400, 601, "too_late"), (800, 200, "eligible")]
)
def test_who_was_let_down_is_sent_where_the_usual_time_is_left(usual_ms: int, after_ms: int, verdict: str) -> None:
    assert comes_to_b(known(usual_ms), after_ms=after_ms) == verdict


@pytest.mark.parametrize("limit", [{"max_in_flight": 9}, {"max_calls_per_second": 9}])
def test_lateness_counts_only_where_calls_are_limited(limit: dict[str, int]) -> None:
    assert comes_to_b(known(400, **limit), after_ms=900) == "too_late"
    assert comes_to_b(known(400, weight=1), after_ms=900) == "eligible"


@pytest.mark.parametrize("limit", [{"max_in_flight": 9}, {"max_calls_per_second": 9}])
def test_a_limit_of_the_engine_as_a_whole_counts_as_well(limit: dict[str, int]) -> None:
    story = given(policy_for("a", "b", strategy="in_order", retry_attempts=0, burst=9, **limit))
    story.serves("b", succeeds(after_ms=400), times=3)
    assert comes_to_b(story.later(ms=60_000), after_ms=900) == "too_late"


def test_a_write_that_is_in_doubt_is_tried_again_there_however_late() -> None:
    story = given(policy_for(ProviderSettings(id="a", max_in_flight=9), retry_attempts=2, retry_delay_ms=0))
    story.serves("a", succeeds(after_ms=600), times=3)
    story.accepts(Effect.IDEMPOTENT, deadline_ms=1_000).tries(fails(FailureKind.AMBIGUOUS, after_ms=600))
    assert isinstance(story.moves(), Call)


def test_lateness_forbids_nothing_where_a_fresh_request_has_not_enough_time_either() -> None:
    assert comes_to_b(known(1_000), after_ms=999) == "eligible"


def test_one_success_is_no_evidence_of_how_long_a_provider_takes() -> None:
    assert comes_to_b(known(500, times=1), after_ms=900) == "eligible"


def test_what_was_learnt_too_long_ago_forbids_nothing() -> None:
    story = known(500).later(ms=story_stale_ms())
    assert comes_to_b(story, after_ms=900) == "eligible"


def story_stale_ms() -> int:
    return given(policy_for("a")).standing.policy.stale_after_ms


def test_a_request_that_comes_too_late_everywhere_ends_by_its_deadline_and_asks_nobody_else() -> None:
    story = known(400).accepts(deadline_ms=1_000).plays(fails(FailureKind.TRANSIENT, after_ms=700))
    assert (story.last(RequestFailed).reason, story.called) == (EndReason.DEADLINE, ["a"])


def test_who_comes_too_late_for_one_waits_for_another_that_is_only_at_its_limit() -> None:
    settings = [
        ProviderSettings(id="a"),
        ProviderSettings(id="b", max_in_flight=9),
        ProviderSettings(id="c", max_in_flight=1),
    ]
    story = given(policy_for(*settings, strategy="in_order", retry_attempts=0))
    story.serves("b", succeeds(after_ms=400), times=3)
    busy = story.starts("c")
    story.accepts(deadline_ms=1_000).tries(fails(FailureKind.TRANSIENT, after_ms=700))
    story.takes()
    story.takes()
    story.ends(busy, succeeds(after_ms=800))
    step = story.moves()
    assert isinstance(step, Call)
    assert step.event.provider == "c"


def test_who_waits_in_line_gives_up_when_it_is_too_late_not_when_the_time_is_over() -> None:
    story = given(policy_for(ProviderSettings(id="a", max_in_flight=1), retry_attempts=0))
    story.serves("a", succeeds(after_ms=400), times=3)
    story.starts("a")
    story.accepts(deadline_ms=1_000)
    story.takes()
    story.takes()
    story.later(ms=500)
    story.plays()
    assert story.last(RequestFailed).reason is EndReason.DEADLINE
    assert story.called == []


def test_a_provider_that_is_never_asked_late_is_still_asked_early() -> None:
    story = known(400)
    story.accepts(deadline_ms=1_000).plays(fails(FailureKind.TRANSIENT, after_ms=700))
    story.accepts(deadline_ms=1_000, request_id="r2").plays(
        fails(FailureKind.TRANSIENT, after_ms=100), succeeds(), request_id="r2"
    )
    assert story.called == ["a", "a", "b"]


# --- running out of time


@pytest.mark.parametrize(
    ("given_ms", "fresh_ms", "held_against_it"),
    [
        (1_000, 1_000, True),
        (900, 1_000, True),  # As much as a fresh one has.
        (899, 1_000, True),  # Four times what it usually takes.
        (400, 1_000, True),
        (399, 1_000, False),
        (10, 1_000, False),
        (100, 100, True),  # A fresh request has no more.
        (99, 99, False),  # An impatient caller's: it never had the usual time.
    ],
)
def test_running_out_of_time_tells_against_a_provider_that_had_enough(
    given_ms: int, fresh_ms: int, held_against_it: bool
) -> None:
    story = known(100)
    assert is_blamed(story, "b", given_ms=given_ms, fresh_ms=fresh_ms) is held_against_it


def is_blamed(story: Story, provider: str, *, given_ms: int, fresh_ms: int = 1_000) -> bool:
    standing, index = story.standing, story.standing.serving_lane(provider, {})
    assert index is not None
    settings = standing.policy.by_id[provider]
    given_us, fresh_us = given_ms * MS, fresh_ms * MS
    return blames(standing, index, settings, given_us=given_us, fresh_us=fresh_us, now_us=story.now_us)


def test_a_probe_always_tells() -> None:
    story = given(policy_for("a", max_failures=1, recovery_time_ms=1_000)).serves("a", fails(FailureKind.TRANSIENT))
    story.later(ms=1_000)
    assert story.sees("a").verdict == "probe"
    assert is_blamed(story, "a", given_ms=1)


def test_one_that_answers_nobody_is_found_out_although_all_come_late() -> None:
    story = given(policy_for("a", max_failures=2)).serves("a", succeeds())
    told = []
    for _ in range(4):
        told.append(is_blamed(story, "a", given_ms=10))
        story.ends(story.starts("a"), is_abandoned(AbandonReason.OUT_OF_TIME))
    assert told == [False, False, True, True]
    story.serves("a", succeeds(), operation="lookup").serves("a", fails(FailureKind.REJECTED), operation="lookup")
    assert is_blamed(story, "a", given_ms=10)
    assert not is_blamed(story.serves("a", succeeds()), "a", given_ms=10)


@pytest.mark.parametrize("kind", [FailureKind.TRANSIENT, FailureKind.REJECTED])
def test_a_refusal_is_an_answer_too(kind: FailureKind) -> None:
    story = given(policy_for("a", max_failures=9)).serves("a", succeeds())
    story.serves("a", *[is_abandoned(AbandonReason.OUT_OF_TIME)] * 9, fails(kind))
    assert not is_blamed(story, "a", given_ms=10)


def test_of_a_provider_without_a_record_a_late_call_says_nothing() -> None:
    story = known(100)
    story.starts("a")
    assert not is_blamed(story, "a", given_ms=899)
    assert is_blamed(story, "a", given_ms=900)


def test_what_is_needed_is_never_more_than_there_is_nor_less_than_usual() -> None:
    total_us = 1_000
    for usual_us in range(total_us):
        assert usual_us == needed_us(usual_us, total_us, tried=True)
        assert usual_us <= needed_us(usual_us, total_us, tried=False) < total_us
    assert needed_us(total_us, total_us, tried=False) == needed_us(total_us, total_us, tried=True) == 0


def test_calls_that_had_too_little_time_do_not_open_a_circuit() -> None:
    story = given(policy_for("a", max_failures=2, retry_attempts=0))
    for number in range(4):
        story.accepts(request_id=f"r{number}", deadline_ms=1_000)
        story.plays(is_abandoned(AbandonReason.OUT_OF_TIME, after_ms=ENDLESS), request_id=f"r{number}")
        assert story.last(RequestFailed).reason is EndReason.DEADLINE
    assert (story.lane("a").circuit, story.lane("a").streak, story.lane("a").count) == ("closed", 0, 0)


def test_a_once_request_that_ran_out_of_time_is_looked_up_however_little_it_had() -> None:
    story = given(policy_for(ProviderSettings(id="a", has_lookup=False)))
    story.accepts(Effect.ONCE, deadline_ms=1_000)
    story.tries(is_abandoned(AbandonReason.OUT_OF_TIME, after_ms=ENDLESS))
    story.plays()
    assert "r1" in story.ledger.requests
    assert not story.all(RequestFailed)
