"""An engine that is started on a file that cannot be written, or is not whole, says which it is and what to do."""

import asyncio
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from faults import disasters
from faults.at_work import Worker, executions, judge
from providers_for_tests import Told
from stores.samples import NOON, alert, assert_whole

from examples import tried_on
from understudy.adapters import SqliteLog, SqliteReader
from understudy.engine import Engine
from understudy.events.errors import LogUnavailable, UnderstudyError
from understudy.replay.verify import check_chain

# Root may write anywhere, so it becomes nobody first: once everything has been tried, and so imported, elsewhere.
POWERLESS = textwrap.dedent("""
    import asyncio, json, os, sys, tempfile
    from understudy.adapters import SqliteLog, SqliteReader, put_command
    from understudy.events.errors import UnderstudyError

    async def open_log(path):
        log = SqliteLog(path)
        await log.open("nobody")
        await log.close()

    def read(path):
        with SqliteReader.open(path) as reader:
            return reader.head().seq

    def try_all(path):
        for act in (lambda: asyncio.run(open_log(path)), lambda: read(path), lambda: put_command(path, "{}")):
            try:
                yield ["done", act()]
            except UnderstudyError as error:
                yield [type(error).__name__, str(error)]

    with tempfile.TemporaryDirectory() as elsewhere:
        list(try_all(os.path.join(elsewhere, "calls.db")))
        list(try_all(os.path.join(elsewhere, "nowhere", "calls.db")))
    if os.getuid() == 0:
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)
    print(json.dumps(list(try_all(sys.argv[1]))))
""")

# Ten commits, and the size of the write-ahead log after each; then an end without a farewell.
DYING = textwrap.dedent("""
    import asyncio, json, os, sys
    from understudy.adapters import SqliteLog
    from understudy.events.operations import AlertRaised

    async def main():
        log = SqliteLog(sys.argv[1])
        await log.open("dying")
        sizes = []
        for number in range(10):
            log.append(AlertRaised(alert="suspended", subject=str(number), message="look"), at_us=1)
            await log.durable(number + 1)
            sizes.append(os.stat(sys.argv[1] + "-wal").st_size)
        print(json.dumps(sizes), flush=True)
        os._exit(0)

    asyncio.run(main())
""")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that everybody can reach."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name)
        path.chmod(0o755)
        yield path
        path.chmod(0o755)


async def write(path: Path, *, events: int = 3) -> None:
    log = SqliteLog(path)
    await log.open("tester")
    for number in range(events):
        log.append(alert(number), at_us=NOON + number)
        await log.durable(number + 1)
    await log.close()


def try_without_power(path: Path) -> list[list[str]]:
    done = subprocess.run([sys.executable, "-c", POWERLESS, str(path)], capture_output=True, text=True, check=True)
    told: list[list[str]] = json.loads(done.stdout)
    return told


def test_a_folder_that_may_not_be_written_is_named_and_a_log_in_it_can_be_read(folder: Path) -> None:
    asyncio.run(write(folder / "calls.db"))
    folder.chmod(0o555)
    opened, read, commanded = try_without_power(folder / "calls.db")
    for told in (opened, commanded):
        assert told[0] == "LogUnavailable"
        assert "give this user write access" in told[1] or "may be written" in told[1]
    assert read[0] == "done", "a log that nobody has open is whole by itself"
    opened, _, _ = try_without_power(folder / "new.db")
    assert opened[0] == "LogUnavailable"
    assert "may be written" in opened[1]


def test_a_folder_that_may_not_even_be_entered_is_named(folder: Path) -> None:
    asyncio.run(write(folder / "calls.db"))
    folder.chmod(0o000)
    for told in try_without_power(folder / "calls.db"):
        assert told[0] == "LogUnavailable"
        assert "give this user" in told[1] or "may be written" in told[1], told


def test_a_file_that_may_not_be_written_is_named(folder: Path) -> None:
    folder.chmod(0o777)
    asyncio.run(write(folder / "calls.db"))
    for name in ("calls.db", "calls.db.lock"):
        (folder / name).chmod(0o444)
    opened, _, commanded = try_without_power(folder / "calls.db")
    for told in (opened, commanded):
        assert told[0] == "LogUnavailable"
        assert "give this user write access" in told[1]


def test_a_full_disk_at_the_start_is_named_and_nothing_is_lost(tmp_path: Path) -> None:
    disk, books = tmp_path / "disk", tmp_path / "books.txt"
    disk.mkdir()
    with disasters.small_disk(disk, size="2m"):
        database = disk / "calls.db"
        with disasters.full_disk(database, 0), Worker(database, books) as worker:
            assert worker.opened[0] == "LogUnavailable"
            assert "free some space" in worker.opened[1]
        with Worker(database, books) as worker:
            told = [worker.tell("once k1")]
            worker.kill()
        with disasters.full_disk(database, 0), Worker(database, books) as worker:
            assert worker.opened == ["open"], "what is to be written at a start waits, as ever"
            words = [worker.tell(f"once l{number}") for number in range(50)]
            assert words[-1][0] == "LogUnavailable"
            assert "free some space" in words[-1][1]
            told += [one for one in words if one[0] == "served"]
            worker.kill()
        with Worker(database, books) as worker:
            assert worker.tell("once k1") == told[0]
            assert worker.tell("stop") == ["stopped"]
        judge(database, books, told)
        assert executions(books).total() == len(told)


