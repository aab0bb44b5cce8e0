"""What a diagnosis asks of a log in SQL: sums over the index of ended calls, and the latest rows, never all of them.

Each question names the providers, so that the index leads straight to the time that is meant.
"""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from understudy.adapters.stores.faults import unreadable
from understudy.adapters.stores.reports import TOUCHED
from understudy.events.vocabulary import SIDE_OPERATIONS

FAILURES: Final = 300
"""The latest failures of each provider that are looked at one by one."""
PLACES: Final = 3_000
"""The latest calls of each provider that are told apart by country and service."""
TAIL: Final = 40_000
"""Events at the end of the log among which decisions and ends of requests are looked for."""
DECISIONS: Final = 1_000
"""The latest decisions that are looked at."""

MOST_CALLS: Final = 1_000_000
"""Calls that are summed up; of a log that has more in a week, the trends are those of its latest hours."""
_HOUR_US: Final = 3_600_000_000
_OF_AN_HOUR: Final = """SELECT operation, outcome, COUNT(*), COALESCE(SUM(latency_us), 0), COALESCE(MAX(latency_us), 0),
  MAX(at_us)
FROM events WHERE outcome IS NOT NULL AND provider = ? AND at_us > ? AND at_us < ? GROUP BY operation, outcome"""
"""Hour by hour: to sort a week's calls by all of that at once takes twice as long."""
_DRILLED: Final = f"""SELECT provider, operation, outcome, at_us / {_HOUR_US}, COUNT(*), COALESCE(SUM(latency_us), 0)
FROM events WHERE position IN ({TOUCHED}) AND at_us > ? GROUP BY 1, 2, 3, 4"""  # noqa: S608 - Our own words.
_NOTHING: Final = (0, 0)
_SIDE: Final = ", ".join(f"'{one}'" for one in sorted(SIDE_OPERATIONS))
_FAILURES: Final = f"""SELECT provider, request_type, outcome, error_message, at_us FROM provider_requests
WHERE provider = ? AND at_us > ? AND outcome NOT IN ('success', 'abandoned') AND request_type NOT IN ({_SIDE})
  AND id NOT IN ({TOUCHED})
ORDER BY at_us DESC LIMIT {FAILURES}"""  # noqa: S608 - Our own words.
_PLACES: Final = f"""SELECT provider, country, service, outcome, COUNT(*), COALESCE(SUM(latency_us), 0) FROM (
  SELECT provider, country, service, outcome, latency_us FROM events
  WHERE outcome IS NOT NULL AND provider = ? AND at_us > ? AND position NOT IN ({TOUCHED})
  ORDER BY at_us DESC LIMIT {PLACES})
WHERE country IS NOT NULL OR service IS NOT NULL GROUP BY 1, 2, 3, 4"""  # noqa: S608 - As above.
_LATEST: Final = f"""SELECT payload FROM events
WHERE position > (SELECT MAX(position) FROM events) - {TAIL} AND kind = ? AND at_us > ?
  AND NOT EXISTS (SELECT 1 FROM events AS drill WHERE drill.kind = 'drill_started.v1' AND drill.request_id IS NULL
    AND events.at_us BETWEEN drill.at_us AND json_extract(drill.payload, '$.until_us'))
ORDER BY position DESC LIMIT {DECISIONS}"""  # noqa: S608 - As above.


class Tally(NamedTuple):
    """Calls of one provider that ended alike within one hour, which is counted since 1970, UTC."""

    provider: str
    operation: str
    outcome: str
    hour: int
    calls: int
    latency_us: int
    longest_us: int
    last_us: int


class Failure(NamedTuple):
    """One call that did not succeed."""

    provider: str
    operation: str
    outcome: str
    message: str
    at_us: int


class Place(NamedTuple):
    """The latest calls of a provider for one country and service that ended alike."""

    provider: str
    country: str | None
    service: str | None
    outcome: str
    calls: int
    latency_us: int


def tallies(
    connection: sqlite3.Connection, providers: Collection[str], *, since_us: int, until_us: int
) -> Sequence[Tally]:
    """All calls between two instants, hour by hour, the latest first; no more than the latest million or so.

    Errors: as of all these: LogUnavailable, LogDamaged.
    """
    found: list[Tally] = []
    left = MOST_CALLS
    drilled = {row[:4]: (row[4], row[5]) for row in _ask(connection, _DRILLED, since_us)}
    first_us = next(iter(_ask(connection, "SELECT at_us FROM events ORDER BY position LIMIT 1")), (until_us,))[0]
    for hour in range(until_us // _HOUR_US, max(since_us, first_us) // _HOUR_US - 1, -1):
        for one in providers:
            limits = max(since_us, hour * _HOUR_US - 1), (hour + 1) * _HOUR_US
            rows = _ask(connection, _OF_AN_HOUR, one, *limits)
            tallies_of_it = (Tally(one, operation, outcome, hour, *figures) for operation, outcome, *figures in rows)
            found += [_but_for(its, *drilled.get(its[:4], _NOTHING)) for its in tallies_of_it]
            left -= sum(row[2] for row in rows)
        if left < 0:
            break
    return found


def _but_for(tally: Tally, calls: int, latency_us: int) -> Tally:
    """A tally without the calls that a drill has touched: nobody is ill for those."""
    return tally._replace(calls=tally.calls - calls, latency_us=tally.latency_us - latency_us) if calls else tally


def failures(connection: sqlite3.Connection, providers: Collection[str], *, since_us: int) -> Sequence[Failure]:
    """The latest failures of each provider's serving calls, newest first."""
    rows = (row for one in providers for row in _ask(connection, _FAILURES, one, since_us))
    return [Failure._make(row) for row in rows]


def places(connection: sqlite3.Connection, providers: Collection[str], *, since_us: int) -> Sequence[Place]:
    """Where the latest calls of each provider were for, and how they went."""
    rows = (row for one in providers for row in _ask(connection, _PLACES, one, since_us))
    return [Place._make(row) for row in rows]


def latest(connection: sqlite3.Connection, kind: str, *, since_us: int) -> Iterator[dict[str, Any]]:
    """What the latest events of a kind say that are among the last of the log, newest first; none of a drill's time."""
    for (payload,) in _ask(connection, _LATEST, kind, since_us):
        yield from_json(payload)


def _ask(connection: sqlite3.Connection, sql: str, *values: str | int) -> list[tuple[Any, ...]]:
    try:
        return connection.execute(sql, values).fetchall()
    except sqlite3.Error as error:
        raise unreadable("the log cannot be read", error) from error
