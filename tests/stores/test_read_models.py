"""The figures that SQL gives are those that anybody would count who reads the events one by one."""

import asyncio
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest
from stores.samples import NOON

from examples import tried_on
from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.adapters.stores.reports import REPORTS, ask
from understudy.engine.health_facts import tell
from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.codec import decode
from understudy.events.operations import EngineStarted, PolicyActivated
from understudy.events.policy import Policy
from understudy.events.vocabulary import SIDE_OPERATIONS, AbandonReason, FailureKind
from understudy.projections.standing import Standing

PROVIDERS = ("sms-activate", "5sim", "textverified")
OPERATIONS = ("rent_number", "extend", "transfer")
MESSAGES = ("gateway timeout", "NO_BALANCE", None)
HOUR_US = 3_600_000_000
Ended = CallSucceeded | CallFailed | CallAbandoned

# As the documents have them; those that no SQLite reads stand in `REPORTS`.
MONITOR = """SELECT
  provider,
  status,
  success_rate,
  avg_response_time_ms,
  successful_requests,
  failed_requests
FROM provider_health
ORDER BY success_rate DESC;"""
PREFER = """UPDATE provider_preferences
SET preferred_provider = 'sms-activate'
WHERE id = (SELECT id FROM provider_preferences LIMIT 1);"""
RETRY = """UPDATE provider_preferences
SET
  retry_attempts = 3,
  retry_delay_ms = 500
WHERE id = (SELECT id FROM provider_preferences LIMIT 1);"""
THRESHOLDS = """UPDATE provider_preferences
SET
  min_success_rate = 95.00,
  max_response_time_ms = 3000
WHERE id = (SELECT id FROM provider_preferences LIMIT 1);"""
NO_FALLBACK = """UPDATE provider_preferences
SET fallback_enabled = false
WHERE id = (SELECT id FROM provider_preferences LIMIT 1);"""


