"""The archived part of a log: which files it consists of, by the log's own word, and how they are read.

What is archived is the beginning of a stream, without a gap, in files one behind the other. Each is seen to be what was
written, by its hash, before the first row of it is believed.
"""

import sqlite3
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from pydantic_core import to_json

from understudy.adapters.stores import archive_file, schema
from understudy.adapters.stores.archive_file import ArchiveUnusable, Entry
from understudy.events.codec import decode
from understudy.events.counted import counted
from understudy.events.log import Link
from understudy.events.operations import SegmentArchived
from understudy.events.row import Row

_SEGMENTS: Final = (
    f"SELECT {schema.COLUMNS} FROM events WHERE kind = ? AND request_id IS NULL AND stream = ? ORDER BY position"  # noqa: S608 - Our own.
)
_BEHIND_ALL: Final = chr(sys.maxunicode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A file of the archive: what the log says of it, and the places where it may be, the likeliest first."""

    archived: SegmentArchived
    places: tuple[Path, ...]

    @property
    def path(self) -> Path:
        """The file: the first of its places at which there is one, or the likeliest if there is none."""
        return next((one for one in self.places if _size(one) is not None), self.places[0])

    def absence(self) -> str | None:
        """That the file is nowhere, in a sentence; None if it is there."""
        if _size(self.path) is not None:
            return None
        first, *others = self.places
        return f"{first} is not there{''.join(f', nor is {one}' for one in others)}: {_what(self.archived)}"

    def fault(self) -> str | None:
        """Why a file that is there cannot be used, in a sentence; None if it is what was written. Reads it through."""
        path, told = self.path, self.archived
        size = _size(path)
        if size is None:
            return None
        if size != told.size:
            lengths = f"it has {size:,} bytes, and had {told.size:,}"
            return f"{path} is not what was written: {lengths}; restore it from a backup"
        try:
            found = archive_file.sha256(path)
        except ArchiveUnusable as error:
            return str(error)
        if found != told.sha256:
            hashes = f"its SHA-256 is {found[:16]}…, and was {told.sha256[:16]}…"
            return f"{path} is not what was written: {hashes}; restore it from a backup"
        return None


class Archive:
    """The archived part of one stream: everything up to `through`."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments = segments
        self.through = segments[-1].archived.last_seq
        self._sound: set[Path] = set()

    @classmethod
    def of(cls, connection: sqlite3.Connection, database: Path, *, stream: str, folder: Path | None) -> Self | None:
        """The archive that a log speaks of; None if nothing is archived.

        Each of its files is looked for in `folder`, if that is given, and then where it was put.
        Errors: UnreadableEvent; sqlite3.Error.
        """
        found: list[Segment] = []
        through = 0
        for values in connection.execute(_SEGMENTS, (SegmentArchived.kind, stream)):
            event = decode(Row._make(values))
            if isinstance(event, SegmentArchived) and event.first_seq == through + 1:
                through = event.last_seq
                found.append(Segment(archived=event, places=places_of(event, database, folder=folder)))
        return cls(found) if found else None

    def absences(self) -> list[str]:
        """Which files are not there, a sentence each."""
        return [absence for one in self.segments if (absence := one.absence()) is not None]

    def faults(self) -> list[str]:
        """What is wrong with the files that are there, a sentence each. Reads all of them through."""
        return [fault for one in self.segments if (fault := one.fault()) is not None]

    def entries(self, *, after: int, through: int) -> Iterator[Entry]:
        """The rows with `after` < seq <= `through`, as far as they are archived, with positions and chain values.

        Errors: ArchiveUnusable, naming the file.
        """
        for one in self.segments:
            if after < one.archived.last_seq and one.archived.first_seq <= through:
                yield from archive_file.entries(self._sound_path(one), after=after, through=through)

    def rows(self, *, after: int, through: int) -> Iterator[Row]:
        """The rows alone. Errors: as of `entries`."""
        return (entry.row for entry in self.entries(after=after, through=through))

    def links(self, *, after: int, through: int) -> Iterator[Link]:
        """The same as chain material. Errors: as of `entries`."""
        return (
            Link(entry.row.seq, entry.chain, to_json(tuple(entry.row)))
            for entry in self.entries(after=after, through=through)
        )

    def request_rows(self, request_id: str) -> list[Row]:
        """The archived rows of one request, in order. Errors: ArchiveUnusable."""
        behind = request_id + "\0"
        return [
            row for path in self._paths() for row in archive_file.of_requests(path, first=request_id, behind=behind)
        ]

    def requests_beginning(self, beginning: str) -> list[str]:
        """The ids of the archived requests that begin so, the newest first. Errors: ArchiveUnusable."""
        found = [
            row.request_id
            for path in self._paths()
            for row in archive_file.of_requests(path, first=beginning, behind=beginning + _BEHIND_ALL)
            if row.request_id is not None and row.kind.startswith("request_accepted.")
        ]
        return sorted(found, reverse=True)

    def operations_called(self) -> set[str]:
        """The names of all operations. Errors: ArchiveUnusable."""
        groups = (group for path in self._paths() for group in archive_file.column(path, "operation"))
        return {str(name) for (names,) in groups for name in names if name is not None}

    def chain_at(self, seq: int) -> bytes | None:
        """The chain value of an archived event; without the file, where the log itself tells it.

        Errors: ArchiveUnusable.
        """
        for one in self.segments:
            if one.archived.last_seq == seq:
                return bytes.fromhex(one.archived.chain)
        return next((entry.chain for entry in self.entries(after=seq - 1, through=seq)), None)

    def seq_at(self, *, at_us: int | None = None, position: int | None = None) -> int:
        """The last archived seq whose event is not later than an instant, or than a position; 0 if there is none.

        Errors: ArchiveUnusable.
        """
        name, limit = ("at_us", at_us) if position is None else ("position", position)
        found = 0
        for one in self.segments:
            if at_us is not None and one.archived.first_at_us > at_us:
                break
            if at_us is not None and one.archived.last_at_us <= at_us:
                found = one.archived.last_seq
                continue
            for seqs, values in archive_file.column(self._sound_path(one), "seq", name):
                found = max([found, *(seq for seq, value in zip(seqs, values, strict=True) if value <= limit)])
        return found

    def _paths(self) -> Iterator[Path]:
        return map(self._sound_path, self.segments)

    def _sound_path(self, one: Segment) -> Path:
        """The file, once it is seen to be what was written. Errors: ArchiveUnusable."""
        path = one.path
        if path not in self._sound:
            archive_file.expect_parquet()
            if (fault := one.absence() or one.fault()) is not None:
                raise ArchiveUnusable(fault)
            self._sound.add(path)
        return path


def places_of(archived: SegmentArchived, database: Path, *, folder: Path | None) -> tuple[Path, ...]:
    """Where the file of a segment may be: in `folder`, if that is given; then where it was put when it was made."""
    put = database.parent / archived.folder / archived.file
    return (put,) if folder is None or folder / archived.file == put else (folder / archived.file, put)


def _size(path: Path) -> int | None:
    """The bytes of a file; None if none is to be seen there."""
    try:
        return path.stat().st_size
    except OSError:
        return None


def _what(told: SegmentArchived) -> str:
    events = counted(told.last_seq - told.first_seq + 1, "event")
    return (
        f"{events} of the log ({told.first_seq:,} to {told.last_seq:,}) are archived there; put it back, or name the"
        " directory where it is: --archive DIR, SqliteLog(archive=…)"
    )
