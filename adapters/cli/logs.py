"""What commands that read a log have in common: its file, the place up to which it is read, and `--json`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.instants import Instant, iso
from understudy.events.log import LogReader

F = TypeVar("F", bound=Callable[..., Any])

database: Final = click.argument("db", type=click.Path(path_type=Path))
"""The file of the log."""

as_json: Final = click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object.")


def last_seq(
    reader: LogReader, *, through: int | None = None, position: int | None = None, at_us: int | None = None
) -> int | None:
    """The last event that is meant by `--through`, `--position` or `--at`; None for the end.

    Errors: UsageError if more than one is given; Refused if there is no event so early.
    """
    given = [limit for limit in (through, position, at_us) if limit is not None]
    if len(given) > 1:
        raise click.UsageError("name the place once: either by its number or by its time")
    if not given or through is not None:
        return through
    found = reader.seq_at(at_us=at_us, position=position)
    if found == 0:
        first = next(reader.rows(through=1), None)
        begins = "it is empty" if first is None else f"its first event is of {iso(first.at_us)}"
        raise Refused(f"nothing had been written to this log by then; {begins}")
    return found


def at_option(function: F) -> F:
    """The option `--at TIME`."""
    told = "Only what was known at that time, like 2026-01-31T12:00:00Z; UTC unless it says otherwise."
    return click.option("--at", "at_us", type=Instant(), metavar="TIME", help=told)(function)
