"""Putting on record that a file is part of the archive: through the inbox, so that one writer writes the log."""

import asyncio
import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

from understudy.adapters.caretaker import obey_inbox
from understudy.adapters.stores.inbox import command_waits, commands_waiting, put_command
from understudy.adapters.stores.lock import owner_of
from understudy.engine.commands import RecordSegment
from understudy.events.errors import LogInUse, LogUnavailable


class NotYetRecorded(LogUnavailable):
    """The engine that owns the log has not come to it: the command waits in the inbox, and is obeyed later."""


PATIENCE_S: Final = 30.0
"""How long an engine may take to turn a command into its event; it reads its inbox every half second."""
_PAUSE_S: Final = 0.02


def record(path: Path, wish: RecordSegment, *, now_us: int | None) -> None:
    """Have a file put on record, by the engine that owns the log or, if there is none, here; durable in the end.

    Errors: NotYetRecorded if the engine does not come to it; LogUnavailable; OtherRules if no engine of these rules has
            been there yet. The command then waits in the inbox.
    """
    until_taken(path, put_command(path, wish.model_dump_json()), now_us=now_us)


def see_to_waiting(path: Path, *, now_us: int | None) -> None:
    """See that what an archiving that was cut short has left in the inbox is put on record. Errors: as of `record`."""
    for command_id, body in commands_waiting(path):
        if _records_a_segment(body):
            until_taken(path, command_id, now_us=now_us)


def until_taken(path: Path, command_id: int, *, now_us: int | None) -> None:
    """Wait until a command has become an event. Errors: as of `record`."""
    end_s = time.monotonic() + PATIENCE_S
    owner = None
    while command_waits(path, command_id):
        owner = owner_of(path)
        if owner is None:
            with suppress(LogInUse):  # Somebody was faster, and will take it.
                _obey(path, now_us=now_us)
        elif time.monotonic() > end_s:
            raise NotYetRecorded(
                f"{owner} owns {path}, and has not put the archived file on record within {PATIENCE_S:g} s; that waits"
                " in the inbox, and nothing is removed before it is done: run this again later"
            )
        else:
            time.sleep(_PAUSE_S)


def _obey(path: Path, *, now_us: int | None) -> None:
    """In a thread of its own, as the caller may be in an event loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(obey_inbox(path, now_us=now_us))).result()


def _records_a_segment(body: str) -> bool:
    try:
        return bool(json.loads(body)["command"] == "record_segment")
    except (ValueError, KeyError, TypeError):
        return False
