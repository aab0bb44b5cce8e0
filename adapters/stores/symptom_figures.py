"""What a diagnosis asks of a log in SQL: sums over the index of ended calls, and the latest rows, never all of them.

Each question names the providers, so that the index leads straight to the time that is meant.
"""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from understudy.adapters.stores.reports import ask
from understudy.events.vocabulary import SIDE_OPERATIONS

FAILURES: Final = 300
"""The latest failures of each provider that are looked at one by one."""
PLACES: Final = 3_000
"""The latest calls of each provider that are told apart by country and service."""
TAIL: Final = 40_000
"""Events at the end of the log among which decisions and ends of requests are looked for."""
DECISIONS: Final = 1_000
"""The latest decisions that are looked at."""


class Tally(NamedTuple):
    """Calls of one provider that ended alike within one hour (since 1970, UTC)."""

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


def tallies(path: Path, providers: Collection[str], *, since_us: int) -> Sequence[Tally]:
    """All calls since an instant, by provider, operation, outcome and hour.

    Errors: as of `reports.ask`.
    """
    sql = f"""SELECT provider, operation, outcome, at_us / 3600000000, COUNT(*), COALESCE(SUM(latency_us), 0),
  COALESCE(MAX(latency_us), 0), MAX(at_us)
FROM events
WHERE outcome IS NOT NULL AND provider IN ({_listed(providers)}) AND at_us > {since_us}
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"""  # noqa: S608 - Names are quoted, numbers are ours.
    return [Tally._make(row) for row in ask(path, sql)[1]] if providers else []


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
