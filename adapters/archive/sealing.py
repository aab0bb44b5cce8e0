"""Sealing a stretch of the log in a file: written, made durable, read back, and only then believed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from understudy.adapters.stores import archive_file
from understudy.adapters.stores.archive_file import ArchiveUnusable, Entry
from understudy.adapters.stores.sqlite_reader import SqliteReader
from understudy.engine.caches import dump
from understudy.engine.ledger import Ledger
from understudy.engine.restore import restore
from understudy.events.chain import link
from understudy.events.codec import skimmed
from understudy.events.errors import LogDamaged
from understudy.events.log import Head, Snapshot
from understudy.projections.standing import FOLD_VERSION

Told = Callable[[int], None]
"""Is told how many rows have been dealt with."""

FORMAT: Final = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A file that holds a stretch of the log, as was seen by reading it; and the standing at its end."""

    path: Path
    first: Entry
    last: Entry
    previous: bytes
    size: int
    sha256: str
    base: Snapshot
    kept_requests: list[str]
    kept_calls: list[int]


def seal(reader: SqliteReader, folder: Path, *, name: str, through: int, told: Told) -> Sealed:
    """Seal the events behind what is archived already, up to `through`, in a file of that folder.

    The standing is folded from the rows on the way, from the base of before on: no cache has a say in it.
    Errors: LogDamaged if the log is not what was written; ArchiveUnusable; UnreadableEvent.
    """
    after = reader.archived_through
    ledger = restore(reader, through=after) if after else Ledger()
    previous = reader.chain_at(after) or b""
    first_seq = after + 1
    about = {
        "format": FORMAT,
        "store": reader.store_id,
        "stream": reader.stream,
        "first_seq": str(first_seq),
        "last_seq": str(through),
        "previous_chain": previous.hex(),
        "chain": (reader.chain_at(through) or b"").hex(),
    }
    partial = folder / f"{name}{archive_file.PARTIAL}"
    coming = _folded(
        reader.entries(after=after, through=through), ledger, previous=previous, first=first_seq, told=told
    )
    archive_file.write(partial, coming, about=about)
    path = archive_file.rename_durably(partial, name)
    first, last = _read_back(reader, path, after=after, through=through, previous=previous, told=told)
    return Sealed(
        path=path,
        first=first,
        last=last,
        previous=previous,
        size=path.stat().st_size,
        sha256=archive_file.sha256(path),
        base=dump(ledger, Head(last.seq, last.chain)),
        kept_requests=not_at_rest(ledger),
        kept_calls=list(ledger.standing.calls),
    )


def segment_of(sealed: Sealed, *, folder: str) -> dict[str, str | int | list[str] | list[int]]:
    """What the event says of a file, but for who wanted it and why."""
    return {
        "first_seq": sealed.first.seq,
        "last_seq": sealed.last.seq,
        "first_at_us": sealed.first.row.at_us,
        "last_at_us": sealed.last.row.at_us,
        "previous_chain": sealed.previous.hex(),
        "chain": sealed.last.chain.hex(),
        "folder": folder,
        "file": sealed.path.name,
        "size": sealed.size,
        "sha256": sealed.sha256,
        "fold_version": FOLD_VERSION,
        "base_sha256": sha256(sealed.base.content).hexdigest(),
        "kept_requests": sealed.kept_requests,
        "kept_calls": sealed.kept_calls,
    }


def not_at_rest(ledger: Ledger) -> list[str]:
    """The requests whose rows somebody may still need: unsettled, watched, to be undone, or cause of an alert."""
    standing = ledger.standing
    # One of several late successes of a request is about `r1 beta`.
    subjects = {alert.partition("|")[2].partition(" ")[0] for alert in standing.alerts} - {"", *standing.policy.by_id}
    owed = {one.request_id for one in standing.unused.owed.values()}
    watched = {*standing.leftovers.watched, *standing.leftovers.doubts}
    return sorted({*ledger.requests, *watched, *owed, *standing.unused.open, *standing.unused.undoing, *subjects})


def _folded(entries: Iterator[Entry], ledger: Ledger, *, previous: bytes, first: int, told: Told) -> Iterator[Entry]:
    """The entries as they come, each checked against the one before and folded."""
    expected = first
    for entry in entries:
        if entry.seq != expected or link(previous, entry.row) != entry.chain:
            raise LogDamaged(
                f"event {expected} is not what was written; nothing is archived of a damaged log: run"
                " `understudy verify`, and restore a backup"
            )
        ledger.fold(skimmed(entry.row))
        yield entry
        previous, expected = entry.chain, expected + 1
        if (expected - first) % archive_file.ROWS_A_GROUP == 0:
            told(expected - first)


def _read_back(
    reader: SqliteReader, path: Path, *, after: int, through: int, previous: bytes, told: Told
) -> tuple[Entry, Entry]:
    """The first and the last entry of a file that holds what the log does, and whose chain is intact.

    Errors: ArchiveUnusable.
    """
    first = last = None
    written = archive_file.entries(path)
    for stored in reader.entries(after=after, through=through):
        last = next(written, None)
        if last != stored or link(previous, last.row) != last.chain:
            raise ArchiveUnusable(f"{path} does not hold event {stored.seq} as the log does; the disk may be at fault")
        first, previous = first or last, last.chain
        if (last.seq - after) % archive_file.ROWS_A_GROUP == 0:
            told(through - after + last.seq - after)
    if first is None or last is None or last.seq != through or next(written, None) is not None:
        raise ArchiveUnusable(
            f"{path} does not end where the log was cut, at event {through}; the disk may be at fault"
        )
    return first, last
