"""The write-ahead log is emptied off the way of the commits, and does not grow for ever."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from stores.samples import NOON, accepted, alert, assert_whole, until

from understudy.adapters.stores import SqliteLog


async def test_a_reader_that_stays_does_not_keep_the_write_ahead_log_from_being_emptied_at_close(
    tmp_path: Path,
) -> None:
    log = SqliteLog(tmp_path / "read.db")
    await log.open("tester")
    log.append(alert(), at_us=NOON)
    await log.durable(1)
    with log.reader() as reader:
        rows = reader.rows()
        assert next(rows).seq == 1
        await log.close()
        assert (tmp_path / "read.db-wal").stat().st_size == 0
        assert assert_whole(reader) == 1


async def test_an_idle_log_empties_its_write_ahead_log(log: SqliteLog, statements: list[str]) -> None:
    log.append(alert(), at_us=NOON)
    await log.durable(1)
    assert not any("wal_checkpoint" in line for line in statements), "never on the way of a commit"
    await until(lambda: any("wal_checkpoint(PASSIVE)" in line for line in statements))


async def test_a_busy_log_keeps_its_write_ahead_log_small(log: SqliteLog) -> None:
    big = "x" * 50_000
    for number in range(60):
        for _ in range(20):
            log.append(accepted(body=big), at_us=NOON + number)
        await log.durable(log.head.seq)
    wal = log.path.with_name("calls.db-wal")
    written = 60 * 20 * len(big)
    assert wal.stat().st_size < written / 2


_LOOK_S = 0.02
"""How long a reader takes: many commits, but less than the store waits for it."""


class Leapfrog:
    """Readers of whom one always begins before another ends: at no moment is nobody reading."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._reading = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> None:
        self._thread.start()
        self._reading.wait()

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _read(self) -> None:
        with closing(self._connect()) as one, closing(self._connect()) as other:
            ending, beginning = one, other
            while not self._stopped.is_set():
                beginning.execute("BEGIN")
                beginning.execute("SELECT count(*) FROM meta").fetchone()
                if ending.in_transaction:
                    ending.execute("COMMIT")
                self._reading.set()
                self._stopped.wait(_LOOK_S)
                ending, beginning = beginning, ending

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, isolation_level=None)


async def test_readers_without_a_break_do_not_let_the_write_ahead_log_grow_for_ever(log: SqliteLog) -> None:
    big, largest = "x" * 50_000, 0
    wal = log.path.with_name("calls.db-wal")
    with Leapfrog(log.path):
        for number in range(600):
            for _ in range(4):
                log.append(accepted(body=big), at_us=NOON + number)
            await log.durable(log.head.seq)
            largest = max(largest, wal.stat().st_size)
    assert largest < 70_000_000, "of 120 MB that were written"
