"""The one thread that touches the database for writing: aiosqlite's, given whole pieces of work.

aiosqlite hands every statement to its thread one by one: `BEGIN`, the `INSERT`, `COMMIT` and each cursor's
closing is a trip there and back, and anybody else's statement may get in between. A commit of ours is one
function and one trip: measured (benchmarks/bench_log_append.py), one event is durable in about half the time.
The function is given to the very queue that aiosqlite's own methods use (`Connection._execute`, the same in
all versions since 0.17), so order, thread, start and end stay aiosqlite's.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

import aiosqlite

P = ParamSpec("P")
T = TypeVar("T")

_STATEMENTS_KEPT = 160
"""Prepared statements to keep: an INSERT for each size of a group, and the others."""


class StoreThread(aiosqlite.Connection):
    """A connection that can be given a function to run on it, in the connection's own thread."""

    @classmethod
    async def start(cls, path: Path, *, busy_timeout_ms: int) -> "StoreThread":
        """Connect, in autocommit mode: transactions are begun and ended by name.

        Errors: sqlite3.Error if the file cannot be opened; the thread has then ended.
        """
        # A connector that raises would leave aiosqlite's thread ending by itself, perhaps after the loop has been
        # closed, which it does not survive in silence. So it always connects, if need be to nothing, and we close.
        faults: list[sqlite3.Error] = []

        def connect() -> sqlite3.Connection:
            try:
                return sqlite3.connect(
                    path, timeout=busy_timeout_ms / 1000, isolation_level=None, cached_statements=_STATEMENTS_KEPT
                )
            except sqlite3.Error as fault:
                faults.append(fault)
                return sqlite3.connect(":memory:")

        connection = cls(connect, iter_chunk_size=64)
        await connection
        if faults:
            await connection.close()
            raise faults[0]
        return connection

    async def perform(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `work(connection, …)` in the thread, uninterrupted, after all that was asked before.

        A caller that is cancelled meanwhile does not stop the work.
        """
        result: T = await self._execute(work, self._conn, *args, **kwargs)  # type: ignore[no-untyped-call]
        return result
