"""`understudy report`: answers to the questions that operators ask of a log, each one SQL statement."""

import csv
import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click

from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.instants import Instant, iso
from understudy.adapters.cli.logs import archive_option, as_json, database
from understudy.adapters.cli.output import answer, answer_json, note, plain, table
from understudy.adapters.cli.progress import Progress
from understudy.adapters.stores import SqliteReader
from understudy.adapters.stores.archive_file import ArchiveUnusable
from understudy.adapters.stores.reports import NEVER_US, PAGE, REPORTS, Answer, ask_since

_DAY_US: Final = 86_400_000_000
_NEXT_US: Final = 1_000
"""A step that an instant as people write it can tell."""
DAILY: Final = "daily"
_LINES: Final = 5
"""How many lines of each it has."""


@click.command()
@click.argument("name", type=click.Choice([*REPORTS, DAILY]), metavar="REPORT")
@database
@click.option(
    "--since",
    "since_us",
    type=Instant(),
    metavar="TIME",
    help="Calls from then on: 2026-01-31T12:00Z, or 7d for a week ago.  [default: 24h; weekly and time-of-day: all]",
)
@click.option("--csv", "as_csv", is_flag=True, help="Answer as comma-separated values, with a line of names.")
@click.option("--sql", "as_sql", is_flag=True, help="Show the SQL instead, to be run at any prompt.")
@archive_option
@as_json
def report(
    name: str,
    db: Path,
    *,
    since_us: int | None,
    as_csv: bool,
    as_sql: bool,
    archive: Path | None,
    as_json: bool,
) -> None:
    """Answer one of the questions that operators ask of the log DB, and of its archive as far back as --since goes.

    \b
    REPORT is one of
      providers    how the providers compare
      hourly       calls each hour, and how they went
      failures     what providers fail with
      slowest      which operations are slow
      time-of-day  at which hours of the day they are slow to serve, or fail
      weekly       how well they serve from week to week
      failovers    from whom to whom requests fail over, why, at what cost
      cost         what each provider charges, in all and for a success
      fallback     who was not chosen, and why
      daily        one page of all that, for the morning

    \b
    Example:
      understudy report failures calls.db --since 7d
      understudy report hourly calls.db --csv > hourly.csv
      understudy report slowest calls.db --sql

    \b
    Exit codes: 0 done; 2 wrong usage, or DB is no log that can be read.
    """
    if as_csv + as_sql + as_json > 1:
        raise click.UsageError("choose one of --json, --csv and --sql")
    names = PAGE if name == DAILY else (name,)
    if as_csv and len(names) > 1:
        raise click.UsageError("a page of several tables is no CSV; name one of them")
    if since_us is not None and name != DAILY and not REPORTS[name].looks_back:
        note(f"{name} is as of now, whatever --since says")
    statements = {one: REPORTS[one].since(_since(one, since_us)) for one in names}
    if as_sql:
        answer(";\n\n".join(statements.values()) + ";")
        _note_archived(db, min(_since(one, since_us) for one in names))
        return
    begin_us = min([_since(one, since_us) for one in names if REPORTS[one].looks_back], default=NEVER_US)
    answers = _asked(db, list(statements.values()), since_us=begin_us, archive=archive)
    found = dict(zip(statements, answers, strict=True))
    if as_json:
        answer_json({"log": str(db), **{one: _records(*rows) for one, rows in found.items()}})
    elif as_csv:
        answer(_csv(*found[name]))
    else:
        _print(found, since_us=_since(name, since_us))
    if not as_json and not any(rows for one, (_, rows) in found.items() if name != DAILY or REPORTS[one].looks_back):
        _note_nothing(db, name, since_us=_since(name, since_us))


def _asked(db: Path, sqls: Sequence[str], *, since_us: int, archive: Path | None) -> list[Answer]:
    """What the statements answer.

    Errors: Refused where that needs archived files that are not at hand: figures of half the calls would be wrong ones.
    """
    try:
        with Progress("unpacking the archive") as unpacking:
            return ask_since(db, sqls, since_us=since_us, archive=archive, unpacking=unpacking)
    except ArchiveUnusable as error:
        with SqliteReader.open(db) as reader:
            last_us = 0 if reader.archive is None else reader.archive.segments[-1].archived.last_at_us
        raise Refused(
            f"{error}; without it: --since {iso(last_us + _NEXT_US)}, for nothing later is archived"
        ) from error


def _note_nothing(db: Path, name: str, *, since_us: int) -> None:
    """Say why there is nothing to tell: there were no such calls at all, or the log is older than was asked for."""
    if name != DAILY and not REPORTS[name].looks_back:
        note("No provider is known yet.")
        return
    with SqliteReader.open(db) as reader:
        newest = next(reader.rows(after=reader.head().seq - 1), None)
        first = None if reader.archive is not None else next(reader.rows(through=1), None)
    if newest is None:
        note(f"Nothing has been written to {db} yet.")
    elif first is not None and first.at_us >= since_us:
        note(f"There were no such calls; {db} begins {iso(first.at_us)}.")
    elif newest.at_us >= since_us:
        note(f"There were no such calls since {iso(since_us)}; --since goes further back.")
    else:
        day = iso(newest.at_us)[:10]
        note(f"The latest event of {db} is of {iso(newest.at_us)}; --since {day} shows that day.")


def _note_archived(db: Path, since_us: int) -> None:
    """Say how much a statement does not see at a prompt, because it is archived."""
    with SqliteReader.open(db) as reader:
        archive = reader.archive
    if archive is not None and archive.segments[-1].archived.last_at_us >= since_us:
        note(f"events up to {archive.through:,} are archived: at a prompt it sees what came later, here both")


def _since(name: str, since_us: int | None) -> int:
    if since_us is not None:
        return since_us
    return 0 if name in {"weekly", "time-of-day"} else time.time_ns() // 1000 - _DAY_US


def _records(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    return [dict(zip(names, row, strict=True)) for row in rows]


def _csv(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue().rstrip("\n")


def _print(found: dict[str, tuple[Sequence[str], Sequence[Sequence[Any]]]], *, since_us: int) -> None:
    for place, (name, (names, rows)) in enumerate(found.items()):
        page = len(found) > 1
        if page:
            when = f"since {iso(since_us)}" if REPORTS[name].looks_back else "as of now"
            answer(f"{'' if place == 0 else chr(10)}{REPORTS[name].asks} ({when})")
        if not rows:
            if page:
                answer("  nothing")
            continue
        shown = rows[:_LINES] if page else rows
        numbers = [one for at, one in enumerate(names) if isinstance(rows[0][at], int | float)]
        table(names, [[_shown(value) for value in row] for row in shown], numbers=numbers)
        if len(shown) < len(rows):
            answer(f"and {len(rows) - len(shown):,} more: understudy report {name}")


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() else f"{value:,}"
    return f"{value:,}" if isinstance(value, int) else plain(str(value))
