"""How calls end as events: in our words, concealed, cut to size; and keys that are functions of the request."""

import json
from datetime import date
from decimal import Decimal
from enum import IntEnum
from typing import Any

import pytest
from given import NOON, given, policy_for

from understudy.engine import reports
from understudy.engine.errors import RateLimited, TimedOut
from understudy.engine.keys import body_hash, provider_key
from understudy.engine.provider import Reply
from understudy.engine.reports import Discretion
from understudy.events.codec import PAYLOAD_LIMIT, decode, encode
from understudy.events.operations import EngineStopped
from understudy.events.row import Recorded
from understudy.events.vocabulary import Effect, FailureKind

STARTED = given(policy_for("a")).starts("a", request_id="r1", attempt=2, country="us")
PLAIN = Discretion()


ENDLESS: list[object] = []
ENDLESS.append(ENDLESS)


class Level(IntEnum):
    LOW = 3


class Odd:
    def __repr__(self) -> str:
        raise RuntimeError("nobody may ask")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": [1, None, "ü"]}, {"a": [1, None, "ü"]}),
        (Decimal("1.50"), "1.50"),
        (date(2026, 1, 2), "2026-01-02"),
        ({"odd": Odd()}, {"odd": f"<{__name__}.Odd>"}),
        ([float("nan"), 1.5, float("-inf")], ["NaN", 1.5, "-Infinity"]),
        ({1: {2}}, {"1": [2]}),
        (b"plain", "plain"),
        (b"\xff\xfe", "__4="),
        ("half \ud800", "<builtins.str>"),
        (ENDLESS, "<builtins.list>"),
    ],
)
def test_any_reply_becomes_json(value: object, expected: object) -> None:
    assert reports.plain_json(value)[0] == expected


def test_a_reply_too_large_for_the_log_leaves_its_size_and_beginning() -> None:
    event, _ = reports.succeeded(STARTED, Reply(value="x" * PAYLOAD_LIMIT), at_us=NOON, discretion=PLAIN)
    assert event.reply == {"$cut": {"bytes": PAYLOAD_LIMIT + 2, "beginning": '"' + "x" * 999}}


def test_a_reply_is_concealed_before_it_is_kept() -> None:
    discretion = Discretion(frozenset({"phone"}), b"salt")
    event, taken = reports.succeeded(STARTED, Reply(value={"phone": "+4179"}), at_us=NOON, discretion=discretion)
    assert "+4179" not in json.dumps(event.reply)
    assert list(taken.values()) == ['"+4179"']


def test_a_failure_says_nothing_of_what_was_sensitive() -> None:
    discretion = Discretion(values=frozenset({'"+41790000000"'}))
    event = reports.failed(STARTED, TimedOut("no answer for +41790000000"), at_us=NOON, discretion=discretion)
    assert event.message == "no answer for [redacted]"


def test_a_time_outs_latency_is_its_limit_however_late_it_is_noticed() -> None:
    event = reports.failed(STARTED, TimedOut(), at_us=NOON + 9_000_000, discretion=PLAIN)
    assert (event.latency_us, event.message) == (5_000_000, None)


def test_half_a_character_in_what_a_provider_says_does_not_keep_its_outcome_out_of_the_log() -> None:
    failure = RateLimited("slow \ud800", code="\udcff")
    failed = reports.failed(STARTED, failure, at_us=NOON + 1, discretion=PLAIN)
    reply = Reply(value="\ud800", reference="\ud800")
    succeeded, _ = reports.succeeded(STARTED, reply, at_us=NOON + 1, discretion=PLAIN)
    assert (failed.message, failed.code, succeeded.reference) == ("slow ?", "?", "?")
    for event in (failed, succeeded):
        assert decode(encode(event, seq=9, at_us=NOON)) == event


@pytest.mark.parametrize("pause_ms", [-5, 0, float("inf"), float("nan"), "soon"])
def test_a_retry_after_that_is_no_length_names_no_time(pause_ms: Any) -> None:
    error = RateLimited("slow", retry_after_ms=pause_ms, code=429)
    event = reports.failed(STARTED, error, at_us=NOON + 1, discretion=PLAIN)
    assert (event.retry_after_us, event.code) == (None, "429")


WEEK_MS = 7 * 86_400_000


@pytest.mark.parametrize(("pause_ms", "pause_us"), [(1, 1_000), (1.5, 1_500), (WEEK_MS, WEEK_MS * 1_000)])
def test_a_retry_after_that_is_one_is_kept_as_it_is(pause_ms: Any, pause_us: int) -> None:
    event = reports.failed(STARTED, RateLimited("slow", retry_after_ms=pause_ms), at_us=NOON + 1, discretion=PLAIN)
    assert event.retry_after_us == pause_us


@pytest.mark.parametrize(
    ("effect", "kind"),
    [
        (Effect.READ, FailureKind.TRANSIENT),
        (Effect.IDEMPOTENT, FailureKind.AMBIGUOUS),
        (Effect.ONCE, FailureKind.AMBIGUOUS),
    ],
)
def test_a_foreign_exception_is_transient_for_reads_and_ambiguous_for_writes(effect: Effect, kind: FailureKind) -> None:
    error = reports.of_foreign("OSError: gone", effect)
    assert (error.kind, str(error)) == (kind, "OSError: gone")


def test_only_a_call_that_started_can_end() -> None:
    with pytest.raises(TypeError, match="event 3 is no CallStarted"):
        reports.failed(Recorded(3, NOON, EngineStopped(writer="me")), TimedOut(), at_us=NOON, discretion=PLAIN)


def test_a_provider_sees_the_same_key_for_the_same_request_and_part() -> None:
    keys = {
        provider_key("r1", "a"),
        provider_key("r1", "b"),
        provider_key("r2", "a"),
        provider_key("r1", "a", "create"),
    }
    assert len(keys) == 4
    assert provider_key("r1", "a") == provider_key("r1", "a", "call")


def test_a_body_hash_tells_bodies_apart() -> None:
    assert body_hash({"a": 1}, b"salt") == body_hash({"a": 1}, b"salt") != body_hash({"a": 2}, b"salt")


def test_a_body_hash_says_nothing_without_the_salt() -> None:
    assert body_hash("+4917012345", b"ours") != body_hash("+4917012345", b"theirs")


@pytest.mark.parametrize("pause_ms", [WEEK_MS + 1, 10**12, 1e300])
def test_a_retry_after_is_a_week_at_most_because_nobody_could_lift_it(pause_ms: Any) -> None:
    event = reports.failed(STARTED, RateLimited("slow", retry_after_ms=pause_ms), at_us=NOON + 1, discretion=PLAIN)
    assert event.retry_after_us == WEEK_MS * 1_000


@pytest.mark.parametrize(
    ("stock", "units"), [(True, None), (False, None), (Level.LOW, 3), (0, 0), (-1, None), ("3", None)]
)
def test_a_stock_is_a_plain_number_or_none(stock: Any, units: int | None) -> None:
    event, _ = reports.succeeded(STARTED, Reply(value=1, stock=stock), at_us=NOON + 1, discretion=PLAIN)
    assert event.stock == units
    assert type(event.stock) in {int, type(None)}
