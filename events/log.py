"""The event log as the rest of the house sees it: one writer, any number of readers. Stores implement these ports."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

from understudy.events.decisions import Event
from understudy.events.row import Recorded, Row


class Head(NamedTuple):
    """The end of a stream: its last seq (0 when empty) and the 32-byte chain value there."""

    seq: int
    chain: bytes


class Link(NamedTuple):
    """What the chain is checked on: a seq, the stored chain value, and the row as its compact JSON array, in UTF-8."""

    seq: int
    chain: bytes
    body: bytes

    def follows(self, previous: bytes) -> bool:
        """Whether the stored chain value is the one that follows from the chain value before."""
        _, chain, body = self
        return sha256(previous + body).digest() == chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A folded state at a place in the stream; trusted only when `fold_version` and `chain` match."""

    fold_version: int
    seq: int
    chain: bytes
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBlock:
    """Fixed-size records of consecutive events, a cache for fast folding; the rows win where they disagree.

    Shape:  covers `first_seq` to `last_seq`; `chain` is the chain value at `last_seq`; `digest` is the SHA-256 of
            `header` and `records` (see `projections.block`).
    """

    fold_version: int
    first_seq: int
    last_seq: int
    chain: bytes
    header: bytes
    records: bytes
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimKey:
    """Claims a caller's idempotency key for a request, in the transaction of its acceptance."""

    principal: str
    operation: str
    key: str
    body_hash: str
    request_id: str
    expires_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSensitive:
    """Puts a value that the events must not hold into the erasable side table, under its salted hash.

    Shape:  `subject` is whose it is: the salted hash of a name that a caller gave, or the id of the request.
    """

    token: str
    subject: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetSensitive:
    """Overwrites values of the side table where they stand: each by its token and its subject."""

    values: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeCommand:
    """Removes a command from the inbox, in the transaction of the event that it became."""

    command_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StorePreferences:
    """Shows people the preferences that the policy has, by name, unless a change of them waits in the inbox."""

    preferences: Mapping[str, Any]


SideWrite = ClaimKey | StoreSensitive | ForgetSensitive | TakeCommand | StorePreferences

Describe = Callable[[Collection[str] | None], str]
"""Tells the facts of some providers, or of all, as a JSON list: see `engine.health_facts`."""


class Command(NamedTuple):
    """Something that somebody outside the engine wants: a line of the inbox, JSON as it was put there."""

    command_id: int
    body: str


class LogReader(Protocol):
    """A plain synchronous view of one stream, for start-up, replay and the command line. Never writes."""

    @property
    def stream(self) -> str:
        """The name of the stream."""

    @property
    def archived_through(self) -> int:
        """The last seq that has been archived; 0 if none has. What is up to there may be far to fetch, or gone."""

    def head(self) -> Head:
        """The end of what is durable."""

    def rows(self, *, after: int = 0, through: int | None = None) -> Iterator[Row]:
        """Rows in order, with `after` < seq <= `through`."""

    def links(self, *, after: int = 0, through: int | None = None) -> Iterator[Link]:
        """The same rows as chain material, much faster than decoding them."""

    def row(self, seq: int) -> Row | None:
        """The row of one event, None if there is none; fetched from afar only if it is not at hand."""

    def request_rows(self, request_id: str) -> Sequence[Row]:
        """All rows of one request, in order."""

    def operations(self, kind: str, *, through: int | None = None) -> Sequence[Row]:
        """The rows of one kind that belong to no request (policies, overrides, alerts, …), in order."""

    def seq_at(self, *, at_us: int | None = None, position: int | None = None) -> int:
        """The last seq whose event is not later than an instant, or than a position of the store; 0 if none."""

    def snapshot(self, *, fold_version: int, through: int | None = None) -> Snapshot | None:
        """The newest snapshot of a fold at or before `through`; the caller checks its chain value."""

    def blocks(self, *, fold_version: int, after: int = 0) -> Iterator[SealedBlock]:
        """The sealed blocks with `after` < first_seq, in order; the caller checks their digests and chain values."""

    def sealed_through(self, *, fold_version: int) -> int:
        """The last seq that a sealed block covers; 0 if there is none."""

    def chain_at(self, seq: int) -> bytes | None:
        """The stored chain value of one event; None if there is no such event, the genesis value for 0."""

    def kept(self, tokens: Collection[str]) -> Collection[str]:
        """Those of these tokens whose sensitive value is still in the side table."""


class EventLog(Protocol):
    """An append-only log with one writer.

    Errors: every method may raise LogUnavailable; `open` also LogInUse and NotALog.
    """

    @property
    def stream(self) -> str:
        """The name of the stream this log writes to; set after `open`."""

    @property
    def head(self) -> Head:
        """The end of the stream, what is not yet durable included."""

    @property
    def pending(self) -> int:
        """Events appended and not yet durable."""

    @property
    def capacity(self) -> int:
        """How many events may be pending. Admission keeps room for the events that open requests still need."""

    @property
    def lasting(self) -> bool:
        """Whether the log outlives its process: only then is it worth keeping snapshots and sealed blocks."""

    @property
    def file(self) -> str | None:
        """The file that the log is in, as the command line names it; None if there is none."""

    @property
    def salt(self) -> bytes:
        """A secret of this store, for hashing sensitive values."""

    def describe_with(self, describe: Describe) -> None:
        """Have the facts of providers stored with the events that concern them, for people who ask in SQL."""

    async def open(self, writer: str) -> None:
        """Take the stream over, as the writer of that name."""

    async def close(self) -> None:
        """Make everything durable and let the stream go. Safe to repeat."""

    def check(self) -> None:
        """Raise LogUnavailable if nothing can be made durable now."""

    def append(self, event: Event, *, at_us: int, side: Sequence[SideWrite] = ()) -> Recorded:
        """Give an event its place, at once, in memory; it becomes durable with its group.

        Errors: EventRefused for a `RequestAccepted`. No outcome is ever refused.
        """

    def durable(self, seq: int) -> Awaitable[None]:
        """Done once the event is durable, and with it all before it; raises LogUnavailable if that failed."""

    async def claim(self, *, principal: str, operation: str, key: str, at_us: int) -> ClaimKey | None:
        """Who holds an idempotency key at that instant, pending claims included."""

    async def request_rows(self, request_id: str) -> Sequence[Row]:
        """All rows of one request in order, pending ones included."""

    async def reveal(self, tokens: Sequence[str]) -> Mapping[str, str]:
        """The sensitive values that are still there, by token."""

    async def commands(self) -> Sequence[Command]:
        """What waits in the inbox, oldest first."""

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot; older ones of other fold versions may go."""

    async def save_block(self, block: SealedBlock) -> None:
        """Keep a sealed block."""

    async def remove_archived(self, *, most: int) -> bool:
        """Remove rows that are on record as archived, at `most` so many; whether there may be more."""

    def reader(self) -> AbstractContextManager[LogReader]:
        """A reader of what is durable."""
