"""Files that are removed, replaced, cut or damaged under a running engine: nothing is acknowledged into the void.

SQLite itself notices none of the first three: it holds its files open, and its commits succeed.
"""

import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from faults.at_work import Worker, executions, judge

from understudy.adapters import SqliteReader, put_command
from understudy.replay.verify import verify

RESCUED = re.compile(r"all \d+ events are now in (\S+): move that to")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    return folder / "calls.db"


@pytest.fixture
def books(tmp_path: Path) -> Path:
    return tmp_path / "books.txt"


def beside(database: Path, suffix: str) -> Path:
    return database.with_name(database.name + suffix)


def remove(database: Path) -> None:
    database.unlink()


def remove_all(database: Path) -> None:
    shutil.rmtree(database.parent)


def replace(database: Path) -> None:
    other = database.with_name("other")
    other.write_bytes(b"something else entirely" * 1000)
    other.replace(database)


@pytest.mark.parametrize(
    ("befall", "sentence"),
    [
        (remove, "was removed or moved away while in use"),
        (remove_all, "was removed or moved away while in use"),
        (replace, "was replaced by another one while in use"),
    ],
)
def test_a_file_that_is_taken_away_for_good_is_rescued_when_the_engine_stops(
    befall: object, sentence: str, database: Path, books: Path
) -> None:
    assert callable(befall)
    with Worker(database, books) as worker:
        told = [worker.tell("once k1"), worker.tell("read r1")]
        assert worker.tell("hold k2") == ["executed"]
        befall(database)
        there = database.read_bytes() if database.exists() else None
        error, said, _ = worker.tell("once k3")
        assert (error, sentence in said) == ("LogUnavailable", True)
        assert worker.tell("release")[0] == "OutcomeUnknown"
        assert executions(books).total() == 3
        error, said = worker.tell("stop")
        assert error == "LogUnavailable"
        found = RESCUED.search(said)
        assert found is not None, said
    assert (database.read_bytes() if database.exists() else None) == there, "what is there now was left alone"
    rescued = Path(found[1])
    if rescued.parent == database.parent and there is None:
        with Worker(database, books) as worker:
            assert worker.opened[0] == "LogUnavailable"
            assert f"there is {rescued.name}" in worker.opened[1], "no new log is begun beside it"
    database.parent.mkdir(exist_ok=True)
    rescued.replace(database)
    with Worker(database, books) as worker:
        assert worker.tell("settled") == ["settled"]
        assert worker.tell("once k1") == told[0]
        assert worker.tell("once k2")[0] == "served", "it was executed before, and is known"
        assert worker.tell("stop") == ["stopped"]
    judge(database, books, told)
    assert executions(books).total() == 3


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_a_file_of_sqlites_that_is_removed_is_put_right_before_anything_is_acknowledged(
    suffix: str, database: Path, books: Path
) -> None:
    with Worker(database, books) as worker:
        told = [worker.tell("once k1")]
        beside(database, suffix).unlink()
        told += [worker.tell("once k2"), worker.tell("once k3")]
        worker.kill()
    with Worker(database, books) as worker:
        assert [worker.tell(f"once k{number}") for number in (1, 2, 3)] == told
        assert worker.tell("stop") == ["stopped"]
    judge(database, books, told)


def test_an_owner_whose_lock_file_is_removed_locks_it_anew(database: Path, books: Path) -> None:
    with Worker(database, books) as worker:
        beside(database, ".lock").unlink()
        told: list[list[str]] = []
        while not beside(database, ".lock").exists():  # The owner looks around now and then, not at every commit.
            told.append(worker.tell(f"once early-{len(told)}"))
            assert len(told) < 1_000
        with Worker(database, books) as second:
            assert second.opened[0] == "LogInUse"
            assert f"process {worker.process.pid} " in second.opened[1]
        told.append(worker.tell("once k2"))
        assert worker.tell("stop") == ["stopped"]
    judge(database, books, told)


