"""How a command reaches the log: through its inbox, which a running engine obeys; if none runs, we do it ourselves."""

import asyncio
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from understudy.adapters.caretaker import OtherRules, obey_inbox
from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.interrupts import Held, hold_back, let_come
from understudy.adapters.cli.output import note, plain
from understudy.adapters.cli.progress import Progress
from understudy.adapters.stores import SqliteReader, put_command
from understudy.adapters.stores.inbox import InboxBusy, command_waits, withdraw_command
from understudy.adapters.stores.lock import owner_of
from understudy.engine.commands import (
    COMMAND_REFUSED,
    ClearOverride,
    LiftSilence,
    Probe,
    Release,
    Resolve,
    SetOverride,
    SetPreferences,
    Silence,
    Sync,
    Wish,
)
from understudy.engine.desk import Forget, Note
from understudy.engine.drill_commands import NO_ENGINE, StartDrill, StopDrill
from understudy.events.alerts import AlertSilenced, SilenceLifted
from understudy.events.codec import decode
from understudy.events.desk import CommandRefused, NoteAdded, SubjectForgotten
from understudy.events.drills import DrillEnded, DrillStarted
from understudy.events.errors import LogInUse, UnderstudyError
from understudy.events.fact import Fact
from understudy.events.operations import (
    AlertRaised,
    OverrideCleared,
    OverrideSet,
    PreferencesChanged,
    ProbeRequested,
    SyncRequested,
)
from understudy.events.quotes import QuarantineReleased
from understudy.events.requests import RequestResumed
from understudy.events.row import Row

_TRY_S: Final = 0.25
"""How long one try to reach the inbox waits for somebody else's transaction: so late is Ctrl-C heard."""
LEAST_S: Final = 1.0
MOST_S: Final = 5.0
"""For how long the inbox is tried, whatever patience a command has: an engine at work locks the file all the time."""
PAUSE_S: Final = 0.05
"""Between two looks at what has become of a command; an engine reads its inbox every half second."""

