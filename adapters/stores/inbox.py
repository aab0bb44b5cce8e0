"""How anybody but the engine writes: by a line in the inbox, which the engine turns into an event."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from understudy.adapters.stores import schema, side_tables
from understudy.adapters.stores.faults import cannot_open, expect_file
from understudy.events.errors import LogUnavailable, NotALog
from understudy.events.log import Command

_PATIENCE_S: Final = 5.0
"""Seconds to wait for the engine's own transactions."""


class InboxBusy(LogUnavailable):
    """Somebody else was in the midst of a transaction all the time: nothing was written, and it can be tried again."""


def put_command(path: str | Path, body: str, *, patience_s: float = _PATIENCE_S) -> int:
    """Put a command, as JSON, into the inbox of a log, whether or not an engine is running; the command's id.

    Units: `patience_s` is how long a transaction of somebody else's is waited for.
    Errors: NotALog if the file is missing, empty, something else, or newer; InboxBusy, LogUnavailable if it cannot be
    written.
    """
    with _writing(path, patience_s=patience_s) as connection:
        command_id = connection.execute("INSERT INTO inbox (body) VALUES (?)", (body,)).lastrowid
    if command_id is None:
        raise LogUnavailable(f"{path} did not say which number the command has")
    return command_id


def command_waits(path: str | Path, command_id: int) -> bool:
    """Whether a command is still in the inbox: its event is written in the transaction that takes it out.

    Errors: as of `put_command`.
    """
    with _opened(path, mode="ro") as connection:
        return connection.execute("SELECT 1 FROM inbox WHERE command_id = ?", (command_id,)).fetchone() is not None


def commands_waiting(path: str | Path) -> list[Command]:
    """What is in the inbox, oldest first.

    Errors: as of `put_command`.
    """
    with _opened(path, mode="ro") as connection:
        return side_tables.commands(connection)


def withdraw_command(path: str | Path, command_id: int) -> bool:
    """Take a command back; False if it is no longer there. An engine may have read it in this very instant.

    Errors: as of `put_command`.
    """
    with _writing(path) as connection:
        return connection.execute("DELETE FROM inbox WHERE command_id = ?", (command_id,)).rowcount == 1


@contextmanager
def _writing(path: str | Path, *, patience_s: float = _PATIENCE_S) -> Iterator[sqlite3.Connection]:
    """A transaction of our own, durable in the end."""
    with _opened(path, mode="rw", patience_s=patience_s) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")


@contextmanager
def _opened(path: str | Path, *, mode: str, patience_s: float = _PATIENCE_S) -> Iterator[sqlite3.Connection]:
    path = Path(path).absolute()
    expect_file(path)
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=patience_s, isolation_level=None)
        with closing(connection):
            if not schema.holds_log(connection, path):
                raise NotALog(f"{path} is empty: no engine has written to it yet")
            yield connection
    except sqlite3.Error as error:
        busy = getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY")
        raise (InboxBusy if busy else LogUnavailable)(cannot_open(path, error)) from error
