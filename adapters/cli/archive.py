"""`understudy archive`: what is old leaves the log for files, and is read from there as if it were still in it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from understudy.adapters.cli.exits import Unanswered
from understudy.adapters.cli.instants import Length, written
from understudy.adapters.cli.logs import as_json, database, only_directory
from understudy.adapters.cli.output import answer, answer_json, facts, plain
from understudy.adapters.cli.progress import Progress
from understudy.adapters.cli.wishes import Words, actor_option
from understudy.events.counted import counted

if TYPE_CHECKING:
    from understudy.adapters.archive import Archived


@click.command()
@database
@click.option(
    "--older-than",
    "age_us",
    type=Length(),
    default="30d",
    show_default=True,
    metavar="TIME",
    help="How old an event must be, like 30d or 12h.",
)
@click.option(
    "--to",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where the files go.  [default: DB.archive, beside the log]",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be archived, or why no file can be put there.")
@click.option(
    "--archive",
    "files_in",
    type=click.Path(path_type=Path, file_okay=False),
    multiple=True,  # So that a second one is refused, not taken for the only one.
    callback=only_directory,
    metavar="DIR",
    help="Where earlier files are, as far as not where they were put; only a new version needs them.",
)
@click.option(
    "--reason",
    type=Words(),
    default="it is old",
    show_default=True,
    metavar="TEXT",
    help="Why; others will read it in the log.",
)
@actor_option
@as_json
def archive(
    db: Path,
    *,
    age_us: int,
    to: Path | None,
    dry_run: bool,
    files_in: Path | None,
    reason: str,
    actor: str,
    as_json: bool,
) -> None:
    """Archive the old events of the log DB: seal them in Parquet files, read these back, put them on record, and remove
    the rows.

    Works beside a running engine, and without one. Interrupted at any moment nothing is lost: run it again. What is
    needed to go on stays in the database: unsettled requests, idempotency keys in use, policies, what operators have
    done, and a snapshot of the standing. Takes the extra "understudy[archive]".

    \b
    Example:
      understudy archive calls.db --older-than 30d --dry-run
      understudy archive calls.db --older-than 30d --to /srv/archive

    \b
    Exit codes: 0 done, be it that nothing is so old;
                2 wrong usage, pyarrow is missing, no file can be written there, or
                DB is no log that can be written. What was done stays done;
                3 the engine that owns DB has not come to it: it waits in the inbox.
    """
    from understudy.adapters.archive import NotYetRecorded, planned  # noqa: PLC0415 - Who asks for help waits for nothing.
    from understudy.adapters.archive import archive as archived  # noqa: PLC0415 - As above.

    age_ms, now_us = age_us // 1000, time.time_ns() // 1000
    if dry_run:
        found = planned(db, older_than_ms=age_ms, now_us=now_us, to=to)
    else:
        try:
            with Progress("archiving") as progress:
                found = archived(
                    db,
                    older_than_ms=age_ms,
                    now_us=now_us,
                    to=to,
                    files_in=files_in,
                    actor=actor,
                    reason=reason,
                    progress=progress,
                )
        except NotYetRecorded as error:
            raise Unanswered(str(error)) from error
    if as_json:
        answer_json({"log": str(db), "dry_run": dry_run, **_as_json(found)})
    else:
        _tell(db, found, age=written(age_us), dry_run=dry_run)


def _as_json(found: "Archived") -> dict[str, object]:
    return {
        "events": found.events,
        "archived_through": found.through,
        "rows_removed": found.removed,
        "rows_under_keys": found.under_keys,
        "files": [str(path) for path in found.files],
    }


def _tell(db: Path, found: "Archived", *, age: str, dry_run: bool) -> None:
    events = counted(found.events, "event")
    if dry_run:
        answer(f"{db}: {events} would be archived, up to event {found.through:,}")
        return
    if not found.events:
        answer(f"{db}: nothing to archive is older than {age}")
    else:
        answer(f"{db}: {events} archived, up to event {found.through:,}")
    lines = [("file", plain(str(path))) for path in found.files]
    if found.removed or found.events:
        lines.append(("removed", f"{counted(found.removed, 'row')} from the database"))
    if found.under_keys:
        lines.append(("stay", f"{counted(found.under_keys, 'row')} of requests under an idempotency key in use"))
    if lines:
        facts(lines)
