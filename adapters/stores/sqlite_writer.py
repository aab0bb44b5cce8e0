"""The one task that writes: everything that waits goes to the disk together, and no caller can disturb it.

A group is what was appended while the group before was being committed. If a commit fails, those who wait are
told, the events stay in their order, and it is tried again until it succeeds or the log is closed. Time is
only ever the loop's.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from itertools import chain
from typing import Concatenate, Final, ParamSpec, TypeVar

from understudy.adapters.stores import transaction
from understudy.adapters.stores.entry import Entry
from understudy.adapters.stores.faults import STORE_FAULTS, remedy
from understudy.adapters.stores.holding import Holding
from understudy.adapters.stores.waiters import Waiters
from understudy.events.errors import LogUnavailable
from understudy.events.log import Head

P = ParamSpec("P")
T = TypeVar("T")

_GROUP_LIMIT: Final = 4_096
"""Events in one transaction."""

_WAL_LIMIT: Final = 4_096
"""Pages (16 MB) in the write-ahead log at which it is checkpointed even under load."""

_IDLE_S: Final = 0.25
"""Seconds without an append after which the write-ahead log is checkpointed."""

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 5.0


_AT_WORK: Final[set["asyncio.Task[None]"]] = set()
"""The writers: asyncio itself would let a task that merely waits be collected, and nobody would close the file."""


class _Durability:
    """Awaitable: done when an event is durable."""

    __slots__ = ("_seq", "_writer")

    def __init__(self, writer: "Writer", seq: int) -> None:
        self._writer = writer
        self._seq = seq

    def __await__(self) -> Generator[object, None, None]:
        waiter = self._writer.waiter(self._seq)
        if waiter is not None:
            yield from waiter


class Writer:
    """What is appended and not yet durable, and the task that makes it so."""

    def __init__(self, holding: Holding) -> None:
        self.head = holding.head
        self.holding = holding
        self._path = holding.path
        self._stored = holding.head
        self._failure: BaseException | None = None
        self._in_doubt = False
        self._under_way: list[Entry] = []
        self._queue: list[Entry] = []
        self._waiters = Waiters()
        self._wal_pages = 0
        self._wal_limit = _WAL_LIMIT
        self._closing = False
        self._something_to_do = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._task = self._begin()

    @property
    def pending(self) -> int:
        """Events appended and not yet durable."""
        return self.head.seq - self._stored.seq

    @property
    def busy(self) -> bool:
        """Whether the store's thread has work whose end the loop has not heard of."""
        return self.holding.busy

    @property
    def ended(self) -> bool:
        """Whether everything has been let go."""
        return self._task.done()

    def append(self, entry: Entry) -> None:
        """Take an event; its chain value must follow `head`.

        Errors: LogUnavailable once the log is being closed.
        """
        if self._closing:
            raise LogUnavailable(f"the log {self._path} is closed; open it again first")
        self.head = Head(entry.row.seq, entry.chain)
        self._queue.append(entry)
        self._something_to_do.set()

    def check(self) -> None:
        """Raise LogUnavailable if nothing can be made durable now."""
        if self._failure is not None:
            raise self._unavailable(self._failure)
        if self._closing:
            raise LogUnavailable(f"the log {self._path} is closed; open it again first")

    def durable(self, seq: int) -> Awaitable[None]:
        """Done once the event is durable."""
        if seq > self.head.seq:
            raise ValueError(f"event {seq} has not been appended; the last one is {self.head.seq}")
        return _Durability(self, seq)

    def waiter(self, seq: int) -> asyncio.Future[None] | None:
        """A future of the caller's own for an event's durability; None if it is durable."""
        if seq <= self._stored.seq:
            return None
        if self._failure is not None:
            raise self._unavailable(self._failure)
        if self._loop.is_closed():
            raise LogUnavailable(f"the event loop that {self._path} was opened in is closed; close the log, too")
        return self._waiters.add(seq)

    def pending_entries(self) -> Iterator[Entry]:
        """What is not yet durable, in order."""
        return chain(self._under_way, self._queue)

    async def perform(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run something on the connection between two commits."""
        return await self.holding.perform(work, *args, **kwargs)

    def note_written(self, size: int) -> None:
        """Reckon with this many more bytes in the write-ahead log; as measured, each commit adds six pages.

        There is no safe way to look: closing any descriptor of SQLite's files would drop the locks on them.
        """
        self._wal_pages += 6 + size // 4096

    async def close(self) -> None:
        """Make everything durable, let the file go, and end the thread. Safe to repeat and to cancel: it is done first.

        Errors: LogUnavailable if something could not be made durable, naming how much, or if the file is not in its
        place. Everything is let go even then.
        """
        if self._loop.is_closed() and not self._task.done():
            self._go_on_in_this_loop()
        self._begin_to_close()
        try:
            await asyncio.wait([self._task])
        except asyncio.CancelledError:
            await asyncio.wait([self._task])  # It passes on once all is let go; a second one at once.
            raise
        if not self._task.cancelled():
            self._task.result()
        if self.pending:
            raise self._lost()

    def abandon(self) -> None:
        """Close without anybody waiting for it; in another thread than the loop's, too."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._begin_to_close)
        else:
            self.holding.abandon()
            _AT_WORK.discard(self._task)

    def _begin(self) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(self._live(), name=f"writer of {self._path.name}")
        _AT_WORK.add(task)
        task.add_done_callback(_AT_WORK.discard)
        return task

    def _begin_to_close(self) -> None:
        self._closing = True
        self._something_to_do.set()

    def _go_on_in_this_loop(self) -> None:
        """The loop that we lived in was closed with us in it; whoever waited there will never hear."""
        _AT_WORK.discard(self._task)
        self._put_back()
        self._waiters = Waiters()
        self._something_to_do = asyncio.Event()
        self._closing = True
        self._loop = asyncio.get_running_loop()
        self._task = self._begin()

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await self._work()
        except asyncio.CancelledError:  # The loop is being torn down around us: one last group, then pass it on.
            await asyncio.sleep(0)  # Whoever is cancelled together with us may have something to put on record.
            self._closing = True
            await self._work()
            if self.pending:
                raise self._lost() from None  # So that somebody hears of it.
            raise
        finally:
            self._closing = True
            if not loop.is_closed():  # Else we are only being collected, and somebody else has done it.
                try:
                    await self.holding.let_go()
                finally:
                    self._waiters.tell_of_failure(self._lost)

    def _lost(self) -> LogUnavailable:
        cause = f": {remedy(self._failure)}" if self._failure else ""
        return LogUnavailable(f"{self.pending} events could not be made durable before {self._path} was closed{cause}")

    async def _work(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while self._queue or not self._closing:
            if not self._queue:
                await self._rest()
                continue
            last_attempt = self._closing
            if await self._commit():
                pause_s = _FIRST_PAUSE_S
                continue
            if last_attempt:
                return
            await self._pause(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _rest(self) -> None:
        self._something_to_do.clear()
        try:
            async with asyncio.timeout(_IDLE_S if self._wal_pages else None):
                await self._something_to_do.wait()
        except TimeoutError:
            await self._checkpoint()

    async def _pause(self, pause_s: float) -> None:
        """Wait before another attempt, but not once the log is being closed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                while not self._closing:
                    self._something_to_do.clear()
                    await self._something_to_do.wait()

    async def _commit(self) -> bool:
        if self._wal_pages > self._wal_limit or self._failure is not None:  # A log that cannot grow can be emptied.
            await self._checkpoint()
        group = self._under_way = self._queue[:_GROUP_LIMIT]
        del self._queue[:_GROUP_LIMIT]
        doubt = self._stored if self._in_doubt else None
        self._in_doubt = True
        try:
            misplaced = await self.holding.prepare(self._stored)
            await self.perform(transaction.commit, group, stream=self.holding.meta.stream, in_doubt_after=doubt)
            if misplaced is not None:
                raise misplaced
        except STORE_FAULTS as error:
            self._put_back()
            self._tell_of_failure(error)
            return False
        except asyncio.CancelledError:
            self._put_back()
            raise
        self._tell_of_success()
        await asyncio.sleep(0)  # Those who have just been told may append at once: that still joins the next group.
        return True

    def _put_back(self) -> None:
        self._queue[:0] = self._under_way
        self._under_way = []

    def _tell_of_success(self) -> None:
        last = self._under_way[-1]
        self.note_written(sum(len(entry.row.payload) + 800 for entry in self._under_way))
        self._stored = Head(last.row.seq, last.chain)
        self._under_way = []
        self._in_doubt = False
        self._failure = None
        self._waiters.tell_of_success(last.row.seq)

    def _tell_of_failure(self, error: BaseException) -> None:
        self._failure = error
        self._waiters.tell_of_failure(lambda: self._unavailable(error))

    def _unavailable(self, error: BaseException) -> LogUnavailable:
        unavailable = LogUnavailable(transaction.describe(self._path, error))
        unavailable.__cause__ = error
        return unavailable

    async def _checkpoint(self) -> None:
        remaining = await self.holding.checkpoint()
        self._wal_pages = 0
        self._wal_limit = _WAL_LIMIT + remaining  # What a reader holds back cannot be helped by asking more often.
