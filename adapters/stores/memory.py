"""The event log in memory: the model that the others are compared with. Everything is durable at once.

Rows and chain values are worked out when somebody asks for them: a log that nobody reads costs next to
nothing.
"""

import secrets
from bisect import bisect_right
from collections.abc import Awaitable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Final

from pydantic_core import to_json

from understudy.adapters.stores.claims import is_free_after, named
from understudy.adapters.stores.side_tables import SNAPSHOTS_KEPT
from understudy.events.chain import genesis, link
from understudy.events.codec import encode, refuse_if_too_large
from understudy.events.decisions import Event
from understudy.events.errors import LogInUse, LogUnavailable
from understudy.events.log import (
    ClaimKey,
    Command,
    Describe,
    ForgetSensitive,
    Head,
    Link,
    LogReader,
    SealedBlock,
    SideWrite,
    Snapshot,
    StoreSensitive,
    TakeCommand,
)
from understudy.events.requests import RequestAccepted
from understudy.events.row import Recorded, Row

# A NamedTuple's own constructor takes twice as long.
_recorded: Final = partial(tuple.__new__, Recorded)


class _Done:
    """Awaitable: done already."""

    __slots__ = ()

    def __await__(self) -> Generator[object, None, None]:
        yield from ()


_DONE: Final = _Done()


