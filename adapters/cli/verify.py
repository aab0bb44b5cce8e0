"""`understudy verify`: is the log as it was written, and would the same be decided again?"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from understudy.adapters.cli.exits import FINE, NOT_AS_IT_SHOULD_BE
from understudy.adapters.cli.logs import as_json, at_option, database, last_seq
from understudy.adapters.cli.output import answer, answer_json, facts, painted, plain
from understudy.adapters.cli.progress import Progress
from understudy.adapters.parallel_verify import cores, verify_file
from understudy.adapters.stores import SqliteReader
from understudy.events.log import LogReader
from understudy.replay.verify import Verification
from understudy.replay.verify import verify as recompute

_LONGEST_SHOWN: Final = 200
_MOST_SHOWN: Final = 5


@click.command()
@database
@click.option("--through", type=click.IntRange(min=1), metavar="N", help="Only the events up to number N.")
@at_option
@click.option(
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="With up to N processes; as many as there are cores by default. Short logs need but one.",
)
@as_json
@click.pass_context
def verify(
    ctx: click.Context, db: Path, through: int | None, at_us: int | None, jobs: int | None, *, as_json: bool
) -> None:
    """Recompute the hash chain of the log DB over every event, and every decision from the events alone.

    Works beside a running engine, and changes nothing.

    \b
    Example:
      understudy verify calls.db
      understudy verify calls.db --at 2026-01-31T12:00:00Z --json

    \b
    Exit codes: 0 intact, and every decision comes out the same;
                1 broken, or a decision comes out otherwise (the first place is shown);
                2 wrong usage, or DB is no log that can be read.
    """
    with SqliteReader.open(db) as reader:
        limit = last_seq(reader, through=through, at_us=at_us)
        with Progress("verifying") as progress:
            found = verify_file(db, stream=reader.stream, through=limit, jobs=jobs or cores(), progress=progress)
        damage = reader.damage() if limit is None else []
    ok = found.ok and not damage
    if as_json:
        answer_json({"log": str(db), "ok": ok, **asdict(found), "damage": list(damage)})
    else:
        answer(f"{db}: {found.events:,} events in stream {plain(found.stream)}")
        facts([*findings(found), *_damages(damage)])
    ctx.exit(FINE if ok else NOT_AS_IT_SHOULD_BE)


def verified(reader: LogReader, *, through: int | None = None) -> Verification:
    """What verifying finds, with progress for whoever waits."""
    end = reader.head().seq if through is None else through
    with Progress("verifying") as progress:
        # Every event is looked at twice: once for the chain, once for the decisions.
        return recompute(reader, through=end, progress=lambda done: progress(done, 2 * end))


def findings(found: Verification) -> list[tuple[str, str]]:
    """The verification in words, a name and a value a line."""
    lines = [("chain", _chain(found)), ("decisions", _decisions(found))]
    if first := found.first_difference:
        of_request = f" of request {plain(first.request_id)}" if first.request_id else ""
        lines += [
            ("first difference", f"event {first.seq}, {first.kind}{of_request}"),
            ("", f"{plain(first.field)} was logged as     {_cut(first.logged)}"),
            ("", f"{plain(first.field)} comes out now as  {_cut(first.recomputed)}"),
        ]
    return lines


def _damages(damage: Sequence[str]) -> Iterator[tuple[str, str]]:
    """What SQLite finds wrong with the file itself, but not all of it where that is much."""
    for one in damage[:_MOST_SHOWN]:
        yield "file", painted(plain(" ".join(one.split())), "red")
    if len(damage) > _MOST_SHOWN:
        yield "file", painted(f"and {len(damage) - _MOST_SHOWN} more of the kind", "red")


def _cut(text: str) -> str:
    return plain(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…")


def _chain(found: Verification) -> str:
    if found.broken is None:
        return f"{painted('intact', 'green')}, {found.head_chain} at event {found.head_seq}"
    return painted(f"broken at event {found.broken.seq}: {plain(found.broken.what)}", "red")


def _decisions(found: Verification) -> str:
    counts = [
        (found.identical, "identical", "green"),
        (found.differs, "come out otherwise", "red"),
        (found.other_rules, "made under other rules", "yellow"),
        (found.input_missing, "lack what they were made on", "red"),
    ]
    told = [painted(f"{count:,} {words}", colour) for count, words, colour in counts if count]
    return ", ".join(told) or "none"
