"""What a doctor looks at in a log: each check-up is a function that says what it finds, and how much it matters."""

import shutil
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from understudy.adapters.cli.finding import Finding, Verdict
from understudy.adapters.cli.inbox_checkup import inbox_found
from understudy.adapters.cli.instants import iso, span
from understudy.adapters.cli.request_summary import summarized
from understudy.adapters.cli.standings import stopped_well
from understudy.adapters.cli.under_drill import alert_found, drills_found
from understudy.adapters.stores import SqliteReader
from understudy.adapters.stores.faults import DAMAGED
from understudy.adapters.stores.sqlite_defects import defects
from understudy.engine import recovery
from understudy.engine.decide import RULES_VERSION
from understudy.engine.ledger import Ledger
from understudy.engine.restore import restored_without_rows
from understudy.events.codec import decode
from understudy.events.counted import counted
from understudy.events.errors import UnderstudyError
from understudy.events.log import Head
from understudy.events.operations import ClockStepped, EngineStarted
from understudy.projections.standing import FOLD_VERSION
from understudy.replay.story import ms
from understudy.replay.verify import check_chain

TAIL: Final = 10_000
"""Events at the end whose chain is checked, where nobody asks for all."""
_MANY_TO_FOLD: Final = 500_000
_WAL_TOO_LONG: Final = 64 * 2**20
_LITTLE_ROOM: Final = 512 * 2**20
_AHEAD_US: Final = 1_000_000
_SHOWN: Final = 5
_NOTES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """A log under examination.

    Shape:  `owner` is whoever owns the file, in words, None if nobody does; `head` its end when it was opened.
    Units:  `now_us` is this machine's wall clock, microseconds since 1970 UTC.
    """

    db: Path
    reader: SqliteReader
    owner: str | None
    head: Head
    now_us: int
    whole: bool
    progress: Callable[[int, int], None]
    ledger: Callable[[], Ledger]
    """What the log adds up to; it is folded when somebody first asks."""


def check_ups(*, whole: bool) -> Mapping[str, Callable[[Patient], Iterator[Finding]]]:
    """The check-ups of the log itself by name, in the order in which a person would want to hear of them."""
    return {
        "drills": _drills,
        "file": _file,
        "chain": _chain,
        **({"integrity": _integrity} if whole else {}),
        "archive": _archive,
        "sqlite": _sqlite,
        "engine": _engine,
        "clock": _clock,
        "requests": _state,
        "alerts": _alerts,
        "snapshot": _snapshot,
        "inbox": _inbox,
        "views": _views,
        "notes": _notes,
    }


def examine(patient: Patient, names: Collection[str]) -> Iterator[Finding]:
    """All findings of the check-ups of these names."""
    for name, look in check_ups(whole=patient.whole).items():
        if name in names:
            yield from _checked(name, look, patient)


def _checked(check: str, look: Callable[[Patient], Iterator[Finding]], patient: Patient) -> Iterator[Finding]:
    """What a check-up finds; that it cannot be done is a finding, too, and keeps nobody from the next one."""
    try:
        yield from look(patient)
    except UnderstudyError as error:
        yield Finding(check, Verdict.WRONG, str(error))


def _drills(patient: Patient) -> Iterator[Finding]:
    """Drills that run; nothing is said if none does."""
    return drills_found(patient.ledger().standing, owner=patient.owner)


def _file(patient: Patient) -> Iterator[Finding]:
    db, reader = patient.db.resolve(), patient.reader
    log_bytes = _size(db.with_name(db.name + "-wal"))
    says = f"{_mb(_size(db))} and a write-ahead log of {_mb(log_bytes)}; store {reader.store_id}"
    yield Finding("file", Verdict.FINE, says)
    if log_bytes > _WAL_TOO_LONG:
        cause = "some program keeps a transaction open" if patient.owner else "the engine that wrote it has crashed"
        yield Finding("file", Verdict.ADVICE, f"the write-ahead log is long: {cause}, so that it cannot be emptied")
    if (mode := reader.journal_mode()) != "wal":
        yield Finding(
            "file", Verdict.ADVICE, f"somebody has set journal_mode {mode}; the next engine sets it to wal again"
        )
    room = shutil.disk_usage(db.parent).free
    if room < _LITTLE_ROOM:
        yield Finding(
            "file", Verdict.ADVICE, f"its disk has only {_mb(room)} left; once it is full, no work is accepted"
        )


