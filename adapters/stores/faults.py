"""What a fault of the store means, and what a person can do about it, as sentences."""

import errno
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Final

from understudy.events.errors import LogDamaged, LogUnavailable, NotALog, UnderstudyError

STORE_FAULTS: Final = (sqlite3.Error, OSError, OverflowError, ValueError, UnderstudyError)
"""What work on the store can raise; the middle two mean a value that SQLite cannot hold."""

DAMAGED: Final = "the file is damaged; stop, keep a copy, and restore a backup"
_DAMAGES: Final = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_SHORT_READ", "SQLITE_IOERR_CORRUPTFS")
_LOST_TABLE: Final = ("no such table", "no such column")
_FULL: Final = "the disk or its quota is full; free some space"
_REFUSED: Final = (
    "the disk refused the write: a quota or a limit on the size of files is reached (`quota`, `ulimit -f`), or the disk"
    " fails; raise the limit, or see the system's messages"
)
_HELD: Final = "another program holds the file in a transaction; end that transaction"
_ACCESS: Final = "the file or its directory may not be written; give this user write access"
_LOCAL: Final = "this file system cannot do that; use a local disk"
_FILES: Final = "this process may open no more files; raise its limit (`ulimit -n`)"

# The first that fits: SQLite's longer names say more than their beginnings.
_REMEDIES: Final = {
    "SQLITE_FULL": _FULL,
    "SQLITE_BUSY": _HELD,
    "SQLITE_LOCKED": _HELD,
    "SQLITE_READONLY": _ACCESS,
    "SQLITE_CANTOPEN": "the file cannot be opened; see that its directory exists and may be written",
    "SQLITE_PERM": "the file may not be opened; give this user access",
    "SQLITE_IOERR_WRITE": _REFUSED,
    "SQLITE_IOERR_SHMSIZE": _REFUSED,
    "SQLITE_IOERR_SHMOPEN": _REFUSED,
    "SQLITE_IOERR_SHORT_READ": DAMAGED,
    "SQLITE_IOERR_CORRUPTFS": DAMAGED,
    "SQLITE_IOERR": "the disk reported an error; see the system's messages about it",
    "SQLITE_CORRUPT": DAMAGED,
    "SQLITE_NOTADB": "the file is no longer a SQLite database; stop, keep a copy, and restore a backup",
    "SQLITE_CONSTRAINT": "somebody else has written to the log; stop this engine and run `understudy verify`",
}
_OF_THE_SYSTEM: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _REFUSED,
    errno.EACCES: _ACCESS,
    errno.EPERM: _ACCESS,
    errno.EROFS: _ACCESS,
    errno.EMFILE: _FILES,
    errno.ENFILE: _FILES,
    errno.ENOLCK: _LOCAL,
    errno.EOPNOTSUPP: _LOCAL,
}


def remedy(error: BaseException) -> str:
    """The fault in its own words, and what to do about it."""
    if isinstance(error, OSError):
        words = error.strerror or str(error)
        advice = _OF_THE_SYSTEM.get(error.errno or 0)
        return f"{words}: {advice}" if advice else words
    name = getattr(error, "sqlite_errorname", None)
    if not isinstance(name, str):
        return f"{error}: {DAMAGED}" if _is_damage(error) else str(error)
    for known, advice in _REMEDIES.items():
        if name.startswith(known):
            return f"{error} ({name}): {advice}"
    return f"{error} ({name})"


def unreadable(sentence: str, error: sqlite3.Error | UnicodeDecodeError) -> LogUnavailable:
    """The error for a log that cannot be read, begun with `sentence`: a LogDamaged where that is the file's fault."""
    kind = LogDamaged if _is_damage(error) else LogUnavailable
    return kind(f"{sentence}: {remedy(error)}")


def _is_damage(error: BaseException) -> bool:
    told = str(error)
    if isinstance(error, UnicodeDecodeError) or "Could not decode" in told or told.startswith(_LOST_TABLE):
        return True
    return str(getattr(error, "sqlite_errorname", "")).startswith(_DAMAGES)


def expect_file(path: Path) -> None:
    """Refuse a file that is not there.

    Errors: NotALog; LogUnavailable where that cannot be seen: a directory that may not be entered, an endless name.
    """
    try:
        there = path.exists()
    except OSError as error:
        raise LogUnavailable(f"{path} cannot be opened: {remedy(error)}") from error
    if not there:
        raise NotALog(f"there is no file {path}; look for a typing error, or let an engine write it first")


def cannot_open(path: Path, error: BaseException) -> str:
    """The sentence for a log that could not be opened."""
    with suppress(PermissionError):  # Then nothing can be seen there, and that is what is wrong.
        if not path.parent.is_dir():
            return f"{path} cannot be opened: the directory {path.parent} does not exist; create it first"
        if path.is_dir():
            return f"{path} is a directory; name a file"
    return f"{path} cannot be opened: {remedy(error)}"
