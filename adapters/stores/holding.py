"""A log's file while it is open: the thread that works on it, the right to do so, and whether it is still there."""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, Self, TypeVar

from understudy.adapters.stores import erasable, rescue, transaction
from understudy.adapters.stores.checked_head import checked_head
from understudy.adapters.stores.lock import InUseBriefly, OwnerLock
from understudy.adapters.stores.place import Place, Sight
from understudy.adapters.stores.schema import Meta, holds_log
from understudy.adapters.stores.store_thread import StoreThread
from understudy.events.errors import LogUnavailable, UnderstudyError
from understudy.events.log import Head

P = ParamSpec("P")
T = TypeVar("T")

_COPY: Final = "or stop this engine, which then leaves a copy of everything beside it"
_SENTENCES: Final = {
    Sight.GONE: f"the file was removed or moved away while in use; put it back, {_COPY}",
    Sight.REPLACED: f"the file was replaced by another one while in use; put the first one back, {_COPY}",
    Sight.SHRUNK: "the file was cut or written over while in use; stop this engine, and restore a backup",
}
_TORN: Final = (
    "its write-ahead log was cut while in use; stop this engine and start it again: it goes on after the last event"
    " that is whole, and `understudy verify` tells which that is"
)
_LOOK_AROUND_S: Final = 0.1
"""Seconds after which is looked at what no commit depends on: the lock, and which files others find beside it."""
_LONG_PAGES: Final = 2 * 4_096
"""Pages (32 MB) from which on readers are waited for, so that the write-ahead log can be begun anew."""
_PATIENCE_MS: Final = 100
_ATTEMPTS: Final = 300
_PAUSE_S: Final = 0.01
"""Between attempts to take over from an owner who lets go in an instant: three seconds, should its disk be slow."""


