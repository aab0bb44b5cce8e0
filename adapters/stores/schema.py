"""The tables of a log in SQLite, and how a file is told to be one.

One table holds the events, in columns that people can query: see `events.row.Row`. `position` is never used
twice or renumbered. The indexes serve one question each, and are partial where most events have no part in
the question: measured, they cost a third of the time of a large commit together, and one or two pages of a
small one.
"""

import secrets
import sqlite3
import uuid
from pathlib import Path
from typing import Final, NamedTuple

from understudy.adapters.stores import erasable, preferences_table, read_models
from understudy.adapters.stores.faults import DAMAGED, cannot_open, unreadable
from understudy.adapters.stores.views import renew_views
from understudy.events.errors import LogDamaged, LogUnavailable, NotALog
from understudy.events.row import Row

APPLICATION_ID: Final = 0x554E4453
"""Marks the file as ours, in SQLite's own header: `UNDS`."""

_MARK_AT: Final = 68
"""Byte of the file at which SQLite keeps it."""

SCHEMA_VERSION: Final = 3
"""Stands in SQLite's `user_version`. The first had no read models; in the second, sensitive values could not be erased
where they stand."""
_READ_MODELS_SINCE: Final = 2

COLUMNS: Final = ", ".join(Row._fields)
"""The columns of `events` that make a `Row`, in its order."""

_TABLES: Final = (
    """CREATE TABLE events (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        stream TEXT NOT NULL,
        seq INTEGER NOT NULL,
        at_us INTEGER NOT NULL,
        kind TEXT NOT NULL,
        request_id TEXT,
        provider TEXT,
        operation TEXT,
        attempt INTEGER,
        retry INTEGER,
        latency_us INTEGER,
        outcome TEXT,
        service TEXT,
        country TEXT,
        rental_id TEXT,
        pair TEXT,
        payload TEXT NOT NULL,
        chain BLOB NOT NULL,
        UNIQUE (stream, seq)
    )""",
    # The story of one request.
    "CREATE INDEX events_request ON events (request_id) WHERE request_id IS NOT NULL",
    # What was known at an instant; what happened since one.
    "CREATE INDEX events_at ON events (at_us)",
    # What happened to the engine itself, among millions of events about requests.
    "CREATE INDEX events_operations ON events (kind) WHERE request_id IS NULL",
    """CREATE TABLE claims (
        principal TEXT NOT NULL,
        operation TEXT NOT NULL,
        key TEXT NOT NULL,
        body_hash TEXT NOT NULL,
        request_id TEXT NOT NULL,
        expires_at_us INTEGER NOT NULL,
        PRIMARY KEY (principal, operation, key)
    ) WITHOUT ROWID""",
    "CREATE INDEX claims_expiry ON claims (expires_at_us)",
    *erasable.TABLE,
    "CREATE TABLE inbox (command_id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL)",
    """CREATE TABLE snapshots (
        stream TEXT NOT NULL,
        fold_version INTEGER NOT NULL,
        seq INTEGER NOT NULL,
        chain BLOB NOT NULL,
        content BLOB NOT NULL,
        PRIMARY KEY (stream, fold_version, seq)
    )""",
    """CREATE TABLE sealed_blocks (
        stream TEXT NOT NULL,
        fold_version INTEGER NOT NULL,
        first_seq INTEGER NOT NULL,
        last_seq INTEGER NOT NULL,
        chain BLOB NOT NULL,
        header BLOB NOT NULL,
        records BLOB NOT NULL,
        digest BLOB NOT NULL,
        PRIMARY KEY (stream, fold_version, first_seq)
    )""",
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID",
)


class Meta(NamedTuple):
    """What a store knows of itself: its id (a copy has the same), its secret, the stream last written."""

    store_id: str
    salt: bytes
    stream: str


def holds_log(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the file is a log; False if it is empty.

    Errors: NotALog if it is something else or newer, LogUnavailable if it cannot be read, LogDamaged if it was one.
    Changes nothing.
    """
    try:
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError as error:
        raise LogUnavailable(cannot_open(path, error)) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:  # A name may be damaged, too, and is told with it.
        if getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB" and not _bears_our_mark(path):
            raise NotALog(
                f"{path} is not a log: it is not even a SQLite database; name another file, or restore a backup if it"
                " was one"
            ) from error
        raise unreadable(f"{path} cannot be read", error) from error
    if application_id == 0 and tables == 0:
        return False
    if application_id != APPLICATION_ID:
        raise NotALog(
            f"{path} is a SQLite database, but of another program, not a log of Understudy; name another file"
        )
    if version > SCHEMA_VERSION:
        raise NotALog(
            f"{path} was written by a newer Understudy: its schema is version {version}, this one knows"
            f" {SCHEMA_VERSION}; upgrade to read it"
        )
    return True


def _bears_our_mark(path: Path) -> bool:
    """Whether our mark stands where a log has it, whatever has become of the bytes before it."""
    try:
        with path.open("rb") as file:
            file.seek(_MARK_AT)
            return file.read(4) == APPLICATION_ID.to_bytes(4, "big")
    except OSError:
        return False


def create(connection: sqlite3.Connection, *, stream: str, salt: bytes | None) -> None:
    """Lay the tables of a new store, all or none; `salt` None means a new random one."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in (*_TABLES, *read_models.STATEMENTS):
        connection.execute(statement)
    preferences_table.lay_row(connection)
    facts = {
        "store_id": uuid.uuid4().hex,
        "salt": secrets.token_bytes(32) if salt is None else salt,
        "stream": stream,
    }
    for name, value in facts.items():
        connection.execute("INSERT INTO meta (name, value) VALUES (?, ?)", (name, value))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def has_read_models(connection: sqlite3.Connection) -> bool:
    """Whether the store has views for people: those of older versions have none."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version) >= _READ_MODELS_SINCE


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring an older store up to date, all or nothing: what it lacks is laid beside what it has.

    So are views that somebody has dropped since, and those of an older version.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if int(version) < SCHEMA_VERSION:
        _upgrade(connection)
    renew_views(connection)


def _upgrade(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("BEGIN IMMEDIATE")
    if not has_read_models(connection):
        for statement in read_models.STATEMENTS:
            connection.execute(statement)
        preferences_table.lay_row(connection)
    erasable.upgrade(connection)
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def read_meta(connection: sqlite3.Connection) -> Meta:
    """What the store knows about itself.

    Errors: LogDamaged if it does not know that any more.
    """
    facts = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    missing = [name for name in Meta._fields if name not in facts]
    if missing:
        raise LogDamaged(f"the log's own {', '.join(missing)} is missing from its file: {DAMAGED}")
    return Meta(**{name: facts[name] for name in Meta._fields})
