"""After a throttle: one request first, then two, four, …, as they are answered; nobody is held back for ever."""

import pytest
from given import MS, Ending, Story, fails, given, is_abandoned, policy_for, succeeds

from understudy.engine.health import Status, health
from understudy.engine.steps import Call, Fail, LookUp, Sleep, Wait
from understudy.events.codec import encode, recorded
from understudy.events.policy import ProviderSettings
from understudy.events.requests import RetryScheduled
from understudy.events.row import Recorded
from understudy.events.vocabulary import AbandonReason, Effect, FailureKind, ForcedState
from understudy.projections.snapshot import dump_standing, load_standing
from understudy.projections.standing import Standing

THROTTLED = fails(FailureKind.RATE_LIMITED, retry_after_ms=1_000)
PATIENCE_MS = 30_000
CALM_MS = 60_000


def after_a_throttle(**settings: object) -> Story:
    """Provider a, in front of the end of its throttle: it has passed, and nobody has asked yet."""
    return given(policy_for("a", **settings)).serves("a", THROTTLED).later(ms=1_000)


def let_out(story: Story) -> list[Recorded]:
    """Start calls as long as the rules allow one."""
    started: list[Recorded] = []
    while story.sees("a").verdict == "eligible" and len(started) < 1_000:
        started.append(story.starts("a"))
    return started


def end_all(story: Story, started: list[Recorded], ending: Ending) -> Story:
    for one in started:
        story.ends(one, ending)
    return story


def test_a_provider_that_was_never_throttled_is_asked_by_as_many_as_like() -> None:
    assert len(let_out(given(policy_for("a")))) == 1_000


def test_twice_as_many_go_out_each_time_that_all_have_been_answered() -> None:
    story = after_a_throttle()
    rounds = []
    for _ in range(6):
        started = let_out(story)
        rounds.append(len(started))
        end_all(story, started, succeeds())
    assert rounds == [1, 2, 4, 8, 16, 32]


def test_the_veto_has_a_name_and_looks_again_soon() -> None:
    story = after_a_throttle()
    let_out(story)
    seen = story.sees("a")
    assert (seen.verdict, seen.until_us) == ("slow_start", story.now_us + 100 * MS)


def test_a_refusal_is_an_answer_and_a_failure_is_none() -> None:
    for ending, after in (
        (fails(FailureKind.NOT_OFFERED), 2),
        (fails(FailureKind.REJECTED), 2),
        (fails(FailureKind.TRANSIENT), 1),
        (fails(FailureKind.TIMED_OUT), 1),
        (is_abandoned(AbandonReason.CANCELLED), 1),
    ):
        story = after_a_throttle()
        end_all(story, let_out(story), ending)
        assert len(let_out(story)) == after, ending


def test_another_throttle_begins_it_anew() -> None:
    story = after_a_throttle()
    for _ in range(3):
        end_all(story, let_out(story), succeeds())
    first, *others = let_out(story)
    story.ends(first, THROTTLED)
    assert story.sees("a").verdict == "throttled"
    end_all(story.later(ms=1_000), others, succeeds())  # They say nothing about the time after this throttle.
    assert len(let_out(story)) == 1


def test_calls_that_began_before_the_throttle_neither_count_nor_gain() -> None:
    story = given(policy_for("a"))
    early = [story.starts("a") for _ in range(5)]
    story.serves("a", THROTTLED).later(ms=1_000)
    first = let_out(story)
    end_all(story, early, succeeds(after_ms=0))
    assert let_out(story) == []
    assert len(let_out(end_all(story, first, succeeds()))) == 2


def test_a_call_that_begins_during_the_throttle_does_not_count() -> None:
    story = given(policy_for("a")).serves("a", THROTTLED)
    early = story.starts("a")
    assert len(let_out(story.later(ms=1_000))) == 1
    assert let_out(story.ends(early, succeeds())) == []


def test_a_call_whose_end_nobody_sees_does_not_lock_the_door() -> None:
    story = after_a_throttle()
    let_out(story)
    assert let_out(story.later(ms=PATIENCE_MS - 1)) == []
    assert story.sees("a").until_us == story.now_us + 1 * MS
    assert len(let_out(story.later(ms=1))) == 1
    assert len(let_out(story.later(ms=PATIENCE_MS))) == 1


def test_the_patience_is_that_of_a_probe() -> None:
    story = after_a_throttle(probe_permit_ms=2_000)
    let_out(story)
    assert let_out(story.later(ms=1_999)) == []
    assert len(let_out(story.later(ms=1))) == 1


def test_a_call_that_a_crash_has_cut_off_makes_room() -> None:
    story = after_a_throttle()
    end_all(story, let_out(story), is_abandoned(AbandonReason.CRASHED))
    assert len(let_out(story)) == 1


def test_a_provider_that_was_left_alone_for_a_minute_is_asked_by_as_many_as_like() -> None:
    story = after_a_throttle().later(ms=CALM_MS - 1)
    assert len(let_out(story)) == 1
    assert len(let_out(after_a_throttle().later(ms=CALM_MS))) == 1_000


