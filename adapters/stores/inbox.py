"""How anybody but the engine writes: by a line in the inbox, which the engine turns into an event."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from understudy.adapters.stores import schema
from understudy.adapters.stores.faults import cannot_open, expect_file
from understudy.events.errors import LogUnavailable, NotALog

_PATIENCE_S: Final = 5.0
"""Seconds to wait for the engine's own transactions."""


def put_command(path: str | Path, body: str) -> int:
    """Put a command, as JSON, into the inbox of a log, whether or not an engine is running; the command's id.

    Errors: NotALog if the file is missing, empty, something else, or newer; LogUnavailable if it cannot be
    written.
    """
    path = Path(path).absolute()
    expect_file(path)
    try:
        connection = sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=_PATIENCE_S, isolation_level=None)
        with closing(connection):
            if not schema.holds_log(connection, path):
                raise NotALog(f"{path} is empty: no engine has written to it yet")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            command_id = connection.execute("INSERT INTO inbox (body) VALUES (?)", (body,)).lastrowid
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise LogUnavailable(cannot_open(path, error)) from error
    if command_id is None:
        raise LogUnavailable(f"{path} did not say which number the command has")
    return command_id
