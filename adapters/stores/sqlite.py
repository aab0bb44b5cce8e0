"""The event log in a SQLite file: the port's face. `sqlite_writer` and `transaction` do the work."""

import sqlite3
import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from understudy.adapters.stores import erasable, side_tables
from understudy.adapters.stores.claims import holder
from understudy.adapters.stores.entry import Entry
from understudy.adapters.stores.faults import cannot_open, remedy
from understudy.adapters.stores.holding import Holding
from understudy.adapters.stores.sqlite_reader import SqliteReader
from understudy.adapters.stores.sqlite_writer import Writer
from understudy.adapters.stores.sweep import ROWS_A_PAGE, Sweeping
from understudy.events.chain import link
from understudy.events.codec import encode
from understudy.events.decisions import Event
from understudy.events.errors import LogInUse, LogUnavailable
from understudy.events.log import (
    ClaimKey,
    Command,
    Describe,
    Head,
    LogReader,
    SealedBlock,
    SideWrite,
    Snapshot,
    StoreSensitive,
    TakeCommand,
)
from understudy.events.row import Recorded, Row

P = ParamSpec("P")
T = TypeVar("T")

# A NamedTuple's own constructor takes twice as long.
_recorded: Final = partial(tuple.__new__, Recorded)
_entry: Final = partial(tuple.__new__, Entry)

DEFAULT_CAPACITY: Final = 100_000
"""Events that may be pending: at 1 KB each, 100 MB of memory."""


