"""What the chain cannot show is shown beside it."""

import sqlite3
from pathlib import Path

import pytest
from providers_for_tests import Told

from understudy.adapters import SqliteLog, SqliteReader
from understudy.engine import Engine


async def served(path: Path) -> Path:
    """A log of a few requests, two of them with a key."""
    async with Engine(providers=[Told("a")], log=SqliteLog(path)) as engine:
        for key in (None, "k1", "k2"):
            await engine.call("x", idempotency_key=key)
    return path


def damage(path: Path) -> str:
    with SqliteReader.open(path) as reader:
        return "\n".join(reader.damage())


async def test_a_whole_log_has_no_damage(tmp_path: Path) -> None:
    assert damage(await served(tmp_path / "calls.db")) == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("DELETE FROM events WHERE seq > 10", "those after position 10 are gone"),
        ("DELETE FROM events", "those after position 0 are gone"),
        ("DELETE FROM claims", "2 idempotency keys"),
        ("UPDATE claims SET request_id = 'foo' WHERE key = 'k1'", "1 idempotency key of"),
        ("UPDATE meta SET value = 'x' WHERE name = 'stream'", "belong to a stream 'main'"),
    ],
)
async def test_what_was_tampered_with_is_named(tmp_path: Path, change: str, words: str) -> None:
    path = await served(tmp_path / "calls.db")
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    connection.close()
    assert words in damage(path)
