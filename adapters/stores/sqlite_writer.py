"""The log's file in use: what is appended becomes durable in groups, and no caller can disturb it.

Commits go by themselves (`commits`) while all is well. One task cares for what is more than that: it empties the
write-ahead log, mends what somebody has done to the files, tries again what has failed, and closes. If a commit fails,
those who wait are told, the events stay in their order, and it is tried again until it succeeds or the log is closed.
Time is only ever the loop's.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Concatenate, Final, ParamSpec, TypeVar

from understudy.adapters.stores.commits import Commits
from understudy.adapters.stores.entry import Entry
from understudy.adapters.stores.faults import remedy
from understudy.adapters.stores.holding import Holding
from understudy.adapters.stores.waiters import Durability
from understudy.events.counted import counted
from understudy.events.errors import LogUnavailable
from understudy.events.log import Describe, Head

P = ParamSpec("P")
T = TypeVar("T")

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 5.0


_AT_WORK: Final[set["asyncio.Task[None]"]] = set()
"""The writers: asyncio itself would let a task that merely waits be collected, and nobody would close the file."""


class Writer:
    """Makes durable what is appended, and holds the file meanwhile."""

    def __init__(self, holding: Holding) -> None:
        self.holding = holding
        self._path = holding.path
        self._needed = asyncio.Event()
        self._commits = Commits(holding, call_for_care=self._call)
        self.backlog = self._commits.backlog
        self._loop = asyncio.get_running_loop()
        self._task = self._begin()

    @property
    def head(self) -> Head:
        """The end of the stream, what is not yet durable included."""
        return Head(self.backlog.seq, self.backlog.chain)

    @property
    def pending(self) -> int:
        """Events appended and not yet durable."""
        return self.backlog.pending

    @property
    def busy(self) -> bool:
        """Whether the store's thread has work whose end the loop has not heard of."""
        return self.holding.busy

    @property
    def ended(self) -> bool:
        """Whether everything has been let go."""
        return self._task.done()

    def describe_with(self, describe: Describe) -> None:
        """Ask for what is stored of providers with the events that concern them."""
        self._commits.describe = describe

    def append(self, entry: Entry) -> None:
        """Take an event; its chain value must follow `head`.

        Errors: LogUnavailable once the log is being closed.
        """
        if self._commits.closing:
            raise self._closed()
        self._commits.append(entry)

    def check(self) -> None:
        """Raise LogUnavailable if nothing can be made durable now."""
        if self.backlog.failure is not None:
            raise self._commits.unavailable(self.backlog.failure)
        if self._commits.closing:
            raise self._closed()

    def durable(self, seq: int) -> Awaitable[None]:
        """Done once the event is durable."""
        if seq > self.backlog.seq:
            raise ValueError(f"event {seq} has not been appended; the last one is {self.backlog.seq}")
        return Durability(self._waiter, seq)

    def pending_entries(self) -> Iterator[Entry]:
        """What is not yet durable, in order."""
        return self.backlog.entries()

    async def perform(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run something on the connection between two commits."""
        return await self.holding.perform(work, *args, **kwargs)

    def note_written(self, size: int) -> None:
        """Reckon with this many more bytes in the write-ahead log."""
        self._commits.note_written(size)

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

    def _waiter(self, seq: int) -> asyncio.Future[None] | None:
        """A future of the caller's own for an event's durability; None if it is durable."""
        if seq <= self.backlog.stored.seq:
            return None
        if self.backlog.failure is not None:
            raise self._commits.unavailable(self.backlog.failure)
        if self._loop.is_closed():
            raise LogUnavailable(f"the event loop that {self._path} was opened in is closed; close the log, too")
        return self.backlog.waiter(seq)

    def _begin(self) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(self._live(), name=f"writer of {self._path.name}")
        _AT_WORK.add(task)
        task.add_done_callback(_AT_WORK.discard)
        return task

    def _begin_to_close(self) -> None:
        self._commits.closing = True
        self._call()

    def _go_on_in_this_loop(self) -> None:
        """The loop that we lived in was closed with us in it."""
        _AT_WORK.discard(self._task)
        self._loop = asyncio.get_running_loop()
        self._commits.move_to(self._loop)
        self._commits.closing = True
        self._needed = asyncio.Event()
        self._task = self._begin()

    def _call(self) -> None:
        self._needed.set()

    async def _live(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await self._work()
        except asyncio.CancelledError:  # The loop is being torn down around us: one last group, then pass it on.
            await asyncio.sleep(0)  # Whoever is cancelled together with us may have something to put on record.
            self._commits.closing = True
            await self._work()
            if self.pending:
                raise self._lost() from None  # So that somebody hears of it.
            raise
        finally:
            self._commits.end()
            if not loop.is_closed():  # Else we are only being collected, and somebody else has done it.
                try:
                    await self.holding.let_go()
                finally:
                    self.backlog.give_up(self._lost)

    def _closed(self) -> LogUnavailable:
        return LogUnavailable(f"the log {self._path} is closed; open it again first")

    def _lost(self) -> LogUnavailable:
        cause = f": {remedy(self.backlog.failure)}" if self.backlog.failure else ""
        return LogUnavailable(
            f"{counted(self.pending, 'event')} could not be made durable before {self._path} was closed{cause}"
        )

    async def _work(self) -> None:
        """Come whenever care is needed, until the log is closed; then commit what is left."""
        while not self._commits.closing:
            await self._until_needed()
            await self._care()
        await self._care()

    async def _until_needed(self) -> None:
        await self._needed.wait()
        self._needed.clear()

    async def _care(self) -> None:
        """Take over, and leave once commits can go on by themselves, or once there are no more."""
        commits = self._commits
        commits.take_over()
        while commits.under_way:
            await self._until_needed()
        if self.backlog.queue:
            await self._commit_with_patience()
        elif commits.can_be_emptied and not commits.closing:
            await commits.checkpoint()
        if not commits.closing:
            commits.go_on()

    async def _commit_with_patience(self) -> None:
        """Commit until it succeeds, or to the end once the log is being closed, when nothing is tried twice."""
        commits, pause_s = self._commits, _FIRST_PAUSE_S
        if self.backlog.failure is not None:
            await self._pause(pause_s)
        while self.backlog.queue:
            last_attempt = commits.closing
            if await commits.commit():
                await asyncio.sleep(0)  # Those who have just been told may append at once.
                if not commits.closing:
                    return
            elif last_attempt:
                return
            else:
                await self._pause(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    async def _pause(self, pause_s: float) -> None:
        """Wait before another attempt, but not once the log is being closed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                while not self._commits.closing:
                    await self._until_needed()
