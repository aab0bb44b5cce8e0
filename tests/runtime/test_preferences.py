"""What an operator sets while an engine runs, at a SQL prompt or by a method: it is obeyed, on record, and stays."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conversions_for_tests import events
from providers_for_tests import Told

from understudy.adapters import SqliteLog
from understudy.engine import Engine, InvalidRequest, Policy, Strategy
from understudy.events.operations import AlertRaised, PolicyActivated, PreferencesChanged

IN_ORDER = Policy(strategy=Strategy.IN_ORDER, exploration=Decimal(0))
THE_ROW = "WHERE id = (SELECT id FROM provider_preferences LIMIT 1)"


def prompt(path: Path, statement: str) -> Sequence[Any]:
    """What any SQLite client gets for a statement."""
    with closing(sqlite3.connect(path, timeout=5)) as connection, connection:
        connection.row_factory = sqlite3.Row
        return connection.execute(statement).fetchall()


def row(log: SqliteLog) -> dict[str, Any]:
    (found,) = prompt(log.path, "SELECT * FROM provider_preferences")
    return {name: found[name] for name in found.keys() if name != "updated_at"}  # noqa: SIM118 - A Row is no mapping.


def played(stage: Any, act: Callable[[Engine, SqliteLog], Any], **policy: Any) -> SqliteLog:
    async def play() -> None:
        log = stage.file()
        async with stage.engine(
            Told("a"), Told("b"), policy=IN_ORDER.model_copy(update=policy), log=log, watch=True
        ) as engine:
            await log.durable(log.head.seq)
            await act(engine, log)

    stage.play(play)
    found: SqliteLog = stage.logs[-1]
    return found


def test_an_update_in_sql_is_shown_at_once_obeyed_within_a_second_and_on_record(stage: Any) -> None:
    async def act(engine: Engine, log: SqliteLog) -> None:
        assert (await engine.call("x")).provider == "a"
        prompt(
            log.path, f"UPDATE provider_preferences SET preferred_provider = 'b', min_success_rate = 97.50 {THE_ROW}"
        )
        assert (row(log)["preferred_provider"], row(log)["min_success_rate"]) == ("b", 97.5)
        assert engine.policy.preferred_provider is None
        await asyncio.sleep(1)
        assert (await engine.call("x")).provider == "b"
        assert engine.policy.min_success_rate == Decimal("97.5")
        assert row(log)["preferred_provider"] == "b"

    (changed,) = events(played(stage, act), PreferencesChanged)
    assert changed.changes == {"preferred_provider": "b", "min_success_rate": "97.5"}
    assert (changed.actor, changed.reason) == ("sql", "UPDATE provider_preferences")


def test_every_setting_of_the_documents_can_be_set_together(stage: Any) -> None:
    wanted = {
        "preferred_provider": "'b'",
        "fallback_enabled": "false",
        "retry_attempts": "3",
        "retry_delay_ms": "250",
        "min_success_rate": "95.00",
        "max_response_time_ms": "3500",
        "free_price_enabled": "true",
    }

    async def act(engine: Engine, log: SqliteLog) -> None:
        prompt(log.path, f"UPDATE provider_preferences SET {', '.join(f'{k} = {v}' for k, v in wanted.items())}")
        await asyncio.sleep(1)
        policy = engine.policy
        assert (policy.preferred_provider, policy.fallback_enabled, policy.retry_attempts) == ("b", False, 3)
        assert (policy.retry_delay_ms, policy.max_response_time_ms) == (250, 3500)
        assert policy.free_price_enabled
        assert policy.min_success_rate == 95

    (changed,) = events(played(stage, act), PreferencesChanged)
    assert sorted(changed.changes) == sorted(wanted.keys() - {"min_success_rate"}), "what is as it was is no change"


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("preferred_provider = 'c'", "must be NULL or a provider of: SELECT provider FROM provider_health"),
        ("fallback_enabled = 2", "fallback_enabled must be true or false"),
        ("fallback_enabled = NULL", "fallback_enabled must be true or false"),
        ("retry_attempts = 21", "retry_attempts must be a whole number from 0 to 20"),
        ("retry_attempts = 2.5", "retry_attempts must be a whole number from 0 to 20"),
        ("retry_delay_ms = -1", "retry_delay_ms must be a whole number of milliseconds"),
        ("min_success_rate = 100.01", "min_success_rate must be a percentage from 0 to 100"),
        ("min_success_rate = '95 %'", "min_success_rate must be a percentage from 0 to 100"),
        ("free_price_enabled = 7", "free_price_enabled must be true or false"),
        ("max_response_time_ms = NULL", "max_response_time_ms must be a whole number of milliseconds"),
        ("updated_at = 'now'", "updated_at is kept by Understudy"),
        ("id = 2", "keeps its id"),
    ],
)
def test_what_cannot_be_is_refused_by_the_update_itself_and_changes_nothing(
    stage: Any, setting: str, told: str
) -> None:
    async def act(engine: Engine, log: SqliteLog) -> None:
        before = row(log)
        with pytest.raises(sqlite3.IntegrityError, match=told):
            prompt(log.path, f"UPDATE provider_preferences SET retry_delay_ms = 7, {setting}")
        assert row(log) == before
        await asyncio.sleep(1)
        assert engine.policy.retry_delay_ms == 500

    assert events(played(stage, act), PreferencesChanged) == []


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("INSERT INTO provider_preferences (retry_attempts) VALUES (1)", "always has exactly one row: UPDATE it"),
        ("DELETE FROM provider_preferences", "always has exactly one row: UPDATE it"),
        ("UPDATE provider_health SET status = 'healthy'", "provider_health is computed from the log"),
        ("INSERT INTO provider_health (provider) VALUES ('c')", "provider_health is computed from the log"),
        ("DELETE FROM provider_health", "provider_health is computed from the log"),
        ("UPDATE provider_requests SET success = 1", "what has happened cannot be changed"),
        ("INSERT INTO provider_requests (provider) VALUES ('a')", "only the engine adds to it"),
        ("DELETE FROM provider_requests", "what has happened cannot be removed"),
    ],
)
def test_no_other_write_at_the_prompt_is_taken(stage: Any, statement: str, told: str) -> None:
    async def act(engine: Engine, log: SqliteLog) -> None:
        await engine.call("x")
        await asyncio.sleep(0.1)
        with pytest.raises(sqlite3.IntegrityError, match=told):
            prompt(log.path, statement)

    played(stage, act)


def test_a_second_update_before_the_first_is_obeyed_stays_shown_and_is_obeyed_too(stage: Any) -> None:
    async def act(engine: Engine, log: SqliteLog) -> None:
        prompt(log.path, "UPDATE provider_preferences SET retry_attempts = 1")
        prompt(log.path, "UPDATE provider_preferences SET retry_attempts = 0, preferred_provider = 'b'")
        assert row(log)["retry_attempts"] == 0
        await asyncio.sleep(1)
        assert (engine.policy.retry_attempts, engine.policy.preferred_provider) == (0, "b")
        assert (row(log)["retry_attempts"], row(log)["preferred_provider"]) == (0, "b")

    assert [one.changes for one in events(played(stage, act), PreferencesChanged)] == [
        {"retry_attempts": 1},
        {"retry_attempts": 0, "preferred_provider": "b"},
    ]


def test_an_operators_word_stands_above_the_configuration_of_later_starts(stage: Any) -> None:
    async def first(engine: Engine, log: SqliteLog) -> None:
        engine.change_preferences(retry_attempts=0, preferred_provider="b", actor="ann", reason="the contract")
        assert row(log)["retry_attempts"] == 2  # Shown once it is durable.

    async def then(engine: Engine, log: SqliteLog) -> None:
        assert (engine.policy.retry_attempts, engine.policy.preferred_provider) == (0, "b")
        assert engine.policy.deadline_ms == 7_000
        assert row(log)["retry_attempts"] == 0

    played(stage, first)
    log = played(stage, then, deadline_ms=7_000, retry_attempts=5)
    assert [one.actor for one in events(log, PreferencesChanged)] == ["ann"]
    assert len(events(log, PolicyActivated)) == 3, "as configured, as preferred, and as both at the next start"


def test_a_preferred_provider_that_is_configured_no_more_is_none_any_more(stage: Any) -> None:
    async def first(engine: Engine, _: SqliteLog) -> None:
        engine.change_preferences(preferred_provider="b", retry_attempts=0, actor="ann", reason="the contract")

    played(stage, first)

    async def then() -> None:
        async with stage.engine(Told("a"), policy=IN_ORDER, log=stage.file()) as engine:
            assert (engine.policy.preferred_provider, engine.policy.retry_attempts) == (None, 0)
            assert (await engine.call("x")).provider == "a"

    stage.play(then)
    told = [(one.actor, one.changes) for one in events(stage.logs[-1], PreferencesChanged)]
    assert told[1:] == [("rules", {"preferred_provider": None})]


def test_an_update_is_obeyed_as_a_whole_or_not_at_all_and_the_row_says_what_holds(stage: Any) -> None:
    async def first(_: Engine, log: SqliteLog) -> None:
        await log.close()
        prompt(log.path, "UPDATE provider_preferences SET preferred_provider = 'b', retry_attempts = 4")
        assert (row(log)["preferred_provider"], row(log)["retry_attempts"]) == ("b", 4)
        await log.open("again")

    played(stage, first)

    async def then() -> None:
        log = stage.file()
        async with stage.engine(Told("a"), policy=IN_ORDER, log=log, watch=True) as engine:
            await asyncio.sleep(1)
            assert (engine.policy.preferred_provider, engine.policy.retry_attempts) == (None, 2)
            assert (row(log)["preferred_provider"], row(log)["retry_attempts"]) == (None, 2)

    stage.play(then)
    (alert,) = events(stage.logs[-1], AlertRaised)
    assert (alert.alert, alert.message) == ("command_refused", "preferred_provider 'b' is not configured; known: a")


def test_a_command_that_makes_no_sense_is_an_alert_and_the_row_is_as_before(stage: Any) -> None:
    async def act(engine: Engine, log: SqliteLog) -> None:
        prompt(
            log.path,
            """INSERT INTO inbox (body) VALUES ('{"command": "set_preferences", "actor": "x", "reason": "y",
            "changes": {"retry_atempts": 3}}')""",
        )
        await asyncio.sleep(1)
        assert engine.policy.retry_attempts == 2

    (alert,) = events(played(stage, act), AlertRaised)
    assert "'retry_atempts' is no preference; did you mean retry_attempts?" in alert.message