def test_one_that_has_not_been_at_its_limit_for_a_minute_is_free_again() -> None:
    story = after_a_throttle()
    end_all(story, let_out(story), succeeds(after_ms=0))
    for _ in range(20):
        story.later(ms=CALM_MS // 20).ends(story.starts("a"), succeeds(after_ms=0))
    assert len(let_out(story)) == 1_000


def test_one_that_is_still_at_its_limit_after_a_minute_is_not_free() -> None:
    story = after_a_throttle()
    for _ in range(4):
        end_all(story, let_out(story), succeeds(after_ms=20_000))
    assert len(let_out(story)) == 16


def test_pings_and_stock_calls_are_outside_of_it() -> None:
    story = after_a_throttle()
    story.starts("a", "ping")
    story.serves("a", succeeds(stock=7), operation="stock")
    assert len(let_out(story)) == 1


def test_a_provider_that_is_forced_closed_begins_slowly_too() -> None:
    story = after_a_throttle().forces("a", ForcedState.CLOSED)
    assert len(let_out(story)) == 1


def test_somebody_else_is_asked_meanwhile() -> None:
    story = given(policy_for("a", "b", strategy="in_order")).serves("a", THROTTLED).later(ms=1_000)
    story.starts("a")
    assert story.sees("a").verdict == "slow_start"
    assert story.accepts().plays(succeeds()).called == ["b"]


def test_where_there_is_nobody_else_the_request_waits_and_looks_again() -> None:
    story = after_a_throttle()
    under_way = story.starts("a")
    story.accepts()
    story.takes()
    wait = story.takes()
    assert isinstance(wait, Wait)
    assert wait.event.reason == "everybody is at a limit"
    assert isinstance(story.when(), Sleep)
    story.ends(under_way, succeeds())
    assert isinstance(story.moves(), Call)


def test_where_only_one_may_be_asked_a_retry_waits_for_its_turn() -> None:
    story = given(policy_for("a", "b", strategy="in_order", fallback_enabled=False))
    story.accepts().tries(THROTTLED)
    story.takes()
    waits = len(story.all(RetryScheduled))
    under_way = story.later(ms=1_000).starts("a")
    assert story.when() == Sleep(story.now_us + 100 * MS, in_line=True)
    assert isinstance(story.ends(under_way, succeeds()).when(), Call)
    assert story.plays(succeeds()).end.kind == "request_completed.v1"
    assert len(story.all(RetryScheduled)) == waits, "the wait is on record once"


def test_where_only_one_may_be_asked_a_retry_waits_no_longer_than_its_deadline() -> None:
    story = given(policy_for("a", fallback_enabled=False)).accepts(deadline_ms=2_000).tries(THROTTLED)
    story.takes()
    story.later(ms=820).starts("a")
    assert story.when() == Sleep(story.now_us + 80 * MS, in_line=True)
    story.takes()
    assert isinstance(story.when(), Fail)


def test_after_a_failure_too_a_retry_waits_for_a_limit_where_only_one_may_be_asked() -> None:
    settings = ProviderSettings.model_validate({"id": "a", "max_in_flight": 1})
    story = given(policy_for(settings, fallback_enabled=False)).accepts()
    story.tries(fails(FailureKind.TRANSIENT))
    other = story.starts("a")
    assert isinstance(story.takes(), Wait)
    assert story.when() == Sleep(story.now_us + 100 * MS, in_line=True)
    assert isinstance(story.ends(other, succeeds()).when(), Call)


@pytest.mark.parametrize("has_lookup", [True, False])
def test_a_write_in_doubt_waits_for_its_turn_as_long_as_there_is_time_and_is_then_settled(*, has_lookup: bool) -> None:
    settings = ProviderSettings(id="a", has_lookup=has_lookup)
    story = given(policy_for(settings)).accepts(Effect.IDEMPOTENT, deadline_ms=20_000)
    story.tries(fails(FailureKind.AMBIGUOUS), THROTTLED)
    story.takes()
    story.later(ms=1_000).starts("a")
    assert story.when() == Sleep(story.now_us + 100 * MS)
    while isinstance(story.when(), Sleep):
        story.takes()
    assert story.when().event.kind == ("call_started.v1" if has_lookup else "request_suspended.v1")  # type: ignore[union-attr]
    assert isinstance(story.when(), LookUp) is has_lookup


def test_health_tells_it_and_does_not_call_it_an_illness() -> None:
    story = after_a_throttle()
    let_out(story)
    (seen,) = health(story.standing, story.now_us)
    assert (seen.verdict, seen.status) == ("slow_start", Status.HEALTHY)


def test_rows_and_snapshots_have_it_all() -> None:
    story = after_a_throttle()
    end_all(story, let_out(story), succeeds())
    let_out(story)
    again = Standing()
    for one in story.recorded:
        again.fold(recorded(encode(one.event, seq=one.seq, at_us=one.at_us)))
    assert again.providers["a"].slow_start == story.standing.providers["a"].slow_start
    assert dump_standing(load_standing(dump_standing(story.standing))) == dump_standing(story.standing)
