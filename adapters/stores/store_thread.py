"""The one thread that touches the database for writing: aiosqlite's, given whole pieces of work.

aiosqlite hands every statement to its thread one by one: `BEGIN`, the `INSERT`, `COMMIT` and each cursor's
closing is a trip there and back, and anybody else's statement may get in between. A commit of ours is one
function and one trip: measured (benchmarks/bench_log_append.py), one event is durable in about half the time.
The function is given to the very queue that aiosqlite's own methods use (see `Connection._execute`), so order,
thread, start and end stay aiosqlite's.
"""

import asyncio
import sqlite3
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import aiosqlite

P = ParamSpec("P")
T = TypeVar("T")

_STATEMENTS_KEPT = 160
"""Prepared statements to keep: an INSERT for each size of a group, and the others."""


class _Errand:
    """In the place of a future: the thread goes on even if the loop that asked has been closed meanwhile."""

    __slots__ = ("_loop", "_then")

    def __init__(self, then: Callable[[Any], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._then = then

    def get_loop(self) -> Self:
        """What the thread gives its answers to."""
        return self

    def call_soon_threadsafe(self, _: object, __: object, answer: Any) -> None:
        """Give the answer, a result or an exception, if anybody is left to hear it."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._then, answer)


class StoreThread(aiosqlite.Connection):
    """A connection that can be given a function to run on it, in the connection's own thread."""

    def __init__(self, path: Path, *, busy_timeout_ms: int) -> None:
        super().__init__(self._connect_or_to_nothing, iter_chunk_size=64)
        self._path = path
        self._busy_timeout_ms = busy_timeout_ms
        self._fault: sqlite3.Error | None = None
        self._thread.daemon = True  # A program that forgets to close must be able to end.

    @classmethod
    async def start(cls, path: Path, *, busy_timeout_ms: int) -> "StoreThread":
        """Connect, in autocommit mode: transactions are begun and ended by name.

        Errors: sqlite3.Error if the file cannot be opened; the thread has then ended.
        """
        thread = cls(path, busy_timeout_ms=busy_timeout_ms)
        opening = asyncio.create_task(thread._opened(), name=f"open {path.name}")
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:  # aiosqlite would forget what it is just opening.
            await asyncio.wait([opening])
            await thread.close()
            raise
        if thread._fault is not None:
            await thread.close()
            raise thread._fault
        return thread

    async def perform(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work(connection, …)` in the thread, uninterrupted, after all that was asked before.

        A caller that is cancelled meanwhile does not stop the work.
        """
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.hand_over(lambda connection: work(connection, *args, **kwargs), partial(_give, answer))
        return await answer

    def hand_over(self, work: Callable[[sqlite3.Connection], Any], then: Callable[[Any], None]) -> None:
        """Have `work(connection)` run as by `perform`; its result, or what it raised, goes to `then`, in the loop.

        That it cannot be run at all is told there, too: whoever hands over has nobody above to raise it to.
        """
        if not self._running or self._connection is None:
            asyncio.get_running_loop().call_soon(then, ValueError("the connection is closed"))
            return
        self._tx.put_nowait((_Errand(then), partial(self._on_connection, work)))  # type: ignore[arg-type]

    def reconnect(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """Close the connection, if it is not closed already, and open the file anew; to be performed in the thread."""
        connection.close()
        self._connection = self._connect_anew()
        return self._connection

    def end(self) -> None:
        """Close the connection and end the thread, with no loop left to hear of it."""
        if sys.is_finalizing():
            return  # The thread ends with the interpreter, and no other one can be started to tell it.
        # aiosqlite would send word of the end to the loop that it finds, even a closed one; a new thread has none.
        ender = Thread(target=self.stop, daemon=True)
        ender.start()
        ender.join()

    def _on_connection(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return work(self._conn)

    async def _opened(self) -> None:
        await self

    def _connect_or_to_nothing(self) -> sqlite3.Connection:
        # A connector that raises would leave aiosqlite's thread ending by itself, perhaps after the loop has been
        # closed, which it does not survive in silence. So it always connects, if need be to nothing, and we close.
        try:
            return self._connect_anew()
        except sqlite3.Error as fault:
            self._fault = fault
            return sqlite3.connect(":memory:")

    def _connect_anew(self) -> sqlite3.Connection:
        return sqlite3.connect(
            self._path,
            timeout=self._busy_timeout_ms / 1000,
            isolation_level=None,
            cached_statements=_STATEMENTS_KEPT,
        )


def _give(future: "asyncio.Future[T]", answer: T | BaseException) -> None:
    if future.done():
        return  # Whoever asked has been cancelled.
    if isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(answer)