_BECOMES: Final[Mapping[type[Wish], type[Fact]]] = {
    SetOverride: OverrideSet,
    ClearOverride: OverrideCleared,
    Probe: ProbeRequested,
    Resolve: RequestResumed,
    Release: QuarantineReleased,
    SetPreferences: PreferencesChanged,
    Sync: SyncRequested,
    StartDrill: DrillStarted,
    StopDrill: DrillEnded,
    Note: NoteAdded,
    Forget: SubjectForgotten,
    Silence: AlertSilenced,
    LiftSilence: SilenceLifted,
}
OF_A_RUNNING_ENGINE: Final = (StartDrill, StopDrill)
"""Wishes that make no sense where no engine runs: none of them is ever left in the inbox."""
_SAID: Final = (
    "alert",
    "subject",
    "form",
    "provider",
    "pair",
    "state",
    "request_id",
    "executed",
    "reference",
    "text",
    "actor",
    "reason",
)
"""The fields that a wish and its event have in common, as far as they have them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A command has become an event. `owner` is the engine that took it, in words; None if this command wrote it."""

    number: int
    row: Row
    owner: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A command is still in the inbox; `why` is a sentence about that."""

    number: int
    why: str


def deliver(db: Path, wish: Wish, *, patience_s: float) -> Delivered | Waiting:
    """Have a wish obeyed, by the engine that owns the log or, if there is none, here.

    Errors: Refused if it made no sense to whoever read it; LogUnavailable, NotALog, UnreadableEvent if the log cannot
            be written or read: then the command has been taken back.
    """
    with SqliteReader.open(db) as reader:
        after = reader.head().seq
    if isinstance(wish, OF_A_RUNNING_ENGINE) and owner_of(db.resolve()) is None:
        raise Refused(f"{db}: {NO_ENGINE}")
    held = hold_back()
    try:
        number = _put(db, _awaited(wish, patience_s), held, patience_s=min(max(patience_s, LEAST_S), MOST_S))
        alone = not isinstance(wish, OF_A_RUNNING_ENGINE)
        owner = _obeyed_by(db, number, held, patience_s=patience_s, alone=alone)
    finally:
        let_come(held)
    if isinstance(owner, Waiting) and isinstance(wish, OF_A_RUNNING_ENGINE):
        gone = "has been taken back" if withdraw_command(db, number) else "has been taken since"
        raise Refused(f"the command {gone}: {owner.why}")
    if isinstance(owner, Waiting):
        return owner
    with SqliteReader.open(db) as reader:
        return Delivered(number=number, row=_what_became_of(reader, wish, number=number, after=after), owner=owner)


def _awaited(wish: Wish, patience_s: float) -> str:
    """A wish for the inbox, of somebody who waits for the answer."""
    until_us = time.time_ns() // 1000 + round(patience_s * 1_000_000)
    return json.dumps({**wish.model_dump(mode="json"), "awaited_until_us": until_us})


def _put(db: Path, body: str, held: Held, *, patience_s: float) -> int:
    """Put a command into the inbox, in short tries: Ctrl-C, which `held` has come since, comes between two of them.

    Errors: InboxBusy if the file was locked all the time; nothing has been put there then. As of `put_command`.
    """
    until_s = time.monotonic() + patience_s
    while True:
        try:
            return put_command(db, body, patience_s=_TRY_S)
        except InboxBusy:
            if time.monotonic() >= until_s:
                raise
        let_come(held)
        hold_back()


def _obeyed_by(db: Path, number: int, held: Held, *, patience_s: float, alone: bool) -> str | Waiting | None:
    """Wait until a command is taken, or take it back if that is cut short; `held` was held back until it was put."""
    try:
        let_come(held)  # Ctrl-C in the instant after the command was put there takes it back, too.
        return _until_taken(db.resolve(), number, patience_s=patience_s, alone=alone)
    except KeyboardInterrupt:
        gone = "has been taken back" if withdraw_command(db, number) else "had been taken already"
        note(f"\nthe command {gone}")
        raise
    except UnderstudyError:
        with suppress(UnderstudyError):  # The first error is the one to tell.
            withdraw_command(db, number)
        raise


def _until_taken(db: Path, number: int, *, patience_s: float, alone: bool) -> str | Waiting | None:
    """Wait until a command is taken; where no engine runs it is obeyed here, if that can be done `alone`."""
    began_s, owner = time.monotonic(), "somebody else"
    with Progress("waiting for the engine") as progress:
        while command_waits(db, number):
            found = owner_of(db)
            if found is None and not alone:
                return Waiting(number=number, why=NO_ENGINE)
            if found is None:
                with suppress(LogInUse):  # Somebody was faster, and will take the command.
                    try:
                        if number in asyncio.run(obey_inbox(db)):
                            return None
                    except OtherRules as error:
                        return Waiting(number=number, why=f"{error}; it is obeyed at the next start of an engine")
            owner = found or owner
            spent_s = time.monotonic() - began_s
            if spent_s >= patience_s:
                why = f"{owner} owns the log, and has not taken it within {patience_s:g} s"
                later = "; it is obeyed when that one comes to it, or at the next start" if alone else ""
                return Waiting(number=number, why=why + later)
            progress(round(spent_s * 1000), round(patience_s * 1000))
            time.sleep(PAUSE_S)
    return owner


def _what_became_of(reader: SqliteReader, wish: Wish, *, number: int, after: int) -> Row:
    """The event of a command that has been taken.

    Errors: Refused if it made no sense, with the reason.
    """
    for row in reader.operations(CommandRefused.kind):
        refusal = decode(row) if row.seq > after else None
        if isinstance(refusal, CommandRefused) and refusal.command_id == number:
            raise Refused(f"the command was refused: {plain(refusal.message)}")
    for row in reader.operations(AlertRaised.kind):
        alert = decode(row) if row.seq > after else None
        if isinstance(alert, AlertRaised) and (alert.alert, alert.subject) == (COMMAND_REFUSED, str(number)):
            raise Refused(f"the command was refused: {plain(alert.message)}")
    kind = _BECOMES[type(wish)].kind
    rows = reader.request_rows(wish.request_id) if isinstance(wish, Resolve) else reader.operations(kind)
    for row in rows:
        if row.seq > after and row.kind == kind and _says(decode(row), wish):
            return row
    raise Refused(f"command {number} is no longer in the inbox, and no event tells what became of it")


def _says(event: Fact, wish: Wish) -> bool:
    shared = [name for name in _SAID if hasattr(wish, name) and hasattr(event, name)]
    return all(getattr(event, name) == getattr(wish, name) for name in shared)
