"""When the file cannot be written: who is told, what is kept, and how it goes on."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from stores.samples import NOON, alert, assert_whole, claim, until

from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.events.errors import LogUnavailable


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    log = SqliteLog(tmp_path / "calls.db", busy_timeout_ms=30)
    await log.open("tester")
    yield log
    await log.close()


@pytest.fixture
def stranger(log: SqliteLog) -> Iterator[sqlite3.Connection]:
    """Another program with the file open."""
    with closing(sqlite3.connect(log.path, isolation_level=None)) as connection:
        yield connection


async def until_available(log: SqliteLog) -> None:
    await until(lambda: log.pending == 0)


async def test_a_strangers_short_transaction_only_makes_a_commit_wait(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db", busy_timeout_ms=20_000)
    await log.open("tester")
    with closing(sqlite3.connect(log.path, isolation_level=None)) as stranger:
        stranger.execute("BEGIN IMMEDIATE")
        log.append(alert(), at_us=NOON)
        waiting = asyncio.ensure_future(log.durable(1))
        await asyncio.wait([waiting], timeout=0.1)
        assert not waiting.done()
        log.check()
        stranger.execute("ROLLBACK")
        await waiting
    await log.close()


async def test_a_long_one_is_told_to_those_who_wait_and_nothing_is_lost(
    log: SqliteLog, stranger: sqlite3.Connection
) -> None:
    stranger.execute("BEGIN IMMEDIATE")
    for _ in range(10):
        log.append(alert(), at_us=NOON)
    ended = await asyncio.gather(*(log.durable(seq) for seq in range(1, 11)), return_exceptions=True)
    assert all(isinstance(one, LogUnavailable) for one in ended)
    with pytest.raises(LogUnavailable, match=r"another program holds the file.*end that transaction") as told:
        log.check()
    assert isinstance(told.value.__cause__, sqlite3.OperationalError)
    assert log.append(alert(), at_us=NOON, side=[claim()]).seq == 11, "an outcome is never refused"
    with pytest.raises(LogUnavailable):
        await log.durable(11)
    assert log.pending == 11
    stranger.execute("ROLLBACK")
    await until_available(log)
    log.check()
    await log.durable(11)
    with log.reader() as reader:
        assert assert_whole(reader) == 11
    assert await log.claim(principal="p", operation="rent", key="k", at_us=NOON) == claim()


async def test_what_came_during_a_failing_commit_keeps_its_place_behind(
    log: SqliteLog, stranger: sqlite3.Connection
) -> None:
    stranger.execute("BEGIN IMMEDIATE")
    log.append(alert(), at_us=NOON)
    await until(lambda: log.busy)
    log.append(alert(), at_us=NOON)
    with pytest.raises(LogUnavailable):
        await log.durable(2)
    stranger.execute("ROLLBACK")
    await until_available(log)
    with log.reader() as reader:
        assert assert_whole(reader) == 2
        assert [row.seq for row in reader.rows()] == [1, 2]


async def test_a_full_disk_is_named_and_once_there_is_room_it_goes_on(log: SqliteLog) -> None:
    assert log._writer is not None
    thread = log._writer.holding.thread
    (pages,) = await (await thread.execute("PRAGMA page_count")).fetchone() or (0,)
    await thread.execute(f"PRAGMA max_page_count = {pages + 2}")
    for _ in range(500):
        log.append(alert(), at_us=NOON)
    with pytest.raises(LogUnavailable, match="free some space"):
        await log.durable(500)
    assert log.pending == 500
    await thread.execute("PRAGMA max_page_count = 1000000")
    await until_available(log)
    with log.reader() as reader:
        assert assert_whole(reader) == 500


async def test_close_says_how_much_could_not_be_made_durable(log: SqliteLog, stranger: sqlite3.Connection) -> None:
    log.append(alert(), at_us=NOON)
    await log.durable(1)
    stranger.execute("BEGIN IMMEDIATE")
    for _ in range(7):
        log.append(alert(), at_us=NOON)
    with pytest.raises(LogUnavailable, match=r"7 events could not be made durable before.*another program holds"):
        await log.close()
    await log.close()
    stranger.execute("ROLLBACK")
    await log.open("again")
    assert log.head.seq == 1


async def test_close_makes_a_last_attempt_after_earlier_ones_failed(
    log: SqliteLog, stranger: sqlite3.Connection
) -> None:
    stranger.execute("BEGIN IMMEDIATE")
    log.append(alert(), at_us=NOON)
    with pytest.raises(LogUnavailable):
        await log.durable(1)
    stranger.execute("ROLLBACK")
    await log.close()
    with SqliteReader.open(log.path) as reader:
        assert assert_whole(reader) == 1


async def test_a_commit_that_succeeded_unheard_is_not_written_twice(log: SqliteLog) -> None:
    """As when the connection breaks between the disk and us: the store is asked before anything is repeated."""
    log.append(alert(), at_us=NOON)
    await log.durable(1)
    writer = log._writer
    assert writer is not None
    before = writer.head
    for _ in range(3):
        log.append(alert(), at_us=NOON)
    entries = list(writer.pending_entries())
    await log.durable(4)
    backlog = writer.backlog
    backlog.stored, backlog.queue, backlog.in_doubt = before, entries, True
    log.append(alert(), at_us=NOON)
    await log.durable(5)
    with log.reader() as reader:
        assert assert_whole(reader) == 5


async def test_a_stranger_who_writes_into_our_stream_is_noticed(log: SqliteLog, stranger: sqlite3.Connection) -> None:
    log.append(alert(), at_us=NOON)
    await log.durable(1)
    stranger.execute(
        "INSERT INTO events (stream, seq, at_us, kind, payload, chain)"
        " VALUES ('main', 2, 1, 'note_added.v1', '{}', x'00')"
    )
    log.append(alert(), at_us=NOON)
    with pytest.raises(LogUnavailable):
        await log.durable(2)
    await until(lambda: "changed by somebody else" in unavailable(log))
    stranger.execute("DELETE FROM events WHERE seq = 2")
    await until_available(log)


def unavailable(log: SqliteLog) -> str:
    try:
        log.check()
    except LogUnavailable as error:
        return str(error)
    return ""


async def test_the_index_of_the_write_ahead_log_is_in_its_place_again_before_anything_more_is_durable(
    log: SqliteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others would make one of their own, and their locks would not be ours."""
    monkeypatch.setattr("understudy.adapters.stores.holding._LOOK_AROUND_S", 0.0)
    log.append(alert(), at_us=NOON)
    await log.durable(1)
    monkeypatch.setattr("understudy.adapters.stores.holding._LOOK_AROUND_S", 3600.0)
    index = log.path.with_name("calls.db-shm")
    index.unlink()
    log.append(alert(), at_us=NOON)
    await log.durable(2)
    assert index.exists()


