"""`understudy verify`: is the log as it was written, and would the same be decided again?"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from understudy.adapters.cli.archive_at_hand import ArchiveAtHand, look_at_archive
from understudy.adapters.cli.exits import FINE, NOT_AS_IT_SHOULD_BE
from understudy.adapters.cli.logs import archive_option, as_json, at_option, database, last_seq
from understudy.adapters.cli.output import answer, answer_json, facts, painted, plain
from understudy.adapters.cli.progress import Progress
from understudy.adapters.parallel_verify import cores, verify_file
from understudy.adapters.stores import SqliteReader
from understudy.adapters.stores.damage import file_damage
from understudy.events.counted import counted
from understudy.events.errors import LogDamaged
from understudy.events.log import LogReader
from understudy.replay.verify import Breakage, Verification
from understudy.replay.verify import verify as recompute

_LONGEST_SHOWN: Final = 200
_MOST_SHOWN: Final = 5
_NOWHERE: Final = 0
"""In the place of an event's number, where the damage keeps from seeing which event it is."""
_ADVICE: Final = "stop the engine, keep a copy of the file (and of its -wal), and restore a backup"


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
@archive_option
@click.pass_context
def verify(
    ctx: click.Context,
    db: Path,
    *,
    through: int | None,
    at_us: int | None,
    jobs: int | None,
    archive: Path | None,
    as_json: bool,
) -> None:
    """Recompute the hash chain of the log DB over every event, and every decision from the events alone.

    Works beside a running engine, and changes nothing. What has been archived is read from the archive; where its files
    are not at hand, what comes after them is verified.

    \b
    Example:
      understudy verify calls.db
      understudy verify calls.db --at 2026-01-31T12:00:00Z --json

    \b
    Exit codes: 0 intact, and every decision comes out the same;
                1 broken, damaged, or decided otherwise (the first place is shown);
                2 wrong usage, no such file, or DB is no log.
    """
    at_hand: ArchiveAtHand | None = None
    try:
        with SqliteReader.open(db, archive=archive) as reader:
            limit = last_seq(reader, through=through, at_us=at_us)
            at_hand = look_at_archive(reader, through=limit)
            with Progress("verifying") as progress:
                found = verify_file(
                    db,
                    stream=reader.stream,
                    after=0 if at_hand is None else at_hand.verified_after,
                    through=limit,
                    archive=archive,
                    jobs=jobs or cores(),
                    progress=progress,
                )
            damage = reader.damage() if limit is None else []
    except LogDamaged as error:
        found, damage = _unverifiable(str(error)), file_damage(db)
    ok = found.ok and not damage and (at_hand is None or at_hand.ok)
    if as_json:
        more = {} if at_hand is None else {"archive": asdict(at_hand)}
        answer_json({"log": str(db), "ok": ok, **_as_json(found), "damage": list(damage), **more})
    else:
        _tell(db, found, damage, at_hand)
    ctx.exit(FINE if ok else NOT_AS_IT_SHOULD_BE)


def _unverifiable(what: str) -> Verification:
    """What is found in a file so damaged that its events cannot be gone through: nothing but that."""
    return Verification(
        stream="",
        events=0,
        head_seq=0,
        head_chain="",
        broken=Breakage(seq=_NOWHERE, what=what),
        steps=0,
        identical=0,
        differs=0,
        other_rules=0,
        input_missing=0,
        first_difference=None,
    )


def _as_json(found: Verification) -> dict[str, object]:
    told = asdict(found)
    if found.broken is not None and found.broken.seq == _NOWHERE:
        told["broken"]["seq"] = None
    return told


def _tell(db: Path, found: Verification, damage: Sequence[str], at_hand: ArchiveAtHand | None) -> None:
    unreadable = found.broken is not None and found.broken.seq == _NOWHERE
    if unreadable:
        answer(f"{db}: damaged, so that its events cannot be gone through")
    else:
        answer(f"{db}: {counted(found.events, 'event')} in stream {plain(found.stream)}")
    advice = [("what to do", _ADVICE)] if damage or found.broken else []
    facts([*findings(found), *(at_hand.lines() if at_hand else ()), *_damages(damage), *advice])


def verified(reader: LogReader, *, through: int | None = None) -> Verification:
    """What verifying finds, with progress for whoever waits."""
    end = reader.head().seq if through is None else through
    with Progress("verifying") as progress:
        # Every event is looked at twice: once for the chain, once for the decisions.
        return recompute(reader, through=end, progress=lambda done: progress(done, 2 * end))


def findings(found: Verification) -> list[tuple[str, str]]:
    """The verification in words, a name and a value a line."""
    lines = [("chain", _chain(found))]
    if found.broken is None or found.broken.seq != _NOWHERE:
        lines.append(("decisions", _decisions(found)))
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
    if found.broken.seq == _NOWHERE:
        return painted(f"broken: {plain(found.broken.what)}", "red")
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