class Book:
    """The events of one stream in memory, and a `LogReader` of them; positions are seqs."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self.events: list[Recorded] = []
        self.snapshots: dict[tuple[int, int], Snapshot] = {}
        self.sealed: dict[tuple[int, int], SealedBlock] = {}
        self.sensitive: dict[tuple[str, str], str] = {}
        """Values by token and subject."""
        self._rows: list[Row] = []
        self._chain: list[bytes] = [genesis(stream)]

    @property
    def stream(self) -> str:
        """The name of the stream."""
        return self._stream

    @property
    def archived_through(self) -> int:
        """Nothing is archived of what is in memory."""
        return 0

    def head(self) -> Head:
        """The end of the stream."""
        self._work_out()
        return Head(len(self._rows), self._chain[-1])

    def rows(self, *, after: int = 0, through: int | None = None) -> Iterator[Row]:
        """Rows in order, with `after` < seq <= `through`."""
        self._work_out()
        return iter(self._rows[after:through])

    def links(self, *, after: int = 0, through: int | None = None) -> Iterator[Link]:
        """The same rows as chain material."""
        for row in self.rows(after=after, through=through):
            yield Link(row.seq, self._chain[row.seq], to_json(row))

    def row(self, seq: int) -> Row | None:
        """The row of one event, None if there is none."""
        return next(self.rows(after=seq - 1, through=seq), None)

    def request_rows(self, request_id: str) -> Sequence[Row]:
        """All rows of one request, in order."""
        return [row for row in self.rows() if row.request_id == request_id]

    def operations(self, kind: str, *, through: int | None = None) -> Sequence[Row]:
        """The rows of one kind that belong to no request, in order."""
        return [row for row in self.rows(through=through) if row.kind == kind and row.request_id is None]

    def seq_at(self, *, at_us: int | None = None, position: int | None = None) -> int:
        """The last seq whose event is not later than an instant, or than a position; 0 if none."""
        if position is not None and at_us is None:
            return max(0, min(position, len(self.events)))
        if at_us is not None and position is None:
            return bisect_right(self.events, at_us, key=lambda recorded: recorded.at_us)
        raise ValueError("name either an instant or a position")

    def snapshot(self, *, fold_version: int, through: int | None = None) -> Snapshot | None:
        """The newest snapshot of a fold at or before `through`."""
        all_of_it = (one for (version, _), one in self.snapshots.items() if version == fold_version)
        fitting = [one for one in all_of_it if through is None or one.seq <= through]
        return max(fitting, key=lambda one: one.seq, default=None)

    def blocks(self, *, fold_version: int, after: int = 0) -> Iterator[SealedBlock]:
        """The sealed blocks with `after` < first_seq, in order."""
        for place in sorted(place for place in self.sealed if place[0] == fold_version and place[1] > after):
            yield self.sealed[place]

    def sealed_through(self, *, fold_version: int) -> int:
        """The last seq that a sealed block covers; 0 if there is none."""
        return max((block.last_seq for block in self.blocks(fold_version=fold_version)), default=0)

    def chain_at(self, seq: int) -> bytes | None:
        """The chain value of one event; None if there is no such event, the genesis value for 0."""
        self._work_out()
        return self._chain[seq] if 0 <= seq < len(self._chain) else None

    def kept(self, tokens: Collection[str]) -> Collection[str]:
        """Those of these tokens whose sensitive value is still there."""
        return {token for token, _ in self.sensitive if token in tokens}

    def _work_out(self) -> None:
        for seq, at_us, event in self.events[len(self._rows) :]:
            row = encode(event, seq=seq, at_us=at_us)
            self._rows.append(row)
            self._chain.append(link(self._chain[-1], row))


class MemoryLog:
    """An `EventLog` that lasts as long as the object: for tests, simulation, and those who need no record."""

    def __init__(self, *, stream: str = "main", capacity: int = 100_000, salt: bytes | None = None) -> None:
        self._ledger = Book(stream)
        self._capacity = capacity
        self._salt = secrets.token_bytes(32) if salt is None else salt
        self._owner: str | None = None
        self._claims: dict[tuple[str, str, str], ClaimKey] = {}
        self._inbox: dict[int, str] = {}
        self._last_command = 0

    @property
    def stream(self) -> str:
        """The name of the stream this log writes to."""
        return self._ledger.stream

    @property
    def head(self) -> Head:
        """The end of the stream."""
        return self._ledger.head()

    @property
    def pending(self) -> int:
        """None ever: everything is durable at once."""
        return 0

    @property
    def busy(self) -> bool:
        """Never: there is no thread."""
        return False

    @property
    def file(self) -> str | None:
        """There is none."""
        return None

    @property
    def lasting(self) -> bool:
        """It ends with its process."""
        return False

    @property
    def capacity(self) -> int:
        """How many events might be pending, if any ever were."""
        return self._capacity

    @property
    def salt(self) -> bytes:
        """The secret of this store."""
        return self._salt

    async def open(self, writer: str) -> None:
        """Take the stream over; what was appended before is still there.

        Errors: LogInUse if it is open.
        """
        if self._owner is not None:
            raise LogInUse(f"this log in memory is in use by {self._owner!r}; close it first")
        self._owner = writer

    async def close(self) -> None:
        """Let the stream go. Safe to repeat."""
        self._owner = None

    def check(self) -> None:
        """Raise LogUnavailable if the log is not open."""
        if self._owner is None:
            raise LogUnavailable("this log in memory is not open; open it first")

    def describe_with(self, describe: Describe) -> None:
        """Nobody asks a log in memory in SQL."""

    def append(self, event: Event, *, at_us: int, side: Sequence[SideWrite] = ()) -> Recorded:
        """Give an event its place.

        Errors: EventRefused for a `RequestAccepted`; LogUnavailable if the log is not open.
        """
        if self._owner is None:
            self.check()
        events = self._ledger.events
        recorded = _recorded((len(events) + 1, at_us, event))
        if type(event) is RequestAccepted:
            refuse_if_too_large(event)
        events.append(recorded)
        for write in side:
            self._write_aside(write, at_us=at_us)
        return recorded

    def durable(self, seq: int) -> Awaitable[None]:
        """Done already."""
        if seq > len(self._ledger.events):
            raise ValueError(f"event {seq} has not been appended; the last one is {len(self._ledger.events)}")
        return _DONE

    async def claim(self, *, principal: str, operation: str, key: str, at_us: int) -> ClaimKey | None:
        """Who holds an idempotency key at that instant."""
        claim = self._claims.get((principal, operation, key))
        return None if is_free_after(claim, at_us=at_us) else claim

    async def request_rows(self, request_id: str) -> Sequence[Row]:
        """All rows of one request in order."""
        return self._ledger.request_rows(request_id)

    async def reveal(self, tokens: Sequence[str]) -> Mapping[str, str]:
        """The sensitive values that are still there, by token."""
        return {token: value for (token, _), value in self._ledger.sensitive.items() if token in tokens}

    def put_command(self, body: str) -> int:
        """Put a command, as JSON, into the inbox; the command's id."""
        self._last_command += 1
        self._inbox[self._last_command] = body
        return self._last_command

    async def commands(self) -> Sequence[Command]:
        """What waits in the inbox, oldest first."""
        return [Command(command_id, body) for command_id, body in self._inbox.items()]

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot, and let go of those that nobody will want."""
        self.durable(snapshot.seq)
        kept = self._ledger.snapshots
        kept[snapshot.fold_version, snapshot.seq] = snapshot
        ours = sorted(place for place in kept if place[0] == snapshot.fold_version)
        for place in list(kept):
            if place[0] < snapshot.fold_version or place in ours[:-SNAPSHOTS_KEPT]:
                del kept[place]

    async def save_block(self, block: SealedBlock) -> None:
        """Keep a sealed block, and let go of those of older folds."""
        self.durable(block.last_seq)
        kept = self._ledger.sealed
        kept[block.fold_version, block.first_seq] = block
        for place in [place for place in kept if place[0] < block.fold_version]:
            del kept[place]

    async def remove_archived(self, *, most: int) -> bool:
        """Nothing is archived of what is in memory."""
        del most
        return False

    def reader(self) -> AbstractContextManager[LogReader]:
        """A reader of the log, which goes on seeing what is appended."""
        return nullcontext(self._ledger)

    def _write_aside(self, write: SideWrite, *, at_us: int) -> None:
        match write:
            case ClaimKey():
                if is_free_after(self._claims.get(named(write)), at_us=at_us):
                    self._claims[named(write)] = write
            case StoreSensitive():
                self._ledger.sensitive[write.token, write.subject] = write.value
            case ForgetSensitive():
                for which in write.values:
                    self._ledger.sensitive.pop(which, None)
            case TakeCommand():
                self._inbox.pop(write.command_id, None)
