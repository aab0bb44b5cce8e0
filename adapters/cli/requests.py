"""`understudy requests`: a list of requests, newest first."""

from dataclasses import replace
from itertools import chain, islice, tee
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from understudy.adapters.cli.instants import iso
from understudy.adapters.cli.logs import (
    archive_option,
    as_json,
    between,
    complete_provider,
    database,
    expect_provider,
    opened,
    span_options,
)
from understudy.adapters.cli.one_of import OneOf
from understudy.adapters.cli.output import Cell, answer_json_list, answer_lines, fits, note, plain, table, table_lines
from understudy.adapters.cli.progress import Progress
from understudy.adapters.cli.request_summary import RequestSummary, summarized
from understudy.adapters.cli.unsettled import ownership
from understudy.adapters.stores.request_search import Became, RequestsWanted
from understudy.events.sensitive import shown
from understudy.events.vocabulary import EndReason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_HEADER: Final = ("accepted", "request", "outcome", "by", "calls", "ms", "operation")
_NUMBERS: Final = ("calls", "ms")
_COLOURS: Final = {Became.SERVED: "green", Became.FAILED: "red", Became.HELD: "yellow", Became.OPEN: "cyan"}
_SHORT: Final = 1_000
"""A list of at most so many is gathered before it is shown; a longer one is shown as it is found."""
_MEASURED: Final = 100
_EXACT_BELOW_MS: Final = 10


@click.command()
@database
@click.option(
    "--provider", metavar="NAME", shell_complete=complete_provider, help="Only those for which it was called."
)
@click.option(
    "--outcome",
    type=OneOf([one.value for one in (*Became, *EndReason)]),
    metavar="WORD",
    help="Only those that were served, failed, are held, or are open; or failed for a reason, like deadline.",
)
@click.option("--key", metavar="KEY", help="Only those that callers gave this idempotency key.")
@span_options
@click.option(
    "--limit", type=click.IntRange(min=0), default=20, show_default=True, metavar="N", help="The newest N; 0: all."
)
@archive_option
@as_json
def requests(
    db: Path,
    *,
    provider: str | None,
    outcome: str | None,
    key: str | None,
    since_us: int | None,
    until_us: int | None,
    limit: int,
    archive: Path | None,
    as_json: bool,
) -> None:
    """List the requests in the log DB, newest first: what became of each, by whom, after how many calls, how soon.

    Works beside a running engine, and changes nothing. Times are those of acceptance, in UTC. `by` is who served it,
    or whose call is in doubt, or who was called last.

    \b
    Example:
      understudy requests calls.db --outcome failed --since 1h
      understudy requests calls.db --provider alpha --limit 0 --json
      understudy requests calls.db --key order-17

    \b
    Exit codes: 0 listed, be it none;
                2 wrong usage, no such provider, or DB is no log that can be read.
    """
    wanted = replace(_wanted(provider, outcome), key=key)
    with opened(db, archive) as reader, Progress("searching") as progress:
        expect_provider(reader, provider)
        after, through = between(reader, since_us=since_us, until_us=until_us)
        ids = reader.newest_requests(wanted, after=after, through=through, progress=progress)
        found: Iterator[RequestSummary] = (summarized(reader.request_rows(one)) for one in islice(ids, limit or None))
        if 0 < limit <= _SHORT:
            found = iter(list(found))
            progress.end()
        else:
            progress.end()  # What is shown as it is found is all the progress that anybody needs.
        now = ownership(db, reader)
        if as_json:
            shown, head = (one.to_json() for one in found), {"log": str(db), **now.to_json()}
            answer_json_list("requests", shown, head=head, tail=lambda: {"more": next(ids, None) is not None})
        else:
            _tell(found)
            if next(ids, None) is not None:
                note(f"older ones match, too; --limit {10 * limit} shows more, --limit 0 all")
        now.tell(db)


def _tell(found: "Iterator[RequestSummary]") -> None:
    if first := list(islice(found, _MEASURED)):
        _print(first, found)
    else:
        note("no request matches")


def _print(first: "Sequence[RequestSummary]", others: "Iterable[RequestSummary]") -> None:
    """Print a line for each request, or two where a terminal is too narrow for it; `first` says how wide it all is."""
    measured = [_row(one) for one in first]
    rows = chain(measured, map(_row, others))
    if fits(_HEADER, measured):
        table(_HEADER, rows, numbers=_NUMBERS, measured=len(measured))
        return
    above, below = tee(rows)
    place = _HEADER.index("by")
    upper = table_lines(_HEADER[1:place], (row[1:place] for row in above), measured=len(measured))
    lower = table_lines(
        (_HEADER[0], *_HEADER[place:]),
        ([row[0], *row[place:]] for row in below),
        numbers=_NUMBERS,
        measured=len(measured),
    )
    answer_lines(line for name, figures in zip(upper, lower, strict=True) for line in (name, f"  {figures}"))


def _wanted(provider: str | None, outcome: str | None) -> RequestsWanted:
    if outcome is None:
        return RequestsWanted(provider=provider)
    if outcome in {one.value for one in Became}:
        return RequestsWanted(provider=provider, became=Became(outcome))
    return RequestsWanted(provider=provider, reason=EndReason(outcome))


def _row(one: RequestSummary) -> list[str | Cell]:
    what = " ".join([one.operation, *map(shown, one.context.values())])
    return [
        f"{iso(one.accepted_us)[:-5]}Z",
        plain(one.request_id),
        Cell(one.outcome, _COLOURS[one.became]),
        plain(one.provider or "-"),
        str(one.calls),
        _ms(one.took_ms),
        plain(what),
    ]


def _ms(took_ms: float | None) -> str:
    if took_ms is None:
        return "-"
    return f"{took_ms:,.0f}" if took_ms >= _EXACT_BELOW_MS else f"{took_ms:.1f}"