def _chain(patient: Patient) -> Iterator[Finding]:
    end = patient.head.seq
    archive = patient.reader.archive
    begin = archive.through if archive is not None and archive.absences() else 0
    after = begin if patient.whole else max(begin, end - TAIL)
    found = check_chain(
        patient.reader, after=after, through=end, progress=lambda done: patient.progress(done, end - after)
    )
    for damage in patient.reader.tail_damage():
        yield Finding("chain", Verdict.WRONG, damage)
    if found.broken is not None:
        where = f"broken at event {found.broken.seq:,}: {found.broken.what}"
        yield Finding("chain", Verdict.WRONG, f"{where}; keep a copy, and let `understudy verify` tell the rest")
    else:
        which = f"all {end:,} events are" if after == 0 else f"the last {found.events:,} of {end:,} events are"
        yield Finding("chain", Verdict.FINE, f"{which} as they were written; it ends in {patient.head.chain.hex()}")


def _integrity(patient: Patient) -> Iterator[Finding]:
    found = patient.reader.damage()
    for one in found:
        yield Finding("integrity", Verdict.WRONG, " ".join(one.split()))
    if found:
        yield Finding("integrity", Verdict.WRONG, DAMAGED)
    else:
        yield Finding("integrity", Verdict.FINE, "SQLite finds pages, indexes and idempotency keys in order")


def _archive(patient: Patient) -> Iterator[Finding]:
    archive = patient.reader.archive
    if archive is None:
        return
    files = counted(len(archive.segments), "file")
    what = f"events 1 to {archive.through:,} are archived in {files}"
    faults = archive.faults() if patient.whole else []
    for fault in faults[:_SHOWN]:
        yield Finding("archive", Verdict.WRONG, fault)
    absences = archive.absences()
    for absence in absences[:_SHOWN]:
        yield Finding("archive", Verdict.ADVICE, absence)
    if not faults and not absences:
        yield Finding("archive", Verdict.FINE, f"{what}, {'as they were written' if patient.whole else 'all there'}")


def _sqlite(_: Patient) -> Iterator[Finding]:
    found = list(defects(sqlite3.sqlite_version_info[:3]))
    for one in found:
        yield Finding("sqlite", Verdict.ADVICE, one)
    if not found:
        yield Finding(
            "sqlite", Verdict.FINE, f"SQLite {sqlite3.sqlite_version} has no known defect that concerns a log"
        )


def _engine(patient: Patient) -> Iterator[Finding]:
    reader, owner = patient.reader, patient.owner
    started = reader.operations(EngineStarted.kind)
    stopped = stopped_well(reader)
    last = decode(started[-1]) if started else None
    which = f"Understudy {last.version}, Python {last.python}" if isinstance(last, EngineStarted) else "none so far"
    if owner is not None:
        yield Finding("engine", Verdict.FINE, f"the file is owned by {owner}; the last engine was {which}")
    elif not started or stopped is not None:
        ended = which if stopped is None else f"the last one ({which}) stopped in good order at {iso(stopped.at_us)}"
        yield Finding("engine", Verdict.FINE, f"nobody owns the file; {ended}")
    else:
        says = f"nobody owns the file, and the last engine ({which}) did not stop in good order"
        yield Finding("engine", Verdict.ADVICE, f"{says}; the next start settles what it left open")
    if isinstance(last, EngineStarted) and last.rules_version != RULES_VERSION:
        says = f"its last engine decided by rules {last.rules_version}, this version by rules {RULES_VERSION}"
        yield Finding("engine", Verdict.ADVICE, f"{says}: `verify` cannot compare such decisions")


