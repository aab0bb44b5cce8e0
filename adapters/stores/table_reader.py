"""Reading the tables of a log in SQLite, and nothing else: what stands in one database.

Each look is a short transaction of its own, so that a slow reader never keeps the write-ahead log from being emptied.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from understudy.adapters.stores import erasable, schema
from understudy.adapters.stores.archive_file import Entry
from understudy.adapters.stores.damage import damage_of
from understudy.adapters.stores.event_search import Progress, Wanted, matching, newest, operations_called
from understudy.adapters.stores.faults import remedy, unreadable
from understudy.adapters.stores.request_search import RequestsWanted, newest_requests, requests_beginning
from understudy.adapters.stores.side_damage import side_damage, tail_damage
from understudy.adapters.stores.side_tables import request_rows
from understudy.adapters.stores.transaction import stored_head
from understudy.events.chain import genesis
from understudy.events.errors import UnreadableEvent
from understudy.events.log import Head, Link, SealedBlock, Snapshot
from understudy.events.row import Row

T = TypeVar("T", Row, Link, Entry)
A = TypeVar("A")

_CHUNK: Final = 256
"""Rows read in one transaction."""

_LAST: Final = 2**63 - 1

# In the order of the table itself: through the index on (stream, seq), every row would be looked up twice.
_RANGE: Final = " FROM events NOT INDEXED WHERE position > ? AND position <= ? AND stream = ? ORDER BY position LIMIT ?"
_POSITION: Final = "SELECT position FROM events WHERE stream = ? AND seq <= ? ORDER BY seq DESC LIMIT 1"
_ROWS: Final = f"SELECT {schema.COLUMNS}{_RANGE}"
_SEQ_AT_INSTANT: Final = (
    "SELECT seq FROM events WHERE at_us <= ? AND stream = ? ORDER BY at_us DESC, position DESC LIMIT 1"
)
_SEQ_AT_POSITION: Final = "SELECT seq FROM events WHERE position <= ? AND stream = ? ORDER BY position DESC LIMIT 1"
_SNAPSHOT: Final = (
    "SELECT seq, chain, content FROM snapshots WHERE stream = ? AND fold_version = ? AND seq <= ?"
    " ORDER BY seq DESC LIMIT 1"
)
_BLOCK_COLUMNS: Final = ("fold_version", "first_seq", "last_seq", "chain", "header", "records", "digest")
_BLOCK: Final = (
    "SELECT fold_version, first_seq, last_seq, chain, header, records, digest FROM sealed_blocks"
    " WHERE stream = ? AND fold_version = ? AND first_seq > ? ORDER BY first_seq LIMIT 1"
)
_OF_KIND: Final = " FROM events WHERE kind = ? AND request_id IS NULL AND stream = ? AND seq <= ? ORDER BY position"
_OPERATIONS: Final = f"SELECT {schema.COLUMNS}{_OF_KIND}"
_SEALED_THROUGH: Final = (
    "SELECT last_seq FROM sealed_blocks WHERE stream = ? AND fold_version = ? ORDER BY first_seq DESC LIMIT 1"
)
_LINKS: Final = f"SELECT seq, chain, CAST(json_array({schema.COLUMNS}) AS BLOB){_RANGE}"
_ENTRIES: Final = f"SELECT position, {schema.COLUMNS}, chain{_RANGE}"


class TableReader:
    """A `LogReader` of what stands in a database."""

    def __init__(self, connection: sqlite3.Connection, *, stream: str) -> None:
        self._connection = connection
        self._stream = stream

    @property
    def stream(self) -> str:
        """The name of the stream."""
        return self._stream

    @property
    def connection(self) -> sqlite3.Connection:
        """What it reads through."""
        return self._connection

    @property
    def archived_through(self) -> int:
        """The last seq that is archived: none, where nothing but the database is looked at."""
        return 0

    @property
    def store_id(self) -> str:
        """The id that the store was given when it was made; a copy of the file has the same one."""
        return schema.read_meta(self._connection).store_id

    def damage(self) -> Sequence[str]:
        """What is wrong with the file beside the chain, in words; nothing if it is whole.

        The chain shows every change of an event; this shows what it does not cover: the indexes and the order of
        the pages (as SQLite finds them), or in a whole file a tail that was cut off and claims that are gone. Takes
        about as long as reading the whole file.
        """
        if found := list(damage_of(self._connection)):
            return found
        try:
            return list(side_damage(self._connection, stream=self._stream))
        except sqlite3.Error as error:
            return [remedy(error)]

    def tail_damage(self) -> Sequence[str]:
        """What shows that the end of the log was cut off, in words: a few look-ups, however long the log is."""
        return self._ask(lambda: list(tail_damage(self._connection, stream=self._stream)))

    def journal_mode(self) -> str:
        """How SQLite keeps this file's transactions: `wal`, unless somebody has changed it."""
        return str(self._ask(lambda: self._connection.execute("PRAGMA journal_mode").fetchone()[0]))

    def commands_waiting(self) -> int:
        """How many commands are in the inbox."""
        return int(self._ask(lambda: self._connection.execute("SELECT count(*) FROM inbox").fetchone()[0]))

    def head(self) -> Head:
        """The end of what is durable."""
        return self._ask(lambda: stored_head(self._connection, self._stream))

    def rows(self, *, after: int = 0, through: int | None = None) -> Iterator[Row]:
        """Rows in order, with `after` < seq <= `through`.

        Errors: UnreadableEvent, after all rows before it, where the file is damaged.
        """
        return self._range(_ROWS, partial(tuple.__new__, Row), after=after, through=through)

    def links(self, *, after: int = 0, through: int | None = None) -> Iterator[Link]:
        """The same rows as chain material, the array built by SQLite: equal byte for byte to what was hashed.

        Errors: UnreadableEvent, after all rows before it, where the file is damaged.
        """
        return self._range(_LINKS, partial(tuple.__new__, Link), after=after, through=through)

    def entries(self, *, after: int, through: int) -> Iterator[Entry]:
        """The same rows with their positions and chain values, as an archive keeps them. Errors: as of `rows`."""
        return self._range(_ENTRIES, _entry, after=after, through=through)

    def row(self, seq: int) -> Row | None:
        """The row of one event, None if there is none. Errors: UnreadableEvent."""
        return next(TableReader.rows(self, after=seq - 1, through=seq), None)

    def request_rows(self, request_id: str) -> Sequence[Row]:
        """All rows of one request, in order."""
        return self._ask(lambda: request_rows(self._connection, request_id, stream=self._stream))

    def operations(self, kind: str, *, through: int | None = None) -> Sequence[Row]:
        """The rows of one kind that belong to no request, in order; archiving does not remove them."""
        values = (kind, self._stream, _LAST if through is None else through)
        return self._ask(lambda: [Row._make(found) for found in self._connection.execute(_OPERATIONS, values)])

    def seq_at(self, *, at_us: int | None = None, position: int | None = None) -> int:
        """The last seq whose event is not later than an instant, or than a position; 0 if none."""
        if (at_us is None) == (position is None):
            raise ValueError("name either an instant or a position")
        query, limit = (_SEQ_AT_INSTANT, at_us) if position is None else (_SEQ_AT_POSITION, position)
        found = self._one(query, limit, self._stream)
        return 0 if found is None else int(found[0])

    def snapshot(self, *, fold_version: int, through: int | None = None) -> Snapshot | None:
        """The newest snapshot of a fold at or before `through`."""
        limit = _LAST if through is None else through
        found = self._one(_SNAPSHOT, self._stream, fold_version, limit)
        if found is None:
            return None
        seq, chain, content = found
        return Snapshot(fold_version=fold_version, seq=seq, chain=chain, content=content)

    def blocks(self, *, fold_version: int, after: int = 0) -> Iterator[SealedBlock]:
        """The sealed blocks with `after` < first_seq, in order."""
        while found := self._one(_BLOCK, self._stream, fold_version, after):
            block = SealedBlock(**dict(zip(_BLOCK_COLUMNS, found, strict=True)))
            after = block.first_seq
            yield block

    def search(self, wanted: Wanted, *, after: int = 0, through: int | None = None) -> Iterator[Row]:
        """The events wanted in order, with `after` < seq <= `through`.

        Errors: UnreadableEvent, after all that were found before it, where the file is damaged.
        """
        start, end = self._position(after), self._end(through)
        try:
            for page in matching(self._connection, wanted, stream=self._stream, start=start, end=end):
                for row in page:
                    after = row.seq
                    yield row
        except sqlite3.Error as error:
            raise UnreadableEvent(f"the file cannot be read beyond event {after}: {remedy(error)}") from error

    def before_newest(
        self,
        wanted: Wanted,
        count: int,
        *,
        after: int = 0,
        through: int | None = None,
        progress: Progress = lambda _, __: None,
    ) -> int | None:
        """The seq of the last event wanted before the newest `count` of them; None if there are no more than those."""
        start, end = self._position(after), self._end(through)
        found = self._ask(
            lambda: newest(
                self._connection, wanted, count, stream=self._stream, start=start, end=end, progress=progress
            )
        )
        return None if found is None else self.seq_at(position=found)

    def operations_called(self, *, progress: Progress = lambda _, __: None) -> Sequence[str]:
        """The names of all operations, those of the engine's own calls too. Takes a walk over the whole log."""
        return self._ask(lambda: operations_called(self._connection, stream=self._stream, progress=progress))

    def newest_requests(
        self,
        wanted: RequestsWanted,
        *,
        after: int = 0,
        through: int | None = None,
        progress: Progress = lambda _, __: None,
    ) -> Iterator[str]:
        """The ids of the requests wanted whose acceptance has `after` < seq <= `through`, the newest first.

        Errors: LogUnavailable where the file is damaged.
        """
        start, end = self._position(after), self._end(through)
        found = newest_requests(self._connection, wanted, stream=self._stream, start=start, end=end, progress=progress)
        while (request_id := self._ask(lambda: next(found, None))) is not None:
            yield request_id

    def requests_beginning(self, beginning: str) -> Sequence[str]:
        """The ids of all requests that begin so, the newest first."""
        return self._ask(lambda: requests_beginning(self._connection, beginning, stream=self._stream))

    def sealed_through(self, *, fold_version: int) -> int:
        """The last seq that a sealed block covers; 0 if there is none."""
        found = self._one(_SEALED_THROUGH, self._stream, fold_version)
        return 0 if found is None else int(found[0])

    def chain_at(self, seq: int) -> bytes | None:
        """The stored chain value of one event; None if there is no such event, the genesis value for 0."""
        if seq == 0:
            return genesis(self._stream)
        found = self._one("SELECT chain FROM events WHERE stream = ? AND seq = ?", self._stream, seq)
        return None if found is None else bytes(found[0])

    def kept(self, tokens: Collection[str]) -> Collection[str]:
        """Those of these tokens whose sensitive value is still in the side table."""
        return self._ask(lambda: erasable.reveal(self._connection, tokens).keys())

    def _range(
        self, query: str, make: Callable[[tuple[object, ...]], T], *, after: int, through: int | None
    ) -> Iterator[T]:
        start = self._position(after)
        end = _LAST if through is None else self._position(through)
        chunk = _CHUNK
        while True:
            found: list[T] = []
            try:
                found.extend(map(make, self._connection.execute(query, (start, end, self._stream, chunk))))
            except sqlite3.Error as error:
                if chunk == 1:
                    raise UnreadableEvent(f"event {after + 1} cannot be read from the file: {remedy(error)}") from error
                chunk = 1  # SQLite stumbles a row ahead of what it gives: step by step, we see where.
                continue
            yield from found
            if len(found) < chunk:
                return
            after, before = found[-1].seq, start
            start = self._position(after)
            if start <= before:
                raise UnreadableEvent(f"event {after} stands out of order in the file")

    def _end(self, through: int | None) -> int:
        return self._position(_LAST if through is None else through)

    def _position(self, seq: int) -> int:
        found = self._one(_POSITION, self._stream, seq)
        return 0 if found is None else int(found[0])

    def _one(self, query: str, /, *values: object) -> tuple[Any, ...] | None:
        found: tuple[Any, ...] | None = self._ask(lambda: self._connection.execute(query, values).fetchone())
        return found

    def _ask(self, question: Callable[[], A]) -> A:
        try:
            return question()
        except sqlite3.Error as error:
            raise unreadable("the log cannot be read", error) from error


def _entry(values: tuple[Any, ...]) -> Entry:
    position, *row, chain = values
    return Entry(position, Row._make(row), chain)
