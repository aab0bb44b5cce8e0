"""Removing from the database what is archived, beside an engine that goes on committing.

What stays, however old: what operators and rules have said, the rows of requests that may still go on or be asked for
(unsettled, watched, or under an idempotency key in use), calls that are open, and the event at which the log was cut.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from understudy.adapters.stores.faults import cannot_open, unreadable
from understudy.adapters.stores.lock import owner_of
from understudy.engine.ledger import Ledger
from understudy.events import operations
from understudy.events.codec import KINDS
from understudy.events.errors import LogUnavailable
from understudy.events.log import Snapshot

ROWS_AT_ONCE: Final = 256
"""Rows that one transaction removes at most: some milliseconds, for which a commit of an engine may have to wait."""
_EMPTY_EVERY: Final = 16
"""Transactions after which the write-ahead log is moved into the database, or it would grow by what is removed."""
_REST: Final = 3
"""How long an engine has the file for itself between two transactions, in lengths of the last one."""
_PATIENCE_S: Final = 30.0

_KEPT_KINDS: Final = sorted(name for name, event in KINDS.items() if event.__module__ == operations.__name__)
_NEXT: Final = (
    "SELECT max(position) FROM (SELECT position FROM events WHERE position > ? AND position < ? ORDER BY position"
    " LIMIT ?)"
)
_REMOVE: Final = (
    "DELETE FROM events WHERE position > ? AND position <= ? AND +stream = ?"  # noqa: S608 - Our own names.
    f" AND NOT (request_id IS NULL AND kind IN ({', '.join(map(repr, _KEPT_KINDS))}))"
    " AND (request_id IS NULL OR request_id NOT IN (SELECT request_id FROM temp.kept_requests))"
    " AND seq NOT IN (SELECT seq FROM temp.kept_calls)"
)
_SEAM: Final = "SELECT position FROM events WHERE stream = ? AND seq = ?"


def keep_base(path: Path, base: Snapshot, *, stream: str) -> None:
    """Keep a snapshot for as long as the log goes on from it: nothing else tells what was before.

    Errors: LogUnavailable.
    """
    with _writing(path, synchronous="FULL") as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT OR REPLACE INTO snapshots (stream, fold_version, seq, chain, content) VALUES (?, ?, ?, ?, ?)",
            (stream, base.fold_version, base.seq, base.chain, base.content),
        )
        connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (f"base:{base.seq}", base.seq))
        connection.execute("COMMIT")


def sweep(path: Path, ledger: Ledger, *, stream: str, told: Callable[[int], None]) -> int:
    """Remove the rows before the cut, at which `ledger` is, but for what stays; how many that were. Safe to repeat.

    Errors: LogUnavailable.
    """
    with _writing(path, synchronous="NORMAL") as connection:
        cut = ledger.standing.seq
        _note_kept(connection, ledger)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM meta WHERE name LIKE 'base:%' AND value <> ?", (cut,))
        connection.execute("DELETE FROM sealed_blocks WHERE stream = ? AND last_seq <= ?", (stream, cut))
        connection.execute("COMMIT")
        ((seam,),) = connection.execute(_SEAM, (stream, cut)).fetchall()
        removed = 0
        for batch, (start, end) in enumerate(_batches(connection, seam), start=1):
            began_s = time.monotonic()
            removed += connection.execute(_REMOVE, (start, end, stream)).rowcount
            told(min(end, cut))
            if batch % _EMPTY_EVERY == 0:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if owner_of(path) is not None:
                time.sleep(_REST * (time.monotonic() - began_s))
        return removed


def _note_kept(connection: sqlite3.Connection, ledger: Ledger) -> None:
    standing = ledger.standing
    subjects = {alert.partition("|")[2] for alert in standing.alerts}
    unused = {one.request_id for one in standing.unused.owed.values()} | set(standing.unused.open)
    requests = {*ledger.requests, *standing.leftovers.watched, *standing.leftovers.doubts, *unused, *subjects}
    connection.execute("CREATE TEMP TABLE kept_requests (request_id TEXT PRIMARY KEY) WITHOUT ROWID")
    connection.execute("CREATE TEMP TABLE kept_calls (seq INTEGER PRIMARY KEY)")
    connection.executemany("INSERT INTO temp.kept_requests VALUES (?)", [(one,) for one in requests])
    connection.execute("INSERT OR IGNORE INTO temp.kept_requests SELECT request_id FROM claims")
    connection.executemany("INSERT INTO temp.kept_calls VALUES (?)", [(seq,) for seq in standing.calls])


def _batches(connection: sqlite3.Connection, seam: int) -> Iterator[tuple[int, int]]:
    """The positions before the cut in stretches: the first is not in it, the last one is."""
    start = 0
    while (end := connection.execute(_NEXT, (start, seam, ROWS_AT_ONCE)).fetchone()[0]) is not None:
        yield start, end
        start = end


@contextmanager
def _writing(path: Path, *, synchronous: str) -> Iterator[sqlite3.Connection]:
    """A connection of our own beside the engine's, which empties no write-ahead log unasked.

    Errors: LogUnavailable.
    """
    address = f"{path.absolute().as_uri()}?mode=rw"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE_S, isolation_level=None)) as connection:
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute(f"PRAGMA synchronous = {synchronous}")
            yield connection
    except sqlite3.OperationalError as error:
        raise LogUnavailable(cannot_open(path, error)) from error
    except sqlite3.Error as error:
        raise unreadable(f"{path} cannot be written", error) from error
