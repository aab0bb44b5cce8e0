"""Events to rows and back. The only place that knows how a field is stored."""

import re
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from understudy.events import calls, decisions, operations, requests
from understudy.events.errors import EventRefused, UnreadableEvent
from understudy.events.fact import Fact
from understudy.events.row import COLUMNS, ENVELOPE, Recorded, Row
from understudy.events.upcast import UPCASTERS, Upcaster, upcast

PAYLOAD_LIMIT: Final = 65_536
"""Bytes that the payload of a `RequestAccepted` may have, and the reply of a call; a longer reply is cut."""

_FIRST_COLUMN: Final = len(ENVELOPE)

KINDS: Final[Mapping[str, type[Fact]]] = {
    event.kind: event
    for module in (calls, decisions, operations, requests)
    for event in vars(module).values()
    if isinstance(event, type) and issubclass(event, Fact) and hasattr(event, "kind")
}
"""Every stored name that can be read, and its type."""


class _Layout(NamedTuple):
    read_columns: Callable[[Fact], tuple[Any, ...]]
    in_payload: frozenset[str]
    write_payload: Callable[[Fact], bytes]


def _layout(event: type[Fact]) -> _Layout:
    names = tuple(name for name in COLUMNS if name in event.model_fields or hasattr(event, name))
    get = attrgetter(*names) if len(names) > 1 else lambda fact: (getattr(fact, names[0]),)
    places = tuple(names.index(name) if name in names else -1 for name in COLUMNS)
    exclude = {name for name in COLUMNS if name in event.model_fields}
    serialize = event.__pydantic_serializer__.to_json

    def read_columns(fact: Fact) -> tuple[Any, ...]:
        found = get(fact)
        return tuple(found[place] if place >= 0 else None for place in places)

    def write_payload(fact: Fact) -> bytes:
        return serialize(fact, exclude=exclude, exclude_none=True)

    if not names:
        empty = (None,) * len(COLUMNS)
        return _Layout(lambda _: empty, frozenset(event.model_fields), write_payload)
    return _Layout(read_columns, frozenset(event.model_fields) - exclude, write_payload)


_LAYOUTS: Final = {event: _layout(event) for event in KINDS.values()}


def encode(event: Fact, *, seq: int, at_us: int) -> Row:
    """The row of an event.

    Errors: EventRefused when a `RequestAccepted` is larger than `PAYLOAD_LIMIT`.
    """
    layout = _LAYOUTS[type(event)]
    payload = layout.write_payload(event).decode()
    if len(payload) > PAYLOAD_LIMIT and isinstance(event, requests.RequestAccepted):
        raise EventRefused(
            f"the request is too large to be put on record: {len(payload)} bytes of JSON, at most {PAYLOAD_LIMIT};"
            " pass large content by reference"
        )
    return Row._make((seq, at_us, event.kind, *layout.read_columns(event), payload))


def decode(row: Row, *, upcasters: Mapping[str, Upcaster] = UPCASTERS) -> Fact:
    """The event of a row.

    Errors: UnreadableEvent, naming the place, for an unknown kind, a newer version, or a payload that does not fit.
    """
    try:
        fields: Any = from_json(row.payload)
    except ValueError as error:
        raise UnreadableEvent(f"event {row.seq} ({row.kind}): broken payload: {error}") from error
    if not isinstance(fields, dict):
        raise UnreadableEvent(f"event {row.seq} ({row.kind}): broken payload: not a JSON object")
    for name, value in zip(COLUMNS, row[_FIRST_COLUMN:-1], strict=True):
        if value is not None:
            fields[name] = value
    kind, fields = upcast(row.kind, fields, upcasters=upcasters)
    event = KINDS.get(kind)
    if event is None:
        raise UnreadableEvent(f"event {row.seq}: {_unknown(kind)}")
    for name in COLUMNS:
        if name in fields and name not in event.model_fields:
            del fields[name]  # A constant of the kind, such as the outcome of a success.
    try:
        return event.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UnreadableEvent(f"event {row.seq} ({row.kind}): field {place!r}: {first['msg']}") from error


def recorded(row: Row) -> Recorded:
    """A row with its event decoded."""
    return Recorded(row.seq, row.at_us, decode(row))


def payload_json(value: object) -> bytes:
    """A value as canonical compact JSON."""
    return to_json(value)


def _unknown(kind: str) -> str:
    match = re.fullmatch(r"(\w+)\.v(\d+)", kind)
    known = sorted(name for name in KINDS if match and name.rpartition(".v")[0] == match[1])
    if match and known:
        return (
            f"{kind} is newer than this version of Understudy can read (it knows {known[-1]}); upgrade to read this log"
        )
    return f"unknown kind {kind!r}; this version of Understudy knows {', '.join(sorted(KINDS))}"
