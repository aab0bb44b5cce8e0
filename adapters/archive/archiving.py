"""Archiving a log: what is old is sealed in files, these are put on record, and then the rows leave the database.

Each step is durable before the next one begins, and a file is read back before it is put on record. So whoever is
killed at any moment has left either rows that are in no file on record, or rows that stand in both places: the next
run does what is left to do. What a run has left that is on no record (`….partial`, or a whole file) is written anew.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from glob import escape
from pathlib import Path
from typing import Final

from understudy.adapters.archive import recording
from understudy.adapters.archive.cut import cut_of, seam_up_to
from understudy.adapters.archive.place import folder_for, prepare, try_out
from understudy.adapters.archive.removing import kept_under_keys, remove_archived
from understudy.adapters.archive.sealing import Sealed, Told, seal, segment_of
from understudy.adapters.stores.archive_file import PARTIAL, ArchiveUnusable, expect_parquet
from understudy.adapters.stores.faults import remedy
from understudy.adapters.stores.sqlite_reader import SqliteReader
from understudy.adapters.stores.sweep import keep_base
from understudy.engine.caches import dump
from understudy.engine.commands import RecordSegment
from understudy.engine.restore import restore
from understudy.events.errors import LogInUse, LogUnavailable
from understudy.events.log import Head
from understudy.projections.standing import FOLD_VERSION

Progress = Callable[[int, int], None]
"""Is told what is done, and of how much."""

MOST: Final = 500_000
"""Events that a file holds at most: some 40 MB."""
_SUFFIX: Final = ".parquet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Archived:
    """What a run has come to.

    Shape:  `files` were sealed by it, of `events` events; everything up to `through` is archived now; `removed` rows
            have left the database; `under_keys` archived rows stay in it, as an idempotency key that is in use needs
            them.
    """

    through: int
    events: int = 0
    removed: int = 0
    under_keys: int = 0
    files: tuple[Path, ...] = ()


def planned(path: str | Path, *, older_than_ms: int, now_us: int, to: Path | None = None) -> Archived:
    """What `archive` would come to now, with nothing done: up to where, and how many events that are.

    Errors: ArchiveUnusable if no file could be put there; NotALog, LogUnavailable, UnreadableEvent.
    """
    path = Path(path).resolve()
    with SqliteReader.open(path) as reader:
        try_out(folder_for(path, to))
        cut = cut_of(reader, before_us=now_us - older_than_ms * 1000)
        return Archived(through=cut, events=cut - reader.archived_through)


def archive(
    path: str | Path,
    *,
    older_than_ms: int,
    now_us: int,
    to: Path | None = None,
    files_in: Path | None = None,
    actor: str = "understudy",
    reason: str = "it is old",
    most: int = MOST,
    progress: Progress = lambda _, __: None,
) -> Archived:
    """Archive the events of a log that are older than so long at `now_us`, and finish what an earlier run has begun.

    Works beside a running engine, from another thread or process; without one, the events are dated `now_us`. Files go
    `to` a directory, by default one beside the log, and have `most` events each. Earlier files are looked for in
    `files_in`, and where they were put; only a new version of the fold needs them.
    Errors: ArchiveUnusable, LogUnavailable (NotYetRecorded), LogDamaged, LogInUse, NotALog, OtherRules,
            UnreadableEvent. What was done until then stays done; nothing is lost, and the next run goes on.
    """
    expect_parquet()
    path = Path(path).resolve()
    folder = folder_for(path, to)
    with SqliteReader.open(path):
        pass  # It is a log: no lock is laid beside anything else.
    with _alone(path):
        recording.see_to_waiting(path, now_us=now_us)
        with SqliteReader.open(path, archive=files_in) as reader:
            begun, cut = reader.archived_through, cut_of(reader, before_us=now_us - older_than_ms * 1000)
            known = {one.archived.file for one in reader.archive.segments} if reader.archive else set()
        _clear(folder, path, known)
        removed = _finish(path, files_in) if begun else 0
        try_out(folder)  # Also where nothing is old enough yet: it is known, then, before there is something to lose.
        files: list[Path] = []
        done, total = 0, 3 * (cut - begun)
        while begun + done < cut:
            told = partial(_tell, progress, done=3 * done, total=total)
            sealed = _seal(path, folder, files_in, cut=cut, most=most, told=told)
            segment = segment_of(sealed, folder=_recorded(folder, path))
            recording.record(path, RecordSegment(segment=segment, actor=actor, reason=reason), now_us=now_us)
            files.append(sealed.path)
            size = sealed.last.seq - sealed.first.seq + 1
            removed += remove_archived(path, told=partial(_tell, progress, done=3 * done + 2 * size, total=total))
            done += size
        stay = kept_under_keys(path)
        return Archived(through=begun + done, events=done, removed=removed, under_keys=stay, files=tuple(files))


def _seal(path: Path, folder: Path, files_in: Path | None, *, cut: int, most: int, told: Told) -> Sealed:
    """Seal the next file, and keep the standing at its end in the database."""
    with SqliteReader.open(path, archive=files_in) as reader:
        after = reader.archived_through
        through = cut if cut - after <= most else seam_up_to(reader, after + most, after=after) or cut
        prepare(folder)
        name = f"{path.name}-{after + 1:012}-{through:012}{_SUFFIX}"
        sealed = seal(reader, folder, name=name, through=through, told=told)
        keep_base(path, sealed.base, stream=reader.stream)
        return sealed


def _finish(path: Path, files_in: Path | None) -> int:
    """Remove the rows that an earlier run has left, and tell how many; the log can go on without them.

    Errors: ArchiveUnusable if that takes files, as the fold is another version's.
    """
    _keep_base(path, files_in)
    return remove_archived(path, told=lambda _: None)


def _keep_base(path: Path, files_in: Path | None) -> None:
    """See that the log can go on without what is archived, by this version's fold, too. Errors: ArchiveUnusable."""
    with SqliteReader.open(path, archive=files_in) as reader:
        cut, stream = reader.archived_through, reader.stream
        base = reader.snapshot(fold_version=FOLD_VERSION, through=cut)
        if base is None or base.seq != cut:
            anew = dump(restore(reader, through=cut), Head(cut, reader.chain_at(cut) or b""))
            keep_base(path, anew, stream=stream)


def _tell(progress: Progress, more: int, *, done: int, total: int) -> None:
    progress(done + more, total)


def _recorded(folder: Path, path: Path) -> str:
    """A directory as the log names it: beside the log, wherever both may be moved to; else as it is."""
    return str(folder.relative_to(path.parent)) if folder.is_relative_to(path.parent) else str(folder)


def _clear(folder: Path, path: Path, known: set[str]) -> None:
    """Take away what an earlier run has left on no record: its rows are all in the log.

    Errors: ArchiveUnusable.
    """
    try:
        for one in folder.glob(f"{escape(path.name)}-*{_SUFFIX}*") if folder.is_dir() else ():
            if one.name not in known and one.name.endswith((_SUFFIX, PARTIAL)):
                one.unlink()
    except OSError as error:
        raise ArchiveUnusable(f"{folder} cannot be tidied up: {remedy(error)}") from error


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Let nobody else archive the same log meanwhile. The lock ends with the process.

    Errors: LogInUse; LogUnavailable if there can be no lock here.
    """
    lock = path.with_name(f"{path.name}.archiving")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LogUnavailable(f"{lock} cannot be opened: {remedy(error)}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise LogInUse(f"{path} is being archived already; wait for the end of that") from error
    finally:
        os.close(descriptor)
