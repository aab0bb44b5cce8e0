"""Events to rows and back. The only place that knows how a field is stored."""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from operator import attrgetter, itemgetter
from typing import Any, Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json

from understudy.events import alerts, calls, decisions, desk, drills, operations, quotes, requests, stock
from understudy.events.decisions import Decision, Event
from understudy.events.errors import EventRefused, UnreadableEvent
from understudy.events.fact import Fact, adapter
from understudy.events.row import COLUMNS, ENVELOPE, Recorded, Row
from understudy.events.upcast import UPCASTERS, Upcaster, upcast
from understudy.events.usual import READ, TELL, skim_decision

PAYLOAD_LIMIT: Final = 65_536
"""Bytes that the payload of a `RequestAccepted` may have, and the reply of a call; a longer reply is cut."""

_FIRST_COLUMN: Final = len(ENVELOPE)
_NO_MORE_COLUMNS: Final = (None,) * (len(COLUMNS) - 2)
"""A decision has but a request and a provider."""
_row: Final = partial(tuple.__new__, Row)

KINDS: Final[Mapping[str, type[Fact]]] = {
    event.kind: event
    for module in (alerts, calls, decisions, desk, drills, operations, quotes, requests, stock)
    for event in vars(module).values()
    if isinstance(event, type) and issubclass(event, Fact) and hasattr(event, "kind")
}
"""Every stored name that can be read, and its type."""


class _Layout(NamedTuple):
    """How events of one kind are stored: C-level getters, because every event passes here twice."""

    event: type[Fact]
    tell: Callable[[Any], str | None] | None
    """The payload of an event of the usual shape, None for any other."""
    columns_of: Callable[[Fact], tuple[Any, ...]]
    """The values of all columns, None for those that the kind does not have."""
    names: tuple[str, ...]
    """The columns that are fields of the event, and by `fields_of` their values in a row."""
    fields_of: Callable[[Row], tuple[Any, ...]]
    payload_of: Callable[[Fact], bytes]
    validate: Callable[[dict[str, Any]], Fact]


def _layout(event: type[Fact]) -> _Layout:
    own = {field.name for field in fields(event)}
    names = tuple(name for name in COLUMNS if name in own)
    present = [name if name in names or hasattr(event, name) else "nothing" for name in COLUMNS]
    places = [_FIRST_COLUMN + COLUMNS.index(name) for name in names]
    fields_of = itemgetter(*places) if len(places) > 1 else lambda row: tuple(row[place] for place in places)
    return _Layout(
        event=event,
        tell=TELL.get(event),
        columns_of=attrgetter(*present),
        names=names,
        fields_of=fields_of,
        payload_of=partial(adapter(event).serializer.to_json, exclude=set(names), exclude_none=True),
        validate=adapter(event).validator.validate_python,
    )


_LAYOUTS: Final = {event: _layout(event) for event in KINDS.values()}
_BY_KIND: Final = {event.kind: layout for event, layout in _LAYOUTS.items()}


def encode(event: Event, *, seq: int, at_us: int) -> Row:
    """The row of an event.

    Errors: EventRefused when a `RequestAccepted` is larger than `PAYLOAD_LIMIT`.
    """
    if isinstance(event, Decision):
        return _row((seq, at_us, event.kind, event.request_id, event.provider, *_NO_MORE_COLUMNS, event.payload()))
    layout = _LAYOUTS[type(event)]
    told = None if layout.tell is None else layout.tell(event)
    if told is not None:
        return _row((seq, at_us, event.kind, *layout.columns_of(event), told))
    payload = layout.payload_of(event)
    if len(payload) > PAYLOAD_LIMIT and isinstance(event, requests.RequestAccepted):
        raise _too_large(len(payload))
    return _row((seq, at_us, event.kind, *layout.columns_of(event), payload.decode()))


def refuse_if_too_large(event: requests.RequestAccepted) -> None:
    """For a store that encodes later: raises EventRefused where `encode` will."""
    if event.body is None and not event.labels:
        return  # All else is of limited length.
    size = len(_LAYOUTS[requests.RequestAccepted].payload_of(event))
    if size > PAYLOAD_LIMIT:
        raise _too_large(size)


def _too_large(size: int) -> EventRefused:
    return EventRefused(
        f"the request is too large to be put on record: {size} bytes of JSON, at most {PAYLOAD_LIMIT};"
        " pass large content by reference"
    )


def decode(row: Row, *, upcasters: Mapping[str, Upcaster] = UPCASTERS) -> Fact:
    """The event of a row.

    Errors: UnreadableEvent, naming the place, for an unknown kind, a newer version, or a payload that does not fit.
    """
    try:
        told: Any = from_json(row.payload)
    except ValueError as error:
        raise UnreadableEvent(f"event {row.seq} ({row.kind}): broken payload: {error}") from error
    if not isinstance(told, dict):
        raise UnreadableEvent(f"event {row.seq} ({row.kind}): broken payload: not a JSON object")
    read = READ.get(row.kind)
    if read is not None and row.kind not in upcasters and (usual := read(row, told)) is not None:
        return usual
    layout = _BY_KIND.get(row.kind)
    if layout is None or row.kind in upcasters:
        layout, told = _upcast(row, told, upcasters)
    else:
        told.update(zip(layout.names, layout.fields_of(row), strict=True))
    try:
        return layout.validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UnreadableEvent(f"event {row.seq} ({row.kind}): field {place!r}: {first['msg']}") from error


def recorded(row: Row) -> Recorded:
    """A row with its event decoded."""
    return Recorded(row.seq, row.at_us, decode(row))


def skimmed(row: Row) -> Recorded:
    """A row with its event as far as folds look at it: as `recorded`, but the candidates of a decision are not read."""
    return Recorded(row.seq, row.at_us, skim_decision(row) or decode(row))


def _upcast(row: Row, told: dict[str, Any], upcasters: Mapping[str, Upcaster]) -> tuple[_Layout, dict[str, Any]]:
    """The layout and the fields of an event that was stored under another name than today's."""
    columns = zip(COLUMNS, row[_FIRST_COLUMN:-1], strict=True)
    told |= {name: value for name, value in columns if value is not None}
    kind, told = upcast(row.kind, told, upcasters=upcasters)
    layout = _BY_KIND.get(kind)
    if layout is None:
        raise UnreadableEvent(f"event {row.seq}: {_unknown(kind)}")
    of_the_kind = {field.name for field in fields(layout.event)}
    return layout, {name: value for name, value in told.items() if name in of_the_kind or name not in COLUMNS}


def _unknown(kind: str) -> str:
    match = re.fullmatch(r"(\w+)\.v(\d+)", kind)
    known = sorted(name for name in KINDS if match and name.rpartition(".v")[0] == match[1])
    if match and known:
        return (
            f"{kind} is newer than this version of Understudy can read (it knows {known[-1]}); upgrade to read this log"
        )
    return f"unknown kind {kind!r}; this version of Understudy knows {', '.join(sorted(KINDS))}"