def test_a_foreign_transaction_at_the_start_is_named(tmp_path: Path) -> None:
    database, books = tmp_path / "calls.db", tmp_path / "books.txt"
    asyncio.run(write(database))
    with disasters.foreign_transaction(database, 0), Worker(database, books) as worker:
        assert worker.opened[0] == "LogUnavailable"
        assert "another program holds the file in a transaction; end that transaction" in worker.opened[1]


async def serve_once(path: Path) -> None:
    async with Engine(providers=[Told("a")], log=SqliteLog(path)) as engine:
        await engine.call("x", effect="once", idempotency_key="k")


def rows_of(path: Path) -> list[object]:
    with SqliteReader.open(path) as reader:
        return list(reader.rows())


@tried_on(45, soak=1_000)
def test_damage_anywhere_in_the_file_is_named_at_the_start_or_by_verify(tmp_path: Path, examples: int) -> None:
    path = tmp_path / "calls.db"
    asyncio.run(serve_once(path))
    whole, rows = path.read_bytes(), rows_of(path)
    dice = random.Random(5)
    named = 0
    for _ in range(examples):
        damaged = bytearray(whole)
        place = dice.randrange(len(whole) // 512) * 512
        damaged[place : place + 512] = dice.randbytes(512) if dice.random() < 0.5 else bytes(512)
        path.write_bytes(damaged)
        try:
            asyncio.run(serve_once(path))
        except UnderstudyError as error:
            named += bool(str(error))  # An error without words helps nobody.
        else:
            with SqliteReader.open(path) as reader:
                seen = check_chain(reader, through=reader.head().seq).broken or reader.damage()
            assert seen or rows_of(path)[: len(rows)] == rows, f"512 bytes from {place} on were changed unseen"
        for suffix in ("-wal", "-shm", ".lock"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
    assert named > examples / 20


def test_events_since_the_last_snapshot_are_checked_before_anything_is_built_on_them(tmp_path: Path) -> None:
    path, books = tmp_path / "calls.db", tmp_path / "books.txt"
    with Worker(path, books) as worker:
        worker.tell("once k1")
        worker.tell("once k2")
        worker.kill()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        (last,) = connection.execute("SELECT max(seq) FROM events").fetchone()
        connection.execute("UPDATE events SET provider = 'b' WHERE kind = 'call_succeeded.v1' AND seq < ?", (last,))
    with pytest.raises(LogUnavailable, match=r"event \d+ does not fit the one before it.*understudy verify"):
        asyncio.run(serve_once(path))


def test_a_database_whose_tail_is_torn_off_is_named_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    asyncio.run(write(path, events=50))
    whole = path.read_bytes()
    for size in [0, 100, 4_095, *range(4_096, len(whole), 4_096), len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(LogUnavailable, match="restore a backup"):
            asyncio.run(write(path, events=0))
        assert path.read_bytes() == whole[:size], "it is left as it is"


@tried_on(15, soak=500)
def test_of_a_write_ahead_log_whose_tail_is_torn_off_all_whole_commits_remain(tmp_path: Path, examples: int) -> None:
    path, wal = tmp_path / "calls.db", tmp_path / "calls.db-wal"
    done = subprocess.run([sys.executable, "-c", DYING, str(path)], capture_output=True, text=True, check=True)
    sizes = json.loads(done.stdout)
    assert len(set(sizes)) == 10
    database, torn = path.read_bytes(), wal.read_bytes()
    dice = random.Random(3)
    for size in [*(dice.randrange(len(torn)) for _ in range(examples)), *sizes]:
        path.write_bytes(database)
        wal.write_bytes(torn[:size])
        wal.with_name("calls.db-shm").unlink(missing_ok=True)
        whole = sum(commit <= size for commit in sizes)
        with SqliteReader.open(path) as reader:
            assert assert_whole(reader) == whole
        asyncio.run(append_one(path, after=whole))


async def append_one(path: Path, *, after: int) -> None:
    log = SqliteLog(path)
    await log.open("tester")
    assert log.head.seq == after
    log.append(alert(99), at_us=NOON)
    await log.close()
    with SqliteReader.open(path) as reader:
        assert assert_whole(reader) == after + 1


@pytest.mark.parametrize("size", [None, 0])
def test_no_new_log_is_begun_where_the_write_ahead_log_of_another_one_lies(tmp_path: Path, size: int | None) -> None:
    path, books = tmp_path / "calls.db", tmp_path / "books.txt"
    with Worker(path, books) as worker:
        worker.tell("once k1")
        worker.kill()
    wal = path.with_name("calls.db-wal").read_bytes()
    path.rename(tmp_path / "elsewhere")
    if size is not None:
        path.touch()
    with Worker(path, books) as worker:
        assert worker.opened[0] == "LogUnavailable"
        assert "missing or empty, but its write-ahead log calls.db-wal is still there" in worker.opened[1]
    assert path.with_name("calls.db-wal").read_bytes() == wal, "SQLite would have deleted it"
    (tmp_path / "elsewhere").replace(path)
    with Worker(path, books) as worker:
        assert worker.tell("once k1")[0] == "served"
    assert executions(books).total() == 1
