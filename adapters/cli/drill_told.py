"""`understudy drill list` and `understudy drill report`: the drills of a log, and what came of one."""

from pathlib import Path

import click

from understudy.adapters.cli.drill_words import (
    DRILL_COLUMNS,
    drill_json,
    drill_row,
    print_report,
    report_json,
    skipped_of,
    tell_load,
)
from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.instants import iso
from understudy.adapters.cli.logs import archive_option, as_json, database
from understudy.adapters.cli.output import answer, answer_json, note, table
from understudy.adapters.cli.progress import Progress
from understudy.adapters.stores import SqliteReader
from understudy.events.drills import FAULTS, DrillForm
from understudy.replay.drill_report import Held, drills_of, report_on
from understudy.replay.load_report import load_report_on


@click.command(name="list")
@database
@as_json
def list_(db: Path, *, as_json: bool) -> None:
    """List the drills of the log DB, those that still run and those of the schedule that were not held.

    \b
    Example:
      understudy drill list calls.db

    \b
    Exit codes: 0 done; 2 wrong usage, or DB is no log that can be read.
    """
    with SqliteReader.open(db) as reader:
        held, skipped = drills_of(reader), skipped_of(reader)
    if as_json:
        missed = [{"due": iso(one.due_us), "line": one.line, "reason": one.reason} for one in skipped]
        answer_json({"log": str(db), "drills": [drill_json(one) for one in held], "skipped": missed})
        return
    if held:
        table(DRILL_COLUMNS, [drill_row(one) for one in held])
    else:
        note("There was no drill.")
    for one in skipped:
        answer(f"not held: {one.line}, due {iso(one.due_us)}: {one.reason}")


@click.command()
@database
@click.argument("drill_id", metavar="[DRILL]", required=False)
@archive_option
@as_json
def report(db: Path, drill_id: str | None, *, archive: Path | None, as_json: bool) -> None:
    """Tell what came of DRILL in the log DB, or of the latest: how soon it was noticed, what it cost, who stood in.

    \b
    Example:
      understudy drill report calls.db
      understudy drill report calls.db d1204 --json

    \b
    Exit codes: 0 done; 2 wrong usage, no such drill, or DB is no log that can be
                read.
    """
    with SqliteReader.open(db, archive=archive) as reader, Progress("folding the log"):
        held = _wanted(drills_of(reader), drill_id)
        reports = [report_on(reader, one) for one in held if one.started.form in FAULTS]
        loaded = load_report_on(reader, held[0]) if held[0].started.form is DrillForm.LOAD else None
    if loaded is not None:
        tell_load(db, loaded, as_json=as_json)
    elif as_json:
        answer_json({"log": str(db), "drill": drill_json(held[0]), "reports": [report_json(one) for one in reports]})
    else:
        print_report(db, held[0], reports)


def _wanted(held: list[Held], drill_id: str | None) -> list[Held]:
    """The drill that is meant, and its parts."""
    whole = [one for one in held if one.started.part_of is None]
    if not held:
        raise Refused("there was no drill; `understudy drill outage` holds one")
    first = whole[-1] if drill_id is None else next((one for one in held if one.started.drill == drill_id), None)
    if first is None:
        raise Refused(f"there was no drill {drill_id!r}; `understudy drill list` shows those that there were")
    return [first, *(one for one in held if one.started.part_of == first.started.drill)]
