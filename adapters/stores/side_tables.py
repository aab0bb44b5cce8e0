"""Point questions and small writes beside the events, in the store's thread."""

import sqlite3
from typing import Final

from understudy.adapters.stores import schema
from understudy.events.log import ClaimKey, Command, SealedBlock, Snapshot
from understudy.events.row import Row

SNAPSHOTS_KEPT: Final = 4
"""Snapshots that stay of the newest fold version."""

_REQUEST: Final = f"SELECT {schema.COLUMNS} FROM events WHERE request_id = ? AND stream = ? ORDER BY position"  # noqa: S608 - Our own constants.


def find_claim(connection: sqlite3.Connection, *, principal: str, operation: str, key: str) -> ClaimKey | None:
    """The stored claim of a key, expired or not."""
    found = connection.execute(
        "SELECT body_hash, request_id, expires_at_us FROM claims WHERE principal = ? AND operation = ? AND key = ?",
        (principal, operation, key),
    ).fetchone()
    if found is None:
        return None
    body_hash, request_id, expires_at_us = found
    return ClaimKey(
        principal=principal,
        operation=operation,
        key=key,
        body_hash=body_hash,
        request_id=request_id,
        expires_at_us=expires_at_us,
    )


def request_rows(connection: sqlite3.Connection, request_id: str, *, stream: str) -> list[Row]:
    """The stored rows of one request, in order."""
    return [Row._make(found) for found in connection.execute(_REQUEST, (request_id, stream))]


def commands(connection: sqlite3.Connection) -> list[Command]:
    """What is in the inbox, oldest first."""
    found = connection.execute("SELECT command_id, body FROM inbox ORDER BY command_id").fetchall()
    return [Command._make(line) for line in found]


def save_snapshot(connection: sqlite3.Connection, snapshot: Snapshot, *, stream: str) -> None:
    """Keep a snapshot, let go of those that nobody will want, and of idempotency keys that have expired."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        connection.execute(
            "INSERT OR REPLACE INTO snapshots (stream, fold_version, seq, chain, content) VALUES (?, ?, ?, ?, ?)",
            (stream, snapshot.fold_version, snapshot.seq, snapshot.chain, snapshot.content),
        )
        connection.execute(
            "DELETE FROM snapshots WHERE stream = ?1 AND (fold_version < ?2 OR fold_version = ?2"
            " AND seq NOT IN (SELECT value FROM meta WHERE name LIKE 'base:%')"  # What is archived is needed no more.
            " AND seq NOT IN (SELECT seq FROM snapshots WHERE stream = ?1 AND fold_version = ?2"
            " ORDER BY seq DESC LIMIT ?3))",
            (stream, snapshot.fold_version, SNAPSHOTS_KEPT),
        )
        connection.execute(
            "DELETE FROM claims WHERE expires_at_us <= (SELECT at_us FROM events WHERE stream = ? AND seq = ?)",
            (stream, snapshot.seq),
        )


def save_block(connection: sqlite3.Connection, block: SealedBlock, *, stream: str) -> None:
    """Keep a sealed block, and let go of those of older folds."""
    connection.execute("BEGIN IMMEDIATE")
    with connection:
        connection.execute(
            "INSERT OR REPLACE INTO sealed_blocks"
            " (stream, fold_version, first_seq, last_seq, chain, header, records, digest)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                stream,
                block.fold_version,
                block.first_seq,
                block.last_seq,
                block.chain,
                block.header,
                block.records,
                block.digest,
            ),
        )
        connection.execute(
            "DELETE FROM sealed_blocks WHERE stream = ? AND fold_version < ?", (stream, block.fold_version)
        )
