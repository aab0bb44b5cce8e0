"""`understudy preferences` where no engine runs: it is on record, and the next engine goes by it."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest
from cli.command_line import answered, refused, run, said

from understudy.adapters import put_command
from understudy.adapters.stores import SqliteReader
from understudy.replay.verify import verify


@pytest.fixture
def log(short_log: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(short_log, tmp_path / "calls.db"))


def test_what_is_set_is_shown_with_who_has_set_it_and_why(log: Path) -> None:
    before = answered("preferences", "get", log)["preferences"]
    assert before["retry_attempts"] == {"value": 0, "set_by": None}
    text = said(
        "preferences", "set", log, "retryAttempts=3", "fallback-enabled=false", "--reason", "tuning", "--actor", "ann"
    )
    assert text.startswith(f"{log}: retry_attempts is 3, fallback_enabled is false\n")
    after = answered("preferences", "get", log)["preferences"]
    assert after["retry_attempts"] == {"value": 3, "set_by": "ann: tuning"}
    assert after["fallback_enabled"] == {"value": False, "set_by": "ann: tuning"}
    assert after["retry_delay_ms"] == before["retry_delay_ms"]
    assert "fallback_enabled      false  ann: tuning" in said("preferences", "get", log)
    with SqliteReader.open(log) as reader:
        assert verify(reader).ok


def test_who_insists_on_what_is_configured_anyway_is_shown(log: Path) -> None:
    said("preferences", "set", log, "retry_attempts=0", "--reason", "never again", "--actor", "ann")
    found = answered("preferences", "get", log)["preferences"]["retry_attempts"]
    assert found == {"value": 0, "set_by": "ann: never again"}


def test_a_preferred_provider_can_be_taken_back(log: Path) -> None:
    for value, shown in (("beta", "beta"), ("none", None)):
        said("preferences", "set", log, f"preferred_provider={value}", "--reason", "x", "--actor", "ann")
        assert answered("preferences", "get", log)["preferences"]["preferred_provider"]["value"] == shown


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("retry_attempts", "'retry_attempts' is no NAME=VALUE, such as retry_attempts=3"),
        ("retry_atempts=3", "there is no preference 'retry_atempts'; did you mean 'retry_attempts'?"),
        ("retry_attempts=many", "retry_attempts must be a whole number from 0 to 20, not 'many'"),
        (
            "retry_delay_ms=-1",
            "retry_delay_ms must be a whole number of milliseconds from 0 to 10,000,000,000, not '-1'",
        ),
        ("min_success_rate=101", "min_success_rate must be a percentage from 0 to 100, not '101'"),
        ("fallback_enabled=maybe", "fallback_enabled must be true or false, not 'maybe'"),
        ("preferred_provider=a b", "preferred_provider must be none or the name of a provider, not 'a b'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(log: Path, change: str, told: str) -> None:
    before = answered("verify", log)
    assert told in refused("preferences", "set", log, change, "--reason", "x")
    assert answered("verify", log) == before


def test_a_provider_that_is_not_configured_is_refused_with_those_that_are(log: Path) -> None:
    told = refused("preferences", "set", log, "preferred_provider=gamma", "--reason", "x")
    assert told == "preferred_provider 'gamma' is not configured; known: alpha, beta"


def test_a_preference_given_twice_is_refused_rather_than_taken_once(log: Path) -> None:
    told = refused("preferences", "set", log, "retry_attempts=1", "retry-attempts=2", "--reason", "x")
    assert told == "retry_attempts is given twice; name each preference once"


def test_the_answer_has_values_as_they_are_in_force(log: Path) -> None:
    text = said("preferences", "set", log, "free_price_enabled=1", "min_success_rate=97.50", "--reason", "x")
    assert text.startswith(f"{log}: free_price_enabled is true, min_success_rate is 97.5\n")


@pytest.mark.parametrize("rate", ["97.123456789", "0.1", "33.3333333333333", "100", "1e-9"])
def test_a_rate_typed_at_a_prompt_is_the_rate_that_is_asked_for(log: Path, rate: str) -> None:
    with closing(sqlite3.connect(log)) as connection, connection:
        connection.execute(f"UPDATE provider_preferences SET min_success_rate = {rate}")
    said("preferences", "set", log, "retry_attempts=4", "--reason", "what waits is obeyed before")
    found = answered("preferences", "get", log)["preferences"]["min_success_rate"]
    assert (Decimal(found["value"]), found["set_by"]) == (Decimal(rate), "sql: UPDATE provider_preferences")


async def test_a_set_in_json_tells_the_event(log: Path) -> None:
    told = await asyncio.to_thread(
        answered, "preferences", "set", log, "min_success_rate=97.50", "--reason", "x", "--actor", "ann"
    )
    assert (told["done"], told["event"]["kind"]) == (True, "preferences_changed.v1")
    assert told["event"]["event"]["changes"] == {"min_success_rate": "97.5"}


def test_what_waits_for_an_engine_is_told_beside_what_is_in_force(log: Path) -> None:
    with closing(sqlite3.connect(log, isolation_level=None)) as prompt:
        prompt.execute("UPDATE provider_preferences SET preferred_provider = 'beta', retry_attempts = 4")
    for nonsense in ("no JSON", "{", "{}", '{"command": "set_preferences", "changes": 7}'):
        put_command(log, nonsense)
    told = answered("preferences", "get", log)
    assert told["waiting"] == {"preferred_provider": "beta", "retry_attempts": 4}
    assert told["preferences"]["preferred_provider"]["value"] is None
    shown = run("preferences", "get", log)
    assert "preferred_provider = beta waits in the inbox for an engine" in shown.stderr
