"""What is done on the database itself, in the store's thread: open, commit, check, checkpoint, look up."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

from understudy.adapters.stores import erasable, preferences_table, schema
from understudy.adapters.stores.claims import named
from understudy.adapters.stores.entry import Entry
from understudy.adapters.stores.faults import remedy
from understudy.events.chain import genesis
from understudy.events.errors import LogUnavailable
from understudy.events.log import (
    ClaimKey,
    ForgetSensitive,
    Head,
    SideWrite,
    StorePreferences,
    StoreSensitive,
    TakeCommand,
)
from understudy.events.row import Row

_STATEMENT_ROWS: Final = 128
"""Rows that one INSERT takes at most. Each number of rows is a statement of its own, prepared when first used."""


@cache
def _insert_statement(rows: int) -> str:
    # Only the stream's parameter has a number: to bind one is to look its number up in the list of all that have one.
    # OR ROLLBACK: else every statement of a longer transaction would keep a journal, to undo itself alone.
    line = f"(?1{', ?' * (len(Row._fields) + 1)})"
    lines = ", ".join([line] * rows)
    return f"INSERT OR ROLLBACK INTO events (stream, {schema.COLUMNS}, chain) VALUES {lines}"  # noqa: S608 - Ours.


def open_store(connection: sqlite3.Connection, path: Path, *, stream: str, salt: bytes | None) -> schema.Meta:
    """Make the file a log if it is new, and set what must be set on every connection that writes.

    Errors: NotALog, LogUnavailable.
    """
    holds_log = schema.holds_log(connection, path)
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute("PRAGMA synchronous = FULL")
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    if (mode, synchronous) != ("wal", 2):
        raise LogUnavailable(
            f"{path}: SQLite did not accept write-ahead logging with full synchronization here"
            f" (journal_mode {mode}, synchronous {synchronous}); use a local disk"
        )
    if not holds_log:
        schema.create(connection, stream=stream, salt=salt)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()  # Whatever befalls the rest, it is a log.
    else:
        schema.upgrade(connection)
    connection.execute("PRAGMA secure_delete = FAST")  # See `erasable`: SQLite leaves no copy of what it moves.
    connection.execute("UPDATE meta SET value = ?1 WHERE name = 'stream' AND value <> ?1", (stream,))
    return schema.read_meta(connection)


def stored_head(connection: sqlite3.Connection, stream: str) -> Head:
    """The end of a stream as it is on the disk."""
    found = connection.execute(
        "SELECT seq, chain FROM events WHERE stream = ? ORDER BY seq DESC LIMIT 1", (stream,)
    ).fetchone()
    return Head(0, genesis(stream)) if found is None else Head(*found)


def commit(
    connection: sqlite3.Connection, entries: Sequence[Entry], *, stream: str, in_doubt_after: Head | None
) -> None:
    """Make events and their side writes durable, all or none.

    `in_doubt_after` is given when an earlier attempt ended without our knowing how: the head before that
    attempt. What the attempt did write is then left out here.
    """
    if connection.in_transaction:
        connection.execute("ROLLBACK")
    plain = in_doubt_after is None and not any(entry.side for entry in entries)
    if plain and len(entries) <= _STATEMENT_ROWS:
        # One statement is a transaction by itself. Each further one would have this thread ask for the interpreter's
        # lock again, which a busy loop hands over only every 5 ms.
        _insert(connection, entries, stream=stream)
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        if in_doubt_after is not None:
            entries = _not_yet_stored(entries, head=stored_head(connection, stream), before=in_doubt_after)
        _insert(connection, entries, stream=stream)
        for entry in entries:
            for write in entry.side:
                _write_aside(connection, write, at_us=entry.row.at_us)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:  # It failed, and SQLite has not rolled back by itself.
            with suppress(sqlite3.Error):  # The first error is the one to tell.
                connection.execute("ROLLBACK")


def _not_yet_stored(entries: Sequence[Entry], *, head: Head, before: Head) -> Sequence[Entry]:
    if head == before:
        return entries
    for place, entry in enumerate(entries):
        if (entry.row.seq, entry.chain) == head:
            return entries[place + 1 :]
    raise LogUnavailable(
        f"the log has been changed by somebody else: it ends at event {head.seq}, where {before.seq} was"
        " expected; stop this engine and run `understudy verify`"
    )


def _insert(connection: sqlite3.Connection, entries: Sequence[Entry], *, stream: str) -> None:
    for start in range(0, len(entries), _STATEMENT_ROWS):
        part = entries[start : start + _STATEMENT_ROWS]
        values: list[object] = [stream]
        for entry in part:
            values += entry.row
            values.append(entry.chain)
        connection.execute(_insert_statement(len(part)), values)


def _write_aside(connection: sqlite3.Connection, write: SideWrite, *, at_us: int) -> None:
    match write:
        case ClaimKey():
            connection.execute(
                "INSERT INTO claims (principal, operation, key, body_hash, request_id, expires_at_us)"
                " VALUES (?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (principal, operation, key) DO UPDATE SET body_hash = excluded.body_hash,"
                " request_id = excluded.request_id, expires_at_us = excluded.expires_at_us"
                " WHERE claims.expires_at_us <= ?",
                (*named(write), write.body_hash, write.request_id, write.expires_at_us, at_us),
            )
        case StoreSensitive():
            erasable.store(connection, write)
        case ForgetSensitive():
            erasable.forget(connection, write)
        case TakeCommand():
            connection.execute("DELETE FROM inbox WHERE command_id = ?", (write.command_id,))
        case StorePreferences():
            preferences_table.store(connection, write, at_us=at_us)


class Checkpointed(NamedTuple):
    """How many pages the write-ahead log has, and how many of them a reader has kept from going into the database."""

    pages: int
    remaining: int


def checkpoint(connection: sqlite3.Connection) -> Checkpointed:
    """Move what is in the write-ahead log into the database, as far as readers allow.

    Errors: none; what could not be moved now remains for the next time, and nothing is lost.
    """
    try:
        _, pages, moved = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.Error:
        return Checkpointed(0, 0)
    return Checkpointed(max(0, int(pages)), max(0, int(pages) - int(moved)))


def begin_wal_anew(connection: sqlite3.Connection, *, patience_ms: int) -> bool:
    """Wait so long for readers to leave the write-ahead log, so that it can be begun anew; whether they did.

    Errors: sqlite3.Error.
    """
    (usual_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute(f"PRAGMA busy_timeout = {patience_ms}")
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {usual_ms}")
    return not busy


def move_all(connection: sqlite3.Connection) -> None:
    """Move all that is in the write-ahead log into the database.

    Errors: LogUnavailable if a reader keeps it from that; sqlite3.Error if it cannot be read.
    """
    busy, pages, moved = connection.execute("PRAGMA wal_checkpoint(FULL)").fetchone()
    if busy or pages != moved:
        raise LogUnavailable(
            "its write-ahead log was removed while in use, and another program is still reading it; end that program"
        )


def head_for_others(path: Path, *, stream: str) -> Head | None:
    """The end of a stream as a new connection reads it; None if it cannot."""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            return stored_head(connection, stream)
    except sqlite3.Error:
        return None


def schema_version(connection: sqlite3.Connection) -> int:
    """A number that changes when another program vacuums the file."""
    (version,) = connection.execute("PRAGMA schema_version").fetchone()
    return int(version)


def finish(connection: sqlite3.Connection) -> None:
    """Leave one tidy file, unless somebody is reading or the disk is at fault: it is whole without that."""
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA busy_timeout = 0")
        erasable.clean(connection, patience_ms=0)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def describe(path: Path, error: BaseException) -> str:
    """The sentence for a commit that failed."""
    return f"the log {path} cannot be written now: {remedy(error)}; what is in hand is kept and tried again"
