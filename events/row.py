"""The envelope: an event's place in its stream, and the flat row that a store keeps of it."""

from typing import NamedTuple

from understudy.events.decisions import Event


class Recorded(NamedTuple):
    """An event with its place and time.

    Shape:  `seq` is gapless from 1 within its stream.
    Units:  `at_us` is engine time, microseconds since 1970 UTC; it never decreases along `seq`.
    """

    seq: int
    at_us: int
    event: Event


class Row(NamedTuple):
    """An event as stored, without its chain value: place, time, name, the columns people query by, and the rest."""

    seq: int
    at_us: int
    kind: str
    request_id: str | None
    provider: str | None
    operation: str | None
    attempt: int | None
    retry: int | None
    latency_us: int | None
    outcome: str | None
    service: str | None
    country: str | None
    rental_id: str | None
    pair: str | None
    payload: str


ENVELOPE = ("seq", "at_us", "kind")
COLUMNS = Row._fields[len(ENVELOPE) : -1]
"""Event fields that are columns of their own; every other field is in the payload."""
