"""Any event of a log in one sentence, and as JSON, whether or not this version knows its kind."""

import json
from typing import Final

from understudy.adapters.cli.alert_words import OF_ALERTS, alert_words
from understudy.adapters.cli.instants import iso
from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.codec import decode
from understudy.events.counted import counted
from understudy.events.desk import CommandRefused, NoteAdded, SubjectForgotten
from understudy.events.drills import DrillEnded, DrillSkipped, DrillStarted
from understudy.events.errors import UnreadableEvent
from understudy.events.operations import (
    ClockStepped,
    EngineStarted,
    EngineStopped,
    ModeChanged,
    OverrideCleared,
    OverrideSet,
    PolicyActivated,
    PreferencesChanged,
    ProbeRequested,
    SegmentArchived,
    SyncRequested,
)
from understudy.events.quotes import QuarantineReleased, QuarantineSet
from understudy.events.row import COLUMNS, Recorded, Row
from understudy.events.stock import OffersListed
from understudy.replay.story import ms, sentence

_LONGEST: Final = 200


def told(row: Row) -> str:
    """The event in words. What cannot be read is told to be so, and shown as it is stored."""
    try:
        event = decode(row)
    except UnreadableEvent as error:
        return f"{str(error).partition(': ')[2] or error}: {_cut(row.payload)}"
    match event:
        case CallStarted() | CallSucceeded() | CallFailed() | CallAbandoned() if event.request_id is None:
            return _outside_requests(row, event)
        case EngineStarted() | EngineStopped():
            return _of_the_engine(event)
        case ClockStepped():
            return f"the wall clock was set {'forward' if event.step_us > 0 else 'back'} by {ms(abs(event.step_us))}"
        case PolicyActivated():
            providers = ", ".join(event.policy.by_id)
            return f"policy {event.policy_hash[:12]} decides from here on: {event.policy.strategy}, of {providers}"
        case PreferencesChanged() | OverrideSet() | OverrideCleared() | ProbeRequested() | SyncRequested():
            return _wished(event)
        case DrillStarted() | DrillEnded() | DrillSkipped():
            return _of_a_drill(event)
        case NoteAdded() | SubjectForgotten() | SegmentArchived() | CommandRefused():
            return _at_the_desk(event)
        case OffersListed():
            return f"{event.provider} lists {counted(sum(map(len, event.offers.values())), 'offer')}"
        case ModeChanged():
            return f"the engine is in {event.mode} mode, after {event.previous}"
        case QuarantineSet() | QuarantineReleased():
            return _of_a_quarantine(event)
        case event if type(event) in OF_ALERTS:
            return alert_words(event)
        case _:
            found = _of(row, event)
            return found if found != event.kind else f"{event.kind} {_cut(row.payload)}"


def _outside_requests(row: Row, event: CallStarted | CallSucceeded | CallFailed | CallAbandoned) -> str:
    drill = f" (in drill {event.drill})" if event.drill is not None else ""
    what = f"begins at {event.provider}{drill}" if isinstance(event, CallStarted) else _of(row, event)
    return f"{event.operation}: {what}"


def _of_a_quarantine(event: QuarantineSet | QuarantineReleased) -> str:
    if isinstance(event, QuarantineReleased):
        return f"{event.provider} is out of quarantine for {event.pair}, by {event.actor}: {event.reason}"
    until = f" until {iso(event.until_us)}" if event.until_us is not None else " until it is released"
    return f"{event.provider} is in quarantine for {event.pair}{until}, by {event.actor}: {event.reason}"


def _of_the_engine(event: EngineStarted | EngineStopped) -> str:
    if isinstance(event, EngineStopped):
        return f"the engine has stopped in good order, as {event.writer}"
    by = f"Understudy {event.version}, rules {event.rules_version}, Python {event.python}"
    return f"the engine starts, as {event.writer} ({by})"


def _of_a_drill(event: DrillStarted | DrillEnded | DrillSkipped) -> str:
    if isinstance(event, DrillSkipped):
        return f"a drill that was due is not held ({event.line}): {event.reason}"
    what = f"drill {event.drill}, {event.form}" + (f" of {event.provider}," if event.provider is not None else ",")
    if isinstance(event, DrillStarted):
        part = f" as a part of {event.part_of}" if event.part_of is not None else ""
        return f"{what} begins{part}, until {iso(event.until_us)}, by {event.actor}: {event.reason}"
    by = f" by {event.actor}: {event.reason}" if event.actor is not None else ""
    return f"{what} is over ({event.cause.value.replace('_', ' ')}){by}"


def _wished(event: PreferencesChanged | OverrideSet | OverrideCleared | ProbeRequested | SyncRequested) -> str:
    """What an operator wanted, and why."""
    match event:
        case PreferencesChanged():
            changed = ", ".join(f"{name} is {json.dumps(value)}" for name, value in event.changes.items())
            return f"{event.actor} has changed preferences: {changed}: {event.reason}"
        case OverrideSet():
            until = f" until {iso(event.until_us)}" if event.until_us is not None else ""
            return f"{event.actor} forces {event.provider} to {event.state}{until}: {event.reason}"
        case OverrideCleared():
            return f"{event.actor} no longer forces {event.provider}: {event.reason}"
        case ProbeRequested():
            return f"{event.actor} wants {event.provider} probed at once: {event.reason}"
        case SyncRequested():
            return f"{event.actor} wants the lists of {event.provider or 'all providers'} at once: {event.reason}"


def _at_the_desk(event: NoteAdded | SubjectForgotten | SegmentArchived | CommandRefused) -> str:
    """What has been put on record that no decision reads."""
    match event:
        case NoteAdded():
            return f"{event.actor} notes of {event.provider}: {event.text}"
        case SubjectForgotten():
            values = counted(event.values, "sensitive value")
            return f"{event.actor} has {values} of «{event.subject[:6]}» forgotten: {event.reason}"
        case CommandRefused():
            return f"a command of {event.actor} is refused, who is told: {event.message}"
        case SegmentArchived():
            what = f"events {event.first_seq:,} to {event.last_seq:,} are archived in {event.file}"
            return f"{what}, by {event.actor}: {event.reason}"


def event_json(row: Row) -> dict[str, object]:
    """The event as it is stored, its columns and its payload in one object."""
    columns = {name: value for name, value in zip(COLUMNS, row[3:-1], strict=True) if value is not None}
    return {
        "seq": row.seq,
        "at": iso(row.at_us),
        "at_us": row.at_us,
        "kind": row.kind,
        "told": told(row),
        "event": {**columns, **_payload(row)},
    }


def _payload(row: Row) -> dict[str, object]:
    try:
        found = json.loads(row.payload)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"payload": row.payload}


def _of(row: Row, event: object) -> str:
    return sentence(Recorded(row.seq, row.at_us, event))  # type: ignore[arg-type]


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
