"""Removing from the database what is archived, a few rows at a time, on the connection of the log's only writer.

What stays, however old: what operators and rules have said, the rows of requests that may still go on or be asked for
(those that the archived segment names, and those under an idempotency key in use), calls that are open, and the event
at which the log was cut.
"""

import json
import sqlite3
from pathlib import Path
from typing import Final, Self

from understudy.adapters.stores.archive import Archive
from understudy.adapters.stores.faults import cannot_open
from understudy.events import stock
from understudy.events.codec import KINDS
from understudy.events.errors import LogUnavailable
from understudy.events.log import Snapshot
from understudy.events.operations import SegmentArchived

ROWS_A_PAGE: Final = 2
"""Removed rows for each page that this adds to the write-ahead log, about."""
_PATIENCE_S: Final = 30.0

_KEPT_KINDS: Final = sorted(
    name
    for name, event in KINDS.items()
    if "request_id" not in event.__dataclass_fields__ and event.__module__ != stock.__name__
)
"""What is neither about requests and calls nor a list of all that a provider has: little, and asked for by kind."""
_SEAM: Final = (
    "SELECT position, chain FROM events WHERE stream = ? AND seq = ?"
    " AND EXISTS (SELECT 1 FROM meta WHERE name = 'base:' || ?)"
)
_NEXT: Final = (
    "SELECT max(position) FROM (SELECT position FROM events WHERE position > ? AND position < ? ORDER BY position"
    " LIMIT ?)"
)
_UNDER_A_KEY: Final = (
    "SELECT count(*) FROM events WHERE request_id IN (SELECT request_id FROM claims) AND +position < ? AND +stream = ?"
)
_MAY_GO: Final = (
    "position > ? AND position <= ? AND +stream = ?"  # noqa: S608 - Our own names.
    f" AND NOT (request_id IS NULL AND kind IN ({', '.join(map(repr, _KEPT_KINDS))}))"
    " AND (request_id IS NULL OR request_id NOT IN (SELECT request_id FROM temp.kept_requests))"
    " AND seq NOT IN (SELECT seq FROM temp.kept_calls)"
)


class Sweeper:
    """Removes the rows before the latest cut, from the beginning on. Made and used in the thread of its connection."""

    def __init__(self, connection: sqlite3.Connection, *, stream: str, segment: SegmentArchived, seam: int) -> None:
        self._connection = connection
        self._stream = stream
        self._segment = segment
        self._seam = seam
        self._done = 0
        """The position up to which there is nothing left to remove."""
        _note_kept(connection, segment)

    @classmethod
    def of(cls, connection: sqlite3.Connection, *, stream: str) -> Self | None:
        """For the latest cut of a log; None if nothing is archived, or nothing can be removed for that.

        Errors: UnreadableEvent; sqlite3.Error.
        """
        archive = Archive.of(connection, Path(), stream=stream, folder=None)
        if archive is None:
            return None
        segment = archive.segments[-1].archived
        found = connection.execute(_SEAM, (stream, segment.last_seq, segment.last_seq)).fetchone()
        if found is None or found[1].hex() != segment.chain:
            return None  # Whatever is on record there, the log could not go on from it.
        return cls(connection, stream=stream, segment=segment, seam=found[0])

    def left(self) -> int:
        """How many rows may still go."""
        query = f"SELECT count(*) FROM events WHERE {_MAY_GO}"  # noqa: S608 - Our own names.
        return int(self._connection.execute(query, (self._done, self._seam - 1, self._stream)).fetchone()[0])

    def under_keys(self) -> int:
        """How many rows before the cut stay because their request's idempotency key is in use."""
        return int(self._connection.execute(_UNDER_A_KEY, (self._seam, self._stream)).fetchone()[0])

    def first_left(self) -> int | None:
        """The position of the first row that may still go; None if all have gone."""
        query = f"SELECT position FROM events WHERE {_MAY_GO} ORDER BY position LIMIT 1"  # noqa: S608 - As above.
        found = self._connection.execute(query, (self._done, self._seam - 1, self._stream)).fetchone()
        return None if found is None else int(found[0])

    def remove_some(self, most: int) -> bool:
        """Remove the next rows, at `most` so many, in one transaction; whether there may be more.

        Errors: sqlite3.Error; nothing has been removed then.
        """
        connection, start = self._connection, self._done
        if start == 0:
            self._remove_caches()
        end = connection.execute(_NEXT, (start, self._seam, most)).fetchone()[0]
        if end is None:
            return False
        connection.execute(f"DELETE FROM events WHERE {_MAY_GO}", (start, end, self._stream))  # noqa: S608 - As above.
        self._done = end
        return True

    def _remove_caches(self) -> None:
        """Blocks of what is archived, and the claim of older snapshots to stay."""
        cut = self._segment.last_seq
        self._connection.execute("DELETE FROM sealed_blocks WHERE stream = ? AND last_seq <= ?", (self._stream, cut))
        self._connection.execute("DELETE FROM meta WHERE name LIKE 'base:%' AND value < ?", (cut,))


class Sweeping:
    """A log's sweeping from one look to the next, whatever becomes of its connection meanwhile."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._on: sqlite3.Connection | None = None
        self._sweeper: Sweeper | None = None

    def remove_some(self, connection: sqlite3.Connection, *, most: int) -> bool:
        """Remove the next rows, at `most` so many; whether there may be more.

        Errors: UnreadableEvent; sqlite3.Error.
        """
        if self._on is not connection:
            self._on, self._sweeper = connection, Sweeper.of(connection, stream=self._stream)
        more = self._sweeper is not None and self._sweeper.remove_some(most)
        if not more:
            self._on = None  # There may be another cut by the time that somebody asks again.
        return more


def keep_base(path: Path, base: Snapshot, *, stream: str) -> None:
    """Keep a snapshot for as long as the log goes on from it: nothing else in the database tells what was before.

    Errors: LogUnavailable.
    """
    address = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(address, uri=True, timeout=_PATIENCE_S, isolation_level=None)
    try:
        connection.execute("PRAGMA wal_autocheckpoint = 0")  # That is the owner's business.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(
            "INSERT OR REPLACE INTO snapshots (stream, fold_version, seq, chain, content) VALUES (?, ?, ?, ?, ?)",
            (stream, base.fold_version, base.seq, base.chain, base.content),
        )
        connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (f"base:{base.seq}", base.seq))
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise LogUnavailable(cannot_open(path, error)) from error
    finally:
        connection.close()


def _note_kept(connection: sqlite3.Connection, segment: SegmentArchived) -> None:
    connection.execute("DROP TABLE IF EXISTS temp.kept_requests")
    connection.execute("DROP TABLE IF EXISTS temp.kept_calls")
    connection.execute("CREATE TEMP TABLE kept_requests (request_id TEXT PRIMARY KEY) WITHOUT ROWID")
    connection.execute("CREATE TEMP TABLE kept_calls (seq INTEGER PRIMARY KEY)")
    named, calls = json.dumps(segment.kept_requests), json.dumps(segment.kept_calls)
    connection.execute("INSERT OR IGNORE INTO temp.kept_requests SELECT value FROM json_each(?)", (named,))
    connection.execute("INSERT OR IGNORE INTO temp.kept_requests SELECT request_id FROM claims")
    connection.execute("INSERT OR IGNORE INTO temp.kept_calls SELECT value FROM json_each(?)", (calls,))