def test_a_method_refuses_what_cannot_be(stage: Any) -> None:
    async def act(engine: Engine, _: SqliteLog) -> None:
        with pytest.raises(InvalidRequest, match=r"retry_attempts must be a whole number from 0 to 20, not 99"):
            engine.change_preferences(retry_attempts=99, actor="ann", reason="more")
        with pytest.raises(InvalidRequest, match="preferred_provider 'z' is not configured; known: a, b"):
            engine.change_preferences(preferred_provider="z", actor="ann", reason="more")

    assert events(played(stage, act), PreferencesChanged) == []


def test_requests_and_their_providers_can_be_looked_up_by_the_documents_columns(stage: Any) -> None:
    async def act(engine: Engine, log: SqliteLog) -> None:
        await engine.call("rent_number", context={"service": "wa", "country": "us", "rental_id": "n-5"})
        await asyncio.sleep(0.1)
        (one,) = prompt(log.path, "SELECT * FROM provider_requests")
        told = {name: one[name] for name in one.keys()}  # noqa: SIM118 - A Row is no mapping.
        assert {name: told[name] for name in ("provider", "request_type", "attempt", "success", "error_message")} == {
            "provider": "a",
            "request_type": "rent_number",
            "attempt": 1,
            "success": 1,
            "error_message": None,
        }
        assert (told["service"], told["country"], told["rental_id"]) == ("wa", "us", "n-5")
        (health, _) = prompt(log.path, "SELECT * FROM provider_health")
        assert (health["provider"], health["total_requests"], health["successful_requests"]) == ("a", 1, 1)
        assert health["last_success_at"] == health["last_checked_at"] == told["created_at"]

    played(stage, act)
