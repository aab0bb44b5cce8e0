"""`understudy doctor`: is a log in good health, what ails its providers, and what should be done about it?"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import click

from understudy.adapters.cli.checkups import Patient, check_ups, examine
from understudy.adapters.cli.exits import FINE, NOT_AS_IT_SHOULD_BE
from understudy.adapters.cli.finding import Finding, Verdict
from understudy.adapters.cli.instants import Instant
from understudy.adapters.cli.logs import archive_option, as_json, database
from understudy.adapters.cli.one_of import OneOf
from understudy.adapters.cli.output import answer, answer_json, painted, plain, width, wrapped
from understudy.adapters.cli.progress import Progress
from understudy.adapters.cli.standings import stopped_well
from understudy.adapters.cli.symptoms import CHECKS, SYMPTOMS, Case, examine_symptoms
from understudy.adapters.cli.under_drill import end_drills
from understudy.adapters.stores import SqliteReader
from understudy.adapters.stores.damage import file_damage
from understudy.adapters.stores.lock import owner_of
from understudy.engine.ledger import Ledger
from understudy.engine.restore import restore
from understudy.events.counted import counted
from understudy.events.errors import LogDamaged
from understudy.projections.standing import Standing

_COLOURS: Final = {Verdict.FINE: "green", Verdict.ADVICE: "yellow", Verdict.WRONG: "red"}
_NAME_WIDTH: Final = 9
_VERDICT_WIDTH: Final = 6
_DO: Final = "-> "
_NARROW: Final = 40
"""Columns without which a sentence stands below the name of its check, not beside it."""
_OF_THE_LOG: Final = tuple(check_ups(whole=True))


@click.command()
@database
@click.option("--full", is_flag=True, help="Look at every event and page, not only at the end of the log.")
@click.option("--all", "show_all", is_flag=True, help="Show each check of a symptom, also of those that found nothing.")
@click.option(
    "--check", "check", type=OneOf([*_OF_THE_LOG, *CHECKS]), metavar="NAME", help="Only this one, such as slow/network."
)
@click.option(
    "--since",
    "since_us",
    type=Instant(),
    metavar="TIME",
    help="Look for symptoms from then on: 2026-01-31T12:00Z, or 7d.  [default: a day; a week for trends]",
)
@archive_option
@as_json
@click.pass_context
def doctor(
    ctx: click.Context,
    db: Path,
    *,
    full: bool,
    show_all: bool,
    check: str | None,
    since_us: int | None,
    archive: Path | None,
    as_json: bool,
) -> None:
    """Examine the log DB: its chain, its file, the SQLite that Python is linked with, who owns it, clock steps,
    unsettled requests, alerts, snapshots, commands that wait; and the symptoms of its providers: unavailable, slow,
    always passed over, not failing over, poor rates, slow requests, no recovery.

    Each finding about a symptom says what to do. Works beside a running engine, and changes nothing. It takes a second
    or two however long the log is, unless much has been written since the last snapshot or in the window that is looked
    at; with --full about as long as reading it all. Decisions are not recomputed: see `understudy verify`.

    \b
    Example:
      understudy doctor calls.db
      understudy doctor calls.db --check recovery/pings
      understudy doctor calls.db --full --json

    \b
    Exit codes: 0 nothing is wrong (there may be advice); 1 something is;
                2 wrong usage, no such file, or DB is no log.
    """
    names = [check] if check is not None else [*_OF_THE_LOG, *CHECKS]
    patient: Patient | None = None
    try:
        with (
            SqliteReader.open(db, archive=archive) as reader,
            Progress("examining") as progress,
        ):
            patient = _patient(db, reader, whole=full or check == "integrity", progress=progress)
            found = [*examine(patient, names), *_symptoms(patient, names, since_us)]
    except LogDamaged as error:
        found = [Finding("file", Verdict.WRONG, one) for one in (str(error), *file_damage(db))]
    ok = all(one.verdict is not Verdict.WRONG for one in found)
    if as_json:
        answer_json({"log": str(db), "ok": ok, **_as_json(db, patient, found)})
    else:
        _tell(db, patient, found, show_all=show_all or check is not None)
    ctx.exit(FINE if ok else NOT_AS_IT_SHOULD_BE)


def _patient(db: Path, reader: SqliteReader, *, whole: bool, progress: Callable[[int, int], None]) -> Patient:
    head = reader.head()

    @cache
    def ledger() -> Ledger:
        return restore(reader, through=head.seq, progress=progress)

    return Patient(
        db=db,
        reader=reader,
        owner=owner_of(db.resolve()),
        head=head,
        now_us=time.time_ns() // 1000,
        whole=whole,
        progress=progress,
        ledger=ledger,
    )


def _undrilled(patient: Patient) -> Standing:
    """How things stand, but for what drills do that run."""
    standing = patient.ledger().standing
    if not standing.drills:
        return standing
    return end_drills(restore(patient.reader, through=patient.head.seq).standing)


def _symptoms(patient: Patient, names: Collection[str], since_us: int | None) -> Iterator[Finding]:
    """What ails the providers, judged now, or as of the last event where no engine runs any more."""
    wanted = [name for name in names if name in CHECKS]
    if not wanted:
        return
    ended = stopped_well(patient.reader, through=patient.head.seq)
    now_us = patient.now_us if ended is None else ended.at_us
    last_us = max((row.at_us for row in patient.reader.rows(after=patient.head.seq - 1)), default=0)
    case = Case(
        patient.db,
        patient.reader,
        lambda: _undrilled(patient),
        now_us=max(now_us, last_us),
        since_us=since_us,
    )
    yield from examine_symptoms(case, wanted)


def _as_json(db: Path, patient: Patient | None, found: Sequence[Finding]) -> dict[str, object]:
    """The whole answer; a log so damaged that it cannot be examined has no stream and no head."""
    checks = [{**one._asdict(), **_about(one.check)} for one in found]
    if patient is None:
        return {"stream": None, "head": None, "owner": owner_of(db.resolve()), "checks": checks}
    head = {"seq": patient.head.seq, "chain": patient.head.chain.hex()}
    return {"stream": patient.reader.stream, "head": head, "owner": patient.owner, "checks": checks}


def _about(name: str) -> dict[str, str]:
    """Of a check of a symptom: which symptom that is, what is looked at, and over which time."""
    if name not in CHECKS:
        return {}
    symptom, check = CHECKS[name]
    return {"symptom": symptom.title, "looks_at": check.looks_at, "over": check.over}


def _tell(db: Path, patient: Patient | None, found: Sequence[Finding], *, show_all: bool) -> None:
    if patient is None:
        answer(f"{db}: damaged, so that it cannot be examined")
    else:
        answer(f"{db}: {counted(patient.head.seq, 'event')} in stream {plain(patient.reader.stream)}")
    for one in found:
        if one.check not in CHECKS:
            _print(one, name_width=_NAME_WIDTH)
    _tell_symptoms(found, show_all=show_all)
    answer(f"{db}: {_summary(found)}")


def _tell_symptoms(found: Sequence[Finding], *, show_all: bool) -> None:
    """What was found about each symptom, below its name; what was not, in a line."""
    every = [one for one in found if one.check in CHECKS]
    of_symptoms = every if show_all else _told_once(every)
    for symptom in SYMPTOMS:
        its = [one for one in of_symptoms if CHECKS[one.check][0] is symptom]
        shown = [one for one in its if show_all or one.verdict is not Verdict.FINE]
        if shown:
            answer(f"{symptom.title}:")
        for one in shown:
            _print(one, name_width=max(len(other.check) for other in shown))
    if alike := len(every) - len(of_symptoms):
        says = f"{counted(alike, 'more check')} cannot be looked into, for the same reason"
        _print(Finding("symptoms", Verdict.ADVICE, says), name_width=_NAME_WIDTH)
    fine = sum(one.verdict is Verdict.FINE for one in of_symptoms)
    if fine and not show_all:
        says = f"{fine} of {len(CHECKS)} checks found nothing (--all shows each)"
        _print(Finding("symptoms", Verdict.FINE, says), name_width=_NAME_WIDTH)


def _told_once(found: Sequence[Finding]) -> list[Finding]:
    """Without those that say what another one has said already: many checks may lack the same file."""
    first = {(one.says, one.do): one for one in reversed(found)}
    return [one for one in found if one.verdict is Verdict.FINE or first[one.says, one.do] is one]


def _print(one: Finding, *, name_width: int) -> None:
    lead = f"  {one.verdict:<{_VERDICT_WIDTH}}  {one.check:<{name_width}}  "
    beside = width() - len(lead) >= _NARROW or name_width <= _NAME_WIDTH
    margin = len(lead) if beside else _VERDICT_WIDTH + 4
    says = wrapped(plain(one.says), columns=width() - margin)
    verdict = painted(f"{one.verdict:<{_VERDICT_WIDTH}}", _COLOURS[one.verdict])
    answer(f"  {verdict}  {one.check:<{name_width}}  {says.pop(0) if beside and says else ''}".rstrip())
    to_do = wrapped(plain(one.do), columns=width() - margin - len(_DO), then=" " * len(_DO)) if one.do else []
    for line in (*says, *(f"{_DO if place == 0 else ''}{text}" for place, text in enumerate(to_do))):
        answer(f"{'':{margin}}{line}")


def _summary(found: Sequence[Finding]) -> str:
    counts = Counter(one.verdict for one in _told_once(found))
    wrong, advice = counts[Verdict.WRONG], counts[Verdict.ADVICE]
    told = f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong" if wrong else "nothing is wrong"
    return f"{told}; {advice} to think about" if advice else told
