"""Damage that the chain cannot show: a tail that was cut off, and side tables that say otherwise than the events."""

import sqlite3
from collections.abc import Iterator
from typing import Final

from understudy.engine.acceptance import KEY_LIFE_US
from understudy.events.counted import counted

_EVER: Final = "SELECT seq FROM sqlite_sequence WHERE name = 'events'"
_END: Final = "SELECT coalesce(max(position), 0) FROM events"
_LAST: Final = "SELECT seq, at_us FROM events WHERE stream = ? ORDER BY seq DESC LIMIT 1"
_KEPT: Final = (
    "SELECT max(seq) FROM (SELECT max(seq) AS seq FROM snapshots WHERE stream = ?1"
    " UNION ALL SELECT max(last_seq) FROM sealed_blocks WHERE stream = ?1)"
)
_UNNUMBERED: Final = "SELECT count(*) FROM events WHERE stream = ? AND seq < 1"
_OTHERS: Final = "SELECT stream, count(*) FROM events WHERE stream <> ? GROUP BY stream"
_UNCLAIMED: Final = (
    "SELECT count(*), min(seq) FROM events WHERE kind = 'request_accepted.v1' AND stream = ? AND at_us > ?"
    " AND json_extract(payload, '$.key') IS NOT NULL AND request_id NOT IN (SELECT request_id FROM claims)"
)


def tail_damage(connection: sqlite3.Connection, *, stream: str) -> Iterator[str]:
    """What shows that a tail was cut off, a sentence each. A few look-ups, however long the log is."""
    (position,) = connection.execute(_END).fetchone()
    seq, _ = connection.execute(_LAST, (stream,)).fetchone() or (0, 0)
    (ever,) = connection.execute(_EVER).fetchone() or (0,)
    if ever > position:
        yield f"the store has written {counted(ever, 'event')}, and those after position {position} are gone"
    (kept,) = connection.execute(_KEPT, (stream,)).fetchone()
    if kept is not None and kept > seq:
        yield f"snapshots and blocks were kept of events up to {kept}; the log ends at {seq}"


def side_damage(connection: sqlite3.Connection, *, stream: str) -> Iterator[str]:
    """What is wrong beside the chain, a sentence each. Takes a walk over the whole log."""
    yield from tail_damage(connection, stream=stream)
    (unnumbered,) = connection.execute(_UNNUMBERED, (stream,)).fetchone()
    if unnumbered:
        stray = counted(unnumbered, "event stands", "events stand")
        yield f"{stray} before the first one, where no engine has written any"
    for other, count in connection.execute(_OTHERS, (stream,)).fetchall():
        yield f"{counted(count, 'event belongs', 'events belong')} to a stream {other!r} that this log does not read"
    _, at_us = connection.execute(_LAST, (stream,)).fetchone() or (0, 0)
    unclaimed, first = connection.execute(_UNCLAIMED, (stream, at_us - KEY_LIFE_US)).fetchone()
    if unclaimed:
        yield (
            f"{counted(unclaimed, 'idempotency key')} of accepted requests (first of event {first}) claimed no more:"
            " a repeat under such a key would be executed again"
        )
