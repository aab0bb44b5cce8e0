"""Finding events in a log by what they say. Each look is short, so that a slow reader never holds a transaction open.

Which index serves: a request's events are found by `events_request`, a provider's ended calls by `events_outcome`, one
kind of what happened to the engine itself by `events_operations`. All else is a walk along the table, in windows: some
millions of events a second where the file is in memory, and no farther than is needed for those that are asked for.
"""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import NoneType
from typing import Any, Final, NamedTuple

from understudy.adapters.stores import schema
from understudy.events import alerts, drills, operations
from understudy.events.codec import KINDS
from understudy.events.errors import UnreadableEvent
from understudy.events.row import Row

WINDOW: Final = 20_000
"""Positions that one look walks along at most."""
PAGE: Final = 256
"""Rows that one look brings at most."""

_AT_US: Final = Row._fields.index("at_us")

_TEXT: Final = (str, NoneType)
_NUMBER: Final = (int, NoneType)
_COLUMN_TYPES: Final[tuple[Any, ...]] = tuple(
    {
        "seq": int,
        "at_us": int,
        "kind": str,
        "payload": str,
        "attempt": _NUMBER,
        "retry": _NUMBER,
        "latency_us": _NUMBER,
    }.get(name, _TEXT)
    for name in Row._fields
)
"""What each column may hold, in the order of a row."""

_OPERATIONS: Final = (
    "SELECT DISTINCT operation FROM events NOT INDEXED WHERE position > ? AND position <= ? AND stream = ?"
    " AND operation IS NOT NULL"
)

Progress = Callable[[int, int], None]
"""Is told what is done and what there is to do."""


def in_silence(_: int, __: int) -> None:
    """Nobody is told."""


def unversioned(kind: str) -> str:
    """The name of a kind of event without its version: `call_failed` of `call_failed.v1`."""
    return kind.rpartition(".v")[0] or kind


_ENDINGS: Final = frozenset({"call_succeeded", "call_failed", "call_abandoned"})
_OF_THE_ENGINE: Final = frozenset(
    unversioned(name)
    for name, event in KINDS.items()
    if event.__module__ in {alerts.__name__, drills.__name__, operations.__name__}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events are looked for: all that is given must hold.

    Shape:  `kinds` are names without version, of which one must fit. `outcome` is how a call ended: `success`,
            `abandoned`, or the kind of its failure.
    """

    kinds: tuple[str, ...] = ()
    provider: str | None = None
    operation: str | None = None
    outcome: str | None = None
    request_id: str | None = None


class Plan(NamedTuple):
    """How the events that are wanted are found: a condition with its values, and whether it takes a walk."""

    condition: str
    values: tuple[str, ...]
    order: str
    walks: bool


def plan(wanted: Wanted) -> Plan:
    """The condition, and the order that its index, or the table, has them in."""
    terms, values = ["TRUE"], list[str]()
    for name in ("provider", "operation", "outcome", "request_id"):
        value = getattr(wanted, name)
        if value is not None:
            terms.append(f"{name} = ?")
            values.append(value)
    if wanted.kinds:
        terms.append(f"({' OR '.join(of_kind() for _ in wanted.kinds)})")
        values += [limit for kind in wanted.kinds for limit in kind_limits(kind)]
    kinds = set(wanted.kinds)
    if wanted.request_id is not None:
        return Plan(" AND ".join(terms), tuple(values), "position", walks=False)
    if wanted.provider is not None and (wanted.outcome is not None or (kinds and kinds <= _ENDINGS)):
        terms.append("outcome IS NOT NULL")
        return Plan(" AND ".join(terms), tuple(values), "at_us, position", walks=False)
    if len(kinds) == 1 and kinds <= _OF_THE_ENGINE:
        terms.append("request_id IS NULL")
        return Plan(" AND ".join(terms), tuple(values), "position", walks=False)
    return Plan(" AND ".join(terms), tuple(values), "position", walks=True)


def of_kind(column: str = "kind") -> str:
    """The condition that an event is of a kind, in whichever version; its two values are `kind_limits`."""
    return f"({column} >= ? AND {column} < ?)"


def kind_limits(kind: str) -> tuple[str, str]:
    """The first name that a version of the kind may have, and the first behind them all."""
    return f"{kind}.v", f"{kind}.w"


def sound(row: Row) -> Row:
    """The row, if its columns hold what they were made for: SQLite lets anybody put anything into them.

    Errors: UnreadableEvent.
    """
    fits = map(isinstance, row, _COLUMN_TYPES)
    if all(fits):
        return row
    raise UnreadableEvent(
        f"event {row.seq} is not stored as an event is; somebody has changed it: run `understudy verify`"
    )


def matching(
    connection: sqlite3.Connection, wanted: Wanted, *, stream: str, start: int, end: int
) -> Iterator[list[Row]]:
    """The events wanted with start < position <= end, in order, page by page.

    Errors: UnreadableEvent.
    """
    found = plan(wanted)
    query = _query(found, f"{schema.COLUMNS}, position", descending=False)
    since_us = 0
    while start < end:
        last = min(start + WINDOW, end) if found.walks else end
        values = (start, last, stream, *found.values, *([since_us] if "at_us" in found.order else []), PAGE)
        page = connection.execute(query, values).fetchall()
        yield [sound(Row._make(row[:-1])) for row in page]
        if len(page) == PAGE:
            start, since_us = page[-1][-1], page[-1][_AT_US]
        else:
            start = last


def newest(
    connection: sqlite3.Connection,
    wanted: Wanted,
    count: int,
    *,
    stream: str,
    start: int,
    end: int,
    progress: Progress,
) -> int | None:
    """The position of the newest event wanted but for `count`, with start < position <= end; None if there is none."""
    found = plan(wanted)
    query = _query(found, "position", descending=True) + " OFFSET ?"
    length = end - start
    while start < end:
        first = max(start, end - WINDOW) if found.walks else start
        values = (first, end, stream, *found.values, *([0] if "at_us" in found.order else []))
        row = connection.execute(query, (*values, 1, count)).fetchone()
        if row is not None:
            return int(row[0])
        if found.walks:
            counting = _query(found, "count(*)", descending=False)
            count -= int(connection.execute(counting, (*values, 1)).fetchone()[0])
        end = first
        progress(length - (end - start), length)
    return None


def operations_called(connection: sqlite3.Connection, *, stream: str, progress: Progress) -> list[str]:
    """The names of all operations in the log, found in short looks along the table."""
    found: dict[str, None] = {}
    (end,) = connection.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()
    for start in range(0, end, WINDOW):
        names = connection.execute(_OPERATIONS, (start, start + WINDOW, stream)).fetchall()
        found.update(dict.fromkeys(str(name) for (name,) in names))
        progress(start, end)
    return list(found)


def _query(found: Plan, columns: str, *, descending: bool) -> str:
    # A plus keeps SQLite from using the position where another index shall serve, and the other way round.
    table, place = ("events NOT INDEXED", "position") if found.walks else ("events", "+position")
    since = " AND at_us >= ?" if "at_us" in found.order else ""
    order = ", ".join(f"{name} DESC" for name in found.order.split(", ")) if descending else found.order
    return (
        f"SELECT {columns} FROM {table} WHERE {place} > ? AND {place} <= ? AND +stream = ? AND {found.condition}{since}"  # noqa: S608 - Our own words; what users say goes by parameters.
        f" ORDER BY {order} LIMIT ?"
    )
