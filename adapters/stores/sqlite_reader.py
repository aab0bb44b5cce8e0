"""Reading a log in SQLite: plain, synchronous, on a connection of its own that cannot write.

Used by the engine at its start, by replay, and by the command line beside a running engine. What has been archived is
read from its files as if it still stood in the database: the archive tells everything up to a place, the database what
comes after, so that each event is met exactly once, wherever its row lies, be it in both. Rows may go to the archive
while somebody reads: they leave the database only after that is on record, so that whoever looks at the database first
and at the record then has missed nothing.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, Self, TypeVar

from understudy.adapters.stores import erasable, schema
from understudy.adapters.stores.archive import Archive
from understudy.adapters.stores.event_search import Progress, Wanted, in_silence
from understudy.adapters.stores.faults import expect_file, unreadable
from understudy.adapters.stores.joined import joined
from understudy.adapters.stores.reading import reading, standing_still
from understudy.adapters.stores.request_search import RequestsWanted
from understudy.adapters.stores.table_reader import TableReader
from understudy.adapters.stores.views import ViewFaults, view_faults
from understudy.events.errors import NotALog, UnreadableEvent
from understudy.events.log import Link
from understudy.events.requests import RequestAccepted
from understudy.events.row import Row

T = TypeVar("T", Row, Link)

_LAST: Final = 2**63 - 1


class SqliteReader(TableReader):
    """A `LogReader` of what is durable in a file, and in the archive that has been made of it.

    Errors: every method that needs what is archived: ArchiveUnusable, a LogUnavailable, where a file of the archive is
            missing, altered or unreadable.
    """

    def __init__(self, connection: sqlite3.Connection, *, stream: str, path: Path, folder: Path | None) -> None:
        super().__init__(connection, stream=stream)
        self.archive: Archive | None = None
        """What has been archived, as far as that is known; None if nothing has."""
        self._path = path
        self._folder = folder
        self._version: int | None = None
        """Of the database, when it was last asked what is archived."""
        self._unpacking: Progress = in_silence
        self._joined: tuple[int, int, TableReader] | None = None
        self._until_closed = ExitStack()

    @classmethod
    @contextmanager
    def open(
        cls,
        path: str | Path,
        *,
        stream: str | None = None,
        archive: Path | None = None,
        unpacking: Progress = in_silence,
    ) -> Iterator[Self]:
        """A reader of the stream that was last written, or of another one.

        Archived files are looked for in the directory `archive`, if that is given, and then where they were put.
        `unpacking` is told how far that is: a few questions take it.
        Errors: NotALog, with a sentence, if the file is missing, empty, something else, or newer;
        LogUnavailable if it cannot be read, LogDamaged where that is because its file is damaged.
        """
        path = Path(path).absolute()
        expect_file(path)
        with reading(path) as connection:
            if not schema.holds_log(connection, path):
                raise NotALog(f"{path} is empty: no engine has written to it yet")
            try:
                stream = stream or schema.read_meta(connection).stream
                reader = cls(connection, stream=stream, path=path, folder=archive)
                reader._look()
            except sqlite3.Error as error:
                raise unreadable(f"{path} cannot be read", error) from error
            reader._unpacking = unpacking
            with reader._until_closed:
                yield reader

    @property
    def archived_through(self) -> int:
        """The last seq that is archived; 0 if nothing is."""
        return 0 if self.archive is None else self.archive.through

    def rows(self, *, after: int = 0, through: int | None = None) -> Iterator[Row]:
        """Rows in order, with `after` < seq <= `through`.

        Errors: UnreadableEvent, after all rows before it, where the file is damaged.
        """
        yield from self._both(Archive.rows, super().rows, after=after, through=through)

    def links(self, *, after: int = 0, through: int | None = None) -> Iterator[Link]:
        """The same rows as chain material. Errors: as of `rows`."""
        yield from self._both(Archive.links, super().links, after=after, through=through)

    def row(self, seq: int) -> Row | None:
        """The row of one event, None if there is none: many an archived one stands in the database, too."""
        live = super().row(seq)
        if live is None and self._by_now() >= seq:
            return next(self._archived(Archive.rows, after=seq - 1, through=seq), None)
        return live

    def request_rows(self, request_id: str) -> Sequence[Row]:
        """All rows of one request, in order."""
        live = super().request_rows(request_id)
        self._by_now()
        if self.archive is None or (live and live[0].kind == RequestAccepted.kind):
            return live  # It was accepted later, or stays in the database for as long as anybody may need it.
        return [*self.archive.request_rows(request_id), *(row for row in live if row.seq > self.archived_through)]

    def seq_at(self, *, at_us: int | None = None, position: int | None = None) -> int:
        """The last seq whose event is not later than an instant, or than a position; 0 if none."""
        live = super().seq_at(at_us=at_us, position=position)
        self._by_now()
        if self.archive is None or live >= self.archive.through:
            return live
        return self.archive.seq_at(at_us=at_us, position=position)

    def chain_at(self, seq: int) -> bytes | None:
        """The stored chain value of one event; None if there is no such event, the genesis value for 0."""
        live = super().chain_at(seq)
        if live is not None or not 0 < seq <= self._by_now() or self.archive is None:
            return live
        return self.archive.chain_at(seq)

    def search(self, wanted: Wanted, *, after: int = 0, through: int | None = None) -> Iterator[Row]:
        """The events wanted in order, with `after` < seq <= `through`.

        Errors: UnreadableEvent, after all that were found before it, where the file is damaged.
        """
        known = self._by_now()
        if after >= known:
            for row in super().search(wanted, after=after, through=through):
                if self._by_now() > max(known, after):
                    break  # What is behind `after` may have gone before this row was found.
                after = row.seq
                yield row
        if (whole := self._whole(after)) is not None:
            yield from whole.search(wanted, after=after, through=through)

    def before_newest(
        self,
        wanted: Wanted,
        count: int,
        *,
        after: int = 0,
        through: int | None = None,
        progress: Progress = in_silence,
    ) -> int | None:
        """The seq of the last event wanted before the newest `count` of them; None if there are no more than those."""
        known = self._by_now()
        found = super().before_newest(wanted, count, after=max(after, known), through=through, progress=progress)
        if (found is None or self._by_now() > known) and (whole := self._whole(after)) is not None:
            return whole.before_newest(wanted, count, after=after, through=through, progress=progress)
        return found

    def operations_called(self, *, progress: Progress = in_silence) -> Sequence[str]:
        """The names of all operations, those of the engine's own calls too. Takes a walk over the whole log."""
        live = super().operations_called(progress=progress)
        self._by_now()
        return live if self.archive is None else list(dict.fromkeys([*live, *sorted(self.archive.operations_called())]))

    def newest_requests(
        self,
        wanted: RequestsWanted,
        *,
        after: int = 0,
        through: int | None = None,
        progress: Progress = in_silence,
    ) -> Iterator[str]:
        """The ids of the requests wanted whose acceptance has `after` < seq <= `through`, the newest first.

        Errors: LogUnavailable where the file is damaged.
        """
        behind, last = max(after, self._by_now()), self.head().seq if through is None else through
        rest, told = min(last, behind), set[str]()
        if last > behind:
            for request_id in super().newest_requests(wanted, after=behind, through=last, progress=progress):
                if self._by_now() > behind:
                    break
                told.add(request_id)
                yield request_id
        if self._by_now() > behind:
            rest = last  # Others may have gone before they were found.
        if (whole := self._whole(after)) is not None:
            found = whole.newest_requests(wanted, after=after, through=rest, progress=progress)
            yield from (request_id for request_id in found if request_id not in told)

    def requests_beginning(self, beginning: str) -> Sequence[str]:
        """The ids of all requests that begin so, the newest first."""
        live = super().requests_beginning(beginning)
        self._by_now()
        if self.archive is None:
            return live
        return sorted({*live, *self.archive.requests_beginning(beginning)}, reverse=True)

    def view_faults(self) -> ViewFaults:
        """What is wrong with the views for people; nothing of a store whose version has none."""
        if not schema.has_read_models(self._connection):
            return ViewFaults((), ())
        return self._ask(lambda: view_faults(self._connection))

    @contextmanager
    def tables_since(self, since_us: int) -> Iterator[sqlite3.Connection]:
        """Tables and views with every event of that instant and later, as they are now, for questions in SQL."""
        with standing_still(self._connection):
            self._by_now()
            if self.archive is None or since_us > self.archive.segments[-1].archived.last_at_us:
                yield self._connection
                return
        whole = self._whole(self.seq_at(at_us=since_us - 1))
        yield self._connection if whole is None else whole.connection

    def kept_of(self, names: Collection[str], *, only: str | None, most: int) -> Sequence[tuple[str, str]]:
        """The sensitive values that are still there of these tokens and subjects: each by its token and whose it is."""
        return self._ask(lambda: erasable.kept_of(self._connection, names, only=only, most=most))

    def ever_kept(self, names: Collection[str], *, only: str | None) -> bool:
        """Whether a sensitive value of these tokens and subjects has ever been there, be it forgotten since."""
        return self._ask(lambda: erasable.ever_kept(self._connection, names, only=only))

    def is_clean(self) -> bool:
        """Whether nothing is left in the file, and beside it, of what has been forgotten."""
        return self._ask(lambda: erasable.is_clean(self._connection))

    @property
    def salt(self) -> bytes:
        """The secret of this store, for hashing what is asked for."""
        return schema.read_meta(self._connection).salt

    def _both(
        self, archived: Callable[..., Iterator[T]], live: Callable[..., Iterator[T]], *, after: int, through: int | None
    ) -> Iterator[T]:
        """What is archived, then what is not: anew from wherever rows have gone to the archive meanwhile."""
        last = _LAST if through is None else through
        known = -1
        while known < (known := self._by_now()) and after < last:
            for one in self._archived(archived, after=after, through=through):
                after = one.seq
                yield one
            after = max(after, known)
            for one in self._while_there(live(after=after, through=through), after=after, known=known):
                after = one.seq
                yield one

    def _while_there(self, live: Iterator[T], *, after: int, known: int) -> Iterator[T]:
        """What is read from the database, up to where rows have gone to the archive meanwhile."""
        try:
            for one in live:
                if one.seq != after + 1 and self._by_now() > known:
                    return
                after = one.seq
                yield one
        except UnreadableEvent:  # Where the row is gone at which reading should go on, that looks like damage.
            if self._by_now() == known:
                raise

    def _by_now(self) -> int:
        """The last seq that is archived by now; 0 if nothing is."""
        self._ask(self._look)
        return self.archived_through

    def _look(self) -> None:
        """See what is archived, if the database has changed since that was last seen. Errors: sqlite3.Error."""
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version == self._version:
            return
        found = Archive.of(self._connection, self._path, stream=self._stream, folder=self._folder)
        self._version = version
        if found is not None and found.through > self.archived_through:
            self.archive = found

    def _archived(self, read: Callable[..., Iterator[T]], *, after: int, through: int | None) -> Iterator[T]:
        """What is wanted of the archived part."""
        if self.archive is not None and after < self.archive.through:
            yield from read(self.archive, after=after, through=_LAST if through is None else through)

    def _whole(self, after: int) -> TableReader | None:
        """A reader of archive and log as one database, where something behind `after` is archived; else None."""
        known = self._by_now()
        while self.archive is not None and after < known:
            if self._joined is not None and self._joined[0] <= after and self._joined[1] == known:
                return self._joined[2]
            place = joined(
                self._path, self.archive, stream=self._stream, after=after, head=self.head(), progress=self._unpacking
            )
            connection = self._until_closed.enter_context(place)
            found = after, known, TableReader(connection, stream=self._stream)
            if known == (known := self._by_now()):  # Else rows have gone before they were copied.
                self._joined = found
        return None
