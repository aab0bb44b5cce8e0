"""Whether a log's files are still where the next start will look for them.

SQLite goes on writing to a file that somebody has removed, replaced or cut: it holds the file open, and its commits
succeed. What was acknowledged would be gone with the process. So before anything is acknowledged, the names are
looked up again: some `stat`s, ten microseconds for a group. They are asked by the loop: in the store's thread, each
would wait for the interpreter's lock.
"""

import os
from enum import Enum, auto
from pathlib import Path
from typing import Final

_HEADER: Final = 32
_SALTS: Final = slice(16, 24)


class Sight(Enum):
    """What a look at the files has found."""

    WHOLE = auto()
    LOOSE = auto()
    """The database is there, but a file beside it that SQLite has open is not."""
    REMOVED = auto()
    REPLACED = auto()
    SHRUNK = auto()
    """The database is smaller than before: cut, or vacuumed by another program."""


class Place:
    """The files of a log that is open, as they were when it was opened."""

    def __init__(self, database: Path) -> None:
        self._names = (str(database), f"{database}-wal", f"{database}-shm")
        self.remember()

    @property
    def mode(self) -> int:
        """The permissions of the database."""
        database = self._known[0]
        return 0o600 if database is None else database.st_mode

    def remember(self) -> None:
        """Take what is there now for what belongs there."""
        self._known = [_look_up(name) for name in self._names]
        self._round = b""

    def expect_another_round(self) -> None:
        """All of the write-ahead log is in the database: what is written next begins it anew."""
        self._round = b""

    def clear(self) -> None:
        """Remove what we have left beside a database that is not ours any more: it would be taken for a part of that.

        Errors: OSError.
        """
        for name, known in zip(self._names[1:], self._known[1:], strict=True):
            if known is not None and not _is_gone(known, _look_up(name)):
                Path(name).unlink()

    def is_drained(self) -> bool:
        """Whether the write-ahead log is shorter than before: emptied by another program, or cut.

        To be asked before something is written to it: that would make it as long again, with a hole.
        Errors: OSError if it cannot be looked up.
        """
        now, known = _look_up(self._names[1]), self._known[1]
        return now is not None and known is not None and now.st_size < known.st_size

    def is_cut(self) -> bool:
        """Whether a shorter write-ahead log is still of the same round, so that nobody has emptied it."""
        return self._round != b"" and _round_of(self._names[1]) == self._round

    def look(self) -> Sight:
        """What has become of the files.

        Errors: OSError if they cannot be looked up.
        """
        database, wal, index = now = [_look_up(name) for name in self._names]
        known_database, known_wal, known_index = self._known
        if database is None or known_database is None:
            return Sight.REMOVED
        if not os.path.samestat(database, known_database):
            return Sight.REPLACED
        if _is_gone(known_wal, wal) or _is_gone(known_index, index):
            return Sight.LOOSE
        if database.st_size < known_database.st_size:
            return Sight.SHRUNK
        self._known = now
        self._round = self._round or _round_of(self._names[1])
        return Sight.WHOLE


def _is_gone(known: os.stat_result | None, now: os.stat_result | None) -> bool:
    return known is not None and (now is None or not os.path.samestat(now, known))


def _look_up(name: str) -> os.stat_result | None:
    try:
        return os.stat(name)  # noqa: PTH116 - At every commit; a Path takes half as long again.
    except (FileNotFoundError, NotADirectoryError):
        return None


def _round_of(wal: str) -> bytes:
    """The salts of a write-ahead log, which change whenever it begins anew; nothing if it has no header yet.

    To open it is safe: no lock of SQLite's is on this file.
    """
    try:
        with Path(wal).open("rb") as file:
            return file.read(_HEADER)[_SALTS]
    except FileNotFoundError:
        return b""
