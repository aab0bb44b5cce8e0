"""`understudy status`: how every provider stands, now or at a place in the past."""

import time
from pathlib import Path

import click

from understudy.adapters.cli.instants import iso
from understudy.adapters.cli.logs import archive_option, as_json, at_option, database, last_seq, opened
from understudy.adapters.cli.output import Cell, answer, answer_json, answer_wrapped, fits, plain, stacked, table
from understudy.adapters.cli.progress import Progress
from understudy.adapters.cli.standings import LogStanding, ProviderLine, ProviderStanding, as_of
from understudy.adapters.cli.unsettled import ownership, tell_held
from understudy.events.counted import counted

_COLOURS = {"healthy": "green", "degraded": "yellow", "unavailable": "red"}
FIGURES = ("score", "success", "average", "p50", "p95", "calls", "failed", "in flight")
HEADER = ("provider", "tier", "status", "circuit", *FIGURES, "why")
_TOGETHER = (
    ("tier", "status"),
    ("circuit", "score", "success"),
    ("average", "p50", "p95"),
    ("calls", "failed", "in flight"),
)
"""Where a terminal is too narrow for all columns, these stay beside each other."""


@click.command()
@database
@at_option
@click.option("--position", type=click.IntRange(min=1), metavar="N", help="Only what stood in the log by position N.")
@archive_option
@as_json
def status(db: Path, at_us: int | None, position: int | None, *, archive: Path | None, as_json: bool) -> None:
    """Show how every provider in the log DB stands: health, circuit, score, and the figures behind them.

    Works beside a running engine, and changes nothing. While an engine runs, this is as of now; once it has stopped, as
    of the last event. Times are in milliseconds, `success` is the share of recent calls.

    \b
    Example:
      understudy status calls.db
      understudy status calls.db --at 2026-01-31T12:00:00Z --json

    \b
    Exit codes: 0 shown; 2 wrong usage, or DB is no log that can be read.
    """
    with opened(db, archive) as reader, Progress("folding the log") as progress:
        seq = last_seq(reader, position=position, at_us=at_us)
        found = as_of(reader, seq=seq, at_us=at_us, now_us=time.time_ns() // 1000, progress=progress)
        now = ownership(db, reader, known=found.unsettled) if seq is None else None
    if as_json:
        answer_json({"log": str(db), **(now.to_json() if now else {}), **found.to_json()})
    else:
        _print(db, found)
    if now is not None:
        if not as_json:
            tell_held(db, found.unsettled)
        now.tell(db)


def _print(db: Path, found: LogStanding) -> None:
    answer_wrapped(f"{db}: as of {iso(found.now_us)}, event {found.seq:,}; {found.engine}")
    if not found.providers:
        answer("No provider is known yet.")
        return
    answer()
    lines = [line for provider in found.providers for line in provider.lines()]
    rows = [row_of(line) for line in lines]
    if fits(HEADER, rows):
        table(HEADER, rows, numbers=FIGURES)
    else:  # The reasons are sentences: where they have no room in a column, they stand below.
        stacked(HEADER[:-1], [row[:-1] for row in rows], numbers=FIGURES, together=_TOGETHER)
        for line in lines:
            if line.why:
                answer_wrapped(plain(f"{line.name}: {line.why}"))
    for remark in (remark for provider in found.providers for remark in provider.remarks()):
        answer_wrapped(plain(remark))
    answer()
    totals = found.totals
    answer_wrapped(
        f"{counted(totals.accepted, 'request')}: {totals.completed:,} served ({totals.failovers:,} after a failover),"
        f" {totals.failed:,} failed, {totals.accepted - totals.completed - totals.failed:,} not settled yet"
    )
    costs = [f"{one.judged.provider} {one.judged.cost_per_success:f}" for one in found.providers if _has_told(one)]
    if costs:
        answer_wrapped(plain(f"cost per success: {', '.join(costs)}"))
    for drill in found.drills:
        answer_wrapped(plain(f"drill: {drill}"))
    for alert in found.alerts:
        answer_wrapped(plain(f"alert: {alert}"))


def _has_told(one: ProviderStanding) -> bool:
    return one.judged.cost_per_success is not None


def row_of(line: ProviderLine) -> list[str | Cell]:
    """A provider's line as the table has it, a cell for each name of HEADER."""
    status_cell = Cell(line.status, _COLOURS[line.status]) if line.status else ""
    return [line.name, line.tier, status_cell, *line.figures, line.why]
