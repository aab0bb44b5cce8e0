"""`understudy events`: the log as it stands, event by event, and as it grows."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from understudy.adapters.cli.event_words import event_json, told
from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.find_request import find_request
from understudy.adapters.cli.instants import iso
from understudy.adapters.cli.logs import (
    archive_option,
    as_json,
    between,
    complete_provider,
    complete_request,
    database,
    expect_provider,
    note_unknown_operation,
    opened,
    span_options,
)
from understudy.adapters.cli.one_of import OneOf
from understudy.adapters.cli.output import answer_json_list, answer_lines, columns, note, plain, wrapped
from understudy.adapters.cli.progress import Progress
from understudy.adapters.stores import SqliteReader
from understudy.adapters.stores.event_search import Wanted, unversioned
from understudy.events.calls import CallAbandoned, CallSucceeded
from understudy.events.codec import KINDS
from understudy.events.names import did_you_mean, snake_case
from understudy.events.row import Row
from understudy.events.vocabulary import FailureKind

_KINDS: Final = tuple(sorted({unversioned(kind) for kind in KINDS}))
_OUTCOMES: Final = (CallSucceeded.outcome, *(one.value for one in FailureKind), CallAbandoned.outcome)
_PAUSE_S: Final = 0.2
"""Between two looks for more."""
_ID_WIDTH: Final = 24
_GAP: Final = "  "
_SET_IN: Final = "    "


class KindName(click.ParamType[str]):
    """The name of a kind of event, with or without its version, in whichever way people write its words."""

    name = "kind"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read `call-failed` and `call_failed.v1` as `call_failed`."""
        kind = unversioned(snake_case(str(value)))
        if kind not in _KINDS:
            self.fail(
                f"there is no kind {value!r}{did_you_mean(kind, _KINDS) or '; there are ' + ', '.join(_KINDS)}",
                param,
                ctx,
            )
        return kind

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The kinds that begin so."""
        del ctx, param
        return [CompletionItem(kind) for kind in _KINDS if kind.startswith(incomplete)]


@click.command()
@database
@click.option("--kind", "kinds", type=KindName(), multiple=True, metavar="KIND", help="Only of this kind; repeatable.")
@click.option("--provider", metavar="NAME", shell_complete=complete_provider, help="Only about this provider.")
@click.option("--operation", metavar="NAME", help="Only about this operation: ping, or whatever callers call it.")
@click.option(
    "--request",
    metavar="ID",
    shell_complete=complete_request,
    help="Only of this request: an id, the beginning of one, its caller's key, or last.",
)
@click.option(
    "--outcome", type=OneOf(_OUTCOMES), metavar="WORD", help="Only calls that ended so: success, timed_out, …"
)
@span_options
@click.option("--after", type=click.IntRange(min=0), metavar="N", help="Only events behind number N.")
@click.option(
    "--limit", type=click.IntRange(min=0), default=50, show_default=True, metavar="N", help="The newest N; 0: all."
)
@click.option("--follow", "-f", is_flag=True, help="Go on with new events as they come, until Ctrl-C.")
@archive_option
@as_json
def events(
    db: Path,
    *,
    kinds: tuple[str, ...],
    provider: str | None,
    operation: str | None,
    request: str | None,
    outcome: str | None,
    since_us: int | None,
    until_us: int | None,
    after: int | None,
    limit: int,
    follow: bool,
    archive: Path | None,
    as_json: bool,
) -> None:
    """Show the events in the log DB, in their order: number, time in UTC, request, and what happened.

    Works beside a running engine, and changes nothing. With --follow it goes on until Ctrl-C, through restarts of the
    engine, too. With --json the answer is one object; with both, one object a line, for as long as it goes on.

    \b
    Example:
      understudy events calls.db --kind call_failed --provider alpha --since 1h
      understudy events calls.db --follow --json

    \b
    Exit codes: 0 shown, be it none; also when --follow is ended by Ctrl-C;
                2 wrong usage, no such request or provider, or DB is no log
                that can be read.
    """
    if follow and until_us is not None:
        raise click.UsageError("--follow goes on for ever, and --until ends; leave one out")
    with opened(db, archive) as reader:
        expect_provider(reader, provider)
        wanted = Wanted(kinds=kinds, provider=provider, operation=operation, outcome=outcome)
        if request is not None:
            wanted = replace(wanted, request_id=find_request(reader, request))
        start, end = between(reader, since_us=since_us, until_us=until_us)
        start = max(start, after or 0)
        before = _before_newest(reader, wanted, limit, after=start, through=end)
        found = reader.search(wanted, after=start if before is None else before, through=end)
        if (first := next(found, None)) is None and operation is not None:
            note_unknown_operation(reader, operation)
        found = found if first is None else chain([first], found)
        if follow:
            _follow(db, reader, wanted, found, end, as_json=as_json)
        elif as_json:
            shown = (event_json(row) for row in found)
            answer_json_list("events", shown, head={"log": str(db)}, tail=lambda: {"more": before is not None})
        else:
            _print(found, end)
            if before is not None:
                note(f"earlier ones match, too; --limit {10 * limit} shows more, --limit 0 all")


def _before_newest(reader: SqliteReader, wanted: Wanted, limit: int, *, after: int, through: int) -> int | None:
    """The event before the first one to be shown; None if nothing is left out."""
    if limit == 0:
        return None
    with Progress("searching") as progress:
        return reader.before_newest(wanted, limit, after=after, through=through, progress=progress)


def _print(found: Iterator[Row], end: int) -> None:
    first = next(found, None)
    if first is None:
        note("no event matches")
        return
    answer_lines(line for row in chain([first], found) for line in _lines(row, end))


def _follow(db: Path, reader: SqliteReader, wanted: Wanted, found: Iterator[Row], end: int, *, as_json: bool) -> None:
    """Show what was found, and then what is written, until Ctrl-C, which is how this is meant to end.

    Errors: Refused when the file is no longer the one that was opened: nothing would ever come.
    """
    opened = _identity(db)
    try:
        while True:
            answer_lines(
                line
                for row in found
                for line in ([json.dumps(event_json(row), default=str)] if as_json else _lines(row, end))
            )
            time.sleep(_PAUSE_S)
            if _identity(db) != opened:
                raise Refused(f"{db} has been removed or replaced; what is written now stands elsewhere: start again")
            start, end = end, reader.head().seq
            if end < start:
                raise Refused(f"{db} ends at event {end} now, and {start} had been shown: it was restored; start again")
            found = reader.search(wanted, after=start, through=end)
    except KeyboardInterrupt:
        return


def _identity(db: Path) -> tuple[int, int] | None:
    try:
        found = db.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _lines(row: Row, end: int) -> list[str]:
    """An event on one line; where that does not fit, what it says stands in lines of its own below."""
    request, says = plain(row.request_id or "-"), plain(told(row))
    lead, most = f"{row.seq:>{len(str(end))}}  {iso(row.at_us)}  {request:<{_ID_WIDTH}}", columns()
    if most is None or len(lead) + len(_GAP) + len(says) <= most:
        return [f"{lead}{_GAP}{says}"]
    return [lead.rstrip(), *(f"{_SET_IN}{line}" for line in wrapped(says, columns=most - len(_SET_IN)))]
