"""Whether the archive of a log can be looked at, and from where the log is verified if not."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.output import painted, plain
from understudy.adapters.stores import SqliteReader
from understudy.adapters.stores.archive import Archive
from understudy.adapters.stores.archive_file import ArchiveUnusable, expect_parquet
from understudy.events.counted import counted
from understudy.projections.standing import FOLD_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveAtHand:
    """What has been found of an archive.

    Shape:  events up to `through` are archived, in so many `files`. The log is verified `verified_after` an event: 0,
            unless the archive cannot be looked at, or not all of it, `why_not`. `faults` are files that are there, and
            are not what was written.
    """

    through: int
    files: int
    verified_after: int
    why_not: str | None
    faults: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with it, be it that it is elsewhere."""
        return not self.faults

    def lines(self) -> Iterator[tuple[str, str]]:
        """The same in words, a name and a value a line."""
        what = f"events 1 to {self.through:,}, {counted(self.files, 'file')}"
        if not self.verified_after:
            yield "archive", f"{what}, {painted('as written', 'green')}"
            return
        begins = f"verified from event {self.verified_after:,} on, as the snapshot there tells the standing"
        verdict = painted("not as written", "red") if self.faults else painted("not looked at", "yellow")
        yield "archive", f"{verdict} ({what}); {begins}"
        if self.why_not is not None:
            yield "", plain(self.why_not)
        for fault in self.faults:
            yield "", painted(plain(fault), "red")


def look_at_archive(reader: SqliteReader, *, through: int | None) -> ArchiveAtHand | None:
    """What is to be said of the archive before a log is verified `through` an event; None if nothing is archived.

    Reads all its files through, as far as they are there.
    Errors: Refused if nothing is left to be verified without it.
    """
    archive = reader.archive
    if archive is None:
        return None
    why_not, faults = _state(archive)
    if why_not is None and not faults:
        return ArchiveAtHand(
            through=archive.through, files=len(archive.segments), verified_after=0, why_not=None, faults=()
        )
    reason = why_not or faults[0]
    if through is not None and through <= archive.through:
        raise Refused(f"event {through:,} is archived: {reason}")
    if (fault := _fault_of_base(reader, archive)) is not None:
        raise Refused(f"{fault}, so that the archive is needed: {reason}")
    return ArchiveAtHand(
        through=archive.through,
        files=len(archive.segments),
        verified_after=archive.through,
        why_not=why_not,
        faults=tuple(faults),
    )


def _state(archive: Archive) -> tuple[str | None, list[str]]:
    """Why it cannot be looked at, or not all of it, and what is wrong with the files that are there."""
    absences = archive.absences()
    if len(absences) < len(archive.segments):
        try:
            expect_parquet()
        except ArchiveUnusable as error:
            return str(error), []
    return next(iter(absences), None), archive.faults()


def _fault_of_base(reader: SqliteReader, archive: Archive) -> str | None:
    """Why the log cannot be verified from its base on; None if it can."""
    last = archive.segments[-1].archived
    base = reader.snapshot(fold_version=FOLD_VERSION, through=archive.through)
    if base is None or base.seq != archive.through:
        kept = f"version {last.fold_version}, and this Understudy folds as version {FOLD_VERSION}"
        return f"the snapshot of the standing at event {archive.through:,} is of fold {kept}"
    if last.fold_version == FOLD_VERSION and sha256(base.content).hexdigest() != last.base_sha256:
        return f"the snapshot of the standing at event {archive.through:,} is not the one that is on record"
    return None
