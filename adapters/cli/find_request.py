"""Which request is meant: by its id, by the beginning of it, by its caller's key, or as `last` and `last-failover`."""

import json
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Final

from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.output import plain
from understudy.adapters.cli.progress import Progress
from understudy.adapters.stores import SqliteReader
from understudy.adapters.stores.request_search import RequestsWanted
from understudy.events.log import LogReader
from understudy.events.requests import RequestAccepted, RequestCompleted
from understudy.events.row import Row

LAST: Final = "last"
LAST_FAILOVER: Final = "last-failover"

_CHUNK: Final = 4_096
_SHOWN: Final = 5


def find_request(reader: SqliteReader, wanted: str) -> str:
    """The id of the request that is meant: by its id, the beginning of one, its caller's key, or as the newest.

    Errors: Refused if there is none, or more than one.
    """
    if wanted == LAST:
        return _newest(reader, RequestAccepted.kind, "no request has been accepted yet")
    if wanted == LAST_FAILOVER:
        return last_failover(reader)
    found = _by_id(reader, wanted) or _under_key(reader, wanted)
    if not found:
        near = get_close_matches(wanted, (LAST, LAST_FAILOVER), n=1)
        meant = f"did you mean `{near[0]}`?" if near else f"try `{LAST}`"
        raise Refused(f"no request has the id or the key {plain(wanted)!r}, nor an id that begins so; {meant}")
    return _the_only(found, wanted, otherwise="write more of it")


def last_failover(reader: LogReader) -> str:
    """The id of the newest request that another provider than the first has served.

    Errors: Refused if there is none.
    """
    return _newest(reader, RequestCompleted.kind, "no request has been served after a failover")


def find_surely(reader: SqliteReader, wanted: str, *, otherwise: str) -> str:
    """The id of the request that is meant by its id, or that alone has an id that begins so or that key.

    Errors: Refused if there is none, advising `otherwise`, or more than one; and for `last`, unless that is a key.
    """
    if reader.request_rows(wanted):
        return wanted
    found = list(dict.fromkeys([*_by_id(reader, wanted), *_under_key(reader, wanted)]))
    if not found and wanted in {LAST, LAST_FAILOVER}:
        why = "it may be another request by the time that you have typed it"
        raise Refused(f"`{wanted}` is not accepted here, for {why}; {otherwise}")
    if not found:
        raise Refused(f"no request has the id or the key {plain(wanted)!r}, nor an id that begins so; {otherwise}")
    return _the_only(found, wanted, otherwise="write a whole id")


def find_by_key(reader: SqliteReader, key: str) -> str:
    """The id of the request to which its caller gave this idempotency key.

    Errors: Refused if there is none, or more than one: of several operations or principals, or 30 days apart.
    """
    found = _under_key(reader, key)
    if not found:
        raise Refused(f"no request has the key {plain(key)!r}; keys are compared letter by letter")
    return _the_only(found, key, otherwise="name one of them by its id")


def _by_id(reader: SqliteReader, wanted: str) -> Sequence[str]:
    """The requests with this id, or else with one that begins so, newest first; none begins with nothing."""
    if reader.request_rows(wanted):
        return [wanted]
    return reader.requests_beginning(wanted) if wanted else []


def _under_key(reader: SqliteReader, key: str) -> Sequence[str]:
    with Progress("searching") as progress:
        return list(reader.newest_requests(RequestsWanted(key=key), progress=progress))


def _the_only(found: Sequence[str], wanted: str, *, otherwise: str) -> str:
    if len(found) == 1:
        return found[0]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise Refused(f"{plain(wanted)!r} may be {', '.join(map(plain, found[:_SHOWN]))}{more}; {otherwise}")


def _newest(reader: LogReader, kind: str, otherwise: str) -> str:
    with Progress("searching") as progress:
        for row in _backward(reader, progress):
            if row.kind == kind and row.request_id and (kind != RequestCompleted.kind or _failovers(row)):
                return row.request_id
    raise Refused(f"{otherwise} in this log")


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