class Holding:
    """A connection in a thread of its own, on a file that this process owns."""

    def __init__(
        self, thread: StoreThread, lock: OwnerLock, *, path: Path, meta: Meta, head: Head, schema_version: int
    ) -> None:
        self.path = path
        self.meta = meta
        self.head = head
        """The end of the stream when the file was opened."""
        self.thread = thread
        self.lock = lock
        self._place = Place(path)
        self._schema_version = schema_version
        self._moved_in = False
        self.is_clean = True
        """Whether nothing is left in the write-ahead log of what has been forgotten, as far as has been seen."""
        self._spoilt: str | None = None
        """What is wrong with the file, if it is damaged: nothing may be written or moved in it any more."""
        self._errands = 0
        self._look_around_s = 0.0
        self._long_pages = _LONG_PAGES

    @classmethod
    async def take(
        cls, path: Path, *, stream: str, writer: str, brief: bool, salt: bytes | None, busy_timeout_ms: int
    ) -> Self:
        """Open the file as its only writer, and make it a log if it is new.

        Errors: LogInUse, NotALog, LogUnavailable; sqlite3.Error if it cannot be opened. Nothing is left behind then.
        """
        rescue.refuse_remains(path)
        thread = await StoreThread.start(path, busy_timeout_ms=busy_timeout_ms)
        lock = holding = None
        try:
            if await thread.perform(holds_log, path):  # Before the lock: no lock file beside a stranger's file.
                rescue.refuse_torn(path)
            lock = await _owned(path, writer=writer, brief=brief)
            meta = await thread.perform(transaction.open_store, path, stream=stream, salt=salt)
            lock.note_store(meta.store_id)
            head = await thread.perform(checked_head, stream)
            version = await thread.perform(transaction.schema_version)
            holding = cls(thread, lock, path=path, meta=meta, head=head, schema_version=version)
        finally:
            if holding is None:
                await _end(thread, lock)
        return holding

    @property
    def busy(self) -> bool:
        """Whether the thread has work whose end the loop has not heard of."""
        return self._errands > 0

    async def perform(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run something on the connection between two commits.

        Errors: LogUnavailable in a forked child, which has not got the thread.
        """
        self.refuse_child()
        self._errands += 1
        try:
            return await self.thread.perform(work, *args, **kwargs)
        finally:
            self._errands -= 1

    def hand_over(self, work: Callable[[sqlite3.Connection], T], then: Callable[[T | BaseException], None]) -> None:
        """The same without a task that waits: its result, or what it raised, is passed to `then` in the loop."""

        def heard(answer: T | BaseException) -> None:
            self._errands -= 1
            then(answer)

        self.thread.hand_over(work, heard)
        self._errands += 1

    def refuse_child(self) -> None:
        """The file, the thread and the lock are the parent's.

        Errors: LogUnavailable in a child that was forked after the log was opened.
        """
        parent = self.lock.inherited_from
        if parent is not None:
            raise LogUnavailable(
                f"the log {self.path} was opened by process {parent}, of which this one is a fork; call the engine"
                " there, or give this process an engine and a file of its own"
            )

    def is_in_order(self) -> bool:
        """Whether a commit may follow at once; else `prepare` has something to mend, or to tell."""
        try:
            strange = self._look_around() or self._place.database() is not Sight.WHOLE
            if not strange and self._spoilt is None and self._place.wal() is Sight.WHOLE:
                return True
        except (OSError, UnderstudyError):
            pass  # It comes up again there.
        self._look_around_s = 0.0  # It has to be seen again by whoever mends it.
        return False

    async def prepare(self, stored: Head) -> LogUnavailable | None:
        """See that what is to be written will follow on what is stored already, where the next start will look for it.

        If only the place is wrong, the error is returned, not raised: what is written all the same cannot be
        acknowledged, but is copied aside with the rest in the end. A write-ahead log that somebody has removed is put
        right: all of it goes into the database first.
        Errors: LogInUse if somebody else has taken the log over; LogUnavailable if it has been cut; sqlite3.Error,
        OSError.
        """
        if self._spoilt is not None:
            raise LogUnavailable(self._spoilt)
        sight = self._place.database()
        if sight is Sight.SHRUNK and await self.perform(self._was_vacuumed):
            self._place.remember()
        elif sight is Sight.SHRUNK:
            self._spoilt = _SENTENCES[sight]
            raise LogUnavailable(self._spoilt)
        elif sight is not Sight.WHOLE:
            return LogUnavailable(_SENTENCES[sight])
        await self._prepare_wal(stored, loose=self._look_around())
        return None

    async def _prepare_wal(self, stored: Head, *, loose: bool) -> None:
        sight = self._place.wal()
        if sight is Sight.SHRUNK:
            if self._place.is_cut() or not await self.perform(self._reaches, stored):
                self._spoilt = _TORN
                raise LogUnavailable(_TORN)
            self._place.remember()
        elif loose or sight is not Sight.WHOLE:
            await self.perform(self._move_in)
            self._place.remember()

    def _look_around(self) -> bool:
        """See, now and then, that we still own the log; tells whether others find other files beside it than ours."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._look_around_s:
            return False
        if self.lock.is_displaced():
            self.lock.renew()
            self.lock.note_store(self.meta.store_id)
        self._look_around_s = now_s + _LOOK_AROUND_S
        return self._place.beside() is not Sight.WHOLE

    async def checkpoint(self) -> int:
        """Move what is in the write-ahead log into the database; how many pages remain.

        It begins anew by itself once a commit finds nobody reading it. Where somebody always is, it has to be waited
        for, briefly; in vain, it is tried again when the log has doubled.
        Errors: none; the next commit tells what is wrong.
        """
        try:
            return await self._checkpoint()
        except (sqlite3.Error, OSError, LogUnavailable):
            return 0

    async def _checkpoint(self) -> int:
        if self._spoilt is not None or {self._place.wal(), self._place.database()} != {Sight.WHOLE}:
            return 0  # What was cut must not be filled up.
        pages, remaining = await self.perform(transaction.checkpoint)
        if pages > self._long_pages:
            anew = await self.perform(transaction.begin_wal_anew, patience_ms=_PATIENCE_MS)
            self._long_pages = _LONG_PAGES if anew else 2 * pages
            remaining = 0 if anew else remaining
        if not remaining:
            self._place.expect_another_round()
        await self._clean()
        return remaining

    async def _clean(self) -> None:
        """Leave nothing in the write-ahead log of what has been forgotten."""
        if await self.perform(erasable.is_clean):
            self.is_clean = True
            return
        self.is_clean = await self.perform(erasable.clean, patience_ms=_PATIENCE_MS)
        if self.is_clean:
            self._place.remember()

    async def let_go(self) -> None:
        """Tidy up, end the thread, and give the lock back.

        Errors: LogUnavailable if the file is not in its place or not whole, and where its content is now; all is let
        go even then. LogUnavailable in a forked child, whose lock is gone already.
        """
        self.refuse_child()
        with ExitStack() as last:
            try:
                await self._leave(last)
            finally:
                self._place.forget()
                await _end(self.thread, self.lock)

    def abandon(self) -> None:
        """Let go where no loop is left that could be waited in; what is in the write-ahead log stays there."""
        self._place.forget()
        self.thread.end()
        self.lock.release()

    async def _leave(self, last: ExitStack) -> None:
        if self._place.database() in {Sight.GONE, Sight.REPLACED}:
            mode = self._place.mode
            told = await self.perform(rescue.copy_beside, self.path, stream=self.meta.stream, mode=mode)
            self._place.clear()
            raise LogUnavailable(told)
        if self._spoilt is not None:
            last.enter_context(rescue.held_open(self.path))
            raise LogUnavailable(f"{self.path} was closed as it is: {self._spoilt}")
        await self.perform(transaction.finish)

    def _reaches(self, _: sqlite3.Connection, stored: Head) -> bool:
        """Whether somebody who opens the file now finds what is stored: our own connection may remember it."""
        return transaction.head_for_others(self.path, stream=self.meta.stream) == stored

    def _move_in(self, connection: sqlite3.Connection) -> None:
        if not self._moved_in:
            transaction.move_all(connection)
            self._moved_in = True
        connection = self.thread.reconnect(connection)
        transaction.open_store(connection, self.path, stream=self.meta.stream, salt=None)
        self._moved_in = False

    def _was_vacuumed(self, connection: sqlite3.Connection) -> bool:
        """Whether the file is smaller because another program has vacuumed it, which gives it a new schema version."""
        version = transaction.schema_version(connection)
        vacuumed, self._schema_version = version != self._schema_version, version
        return vacuumed


async def _owned(path: Path, *, writer: str, brief: bool) -> OwnerLock:
    """The lock, once an owner that lets go in an instant has done so."""
    for _ in range(_ATTEMPTS):
        with suppress(InUseBriefly):
            return OwnerLock.take(path, writer=writer, brief=brief)
        await asyncio.sleep(_PAUSE_S)
    return OwnerLock.take(path, writer=writer, brief=brief)


async def _end(thread: StoreThread, lock: OwnerLock | None) -> None:
    try:
        await thread.close()
    finally:
        if lock is not None:
            lock.release()
