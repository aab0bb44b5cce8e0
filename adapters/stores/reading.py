"""Opening a log only to read it, and leaving no files beside it.

SQLite lays an empty write-ahead log and its index beside a database even for who only reads it. It takes them away when
the last connection is closed, if that one might write.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from understudy.adapters.stores.faults import cannot_open
from understudy.events.errors import LogUnavailable


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write, and leaves no trace. The path is absolute.

    Errors: LogUnavailable if it cannot be opened.
    """
    with leaving_no_trace(path), closing(_connected(path)) as connection:
        yield connection


@contextmanager
def standing_still(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction in which all that is read is as of its beginning, whatever is written or archived meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


@contextmanager
def leaving_no_trace(path: Path) -> Iterator[None]:
    """Around reading a log: what SQLite has laid beside it for that is taken away, unless anybody else needs it.

    It is SQLite that does it, at the end of a connection that might write and does not; nothing is taken away while
    anybody has the log open, or where there is anything in the write-ahead log. To read the log as `immutable` would
    need no such files; but it would read without locks, and somebody may write at any time, be it only into the inbox,
    for which nobody need own the log.
    """
    path = path.resolve()  # Behind a link, they lie beside what it points to.
    try:
        yield
    finally:
        if _size(path.with_name(f"{path.name}-wal")) == 0:
            with (
                suppress(
                    sqlite3.Error, UnicodeDecodeError
                ),  # It may stay: what was read is read, and the next reader tries again.
                closing(sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=0)) as last,
            ):
                last.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _address(path: Path) -> str:
    """Where SQLite finds the file, and that it may only read.

    Even to read it wants to lay a file beside it. Where it may not (a copy on a read-only disk, an archive), and no
    write-ahead log lies there of which it would have to know, it is told that nobody writes.
    """
    path = path.resolve()
    still = not os.access(path.parent, os.W_OK) and not path.with_name(f"{path.name}-wal").exists()
    return f"{path.as_uri()}?mode=ro{'&immutable=1' if still else ''}"


def _connected(path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(_address(path), uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise LogUnavailable(cannot_open(path, error)) from error


def _size(file: Path) -> int | None:
    try:
        return file.stat().st_size
    except OSError:
        return None
