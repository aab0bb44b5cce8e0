"""Which request is meant: by its id, by the beginning of it, or as `last` and `last-failover`."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.output import plain
from understudy.adapters.cli.progress import Progress
from understudy.adapters.stores import SqliteReader
from understudy.events.log import LogReader
from understudy.events.requests import RequestAccepted, RequestCompleted
from understudy.events.row import Row

LAST: Final = "last"
LAST_FAILOVER: Final = "last-failover"

_CHUNK: Final = 4_096
_SHOWN: Final = 5


def find_request(reader: LogReader, wanted: str) -> str:
    """The id of the request that is meant.

    Errors: Refused if there is none, or more than one.
    """
    if wanted == LAST:
        return _newest(reader, RequestAccepted.kind, "no request has been accepted yet")
    if wanted == LAST_FAILOVER:
        return _newest(reader, RequestCompleted.kind, "no request has been served after a failover")
    return find_by_id(reader, wanted, otherwise=f"try `{LAST}`")


def find_by_id(reader: LogReader, wanted: str, *, otherwise: str) -> str:
    """The id of the request that is meant by an id or the beginning of one.

    Errors: Refused if there is none, advising `otherwise`, or more than one.
    """
    if reader.request_rows(wanted):
        return wanted
    found = _beginning_with(reader, wanted)
    if len(found) == 1:
        return found[0]
    if not found:
        raise Refused(f"no request has the id {plain(wanted)!r}, nor one that begins so; {otherwise}")
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise Refused(f"{plain(wanted)!r} may be {', '.join(map(plain, found[:_SHOWN]))}{more}; write more of it")


def _newest(reader: LogReader, kind: str, otherwise: str) -> str:
    with Progress("searching") as progress:
        for row in _backward(reader, progress):
            if row.kind == kind and row.request_id and (kind != RequestCompleted.kind or _failovers(row)):
                return row.request_id
    raise Refused(f"{otherwise} in this log")


def _beginning_with(reader: LogReader, beginning: str) -> Sequence[str]:
    """The ids of all requests that begin so, newest first; none begins with nothing."""
    if not beginning:
        return []
    if isinstance(reader, SqliteReader):
        return reader.requests_beginning(beginning)
    with Progress("searching") as progress:
        return [
            row.request_id
            for row in _backward(reader, progress)
            if row.kind == RequestAccepted.kind and row.request_id and row.request_id.startswith(beginning)
        ]


def _backward(reader: LogReader, progress: Progress) -> Iterator[Row]:
    """All rows, the newest first."""
    head = last = reader.head().seq
    while last > 0:
        first = max(0, last - _CHUNK)
        yield from reversed(list(reader.rows(after=first, through=last)))
        last = first
        progress(head - last, head)


def _failovers(row: Row) -> int:
    """How many failovers a completed request took; 0 if its payload cannot be read, which `verify` will tell."""
    try:
        return int(json.loads(row.payload).get("failovers", 0))
    except (ValueError, AttributeError):
        return 0
