"""Sensitive values in a table that can be erased: really, so that not a byte of them is left in the file.

A value stands in one place of the file from the day it comes. The table is appended to and never shrinks, so that
SQLite has no reason to move a row to another page, which would leave a copy of it in the old one. To forget a value is
to overwrite it where it stands with as many zero bytes; older versions of its page are in the write-ahead log only,
which is then emptied: how often anything was forgotten, and up to which time it was emptied since, stands in `meta`.

A value stands once for each subject that has it: two customers may have the same number one after the other, and to
forget the one must not take it from the other.
"""

import sqlite3
from collections.abc import Collection, Sequence
from typing import Final

from understudy.events.log import ForgetSensitive, StoreSensitive

TABLE: Final = (
    """CREATE TABLE sensitive (
        id INTEGER PRIMARY KEY,
        token TEXT NOT NULL,
        subject TEXT NOT NULL,
        value NOT NULL
    )""",
    "CREATE UNIQUE INDEX sensitive_token ON sensitive (token, subject)",
    "CREATE INDEX sensitive_subject ON sensitive (subject)",
)
"""A forgotten value is a blob of zeros, every other one is text."""

_UPGRADE: Final = (
    "DROP INDEX sensitive_subject",
    "ALTER TABLE sensitive RENAME TO sensitive_before",
    *TABLE,
    "INSERT INTO sensitive (token, subject, value) SELECT token, subject, value FROM sensitive_before",
    "DROP TABLE sensitive_before",
)
"""From the table of schema 2, whose rows moved about."""
_IS_ERASABLE: Final = "SELECT 1 FROM sqlite_master WHERE name = 'sensitive_token'"

_STORE: Final = (
    "INSERT INTO sensitive (token, subject, value) VALUES (?, ?, ?)"
    " ON CONFLICT (token, subject) DO UPDATE SET value = excluded.value"
)
_FORGET: Final = (
    "UPDATE sensitive SET value = zeroblob(length(CAST(value AS BLOB)))"
    " WHERE token = ? AND subject = ? AND typeof(value) = 'text'"
)
_VALUE: Final = "SELECT value FROM sensitive WHERE token = ? AND typeof(value) = 'text' LIMIT 1"
_WHOSE: Final = (
    "SELECT token, subject FROM sensitive WHERE typeof(value) = 'text' AND (token = ?1 OR subject = ?1)"
    " AND (?2 IS NULL OR subject = ?2) ORDER BY token, subject LIMIT ?3"
)
_EVER: Final = "SELECT 1 FROM sensitive WHERE (token = ?1 OR subject = ?1) AND (?2 IS NULL OR subject = ?2) LIMIT 1"
_FORGOTTEN: Final = (
    "INSERT INTO meta (name, value) VALUES ('forgotten', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"
)
_CLEANED: Final = "INSERT OR REPLACE INTO meta (name, value) SELECT 'cleaned', value FROM meta WHERE name = 'forgotten'"


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring the table of an older schema up to date; `secure_delete` must be on, for its pages are full of values."""
    if connection.execute(_IS_ERASABLE).fetchone() is None:
        for statement in _UPGRADE:
            connection.execute(statement)


def store(connection: sqlite3.Connection, write: StoreSensitive) -> None:
    """Keep a value; one that was forgotten before has come again."""
    connection.execute(_STORE, (write.token, write.subject, write.value))


def forget(connection: sqlite3.Connection, write: ForgetSensitive) -> None:
    """Overwrite values where they stand; from then on the file wants cleaning."""
    connection.executemany(_FORGET, write.values)
    connection.execute(_FORGOTTEN)


def reveal(connection: sqlite3.Connection, tokens: Collection[str]) -> dict[str, str]:
    """The values of these tokens that are still there."""
    found = ((token, connection.execute(_VALUE, (token,)).fetchone()) for token in tokens)
    return {token: line[0] for token, line in found if line is not None}


def kept_of(
    connection: sqlite3.Connection, names: Collection[str], *, only: str | None, most: int
) -> Sequence[tuple[str, str]]:
    """The values that are still there of these tokens and subjects, of everybody or of `only` one.

    Each is told by its token and whose it is.
    """
    found: dict[tuple[str, str], None] = {}
    for name in names:
        found.update(dict.fromkeys(connection.execute(_WHOSE, (name, only, most)).fetchall()))
    return list(found)[:most]


def ever_kept(connection: sqlite3.Connection, names: Collection[str], *, only: str | None) -> bool:
    """Whether a value of these tokens and subjects has ever been there, be it forgotten since."""
    return any(connection.execute(_EVER, (name, only)).fetchone() is not None for name in names)


def clean(connection: sqlite3.Connection, *, patience_ms: int) -> bool:
    """Empty the write-ahead log if anything was forgotten since it last was; False if readers keep us from that.

    Only who owns the log may do this. Waits so long for readers.
    Errors: sqlite3.Error.
    """
    if is_clean(connection):
        return True
    (usual_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute(f"PRAGMA busy_timeout = {patience_ms}")
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {usual_ms}")
    if not busy:
        connection.execute(_CLEANED)
    return not busy


def is_clean(connection: sqlite3.Connection) -> bool:
    """Whether no older page of the file, with what has been forgotten since, is left in its write-ahead log."""
    found = dict(connection.execute("SELECT name, value FROM meta WHERE name IN ('forgotten', 'cleaned')").fetchall())
    return bool(found.get("forgotten", 0) == found.get("cleaned", 0))
