"""How what waits goes to the disk, group by group: by callbacks while all is well, by a task when there is more to do.

A group is what was appended while the group before was being committed. A plain commit takes no task: the loop hands
the group to the store's thread, and the thread's word wakes everybody who waits for it. A task in between would need
several passes of the loop for each commit, and one caller waits for every one of them.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from understudy.adapters.stores import transaction
from understudy.adapters.stores.backlog import Backlog
from understudy.adapters.stores.entry import Entry
from understudy.adapters.stores.faults import STORE_FAULTS
from understudy.adapters.stores.holding import Holding
from understudy.adapters.stores.provider_facts import facts_of
from understudy.events.errors import LogUnavailable

if TYPE_CHECKING:
    from understudy.events.log import Describe

_WAL_LIMIT: Final = 4_096
"""Pages (16 MB) in the write-ahead log at which it is checkpointed even under load."""

_IDLE_S: Final = 0.25
"""Seconds without an append after which the write-ahead log is checkpointed."""


class Commits:
    """Takes groups from the backlog to the store's thread, one at a time.

    Shape:  `call_for_care` is called when something has to be done that takes a task: then it is to `take_over`,
            `commit` or `checkpoint`, and `go_on`.
    """

    def __init__(self, holding: Holding, *, call_for_care: Callable[[], None]) -> None:
        self.backlog = Backlog(holding.head)
        self.describe: Describe | None = None
        """Tells what is stored of providers with the events that concern them."""
        self.closing = False
        """Nothing is committed any more but by the task that has taken over."""
        self._holding = holding
        self._call_for_care = call_for_care
        self._loop = asyncio.get_running_loop()
        self._called = False
        """Whether somebody is at it, or will be soon, and looks at the queue in the end."""
        self._cared_for = False
        self._wal_pages = 0
        self._wal_limit = _WAL_LIMIT
        self._idle: asyncio.TimerHandle | None = None

    @property
    def under_way(self) -> bool:
        """Whether a plain commit is; its end calls for care once somebody has taken over."""
        return bool(self.backlog.under_way)

    @property
    def can_be_emptied(self) -> bool:
        """Whether there is something in the write-ahead log."""
        return self._wal_pages > 0

    def append(self, entry: Entry) -> None:
        """Take an event; its chain value must follow the backlog's."""
        self.backlog.append(entry)
        if not self._called and not self._loop.is_closed():
            # In the pass after the next one: whoever has just been begun, a request's own task, say, appends before.
            self._called = True
            self._loop.call_soon(self._loop.call_soon, self._next)

    def note_written(self, size: int) -> None:
        """Reckon with this many more bytes in the write-ahead log; as measured, each commit adds six pages.

        It is not looked up: see `place` for what that would cost.
        """
        self._wal_pages += 6 + size // 4096

    def take_over(self) -> None:
        """From now on, only the caller commits; what is under way has yet to end."""
        self._cared_for = True

    def go_on(self) -> None:
        """Commits go on by themselves."""
        self._cared_for = False
        self._called = True
        self._loop.call_soon(self._next)  # Those who have just been told may append at once: that joins the group.

    def move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop of before is closed: whoever waits there will never hear, nor shall we of what is under way."""
        self._loop = loop
        self._idle = None
        self.backlog.put_back()
        self.backlog.forget_waiters()

    def end(self) -> None:
        """Let go of the loop."""
        self.closing = True
        if self._idle is not None:
            self._idle.cancel()

    async def commit(self) -> bool:
        """Commit the next group with all the care that it may need; whether that succeeded.

        Errors: what is no fault of the store.
        """
        backlog, holding = self.backlog, self._holding
        if self._wal_pages > self._wal_limit or backlog.failure is not None:  # A log that cannot grow can be emptied.
            await self.checkpoint()
        try:
            misplaced = await holding.prepare(backlog.stored)
            await holding.perform(self._work())
            if misplaced is not None:
                raise misplaced
        except STORE_FAULTS as error:
            self._fail(error)
            return False
        except asyncio.CancelledError:
            backlog.put_back()
            raise
        self._succeed()
        return True

    async def checkpoint(self) -> None:
        """Empty the write-ahead log, as far as readers allow."""
        remaining = await self._holding.checkpoint()
        self._wal_pages = 0
        self._wal_limit = _WAL_LIMIT + remaining  # What a reader holds back cannot be helped by asking more often.
        if not self._holding.is_clean and self._idle is None and not self.closing:
            self._wal_pages = 1  # What has been forgotten must go: here it is asked again, though nothing be written.
            self._watch_for_rest()

    def _next(self) -> None:
        """Hand what waits to the thread, unless that takes more care than a callback can give."""
        backlog = self.backlog
        if self._cared_for or backlog.under_way:
            return
        if not backlog.queue:
            self._called = False
        elif self._wal_pages > self._wal_limit or not self._holding.is_in_order():
            self._call_for_care()
        else:
            self._holding.hand_over(self._work(), self._hear)

    def _work(self) -> Callable[[sqlite3.Connection], None]:
        entries, doubt = self.backlog.take()
        if self.describe is not None:
            entries = [*entries, *facts_of(entries, self.describe)]
        return partial(transaction.commit, entries=entries, stream=self._holding.meta.stream, in_doubt_after=doubt)

    def _hear(self, fault: BaseException | None) -> None:
        """The thread's word on a plain commit. What is no fault of the store is met again by who takes over."""
        if fault is not None:
            self._fail(fault)
            self._call_for_care()
            return
        told = self._succeed()
        if self.closing or self._cared_for:
            self._call_for_care()
        elif len(self.backlog.queue) > told:
            self._next()
        else:  # Those who have just been told may append at once: that still joins the group.
            self._loop.call_soon(self._next)

    def _succeed(self) -> int:
        self.note_written(sum([len(entry.row.payload) + 800 for entry in self.backlog.under_way]))
        if self._idle is None:
            self._watch_for_rest()
        self._loop.call_soon(self.backlog.forget_told)
        return self.backlog.succeeded()

    def _fail(self, error: BaseException) -> None:
        self.backlog.failed(error, lambda: self.unavailable(error))

    def unavailable(self, error: BaseException) -> LogUnavailable:
        """What callers are told while nothing can be written."""
        unavailable = LogUnavailable(transaction.describe(self._holding.path, error))
        unavailable.__cause__ = error
        return unavailable

    def _watch_for_rest(self) -> None:
        self._idle = self._loop.call_later(_IDLE_S, self._rest, self.backlog.seq)

    def _rest(self, seq: int) -> None:
        """Call for a checkpoint, if nothing has come after that event for a while."""
        self._idle = None
        if seq < self.backlog.seq or self._called:
            self._watch_for_rest()
        else:
            self._call_for_care()