async def written(path: Path, calls: int) -> None:
    """A log of so many random calls over some days, with what its engine would store of them."""
    dice, standing = Random(calls), Standing()
    log = SqliteLog(path)
    await log.open("a test")
    log.describe_with(partial(tell, standing))

    def note(event: Any, at_us: int) -> int:
        recorded = log.append(event, at_us=at_us)
        standing.fold(recorded)
        return recorded.seq

    policy = Policy.model_validate({"providers": [{"id": one} for one in PROVIDERS]})
    note(EngineStarted(version="1", rules_version=1, python="3", writer="w"), NOON)
    note(PolicyActivated(policy=policy, policy_hash=policy.content_hash), NOON)
    at_us = NOON
    for number in range(calls):
        at_us += dice.randrange(1, 300_000_000_000 // calls)
        latency_us = dice.randrange(1, 9_000_000)
        call: dict[str, Any] = {
            "request_id": f"{number // 2:024x}",
            "provider": dice.choice(PROVIDERS),
            "operation": dice.choice(OPERATIONS),
            "attempt": 1 + number % 2,
            "service": "wa",
            "country": "us",
        }
        seq = note(CallStarted(key="k", deadline_at_us=at_us + 10**7, **call), at_us)
        call |= {"started_seq": seq, "latency_us": latency_us}
        note(ending(dice, call), at_us + latency_us)
        if number % 500 == 0:
            await log.durable(log.head.seq)
    await log.close()


def ending(dice: Random, call: dict[str, Any]) -> Ended:
    choice = dice.random()
    if choice < 0.8:
        return CallSucceeded(cost=Decimal(dice.randrange(1, 100)) / 100, **call)
    if choice < 0.97:
        return CallFailed(outcome=dice.choice(list(FailureKind)), message=dice.choice(MESSAGES), **call)
    return CallAbandoned(reason=AbandonReason.CANCELLED, **call)


def ended(path: Path) -> Iterator[tuple[int, Ended]]:
    with SqliteReader.open(path) as reader:
        for row in reader.rows():
            event = decode(row)
            if isinstance(event, Ended):
                yield row.at_us, event


def said(path: Path, name: str, *, since_us: int = 0) -> list[dict[str, Any]]:
    names, rows = ask(path, REPORTS[name].since(since_us))
    return [dict(zip(names, row, strict=True)) for row in rows]


def hour(at_us: int) -> str:
    return datetime.fromtimestamp(at_us // HOUR_US * 3600, tz=UTC).strftime("%Y-%m-%d %H:00:00")


@tried_on(2_000, soak=100_000)
def test_every_report_counts_what_the_events_say(examples: int, tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    asyncio.run(written(path, examples))
    calls = list(ended(path))
    assert len(calls) == examples

    by_hour: dict[tuple[str, str], list[Ended]] = defaultdict(list)
    by_operation: dict[tuple[str, str], list[Ended]] = defaultdict(list)
    for at_us, one in calls:
        by_hour[one.provider, hour(at_us)].append(one)
        by_operation[one.provider, one.operation].append(one)
    assert {(one["provider"], one["hour"]): (one["total"], one["successful"]) for one in said(path, "hourly")} == {
        key: (len(some), sum(one.outcome == "success" for one in some)) for key, some in by_hour.items()
    }
    for line in said(path, "slowest"):
        latencies = [call.latency_us for call in by_operation[line["provider"], line["request_type"]]]
        assert line["requests"] == len(latencies)
        assert line["avg_ms"] == pytest.approx(sum(latencies) / len(latencies) / 1000, abs=1)
        assert line["max_ms"] == max(latencies) // 1000
    for line in said(path, "cost"):
        costs = [
            call.cost
            for call in by_operation[line["provider"], line["request_type"]]
            if isinstance(call, CallSucceeded)
        ]
        assert line["cost"] == pytest.approx(float(sum(cost or 0 for cost in costs)))
        assert line["successes"] == len(costs)
    assert Counter(
        {
            (one["provider"], one["request_type"], one["error_message"]): one["occurrences"]
            for one in said(path, "failures")
        }
    ) == Counter((one.provider, one.operation, message(one)) for _, one in calls if one.outcome != "success")
    health = {one["provider"]: one for one in rows(path, "SELECT * FROM provider_health")}
    for provider in PROVIDERS:
        own = [one for _, one in calls if one.provider == provider]
        assert health[provider]["total_requests"] == len(own)
        assert health[provider]["successful_requests"] == sum(one.outcome == "success" for one in own)


def message(one: Ended) -> str:
    if isinstance(one, CallAbandoned):
        return one.reason.value
    assert isinstance(one, CallFailed)
    return one.message or one.outcome.value


class Call(NamedTuple):
    """A call of request `r`, from one millisecond to another."""

    provider: str
    operation: str
    began_ms: int
    ended_ms: int
    failed: FailureKind | AbandonReason | None = None


async def called(path: Path, *calls: Call) -> None:
    """A log of these calls, in the order in which they ended."""
    log = SqliteLog(path)
    await log.open("a test")
    for call in calls:
        about: dict[str, Any] = {
            "request_id": "r",
            "provider": call.provider,
            "operation": call.operation,
            "attempt": 1,
            "started_seq": 1,
            "latency_us": (call.ended_ms - call.began_ms) * 1000,
        }
        match call.failed:
            case None:
                ending: Ended = CallSucceeded(**about)
            case AbandonReason():
                ending = CallAbandoned(reason=call.failed, **about)
            case FailureKind():
                ending = CallFailed(outcome=call.failed, **about)
        log.append(ending, at_us=NOON + call.ended_ms * 1000)
    await log.close()


DOWN = FailureKind.TRANSIENT


def test_a_failover_takes_as_long_as_all_tries_at_the_one_before_and_the_pauses_between_them(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    tries = [Call("5sim", "rent", begin, begin + 3, DOWN) for begin in (0, 100, 250, 384)]
    others = [Call("textverified", "rent", 400, 410, DOWN), Call("sms-activate", "rent", 430, 500)]
    asyncio.run(called(path, *tries, *others, Call("5sim", "cancel", 700, 800)))
    found = [
        (one["from_provider"], one["to_provider"], one["failovers"], one["extra_ms"]) for one in said(path, "failovers")
    ]
    assert found == [("5sim", "textverified", 1, 400.0), ("textverified", "sms-activate", 1, 30.0)]


@pytest.mark.parametrize("name", ["weekly", "time-of-day"])
def test_how_well_a_provider_serves_is_told_by_what_was_to_serve_a_request(name: str, tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    beside = [Call("5sim", one, 0, 9_000, DOWN) for one in sorted(SIDE_OPERATIONS)]
    serving = [Call("5sim", "rent", 0, 100), Call("5sim", "renew", 0, 300, DOWN)]
    asyncio.run(called(path, *beside, *serving))
    (found,) = said(path, name)
    assert (found["total"], found["success_rate"], found["avg_ms"]) == (2, 50.0, 200.0)


def test_what_was_never_sent_is_no_failure_of_a_provider(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    unsent, cut_off = (Call("5sim", "rent", 0, 1, why) for why in (AbandonReason.NOT_SENT, AbandonReason.CRASHED))
    asyncio.run(called(path, unsent, cut_off, Call("5sim", "code", 0, 1, DOWN)))
    assert [(one["request_type"], one["error_message"]) for one in said(path, "failures")] == [
        ("code", "transient"),
        ("rent", "crashed"),
    ]


def rows(path: Path, statement: str) -> Sequence[sqlite3.Row]:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(statement).fetchall()


def test_the_documents_statements_run_as_they_stand(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    asyncio.run(written(path, 50))
    found = rows(path, MONITOR)
    assert {one["provider"] for one in found} == set(PROVIDERS)
    for statement in (PREFER, RETRY, THRESHOLDS, NO_FALLBACK):
        assert rows(path, statement) == []
    (row,) = rows(path, "SELECT * FROM provider_preferences")
    assert (row["preferred_provider"], row["retry_attempts"], row["fallback_enabled"]) == ("sms-activate", 3, 0)
    assert [one["body"].count("set_preferences") for one in rows(path, "SELECT body FROM inbox")] == [1, 1, 1]


def test_a_report_since_an_instant_leaves_out_what_was_before(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    asyncio.run(written(path, 200))
    middle_us = sorted(at_us for at_us, _ in ended(path))[99]
    assert sum(one["requests"] for one in said(path, "slowest", since_us=middle_us)) == 100


def test_times_compare_with_what_sqlite_says_of_now(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    asyncio.run(written(path, 50))
    (found,) = rows(path, "SELECT MIN(created_at) AS first, MAX(created_at) AS last FROM provider_requests")
    assert "2023-11-14 22:13:20" <= found["first"] <= found["last"] < "2023-11-19"
    (found,) = rows(path, "SELECT COUNT(*) AS n FROM provider_requests WHERE created_at > datetime('now', '-24 hours')")
    assert found["n"] == 0


def test_a_store_of_the_first_version_is_brought_up_to_date_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    asyncio.run(written(path, 50))
    kept = list(ended(path))
    with closing(sqlite3.connect(path)) as connection, connection:
        for kind, name in connection.execute(
            "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger') OR name = 'events_cost'"
        ).fetchall():
            connection.execute(f"DROP {kind} IF EXISTS {name}")
        for table in ("provider_facts", "preferences"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("ALTER TABLE events DROP COLUMN cost")
        connection.execute("PRAGMA user_version = 1")

    async def open_once() -> None:
        log = SqliteLog(path)
        await log.open("a newer version")
        await log.close()

    with pytest.raises(Exception, match="was written by an older Understudy; start an engine on it once"):
        said(path, "hourly")
    asyncio.run(open_once())
    assert list(ended(path)) == kept
    assert sum(one["total"] for one in said(path, "hourly")) == 50
    assert len(rows(path, "SELECT * FROM provider_preferences")) == 1