def test_an_owner_whose_log_was_taken_over_is_told_by_whom_and_does_nothing_more(database: Path, books: Path) -> None:
    with Worker(database, books) as worker:
        told = [worker.tell("once k1")]
        beside(database, ".lock").unlink()
        with Worker(database, books) as second:
            assert second.opened == ["open"]
            error, said, _ = worker.tell("once k2")
            assert error == "LogUnavailable"
            assert f"in use by '{_host(said)}:{second.process.pid}'" in said
            told += [second.tell("once k3"), second.tell("once k1")]
            assert worker.tell("read r1")[0] == "LogUnavailable"
            assert executions(books).total() == 2
            worker.kill()
            assert second.tell("stop") == ["stopped"]
    assert told[2] == told[0]
    with SqliteReader.open(database) as reader:
        assert verify(reader).ok


def _host(said: str) -> str:
    found = re.search(r"in use by '(.*):\d+'", said)
    assert found is not None, said
    return found[1]


def test_a_database_that_is_cut_is_named_and_nothing_more_is_done(database: Path, books: Path) -> None:
    with Worker(database, books) as worker:
        for number in range(20):
            worker.tell(f"once k{number}")
        os.truncate(database, 8192)
        error, said, _ = worker.tell("once more")
        assert (error, "was cut or written over" in said, "restore a backup" in said) == ("LogUnavailable", True, True)
        assert worker.tell("read r1")[0] == "LogUnavailable"
        assert executions(books).total() == 20
        assert worker.tell("stop")[0] == "LogUnavailable"
    with Worker(database, books) as worker:
        assert worker.opened[0] in {"LogUnavailable", "LogDamaged"}, "a damaged file is not taken for a new one"
        assert "restore a backup" in worker.opened[1]


@pytest.mark.parametrize("left", [0, 20_000])
def test_a_write_ahead_log_that_is_cut_is_named_and_the_rest_stays_whole(
    left: int, database: Path, books: Path
) -> None:
    with Worker(database, books) as worker:
        for number in range(20):
            worker.tell(f"once k{number}")
        os.truncate(beside(database, "-wal"), left)
        error, said, _ = worker.tell("once more")
        assert (error, "its write-ahead log was cut while in use" in said) == ("LogUnavailable", True)
        assert worker.tell("read r1")[0] == "LogUnavailable"
        assert executions(books).total() == 20
        assert worker.tell("stop")[0] == "LogUnavailable"
    with Worker(database, books) as worker:
        assert worker.opened == ["open"]
        assert worker.tell("once again")[0] == "served"
        assert worker.tell("stop") == ["stopped"]
    with SqliteReader.open(database) as reader:
        assert (verify(reader).ok, reader.damage()) == (True, [])


@pytest.mark.parametrize("statement", ["PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM"])
def test_another_program_may_tidy_the_file_up_meanwhile(statement: str, database: Path, books: Path) -> None:
    with Worker(database, books) as worker:
        told = [worker.tell(f"once k{number}") for number in range(20)]
        with closing(sqlite3.connect(database, isolation_level=None)) as stranger:
            stranger.execute(statement).fetchall()
            stranger.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        told += [worker.tell(f"once l{number}") for number in range(20)]
        assert {words[0] for words in told} == {"served"}
        assert worker.tell("stop") == ["stopped"]
    judge(database, books, told)


def test_a_page_that_is_damaged_under_a_running_engine_is_named(database: Path, books: Path) -> None:
    with Worker(database, books) as worker:
        told = [worker.tell("once k1")]
        with closing(sqlite3.connect(database, isolation_level=None)) as stranger:
            stranger.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            (page,) = stranger.execute("SELECT rootpage FROM sqlite_master WHERE name = 'claims'").fetchone()
        with database.open("r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(b"\xff" * 4096)
        put_command(database, "{}")  # Another's commit: what our connection remembers of the file counts no more.
        error, said, _ = worker.tell("once k2")
        assert error == "LogUnavailable"
        assert "the file is damaged; stop, keep a copy, and restore a backup" in said
        assert executions(books).total() == len(told)
