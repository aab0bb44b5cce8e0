"""`understudy doctor`: is a log in good health, and what should be known about it?"""

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from understudy.adapters.cli.checkups import Finding, Patient, Verdict, examine
from understudy.adapters.cli.exits import FINE, NOT_AS_IT_SHOULD_BE
from understudy.adapters.cli.logs import archive_option, as_json, database
from understudy.adapters.cli.output import answer, answer_json, painted, plain, width, wrapped
from understudy.adapters.cli.progress import Progress
from understudy.adapters.stores import SqliteReader
from understudy.adapters.stores.damage import file_damage
from understudy.adapters.stores.lock import owner_of
from understudy.events.counted import counted
from understudy.events.errors import LogDamaged

_COLOURS: Final = {Verdict.FINE: "green", Verdict.ADVICE: "yellow", Verdict.WRONG: "red"}
_NAME_WIDTH: Final = 9
_VERDICT_WIDTH: Final = 6


@click.command()
@database
@click.option("--full", is_flag=True, help="Look at every event and page, not only at the end of the log.")
@archive_option
@as_json
@click.pass_context
def doctor(ctx: click.Context, db: Path, *, full: bool, archive: Path | None, as_json: bool) -> None:
    """Examine the log DB: its chain, its file, the SQLite that Python is linked with, who owns it, clock steps,
    unsettled requests, alerts, snapshots, and commands that wait.

    Works beside a running engine, and changes nothing. It takes a second or two however long the log is, unless much
    has been written since the last snapshot; with --full about as long as reading it all. Decisions are not
    recomputed: see `understudy verify`.

    \b
    Example:
      understudy doctor calls.db
      understudy doctor calls.db --full --json

    \b
    Exit codes: 0 nothing is wrong (there may be advice); 1 something is;
                2 wrong usage, no such file, or DB is no log.
    """
    patient: Patient | None = None
    try:
        with SqliteReader.open(db, archive=archive) as reader, Progress("examining") as progress:
            patient = Patient(
                db=db,
                reader=reader,
                owner=owner_of(db.resolve()),
                head=reader.head(),
                now_us=time.time_ns() // 1000,
                whole=full,
                progress=progress,
            )
            found = list(examine(patient))
    except LogDamaged as error:
        found = [Finding("file", Verdict.WRONG, one) for one in (str(error), *file_damage(db))]
    ok = all(one.verdict is not Verdict.WRONG for one in found)
    if as_json:
        answer_json({"log": str(db), "ok": ok, **_as_json(db, patient, found)})
    else:
        _tell(db, patient, found)
    ctx.exit(FINE if ok else NOT_AS_IT_SHOULD_BE)


def _as_json(db: Path, patient: Patient | None, found: Sequence[Finding]) -> dict[str, object]:
    """The whole answer; a log so damaged that it cannot be examined has no stream and no head."""
    checks = [one._asdict() for one in found]
    if patient is None:
        return {"stream": None, "head": None, "owner": owner_of(db.resolve()), "checks": checks}
    head = {"seq": patient.head.seq, "chain": patient.head.chain.hex()}
    return {"stream": patient.reader.stream, "head": head, "owner": patient.owner, "checks": checks}


def _tell(db: Path, patient: Patient | None, found: Sequence[Finding]) -> None:
    if patient is None:
        answer(f"{db}: damaged, so that it cannot be examined")
    else:
        answer(f"{db}: {counted(patient.head.seq, 'event')} in stream {plain(patient.reader.stream)}")
    for one in found:
        _print(one)
    answer(f"{db}: {_summary(found)}")


def _print(one: Finding) -> None:
    lead = f"  {one.verdict:<{_VERDICT_WIDTH}}  {one.check:<{_NAME_WIDTH}}  "
    says = wrapped(plain(one.says), columns=width() - len(lead))
    verdict = painted(f"{one.verdict:<{_VERDICT_WIDTH}}", _COLOURS[one.verdict])
    answer(f"  {verdict}  {one.check:<{_NAME_WIDTH}}  {says[0] if says else ''}")
    for line in says[1:]:
        answer(f"{'':{len(lead)}}{line}")


def _summary(found: Sequence[Finding]) -> str:
    counts = Counter(one.verdict for one in found)
    wrong, advice = counts[Verdict.WRONG], counts[Verdict.ADVICE]
    told = f"{wrong} {'thing is' if wrong == 1 else 'things are'} wrong" if wrong else "nothing is wrong"
    return f"{told}; {advice} to think about" if advice else told
