"""The demonstration's own log, which alone it may replace: known by the name of its stream."""

from pathlib import Path
from typing import Final

from understudy.adapters.stores.lock import OwnerLock
from understudy.adapters.stores.sqlite_reader import SqliteReader
from understudy.events.errors import NotALog, UnderstudyError

STREAM: Final = "understudy-demo"


class NotOurs(UnderstudyError):
    """A file that a demonstration has not written."""


def clear_own_log(path: Path) -> None:
    """Make room for a new log where there is none yet, or that of an earlier demonstration.

    Errors: NotOurs for any other file; LogInUse while an engine writes to it; LogUnavailable.
    """
    if not path.exists() or not path.stat().st_size:
        return
    if not _is_ours(path):
        raise NotOurs(f"{path} exists, and is not the log of a demo; name another file with --log, or remove this one")
    lock = OwnerLock.take(path, writer="demo")
    try:
        for one in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            one.unlink(missing_ok=True)
    finally:
        lock.release()


def _is_ours(path: Path) -> bool:
    try:
        with SqliteReader.open(path) as reader:
            return reader.stream == STREAM
    except NotALog:
        return False
