"""A file that is no log is refused with a sentence, and stays as it was."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from stores.samples import NOON, alert, names

from understudy.adapters.stores import SqliteLog, SqliteReader, put_command
from understudy.events.errors import LogUnavailable, NotALog


def write_text(path: Path) -> None:
    path.write_text("The quick brown fox jumps over the lazy dog.\n" * 200)


def write_other_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE birds (name TEXT)")


def write_database_of_other_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 4711")
        connection.execute("VACUUM")


async def write_newer_log(path: Path) -> None:
    log = SqliteLog(path)
    await log.open("a newer one")
    await log.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


FOREIGN = [
    (write_text, "not even a SQLite database"),
    (write_other_database, "of another program"),
    (write_database_of_other_program, "of another program"),
]


@pytest.mark.parametrize(("write", "sentence"), FOREIGN)
async def test_somebody_elses_file_is_refused_and_not_touched(
    write: Callable[[Path], None], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    write(path)
    before = path.read_bytes()
    with pytest.raises(NotALog, match=sentence):
        await SqliteLog(path).open("engine")
    with pytest.raises(NotALog, match=sentence), SqliteReader.open(path):
        pass
    with pytest.raises(NotALog, match=sentence):
        put_command(path, "{}")
    assert path.read_bytes() == before
    assert names(tmp_path) == ["file"], "not even a lock file is left beside it"


async def test_a_log_of_a_newer_version_is_refused_by_naming_both(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    await write_newer_log(path)
    for _ in range(2):
        with pytest.raises(NotALog, match=r"newer Understudy: its schema is version 99, this one knows 3"):
            await SqliteLog(path).open("engine")
        with pytest.raises(NotALog, match="upgrade"), SqliteReader.open(path):
            pass


async def test_a_missing_file_is_no_log_to_readers_and_is_not_made_by_them(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    with pytest.raises(NotALog, match="there is no file"), SqliteReader.open(path):
        pass
    with pytest.raises(NotALog, match="there is no file"):
        put_command(path, "{}")
    assert names(tmp_path) == []


async def test_an_empty_file_is_no_log_to_readers_but_an_engine_may_begin_one_there(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    path.touch()
    with pytest.raises(NotALog, match="is empty"), SqliteReader.open(path):
        pass
    log = SqliteLog(path)
    await log.open("engine")
    log.append(alert(), at_us=NOON)
    await log.close()
    with SqliteReader.open(path) as reader:
        assert reader.head().seq == 1
        assert len(reader.store_id) == 32


async def test_a_directory_that_is_missing_is_named(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "nowhere" / "calls.db")
    with pytest.raises(LogUnavailable, match="nowhere does not exist"):
        await log.open("engine")


async def test_a_directory_is_no_log(tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable, match="is a directory"):
        await SqliteLog(tmp_path).open("engine")
    with pytest.raises(LogUnavailable, match="is a directory"), SqliteReader.open(tmp_path):
        pass


async def test_a_store_keeps_its_id_and_its_salt(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db", salt=b"wanted")
    await log.open("engine")
    assert log.salt == b"wanted"
    await log.close()
    log = SqliteLog(log.path, salt=b"another")
    await log.open("engine")
    assert log.salt == b"wanted", "a store that exists keeps its own"
    await log.close()