def _clock(patient: Patient) -> Iterator[Finding]:
    steps = [
        (row.at_us, event.step_us)
        for row in patient.reader.operations(ClockStepped.kind)
        if isinstance(event := decode(row), ClockStepped)
    ]
    if steps:
        (largest_us, longest_us), (last_us, _) = max(steps, key=lambda one: abs(one[1])), steps[-1]
        way = "forward" if longest_us > 0 else "back"
        largest = f"the largest {way} by {ms(abs(longest_us))} at {iso(largest_us)}"
        times = "once" if len(steps) == 1 else f"{len(steps):,} times, lastly at {iso(last_us)}"
        yield Finding("clock", Verdict.ADVICE, f"the wall clock was set {times}, {largest}; see what sets it")
    (end_us,) = [row.at_us for row in patient.reader.rows(after=patient.head.seq - 1)][-1:] or [0]
    ahead_us = end_us - patient.now_us
    if ahead_us > _AHEAD_US:
        says = f"the log is {span(ahead_us)} ahead of this machine's clock"
        yield Finding("clock", Verdict.ADVICE, f"{says}: that one was set back, or the log was written elsewhere")
    if not steps and ahead_us <= _AHEAD_US:
        yield Finding("clock", Verdict.FINE, "the wall clock was never set while an engine ran")


def _state(patient: Patient) -> Iterator[Finding]:
    """Unsettled requests."""
    ledger = patient.ledger()
    held = [one for one in ledger.requests if recovery.is_held(ledger, one)]
    under_way = len(ledger.requests) - len(held)
    if held:
        yield Finding("requests", Verdict.ADVICE, _held(patient, held))
    if under_way and patient.owner is None:
        says = f"{counted(under_way, 'request')} left open: the next start settles what is left"
        yield Finding("requests", Verdict.ADVICE, says)
    elif under_way or not held:
        yield Finding(
            "requests", Verdict.FINE, f"{counted(under_way, 'request')} under way" if under_way else "all are settled"
        )


def _alerts(patient: Patient) -> Iterator[Finding]:
    """Alerts that stand."""
    standing = patient.ledger().standing
    for name, since_us in standing.alerts.items():
        yield alert_found(standing, name, since_us=since_us)
    if not standing.alerts:
        yield Finding("alerts", Verdict.FINE, "none stands")


def _held(patient: Patient, held: Sequence[str]) -> str:
    shown = [summarized(patient.reader.request_rows(one)) for one in held[:_SHOWN]]
    told = ", ".join(f"{one.request_id} ({one.operation} at {one.provider}, {iso(one.accepted_us)})" for one in shown)
    more = f" and {len(held) - _SHOWN} more" if len(held) > _SHOWN else ""
    return (
        f"whether {counted(len(held), 'request was', 'requests were')} executed is not known: {told}{more};"
        " ask there, and say what became of it (`understudy resolve`)"
    )


def _snapshot(patient: Patient) -> Iterator[Finding]:
    reader, end = patient.reader, patient.head.seq
    kept = reader.snapshot(fold_version=FOLD_VERSION, through=end)
    sealed = reader.sealed_through(fold_version=FOLD_VERSION)
    if kept is not None and reader.chain_at(kept.seq) != kept.chain:
        says = f"that of event {kept.seq:,} does not belong to this log, and is not used"
        yield Finding("snapshot", Verdict.ADVICE, f"{says}; blocks are sealed up to event {sealed:,}")
        return
    behind = end - restored_without_rows(reader, through=end)
    whence = f"of event {kept.seq:,}" if kept else "none"
    says = f"{whence}, blocks sealed up to event {sealed:,}; the next start folds {counted(behind, 'event')}"
    yield Finding("snapshot", Verdict.ADVICE if behind > _MANY_TO_FOLD else Verdict.FINE, says)


def _views(patient: Patient) -> Iterator[Finding]:
    missing, other = patient.reader.view_faults()
    if missing:
        says = f"{', '.join(missing)} is missing: somebody has dropped it; the next start of an engine lays it anew"
        yield Finding("views", Verdict.WRONG, says)
    if other:
        says = f"{', '.join(other)} is another version's; the next start of an engine lays this version's"
        yield Finding("views", Verdict.ADVICE, says)


def _inbox(patient: Patient) -> Iterator[Finding]:
    return inbox_found(patient.db, owner=patient.owner)


def _notes(patient: Patient) -> Iterator[Finding]:
    """What has been noted of providers, the newest first; nothing is said if nothing is."""
    for provider, notes in patient.ledger().standing.notes.by_provider.items():
        for one in reversed(notes[-_NOTES:]):
            yield Finding("notes", Verdict.FINE, f"{provider}, by {one.actor} on {iso(one.at_us)[:10]}: {one.text}")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
