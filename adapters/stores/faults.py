"""What a fault of the store means, and what a person can do about it, as sentences."""

import sqlite3
from pathlib import Path
from typing import Final

from understudy.events.errors import LogUnavailable, NotALog, UnderstudyError

STORE_FAULTS: Final = (sqlite3.Error, OSError, OverflowError, ValueError, UnderstudyError)
"""What work on the store can raise; the middle two mean a value that SQLite cannot hold."""

_REMEDIES: Final = {
    "SQLITE_FULL": "the disk or its quota is full; free some space",
    "SQLITE_BUSY": "another program holds the file in a transaction; end that transaction",
    "SQLITE_LOCKED": "another program holds the file in a transaction; end that transaction",
    "SQLITE_READONLY": "the file or its directory may not be written; give this user write access",
    "SQLITE_CANTOPEN": "the file cannot be opened; see that its directory exists and may be written",
    "SQLITE_PERM": "the file may not be opened; give this user access",
    "SQLITE_IOERR": "the disk reported an error; see the system's messages about it",
    "SQLITE_CORRUPT": "the file is damaged; stop, keep a copy, and restore a backup",
    "SQLITE_NOTADB": "the file is no longer a SQLite database; stop, keep a copy, and restore a backup",
}


def remedy(error: BaseException) -> str:
    """The fault in its own words, and what to do about it."""
    name = getattr(error, "sqlite_errorname", None)
    if not isinstance(name, str):
        return str(error)
    for known, advice in _REMEDIES.items():
        if name.startswith(known):
            return f"{error} ({name}): {advice}"
    return f"{error} ({name})"


def expect_file(path: Path) -> None:
    """Refuse a file that is not there.

    Errors: NotALog; LogUnavailable where that cannot be seen: a directory that may not be entered, an endless name.
    """
    try:
        there = path.exists()
    except OSError as error:
        raise LogUnavailable(f"{path} cannot be opened: {error.strerror}") from error
    if not there:
        raise NotALog(f"there is no file {path}; look for a typing error, or let an engine write it first")


def cannot_open(path: Path, error: BaseException) -> str:
    """The sentence for a log that could not be opened."""
    if not path.parent.is_dir():
        return f"{path} cannot be opened: the directory {path.parent} does not exist; create it first"
    if path.is_dir():
        return f"{path} is a directory; name a file"
    return f"{path} cannot be opened: {remedy(error)}"
