"""A log that is read has the same files beside it afterwards, and loses none that somebody needs."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from providers_for_tests import Told

from understudy.adapters.stores import SqliteLog, SqliteReader, put_command
from understudy.adapters.stores.damage import file_damage
from understudy.engine import Engine


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """The log of an engine that has stopped, copied: a file and nothing beside it."""
    async with Engine(providers=[Told("alpha")], log=SqliteLog(tmp_path / "whole.db")) as engine:
        await engine.call("fetch", effect="once")
    (tmp_path / "there").mkdir()
    return Path(shutil.copy(tmp_path / "whole.db", tmp_path / "there" / "calls.db"))


@contextmanager
def unchanged(path: Path) -> Iterator[None]:
    def seen() -> dict[str, tuple[bytes, int]]:
        return {one.name: (one.read_bytes(), one.stat().st_mtime_ns) for one in path.parent.iterdir()}

    before = seen()
    yield
    assert seen() == before


def read(path: Path) -> int:
    with SqliteReader.open(path) as reader:
        return len(list(reader.rows()))


async def test_a_log_that_is_only_read_has_no_files_beside_it_afterwards(path: Path) -> None:
    with unchanged(path):
        assert read(path) > 5
        with SqliteReader.open(path) as one, SqliteReader.open(path) as another:
            assert one.head() == another.head()
        assert file_damage(path) == []


async def test_nor_has_one_that_cannot_be_read(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(5_000)
        file.write(b"?" * 9_000)
    with unchanged(path):
        with SqliteReader.open(path) as reader:
            assert reader.damage()
        assert file_damage(path)


async def test_what_waits_in_the_write_ahead_log_stays_there(path: Path, tmp_path: Path) -> None:
    crashed = tmp_path / "crashed" / "calls.db"
    crashed.parent.mkdir()
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("INSERT INTO inbox (body) VALUES ('{}')")
        for one in (path, path.with_name("calls.db-wal")):
            shutil.copy(one, crashed.parent)
    beside = crashed.with_name("calls.db-wal")
    before = crashed.read_bytes(), beside.read_bytes()
    with SqliteReader.open(crashed) as reader:
        assert reader.commands_waiting() == 1
    assert (crashed.read_bytes(), beside.read_bytes()) == before


CRASHES = """
import os, sqlite3, sys
sqlite3.connect(sys.argv[1], isolation_level=None).execute("INSERT INTO inbox (body) VALUES ('{}')")
os._exit(0)
"""


async def test_what_a_crash_leaves_there_while_it_is_read_stays_as_it_is(path: Path) -> None:
    before, after = await asyncio.to_thread(around_the_end_of_reading, path)
    assert before == after


def around_the_end_of_reading(path: Path) -> list[tuple[bytes, bytes]]:
    """The log and its write-ahead log when somebody has written and crashed meanwhile, and when reading has ended."""

    def seen() -> tuple[bytes, bytes]:
        return path.read_bytes(), path.with_name("calls.db-wal").read_bytes()

    with SqliteReader.open(path):
        subprocess.run([sys.executable, "-c", CRASHES, path], check=True)
        before = seen()
    return [before, seen()]


async def test_what_is_written_while_it_is_read_is_kept(path: Path) -> None:
    with SqliteReader.open(path) as reader:
        put_command(path, "{}")
        assert reader.commands_waiting() == 1
    with SqliteReader.open(path) as reader:
        assert reader.commands_waiting() == 1


async def test_an_engine_that_starts_meanwhile_loses_nothing(path: Path) -> None:
    with SqliteReader.open(path) as reader:
        before = reader.head().seq
        log = SqliteLog(path)
        await log.open("test")
    beside = path.with_name("calls.db-wal")
    assert beside.exists(), "it is the engine's now"
    await log.close()
    async with Engine(providers=[Told("alpha")], log=SqliteLog(path)) as engine:
        await asyncio.gather(engine.call("fetch", effect="once"), *(asyncio.to_thread(read, path) for _ in range(5)))
    assert read(path) > before
    assert sorted(one.name for one in path.parent.iterdir()) == ["calls.db", "calls.db.lock"]


async def test_nor_is_there_anything_left_beside_what_a_link_points_to(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    with unchanged(path):
        assert read(link) > 5
    assert not link.with_name("link.db-wal").exists()


async def test_what_an_earlier_reader_has_left_empty_goes_with_the_next(path: Path) -> None:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as left:
        left.execute("SELECT count(*) FROM events").fetchone()
    assert path.with_name("calls.db-wal").exists()
    assert read(path) > 5
    assert [one.name for one in path.parent.iterdir()] == ["calls.db"]
