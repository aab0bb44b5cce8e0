"""What commands that read a log have in common: its file, the place up to which it is read, and `--json`."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.find_request import LAST, LAST_FAILOVER
from understudy.adapters.cli.instants import Instant, iso
from understudy.adapters.cli.output import note, plain
from understudy.adapters.cli.progress import Progress
from understudy.adapters.stores import SqliteReader
from understudy.adapters.stores.request_search import Became, RequestsWanted
from understudy.events.codec import decode
from understudy.events.errors import UnderstudyError, UnreadableEvent
from understudy.events.log import LogReader
from understudy.events.names import did_you_mean
from understudy.events.operations import PolicyActivated
from understudy.events.policy import Policy, ProviderSettings

_OFFERED: Final = 20
"""Requests that a shell is offered."""

F = TypeVar("F", bound=Callable[..., Any])

database: Final = click.argument("db", type=click.Path(path_type=Path))
"""The file of the log."""


def only_directory(_: click.Context, __: click.Parameter, folders: tuple[Path, ...]) -> Path | None:
    """The directory that an option names, which can be given once; None if it is not given.

    Errors: UsageError for a second one; Refused if there is none of that name.
    """
    if len(folders) > 1:
        raise click.UsageError("--archive names one directory; put the files that were moved into one, and name that")
    for folder in folders:
        if not folder.is_dir():
            raise Refused(
                f"there is no directory {plain(str(folder))}: --archive names the one in which the archived files are"
            )
    return next(iter(folders), None)


archive_option: Final = click.option(
    "--archive",
    type=click.Path(path_type=Path, file_okay=False),
    multiple=True,  # So that a second one is refused, not taken for the only one.
    callback=only_directory,
    metavar="DIR",
    help="Where the files of the log's archive are, as far as not where they were put.",
)
"""The option `--archive DIR`."""

as_json: Final = click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object.")


@contextmanager
def opened(db: Path, archive: Path | None) -> Iterator[SqliteReader]:
    """A reader of the log and of its archive as one, with progress for whoever waits until that is unpacked."""
    with (
        Progress("unpacking the archive") as progress,
        SqliteReader.open(db, archive=archive, unpacking=progress) as reader,
    ):
        yield reader


def last_seq(
    reader: LogReader, *, through: int | None = None, position: int | None = None, at_us: int | None = None
) -> int | None:
    """The last event that is meant by `--through`, `--position` or `--at`; None for the end.

    Errors: UsageError if more than one is given; Refused if there is no event so early, or the log ends before.
    """
    given = [limit for limit in (through, position, at_us) if limit is not None]
    if len(given) > 1:
        raise click.UsageError("name the place once: either by its number or by its time")
    if not given:
        return None
    if through is not None:
        _expect_reached(reader, "--through", through, reached=through <= reader.head().seq)
        return through
    found = reader.seq_at(at_us=at_us, position=position)
    if position is not None:
        reached = found < reader.head().seq or reader.seq_at(position=position - 1) < found
        _expect_reached(reader, "--position", position, reached=reached)
    if found == 0:
        first = next(reader.rows(through=1), None)
        begins = "it is empty" if first is None else f"its first event is of {iso(first.at_us)}"
        raise Refused(f"nothing had been written to this log by then; {begins}")
    return found


def _expect_reached(reader: LogReader, option: str, wanted: int, *, reached: bool) -> None:
    """Refuse a place behind the log's end."""
    if not reached:
        ends = f"the log ends at event {reader.head().seq:,}, before {option} {wanted:,}"
        raise Refused(f"{ends}; name an earlier place, or restore a backup if this log has been longer")


def at_option(function: F) -> F:
    """The option `--at TIME`."""
    told = "Only what was known at that time, like 2026-01-31T12:00:00Z; UTC unless it says otherwise."
    return click.option("--at", "at_us", type=Instant(), metavar="TIME", help=told)(function)


