"""Finding requests by who was called for them and what became of them, newest first, in short looks along the table.

A request is found at its acceptance; what else is asked about it is answered by `events_request`, one look-up each.
"""

import sqlite3
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from understudy.adapters.stores.event_search import PAGE, WINDOW, Progress, kind_limits, of_kind
from understudy.events.vocabulary import EndReason


class Became(StrEnum):
    """What became of a request, so far."""

    SERVED = "served"
    FAILED = "failed"
    HELD = "held"
    """Suspended: whether it was executed is not known."""
    OPEN = "open"
    """Under way, or left so by a crash."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestsWanted:
    """Which requests are looked for: all that is given must hold.

    Shape:  `provider` was called for it, be it in vain. `reason` is why it failed. `key` is the idempotency key that
            its caller gave it.
    """

    provider: str | None = None
    became: Became | None = None
    reason: EndReason | None = None
    key: str | None = None


_ACCEPTED: Final = "request_accepted"
_OF_IT: Final = "SELECT 1 FROM events AS its WHERE its.request_id = events.request_id AND +its.stream = events.stream"
_KIND: Final = of_kind("its.kind")
_ENDED: Final = f"EXISTS ({_OF_IT} AND ({_KIND} OR {_KIND}))"
_ENDED_VALUES: Final = (*kind_limits("request_completed"), *kind_limits("request_failed"))
_DECIDED_SINCE: Final = (
    "SELECT 1 FROM events AS later WHERE later.request_id = its.request_id AND +later.stream = its.stream"  # noqa: S608 - As below.
    f" AND later.position > its.position AND {of_kind('later.kind')}"
)
_HELD: Final = f"EXISTS ({_OF_IT} AND {_KIND} AND NOT EXISTS ({_DECIDED_SINCE}))"
_HELD_VALUES: Final = (*kind_limits("request_suspended"), *kind_limits("request_resumed"))


def newest_requests(
    connection: sqlite3.Connection,
    wanted: RequestsWanted,
    *,
    stream: str,
    start: int,
    end: int,
    progress: Progress,
) -> Iterator[str]:
    """The ids of the requests wanted that were accepted at start < position <= end, the newest first."""
    condition, given = _condition(wanted)
    query = (
        "SELECT request_id, position FROM events NOT INDEXED WHERE position > ? AND position <= ? AND stream = ?"  # noqa: S608 - Our own words; what users say goes by parameters.
        f" AND request_id IS NOT NULL AND {of_kind()}{condition} ORDER BY position DESC LIMIT ?"
    )
    length = end - start
    while start < end:
        first = max(start, end - WINDOW)
        values = (first, end, stream, *kind_limits(_ACCEPTED), *given, PAGE)
        page = connection.execute(query, values).fetchall()
        progress(length - (end - start), length)
        yield from (request_id for request_id, _ in page)
        end = page[-1][1] - 1 if len(page) == PAGE else first


def requests_beginning(connection: sqlite3.Connection, beginning: str, *, stream: str) -> list[str]:
    """The ids of all requests that begin so, the newest first: ids are ordered by time."""
    query = (
        "SELECT request_id FROM events WHERE request_id >= ? AND request_id < ? AND +stream = ?"  # noqa: S608 - As above.
        f" AND {of_kind()} ORDER BY request_id DESC"
    )
    values = (beginning, beginning + chr(sys.maxunicode), stream, *kind_limits(_ACCEPTED))
    return [str(request_id) for (request_id,) in connection.execute(query, values)]


def _condition(wanted: RequestsWanted) -> tuple[str, tuple[str, ...]]:
    terms: list[tuple[str, tuple[str, ...]]] = []
    if wanted.key is not None:
        terms.append(("json_extract(payload, '$.key') = ?", (wanted.key,)))
    if wanted.provider is not None:
        terms.append(
            (f"EXISTS ({_OF_IT} AND its.provider = ? AND {_KIND})", (wanted.provider, *kind_limits("call_started")))
        )
    if wanted.reason is not None:
        reason = "json_extract(its.payload, '$.reason') = ?"
        terms.append(
            (f"EXISTS ({_OF_IT} AND {_KIND} AND {reason})", (*kind_limits("request_failed"), wanted.reason.value))
        )
    match wanted.became:
        case Became.SERVED:
            terms.append((f"EXISTS ({_OF_IT} AND {_KIND})", kind_limits("request_completed")))
        case Became.FAILED:
            terms.append((f"EXISTS ({_OF_IT} AND {_KIND})", kind_limits("request_failed")))
        case Became.HELD:
            terms.append((f"NOT {_ENDED} AND {_HELD}", (*_ENDED_VALUES, *_HELD_VALUES)))
        case Became.OPEN:
            terms.append((f"NOT {_ENDED} AND NOT {_HELD}", (*_ENDED_VALUES, *_HELD_VALUES)))
        case None:
            pass
    return "".join(f" AND {term}" for term, _ in terms), tuple(value for _, values in terms for value in values)
