"""What is done for a log whose file is not in its place, so that what was acknowledged can still be found."""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Final

from understudy.adapters.stores.faults import remedy
from understudy.adapters.stores.lock import store_last_locked
from understudy.adapters.stores.transaction import stored_head
from understudy.events.errors import LogUnavailable

_SUFFIX: Final = ".rescued"
_SECTOR: Final = 512
"""Bytes; the smallest page that SQLite knows."""


def copy_beside(connection: sqlite3.Connection, path: Path, *, stream: str, mode: int) -> str:
    """Copy all that the connection still knows to a new file beside the lost one; a sentence that says where it is.

    `mode` is what the lost file's permissions were.
    Errors: LogUnavailable if there can be no copy either.
    """
    folder = path.parent if path.parent.is_dir() else Path(tempfile.gettempdir())
    target = _new_name(folder / (path.name + _SUFFIX))
    try:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        events = stored_head(connection, stream).seq
        target.touch(mode=mode & 0o777, exist_ok=False)
        with closing(sqlite3.connect(target)) as copy:
            connection.backup(copy)
    except (sqlite3.Error, OSError) as error:
        raise LogUnavailable(
            f"{path} was not in its place any more, and no copy could be left at {target}: {remedy(error)}"
        ) from error
    return (
        f"{path} was not in its place any more; all {events} events are now in {target}:"
        f" move that to {path} before the next start"
    )


def refuse_remains(path: Path) -> None:
    """Do not open what is only a remainder of a log: SQLite would delete the rest, and we forget what has been done.

    Errors: LogUnavailable naming what lies there.
    """
    if not path.parent.is_dir() or path.is_dir():
        return
    size = path.stat().st_size if path.exists() else 0
    wal = path.with_name(path.name + "-wal")
    if size:
        return
    if wal.exists() and wal.stat().st_size > 0:
        raise LogUnavailable(
            f"{path} is missing or empty, but its write-ahead log {wal.name} is still there, with events in it;"
            f" put the database back, or move {wal.name} away to begin a new log"
        )
    rescued = sorted(found.name for found in path.parent.iterdir() if found.name.startswith(path.name + _SUFFIX))
    if rescued:
        raise LogUnavailable(
            f"{path} is missing or empty, but there is {rescued[-1]}, the copy that an engine left when the file was"
            f" taken away; move it to {path.name} to go on, or elsewhere to begin a new log"
        )
    if path.exists() and store_last_locked(path) is not None:
        raise LogUnavailable(
            f"{path} is empty, but it held a log before; restore a backup, or remove {path} to begin a new one"
        )


def refuse_torn(path: Path) -> None:
    """SQLite takes what is missing of the last page for zeros; only a write-ahead log would have the page in full.

    Errors: LogUnavailable.
    """
    wal = path.with_name(path.name + "-wal")
    if path.stat().st_size % _SECTOR and not (wal.exists() and wal.stat().st_size > 0):
        raise LogUnavailable(f"{path} ends in the middle of a page: its tail was torn off; restore a backup")


@contextmanager
def held_open(path: Path) -> Iterator[None]:
    """Keep another connection from moving a damaged write-ahead log into the database when it closes.

    SQLite does so when the last one goes, unless that one cannot write.
    """
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        with suppress(sqlite3.Error):  # It has its lock even if what it reads is damaged.
            connection.execute("PRAGMA schema_version").fetchone()
        yield


def _new_name(wanted: Path) -> Path:
    number, name = 1, wanted
    while name.exists():
        number += 1
        name = wanted.with_name(f"{wanted.name}-{number}")
    return name
