"""Seeing that the rows of what is on record leave the database: by the engine that owns it, or else by ourselves.

Only the owner of a log removes rows, on the connection that it commits on: nobody has to wait for a lock, and nobody
but the owner empties the write-ahead log. An engine does it by itself. Without one, this process owns the log for
half a second at a time, so that an engine that wants to start is never kept waiting for longer.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

from understudy.adapters.stores.lock import owner_of
from understudy.adapters.stores.sqlite import SqliteLog
from understudy.adapters.stores.sqlite_reader import SqliteReader
from understudy.adapters.stores.sweep import Sweeper
from understudy.events.errors import LogInUse, LogUnavailable

PATIENCE_S: Final = 60.0
"""How long an engine may go on without removing anything."""
_PAUSE_S: Final = 0.25
_AT_A_TIME_S: Final = 0.5
_ROWS_AT_ONCE: Final = 4_096


def remove_archived(path: Path, *, told: Callable[[int], None]) -> int:
    """Have all rows removed that may go; how many those were. Safe to repeat. `told` hears how many have gone.

    Errors: LogUnavailable if an engine does not come to it: what is left goes at its next start.
    """
    with SqliteReader.open(path) as reader:
        stream = reader.stream
        sweeper = Sweeper.of(reader.connection, stream=stream)
        count = 0 if sweeper is None else sweeper.left()
    begun = place = _first_left(path)
    moved_s = time.monotonic()
    while place is not None and begun is not None:
        told(place - begun)
        owner = owner_of(path)
        if owner is None:
            with suppress(LogInUse):  # An engine has come, and does it.
                _remove_for_a_while(path, stream=stream)
        elif time.monotonic() > moved_s + PATIENCE_S:
            raise LogUnavailable(
                f"{owner} owns {path}, and has not removed archived rows for {PATIENCE_S:g} s; they go at its next"
                " start"
            )
        else:
            time.sleep(_PAUSE_S)
        before, place = place, _first_left(path)
        if place != before:
            moved_s = time.monotonic()
    return count


def kept_under_keys(path: Path) -> int:
    """How many archived rows stay in the database because an idempotency key that is in use needs them."""
    with SqliteReader.open(path) as reader:
        sweeper = Sweeper.of(reader.connection, stream=reader.stream)
        return 0 if sweeper is None else sweeper.under_keys()


def _first_left(path: Path) -> int | None:
    """The position of the first archived row that has yet to go. A short look: who reads keeps the log long."""
    with SqliteReader.open(path) as reader:
        sweeper = Sweeper.of(reader.connection, stream=reader.stream)
        return None if sweeper is None else sweeper.first_left()


def _remove_for_a_while(path: Path, *, stream: str) -> None:
    """In a thread of its own, as the caller may be in an event loop. Errors: LogInUse, LogUnavailable."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(lambda: asyncio.run(_removing(path, stream=stream))).result()


async def _removing(path: Path, *, stream: str) -> None:
    log = SqliteLog(path, stream=stream, brief=True)
    await log.open(f"understudy, archiving: {socket.gethostname()}:{os.getpid()}")
    try:
        end_s = time.monotonic() + _AT_A_TIME_S
        while await log.remove_archived(most=_ROWS_AT_ONCE) and time.monotonic() < end_s:
            pass
    finally:
        await log.close()
