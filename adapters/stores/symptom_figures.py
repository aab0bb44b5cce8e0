"""What a diagnosis asks of a log in SQL: sums over the index of ended calls, and the latest rows, never all of them.

Each question names the providers, so that the index leads straight to the time that is meant.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from understudy.adapters.stores.reports import ask, asking
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


def tallies(path: Path, providers: Collection[str], *, since_us: int, until_us: int) -> Sequence[Tally]:
    """All calls between two instants, hour by hour, the latest first; no more than the latest million or so.

    Errors: as of `reports.ask`.
    """
    found: list[Tally] = []
    left = MOST_CALLS
    with asking(path) as connection:
        (first_us,) = connection.execute("SELECT at_us FROM events ORDER BY position LIMIT 1").fetchone() or (until_us,)
        for hour in range(until_us // _HOUR_US, max(since_us, first_us) // _HOUR_US - 1, -1):
            for one in providers:
                limits = max(since_us, hour * _HOUR_US - 1), (hour + 1) * _HOUR_US
                rows = connection.execute(_OF_AN_HOUR, (one, *limits)).fetchall()
                found += [Tally(one, operation, outcome, hour, *figures) for operation, outcome, *figures in rows]
                left -= sum(row[2] for row in rows)
            if left < 0:
                break
    return found


def failures(path: Path, providers: Collection[str], *, since_us: int) -> Sequence[Failure]:
    """The latest failures of each provider's serving calls, newest first. Errors: as of `reports.ask`."""
    each = [
        f"""SELECT * FROM (SELECT provider, request_type, outcome, error_message, at_us FROM provider_requests
WHERE provider = {_quoted(one)} AND at_us > {since_us} AND outcome NOT IN ('success', 'abandoned')
  AND request_type NOT IN ({_listed(SIDE_OPERATIONS)})
ORDER BY at_us DESC LIMIT {FAILURES})"""  # noqa: S608 - As above.
        for one in providers
    ]
    return [Failure._make(row) for row in ask(path, "\nUNION ALL\n".join(each))[1]] if each else []


def places(path: Path, providers: Collection[str], *, since_us: int) -> Sequence[Place]:
    """Where the latest calls of each provider were for, and how they went. Errors: as of `reports.ask`."""
    each = [
        f"""SELECT * FROM (SELECT provider, country, service, outcome, latency_us FROM events
WHERE outcome IS NOT NULL AND provider = {_quoted(one)} AND at_us > {since_us}
ORDER BY at_us DESC LIMIT {PLACES})"""  # noqa: S608 - As above.
        for one in providers
    ]
    sql = f"""SELECT provider, country, service, outcome, COUNT(*), COALESCE(SUM(latency_us), 0)
FROM ({" UNION ALL ".join(each)}) WHERE country IS NOT NULL OR service IS NOT NULL GROUP BY 1, 2, 3, 4"""  # noqa: S608 - As above.
    return [Place._make(row) for row in ask(path, sql)[1]] if each else []


def latest(path: Path, kind: str, *, since_us: int) -> Iterator[dict[str, Any]]:
    """What the latest events of a kind say that are among the last of the log, newest first.

    Errors: as of `reports.ask`.
    """
    sql = f"""SELECT payload FROM events
WHERE position > (SELECT MAX(position) FROM events) - {TAIL} AND kind = {_quoted(kind)} AND at_us > {since_us}
ORDER BY position DESC LIMIT {DECISIONS}"""  # noqa: S608 - As above.
    for (payload,) in ask(path, sql)[1]:
        yield from_json(payload)


def _listed(names: Collection[str]) -> str:
    return ", ".join(map(_quoted, names))


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"
