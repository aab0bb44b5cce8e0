"""Whether a log's files are still where the next start will look for them.

SQLite goes on writing to a file that somebody has removed, replaced or cut: it holds the file open, and its commits
succeed. What was acknowledged would be gone with the process. So before each commit the database is looked up by its
name, and the write-ahead log by its name and its size; what no commit depends on, now and then. It is the loop that
asks: in the store's thread, each question would wait for the interpreter's lock.

The write-ahead log is not asked for with `stat`, but where there is time: whoever has seen a file's times makes the
next write to it set new ones, which the next fdatasync has to write down too. Measured: 65 microseconds a commit.
"""

import os
from enum import Enum, auto
from pathlib import Path
from typing import Final

_SALTS_AT: Final = 16
_SALTS: Final = 8


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
    """The files of a log that is open, as they were when it was opened. Errors: OSError if they cannot be looked up."""

    def __init__(self, database: Path) -> None:
        self._database = str(database)
        self._wal = f"{database}-wal"
        self._index = f"{database}-shm"
        self._wal_file: int | None = None
        self.remember()

    def remember(self) -> None:
        """Take what is there now for what belongs there."""
        self.forget()
        self._known = {name: _look_up(name) for name in (self._database, self._wal, self._index)}
        self._wal_size = 0
        self._round = b""
        if self._known[self._wal] is not None:
            self._wal_file = os.open(self._wal, os.O_RDONLY | os.O_CLOEXEC)  # No lock of SQLite's is on this one.

    def forget(self) -> None:
        """Let go of what is held open. Safe to repeat."""
        if self._wal_file is not None:
            os.close(self._wal_file)
            self._wal_file = None

    @property
    def mode(self) -> int:
        """The permissions of the database."""
        known = self._known[self._database]
        return 0o600 if known is None else known.st_mode

    def database(self) -> Sight:
        """What has become of the database."""
        return self._look(self._database)

    def wal(self) -> Sight:
        """What has become of the write-ahead log, but for its being replaced.

        To be asked before something is written to it: what was cut would then be as long again, with a hole.
        """
        if self._wal_file is None or not os.access(self._wal, os.F_OK):
            return Sight.GONE
        size = os.lseek(self._wal_file, 0, os.SEEK_END)
        if size < self._wal_size:
            return Sight.SHRUNK
        self._wal_size = size
        self._round = self._round or self._salts()
        return Sight.WHOLE

    def beside(self) -> Sight:
        """What has become of the write-ahead log and its index, which all programs share that have the file open."""
        sights = {self._look(self._wal), self._look(self._index)} - {Sight.WHOLE, Sight.SHRUNK}
        return sights.pop() if sights else Sight.WHOLE

    def is_cut(self) -> bool:
        """Whether a shorter write-ahead log is still of the same round, so that nobody has emptied it."""
        return self._round != b"" and self._salts() == self._round

    def expect_another_round(self) -> None:
        """All of the write-ahead log is in the database: what is written next begins it anew."""
        self._round = b""

    def clear(self) -> None:
        """Remove what we leave beside a database that is not ours any more: it would be taken for a part of that."""
        for name in (self._wal, self._index):
            if self._known[name] is not None and self._look(name) in {Sight.WHOLE, Sight.SHRUNK}:
                Path(name).unlink()

    def _look(self, name: str) -> Sight:
        now, known = _look_up(name), self._known[name]
        if known is None or now is None:
            return Sight.GONE
        if not os.path.samestat(now, known):
            return Sight.REPLACED
        if now.st_size < known.st_size:
            return Sight.SHRUNK
        self._known[name] = now
        return Sight.WHOLE

    def _salts(self) -> bytes:
        """They change whenever the write-ahead log begins anew; nothing if it has no header yet."""
        return b"" if self._wal_file is None else os.pread(self._wal_file, _SALTS, _SALTS_AT)


def _look_up(name: str) -> os.stat_result | None:
    try:
        return os.stat(name)  # noqa: PTH116 - At every commit; a Path takes half as long again.
    except (FileNotFoundError, NotADirectoryError):
        return None
