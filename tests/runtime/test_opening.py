"""A start that folds for long: others have their turn meanwhile, it can be cancelled, and it says what it is doing."""

import asyncio
import logging
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from lifecycle.cancelling import cancelled_at
from lifecycle.leftovers import is_locked, no_thread_left, tasks_left
from providers_for_tests import Told

from understudy.adapters import MemoryLog, SqliteLog, SqliteReader
from understudy.engine import Engine, Policy, opening, restore
from understudy.events.operations import AlertRaised
from understudy.projections.standing import FOLD_VERSION

EVENTS = 9_000


def alert(number: int) -> AlertRaised:
    return AlertRaised(alert="noise", subject=str(number % 7), message="again")


async def noise(log: MemoryLog | SqliteLog) -> None:
    """A log of some length, with no snapshot and no block."""
    await log.open("test")
    for number in range(EVENTS):
        log.append(alert(number), at_us=1_800_000_000_000_000 + number)
    await log.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "calls.db"
    asyncio.run(noise(SqliteLog(found)))
    return found


def engine(path: Path) -> Engine:
    return Engine(providers=[Told("a")], policy=Policy(), log=SqliteLog(path))


def sealed(path: Path) -> list[int]:
    with SqliteReader.open(path) as reader:
        return [block.last_seq for block in reader.blocks(fold_version=FOLD_VERSION)]


async def turns_during(work: Any) -> int:
    """How many turns another task has while something is awaited."""
    task, turns = asyncio.ensure_future(work), 0
    while not task.done():
        turns += 1
        await asyncio.sleep(0)
    await task
    return turns


async def test_others_have_their_turn_after_every_piece_of_rows() -> None:
    log = MemoryLog()
    await noise(log)
    await log.open("test")
    assert await turns_during(opening.ledger_of(log)) > EVENTS // restore.ROWS_A_PIECE


async def test_others_have_their_turn_after_every_piece_of_blocks(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.projections.block.BLOCK_EVENTS", 100)
    async with engine(path):
        pass
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM snapshots")
    connection.close()
    log = SqliteLog(path)
    await log.open("test")
    blocks = len(sealed(path))
    assert blocks > EVENTS // 100
    assert await turns_during(opening.ledger_of(log)) > blocks // restore.BLOCKS_A_PIECE
    await log.close()


@pytest.mark.parametrize("at_wait", [8, 16, 24])
async def test_a_start_that_is_cancelled_leaves_nothing_but_the_blocks_that_it_has_made(
    path: Path, at_wait: int
) -> None:
    with no_thread_left():
        assert await cancelled_at(engine(path).start(), at_wait=at_wait)
    assert (tasks_left(), is_locked(path)) == ([], False)
    made = sealed(path)
    assert made == [4096, 8192][: len(made)]
    async with engine(path) as running:
        assert running.standing.alerts.keys() == {f"noise|{number}" for number in range(7)}
    assert sealed(path)[:2] == [4096, 8192]


async def test_a_start_that_must_read_very_many_rows_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(opening, "MANY_ROWS", EVENTS)
    with caplog.at_level(logging.WARNING):
        async with engine(path):
            pass
        (told,) = _of_the_opening(caplog)
        assert told.startswith("9,000 events of the log must be folded anew, which may take minutes: ")
        async with engine(path):
            pass
    assert _of_the_opening(caplog) == [told], "the next start has snapshots and blocks"


def _of_the_opening(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if one.name == "understudy.opening"]
