"""`understudy drill`: make faults up on purpose at a running engine's providers, and see what becomes of them."""

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from understudy.adapters.cli.delivery import Delivered, deliver
from understudy.adapters.cli.drill_words import (
    DRILL_COLUMNS,
    drill_json,
    drill_row,
    print_plan,
    print_report,
    report_json,
    skipped_of,
    tell_load,
)
from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.instants import Length, iso, span
from understudy.adapters.cli.logs import as_json, complete_provider, database, expect_in_force, policy_in_force
from understudy.adapters.cli.output import answer, answer_json, note, table
from understudy.adapters.cli.progress import Progress
from understudy.adapters.cli.wishes import Words, say, say_json, wish_options
from understudy.adapters.stores import SqliteReader
from understudy.engine.chaos import plan
from understudy.engine.commands import wished
from understudy.engine.drill_commands import SEEDS, StartDrill, StopDrill
from understudy.events.codec import decode
from understudy.events.drills import FAULTS, DrillEnded, DrillForm, DrillStarted
from understudy.replay.drill_report import Held, drills_of, report_on
from understudy.replay.load_report import load_report_on

F = TypeVar("F", bound=Callable[..., Any])

_SHORTEST_US: Final = 1_000_000
_for: Final = click.option(
    "--for", "for_us", type=Length(least_us=_SHORTEST_US), required=True, metavar="TIME", help="How long: 60s, 10m, 1h."
)
_reason: Final = click.option(
    "--reason", type=Words(), required=True, metavar="TEXT", help="Why; others will read it in the log."
)
_share: Final = click.option(
    "--share",
    type=click.FloatRange(0.01, 100),
    metavar="PERCENT",
    help="Share of calls that fail.  [default: 100; brownout: 50]",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def drill() -> None:
    """Make faults up at a running engine's providers, and tell what became of them.

    Nothing is sent to a provider that a fault is made up for, and no success is ever made up. What has begun (look-ups,
    cancels, the second part of a conversion) is never touched. When a drill ends, its provider stands as if it had
    touched no call.
    """


def _at_a_provider(function: F) -> F:
    """The arguments and options that the drills at one provider have in common."""
    last = click.option("--even-the-last", is_flag=True, help="Also if nobody else can serve meanwhile.")
    named = click.argument("provider", shell_complete=complete_provider)
    for option in (as_json, wish_options, _reason, last, _for, named, database):
        function = option(function)
    return function


@drill.command()
@_at_a_provider
@_share
def outage(db: Path, provider: str, *, share: float | None, **more: Any) -> None:
    """Have PROVIDER refuse every connection for a while, at the engine that runs on the log DB.

    \b
    Example:
      understudy drill outage calls.db alpha --for 60s --reason "monthly drill"

    \b
    Exit codes: 0 it has begun; 2 wrong usage, refused, or no engine is running
                on DB: nothing is left in its inbox.
    """
    _hold(db, DrillForm.OUTAGE, provider=provider, share=share, **more)


@drill.command()
@_at_a_provider
@_share
@click.option("--delay", "delay_us", type=Length(), metavar="TIME", help="How long the others are held back.  [2s]")
def brownout(db: Path, provider: str, *, share: float | None, delay_us: int | None, **more: Any) -> None:
    """Have a share of the calls of PROVIDER fail, and the others held back, but no longer than half of their time.

    \b
    Example:
      understudy drill brownout calls.db alpha --for 5m --share 30 --reason "as in May"

    \b
    Exit codes: 0 it has begun; 2 wrong usage, refused, or no engine is running
                on DB: nothing is left in its inbox.
    """
    _hold(db, DrillForm.BROWNOUT, provider=provider, share=share, delay_ms=_ms(delay_us), **more)


@drill.command()
@_at_a_provider
@_share
@click.option(
    "--retry-after", "pause_us", type=Length(least_us=1_000), metavar="TIME", help="The pause that it asks for.  [1s]"
)
def throttle(db: Path, provider: str, *, share: float | None, pause_us: int | None, **more: Any) -> None:
    """Have PROVIDER ask for patience, as if it had been called too often.

    \b
    Example:
      understudy drill throttle calls.db alpha --for 60s --reason "do we wait?"

    \b
    Exit codes: 0 it has begun; 2 wrong usage, refused, or no engine is running
                on DB: nothing is left in its inbox.
    """
    _hold(db, DrillForm.THROTTLE, provider=provider, share=share, retry_after_ms=_ms(pause_us), **more)


@drill.command()
@_at_a_provider
@click.option(
    "--every",
    "every_us",
    type=Length(least_us=_SHORTEST_US),
    metavar="TIME",
    help="How long it is out, and then back.  [10s]",
)
def flap(db: Path, provider: str, *, every_us: int | None, **more: Any) -> None:
    """Have PROVIDER be out and back by turns.

    \b
    Example:
      understudy drill flap calls.db alpha --for 5m --every 20s --reason "keeping up?"

    \b
    Exit codes: 0 it has begun; 2 wrong usage, refused, or no engine is running
                on DB: nothing is left in its inbox.
    """
    _hold(db, DrillForm.FLAP, provider=provider, every_ms=_ms(every_us), **more)


@drill.command()
@database
@_for
@click.option("--seed", type=click.IntRange(0, SEEDS - 1), help="The same seed makes the same plan.  [random]")
@click.option("--at-once", type=click.IntRange(min=1), default=1, show_default=True, help="Drills at a time, at most.")
@click.option("--dry-run", is_flag=True, help="Print the plan instead, which takes --seed, and no running engine.")
@click.option("--reason", type=Words(), metavar="TEXT", help="Why; others will read it in the log.")
@wish_options
@as_json
def chaos(
    db: Path,
    *,
    for_us: int,
    seed: int | None,
    at_once: int,
    dry_run: bool,
    reason: str | None,
    **more: Any,
) -> None:
    """Hold random drills at all providers, for a while, by a plan that follows from the seed alone.

    A part of the plan that would leave nobody to serve is left out. `understudy drill stop` ends it all at once.

    \b
    Example:
      understudy drill chaos calls.db --seed 7 --for 10m --dry-run
      understudy drill chaos calls.db --seed 7 --for 10m --reason "game day"

    \b
    Exit codes: 0 it has begun, or the plan is shown; 2 wrong usage, refused, or
                no engine is running on DB: nothing is left in its inbox.
    """
    if dry_run:
        if seed is None:
            raise click.UsageError("a plan follows from its seed: name one with --seed")
        with SqliteReader.open(db) as reader:
            providers = list(policy_in_force(reader).by_id)
        found = plan(seed, providers, for_ms=for_us // 1000, at_once=at_once)
        print_plan(db, found, as_json=more["as_json"])
        return
    if reason is None:
        raise click.UsageError("say why with --reason; others will read it in the log")
    _hold(db, DrillForm.CHAOS, for_us=for_us, seed=seed, at_once=at_once, reason=reason, **more)


@drill.command()
@database
@click.argument("operation")
@click.option(
    "--rps", type=click.FloatRange(0, min_open=True), required=True, metavar="N", help="How many requests a second."
)
@_for
@click.option("--arg", "args", multiple=True, metavar="NAME=VALUE", help="Context of the requests, such as country=us.")
@_reason
@wish_options
@as_json
def load(db: Path, operation: str, *, rps: float, args: tuple[str, ...], **more: Any) -> None:
    """Have the engine send so many requests of OPERATION a second, which must be declared, and a `read`.

    They are real requests. None of them waits for a limit: what cannot be sent at once is left out. As soon as any
    other request waits, the load ends. `understudy drill report` tells what it came to.

    \b
    Example:
      understudy drill load calls.db get_price --rps 50 --for 60s --reason "how much?"

    \b
    Exit codes: 0 it has begun; 2 wrong usage, refused, or no engine is running
                on DB: nothing is left in its inbox.
    """
    context = dict(_pair(one) for one in args)
    _hold(db, DrillForm.LOAD, operation=operation, per_second=Decimal(str(rps)), context=context or None, **more)


def _pair(arg: str) -> tuple[str, str]:
    name, equals, value = arg.partition("=")
    if not equals or not name:
        raise click.UsageError(f"{arg!r} is no NAME=VALUE, such as country=us")
    return name, value


@drill.command()
@database
@click.argument("drill_id", metavar="[DRILL]", required=False)
@click.option("--reason", type=Words(), default="that is enough", show_default=True, metavar="TEXT", help="Why.")
@wish_options
@as_json
def stop(db: Path, drill_id: str | None, *, reason: str, actor: str, wait_us: int, as_json: bool) -> None:
    """End DRILL now, or all drills that run on the log DB; a chaos ends with its parts.

    \b
    Example:
      understudy drill stop calls.db
      understudy drill stop calls.db d1204 --reason "real trouble"

    \b
    Exit codes: 0 done; 2 wrong usage, no such drill, or no engine is running on
                DB: a drill does not outlive its engine.
    """
    wish = StopDrill(drill=drill_id, actor=actor, reason=reason)
    done = _delivered(db, wish, wait_us)
    event = decode(done.row)
    ended = event.drill if isinstance(event, DrillEnded) else drill_id
    what = f"drill {ended} is over" if drill_id is not None else "every drill is over"
    if as_json:
        say_json(db, done, {"drill": ended})
    else:
        say(db, wish, done, f"{what}: its provider stands as if it had touched no call", more=[])


@drill.command(name="list")
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


@drill.command()
@database
@click.argument("drill_id", metavar="[DRILL]", required=False)
@as_json
def report(db: Path, drill_id: str | None, *, as_json: bool) -> None:
    """Tell what came of DRILL in the log DB, or of the latest: how soon it was noticed, what it cost, who stood in.

    \b
    Example:
      understudy drill report calls.db
      understudy drill report calls.db d1204 --json

    \b
    Exit codes: 0 done; 2 wrong usage, no such drill, or DB is no log that can be
                read.
    """
    with SqliteReader.open(db) as reader, Progress("folding the log"):
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


def _hold(
    db: Path,
    form: DrillForm,
    *,
    for_us: int,
    actor: str,
    reason: str,
    wait_us: int,
    as_json: bool,
    share: float | None = None,
    **more: Any,
) -> None:
    if more.get("provider") is not None:
        with SqliteReader.open(db) as reader:
            expect_in_force(reader, more["provider"])
    expires_us = time.time_ns() // 1000 + wait_us + _SHORTEST_US
    exact = None if share is None else Decimal(str(share))
    told = {"actor": actor, "reason": reason, "share": exact, "for_ms": for_us // 1000, "expires_us": expires_us}
    wish = wished(StartDrill, form=form, **told, **more)
    done = _delivered(db, wish, wait_us)
    event = decode(done.row)
    if not isinstance(event, DrillStarted):
        raise Refused(f"event {done.row.seq} is no drill")
    if as_json:
        say_json(db, done, {"drill": event.drill, "until": iso(event.until_us)})
        return
    what = f"{form} of {event.provider}" if event.provider is not None else f"{form}"
    lead = f"drill {event.drill}, {what}, has begun, until {iso(event.until_us)} (for {span(event.for_us)})"
    say(db, wish, done, lead, more=[("stop", f"understudy drill stop {db} {event.drill}")])


def _delivered(db: Path, wish: StartDrill | StopDrill, wait_us: int) -> Delivered:
    done = deliver(db, wish, patience_s=wait_us / 1_000_000)
    if not isinstance(done, Delivered):
        raise Refused(done.why)
    return done


def _ms(length_us: int | None) -> int | None:
    return None if length_us is None else length_us // 1000