class SqliteLog:
    """An `EventLog` in a SQLite file with one owner; others may read it, and use its inbox, at any time."""

    def __init__(
        self,
        path: str | Path,
        *,
        stream: str = "main",
        capacity: int = DEFAULT_CAPACITY,
        busy_timeout_ms: int = 5_000,
        salt: bytes | None = None,
        brief: bool = False,
        archive: Path | None = None,
    ) -> None:
        """A log that is not yet open.

        `salt` is what a new store shall have as its secret, None for a random one; a store that exists keeps
        its own. `busy_timeout_ms` is how long a commit waits for a transaction of another program before it
        counts as failed. `archive` is where archived files are, as far as not where they were put: the first start
        of a version that folds the log anew needs them. `brief` tells an engine that wants to start meanwhile to wait:
        this owner lets go in an instant.
        """
        self._path = Path(path).resolve()
        self._stream = stream
        self._capacity = capacity
        self._busy_timeout_ms = busy_timeout_ms
        self._wanted_salt = salt
        self._brief = brief
        self._archive = archive
        self._writer: Writer | None = None
        self._owner: str | None = None
        self._sweeping = Sweeping(stream)

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._path

    @property
    def stream(self) -> str:
        """The name of the stream this log writes to."""
        return self._stream

    @property
    def head(self) -> Head:
        """The end of the stream, what is not yet durable included."""
        return self._opened().head

    @property
    def pending(self) -> int:
        """Events appended and not yet durable."""
        return 0 if self._writer is None else self._writer.pending

    @property
    def busy(self) -> bool:
        """Whether the store's thread is at work, or the log is being opened: what virtual time must stand still for.

        False between the attempts of a commit that failed, when only a timer can bring things forward.
        """
        return self._owner is not None if self._writer is None else self._writer.busy

    @property
    def file(self) -> str | None:
        """Where it is, as text."""
        return str(self._path)

    @property
    def lasting(self) -> bool:
        """A file outlives its process."""
        return True

    @property
    def capacity(self) -> int:
        """How many events may be pending."""
        return self._capacity

    @property
    def salt(self) -> bytes:
        """The secret of this store."""
        return self._opened().holding.meta.salt

    def describe_with(self, describe: Describe) -> None:
        """Have the facts of providers stored with the events that concern them; to be said after `open`."""
        self._opened().describe_with(describe)

    async def open(self, writer: str) -> None:
        """Take the stream over, as the writer of that name.

        Errors: LogInUse naming the owner; NotALog if the file is something else or newer; LogUnavailable if
        it cannot be opened or its end is damaged.
        """
        if self._owner is not None:
            raise LogInUse(f"{self._path} is open here already, by {self._owner!r}; close it first")
        self._owner = writer
        taken = None
        try:
            taken = await self._take_over(writer)
        finally:
            if taken is None:
                self._owner = None
        self._writer = taken

    async def close(self) -> None:
        """Make everything durable and let the stream go. Safe to repeat, and to cancel: that passes on once it is done.

        It may be called in another event loop, if the one that the log was opened in is closed.
        Errors: LogUnavailable if something could not be made durable, naming how many events, or if the file is not
        in its place, saying where its content is now; all is let go even then.
        """
        if self._writer is None or self._owner is None:
            return
        if self._writer.holding.lock.inherited_from is not None:
            self._owner = None  # It is the parent's to close.
            return
        try:
            await self._writer.close()
        finally:
            if self._writer.ended:
                self._owner = None

    def __del__(self) -> None:
        """Whoever forgets to close is told, and the file is let go all the same."""
        writer = getattr(self, "_writer", None)
        if writer is None or writer.ended or writer.holding.lock.inherited_from is not None:
            return
        warnings.warn(
            f"the log {self._path} was not closed: stop its engine, or await its close()",
            ResourceWarning,
            stacklevel=1,
            source=self,
        )
        writer.abandon()

    def check(self) -> None:
        """Raise LogUnavailable if nothing can be made durable now, with the cause and what to do."""
        self._opened().check()

    def append(self, event: Event, *, at_us: int, side: Sequence[SideWrite] = ()) -> Recorded:
        """Give an event its place, at once, in memory; it becomes durable with its group.

        Errors: EventRefused for a `RequestAccepted`; LogUnavailable before `open` and after `close`, never
        because of a fault of the disk: what cannot be written now is kept and tried again.
        """
        writer = self._opened()
        backlog = writer.backlog
        row = encode(event, seq=backlog.seq + 1, at_us=at_us)
        writer.append(_entry((row, link(backlog.chain, row), side)))
        return _recorded((row.seq, at_us, event))

    def durable(self, seq: int) -> Awaitable[None]:
        """Done once the event is durable, and with it all before it; raises LogUnavailable if that failed."""
        return self._opened().durable(seq)

    async def claim(self, *, principal: str, operation: str, key: str, at_us: int) -> ClaimKey | None:
        """Who holds an idempotency key at that instant, pending claims included."""
        stored = await self._ask(side_tables.find_claim, principal=principal, operation=operation, key=key)
        # The answer comes before word of any later commit, and we are woken in the next pass of the loop at the latest:
        # what the question did not see is among the pending entries still.
        wanted = (principal, operation, key)
        return holder(stored, self._opened().pending_entries(), wanted=wanted, at_us=at_us)

    async def request_rows(self, request_id: str) -> Sequence[Row]:
        """All rows of one request in order, pending ones included."""
        rows = await self._ask(side_tables.request_rows, request_id, stream=self._stream)
        last = rows[-1].seq if rows else 0
        pending = (entry.row for entry in self._opened().pending_entries())
        return [*rows, *(row for row in pending if row.request_id == request_id and row.seq > last)]

    async def reveal(self, tokens: Sequence[str]) -> Mapping[str, str]:
        """The sensitive values that are still there, by token, pending ones included."""
        values = await self._ask(erasable.reveal, tuple(tokens))
        for entry in self._opened().pending_entries():
            for write in entry.side:
                if isinstance(write, StoreSensitive) and write.token in tokens:
                    values[write.token] = write.value
        return values

    async def commands(self) -> Sequence[Command]:
        """What waits in the inbox, oldest first, but for what has been taken already."""
        waiting = await self._ask(side_tables.commands)
        taken = {
            write.command_id
            for entry in self._opened().pending_entries()
            for write in entry.side
            if isinstance(write, TakeCommand)
        }
        return [command for command in waiting if command.command_id not in taken]

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot, once the events that it stands for are durable."""
        await self.durable(snapshot.seq)
        await self._ask(side_tables.save_snapshot, snapshot, stream=self._stream)
        self._opened().note_written(len(snapshot.content))

    async def save_block(self, block: SealedBlock) -> None:
        """Keep a sealed block, once its events are durable."""
        await self.durable(block.last_seq)
        await self._ask(side_tables.save_block, block, stream=self._stream)
        self._opened().note_written(len(block.records))

    async def remove_archived(self, *, most: int) -> bool:
        """Remove a few rows of what is archived and durable on record; whether there may be more."""
        more = await self._ask(self._sweeping.remove_some, most=most)
        self._opened().note_written(most // ROWS_A_PAGE * 4096)
        return more

    def reader(self) -> AbstractContextManager[LogReader]:
        """A reader of what is durable."""
        return SqliteReader.open(self._path, stream=self._stream, archive=self._archive)

    def _opened(self) -> Writer:
        if self._writer is None:
            raise LogUnavailable(f"the log {self._path} is not open; open it first")
        if self._writer.holding.lock.inherited_from is not None:
            self._writer.holding.refuse_child()
        return self._writer

    async def _ask(
        self, work: Callable[Concatenate[sqlite3.Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        try:
            return await self._opened().perform(work, *args, **kwargs)
        except (
            sqlite3.Error,
            ValueError,
        ) as error:  # A ValueError is aiosqlite's word for a closed connection.
            raise LogUnavailable(f"the log {self._path} does not answer: {remedy(error)}") from error

    async def _take_over(self, owner: str) -> Writer:
        try:
            return Writer(
                await Holding.take(
                    self._path,
                    stream=self._stream,
                    writer=owner,
                    brief=self._brief,
                    salt=self._wanted_salt,
                    busy_timeout_ms=self._busy_timeout_ms,
                )
            )
        except (sqlite3.Error, OSError) as error:
            raise LogUnavailable(cannot_open(self._path, error)) from error
