"""Whether a log's files are still where the next start will look for them.

SQLite goes on writing to a file that somebody has removed, replaced or cut: it holds the file open, and its commits
succeed. What was acknowledged would be gone with the process. So the write-ahead log is looked up by its name before
each commit, and the database after it, before anything is acknowledged: two `stat`s, five microseconds for a group.
They are asked by the loop: in the store's thread, each would wait for the interpreter's lock.
"""

import os
from enum import Enum, auto
from pathlib import Path
from typing import Final

_HEADER: Final = 32
_SALTS: Final = slice(16, 24)


class Sight(Enum):
    """What a look at a file has found."""

    WHOLE = auto()
    GONE = auto()
    """There is no file of that name any more."""
    REPLACED = auto()
    """There is another file of that name."""
    SHRUNK = auto()
    """It is smaller than before: cut, or tidied up by another program."""


class Place:
    """The files of a log that is open, as they were when it was opened."""

    def __init__(self, database: Path) -> None:
        self._database = str(database)
        self._wal = f"{database}-wal"
        self._index = f"{database}-shm"
        self.remember()

    def remember(self) -> None:
        """Take what is there now for what belongs there."""
        self._known = {name: _look_up(name) for name in (self._database, self._wal, self._index)}
        self._round = b""

    @property
    def mode(self) -> int:
        """The permissions of the database."""
        known = self._known[self._database]
        return 0o600 if known is None else known.st_mode

    def database(self) -> Sight:
        """What has become of the database.

        Errors: OSError if it cannot be looked up; so for the others.
        """
        return self._look(self._database)

    def wal(self) -> Sight:
        """What has become of the write-ahead log.

        To be asked before something is written to it: what was cut would then be as long again, with a hole.
        """
        sight = self._look(self._wal)
        if sight is Sight.WHOLE and not self._round:
            self._round = _round_of(self._wal)
        return sight

    def index(self) -> Sight:
        """What has become of the index of the write-ahead log, which all programs share that have the file open."""
        return self._look(self._index)

    def is_cut(self) -> bool:
        """Whether a shorter write-ahead log is still of the same round, so that nobody has emptied it."""
        return self._round != b"" and _round_of(self._wal) == self._round

    def expect_another_round(self) -> None:
        """All of the write-ahead log is in the database: what is written next begins it anew."""
        self._round = b""

    def clear(self) -> None:
        """Remove what we have left beside a database that is not ours any more: it would be taken for a part of that.

        Errors: OSError.
        """
        for name in (self._wal, self._index):
            if self._known[name] is not None and self._look(name) in {Sight.WHOLE, Sight.SHRUNK}:
                Path(name).unlink()

    def _look(self, name: str) -> Sight:
        now, known = _look_up(name), self._known[name]
        if known is None:
            self._known[name] = now
            return Sight.WHOLE
        if now is None:
            return Sight.GONE
        if now.st_ino != known.st_ino or now.st_dev != known.st_dev:
            return Sight.REPLACED
        if now.st_size < known.st_size:
            return Sight.SHRUNK
        self._known[name] = now
        return Sight.WHOLE


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