def between(reader: LogReader, *, since_us: int | None, until_us: int | None) -> tuple[int, int]:
    """The events from `--since` to `--until`, both included, as `after` and `through`; up to the end as it is now.

    Errors: UsageError if nothing can be between them.
    """
    if since_us is not None and until_us is not None and since_us > until_us:
        raise click.UsageError(f"--since {iso(since_us)} is later than --until {iso(until_us)}")
    after = 0 if since_us is None else reader.seq_at(at_us=since_us - 1)
    return after, reader.head().seq if until_us is None else reader.seq_at(at_us=until_us)


def span_options(function: F) -> F:
    """The options `--since TIME` and `--until TIME`."""
    since = "Only from that time on: 2026-01-31T12:00:00Z, or 10m for ten minutes ago."
    until = "Only up to that time."
    function = click.option("--until", "until_us", type=Instant(), metavar="TIME", help=until)(function)
    return click.option("--since", "since_us", type=Instant(), metavar="TIME", help=since)(function)


def known_providers(reader: LogReader) -> list[str]:
    """Every provider that a policy of this log has named, those of the newest policy first."""
    found: dict[str, None] = {}
    for row in reversed(reader.operations(PolicyActivated.kind)):
        try:
            event = decode(row)
        except UnreadableEvent:
            continue
        if isinstance(event, PolicyActivated):
            found.update(dict.fromkeys(event.policy.by_id))
    return list(found)


def expect_provider(reader: LogReader, name: str | None) -> None:
    """Refuse a provider that no policy of this log has ever named: it is misspelt."""
    known = known_providers(reader)
    if name is not None and known and name not in known:
        advice = did_you_mean(name, known) or f"; there are {', '.join(known)}"
        raise Refused(f"this log knows no provider {plain(name)!r}{advice}")


def note_unknown_operation(reader: SqliteReader, name: str) -> None:
    """Say which operations the log has, the nearest first, where it has none of that name: it may be misspelt."""
    with Progress("searching") as progress:
        known = reader.operations_called(progress=progress)
    if name not in known:
        nearest = get_close_matches(name, known, n=max(1, len(known)), cutoff=0.0)
        there = f"there are {', '.join(map(plain, nearest))}" if nearest else "it has none at all"
        note(f"this log has no operation {plain(name)!r}; {there}")


def policy_in_force(reader: LogReader) -> Policy:
    """The newest policy of a log.

    Errors: Refused if no engine has ever started there.
    """
    for row in reversed(reader.operations(PolicyActivated.kind)):
        event = decode(row)
        if isinstance(event, PolicyActivated):
            return event.policy
    raise Refused("no engine has started on this log yet: it knows no provider, and no request")


def expect_in_force(reader: LogReader, name: str) -> ProviderSettings:
    """The settings of a provider, which must be in the newest policy.

    Errors: Refused with the nearest name.
    """
    known = policy_in_force(reader).by_id
    if name not in known:
        advice = did_you_mean(name, known) or f"; it has {', '.join(known)}"
        raise Refused(f"the policy in force has no provider {plain(name)!r}{advice}")
    return known[name]


def complete_provider(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The providers of the log that has been typed already, for shell completion; none if it cannot be read."""
    del param
    try:
        with SqliteReader.open(_typed(ctx)) as reader:
            return [name for name in known_providers(reader) if name.startswith(incomplete)]
    except UnderstudyError:
        return []


def complete_held(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The ids of the newest suspended requests of the log that has been typed already, for shell completion."""
    del param
    wanted = RequestsWanted(became=Became.HELD)
    try:
        with SqliteReader.open(_typed(ctx)) as reader:
            newest = islice(reader.newest_requests(wanted), _OFFERED)
            return [request_id for request_id in newest if request_id.startswith(incomplete)]
    except UnderstudyError:
        return []


def _typed(ctx: click.Context) -> Path:
    """The log that has been typed: behind an unfinished option Click has not sorted it yet."""
    return Path(ctx.params.get("db") or next(iter(ctx.args), "")).expanduser()


def complete_request(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The words that mean a request, for shell completion."""
    del ctx, param
    return [word for word in (LAST, LAST_FAILOVER) if word.startswith(incomplete)]