async def test_a_connection_that_is_closed_under_the_store_is_told_to_those_who_wait_and_to_who_closes(
    log: SqliteLog, stranger: sqlite3.Connection
) -> None:
    stranger.execute("SELECT count(*) FROM meta").fetchall()  # So that the write-ahead log stays where it is.
    assert log._writer is not None
    await log._writer.holding.thread.close()
    log.append(alert(), at_us=NOON)
    async with asyncio.timeout(5):
        with pytest.raises(LogUnavailable, match="the connection is closed"):
            await log.durable(1)
        assert "the connection is closed" in unavailable(log)
        with pytest.raises(ValueError, match="the connection is closed"):
            await log.close()
    with SqliteReader.open(log.path) as reader:
        assert reader.head().seq == 0
    await log.open("again")
    await log.close()


async def test_every_commit_is_synchronized_and_checkpoints_are_ours(log: SqliteLog) -> None:
    assert log._writer is not None
    settings = {}
    for name in ("journal_mode", "synchronous", "wal_autocheckpoint"):
        found = await log._writer.holding.thread.execute_fetchall(f"PRAGMA {name}")
        settings[name] = next(iter(found))[0]
    assert settings == {"journal_mode": "wal", "synchronous": 2, "wal_autocheckpoint": 0}


async def test_a_question_while_closed_is_answered_with_the_reason(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db")
    await log.open("tester")
    await log.close()
    with pytest.raises(LogUnavailable):
        await log.request_rows("r1")
