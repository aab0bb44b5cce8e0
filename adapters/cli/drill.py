"""`understudy drill`: make faults up on purpose at a running engine's providers, and see what becomes of them."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from understudy.adapters.cli.drill_told import list_, report
from understudy.adapters.cli.drill_wishes import (
    SHORTEST_US,
    at_a_provider,
    delivered,
    for_,
    hold,
    in_ms,
    pair,
    reason_,
    share_,
)
from understudy.adapters.cli.drill_words import print_plan
from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.instants import Length
from understudy.adapters.cli.logs import as_json, database, policy_in_force
from understudy.adapters.cli.wishes import Words, say, say_json, wish_options
from understudy.adapters.stores import SqliteReader
from understudy.engine.chaos import plan
from understudy.engine.drill_commands import SEEDS, StopDrill, expect_length
from understudy.engine.errors import InvalidRequest
from understudy.events.codec import decode
from understudy.events.drills import DrillEnded, DrillForm


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def drill() -> None:
    """Make faults up at a running engine's providers, and tell what became of them.

    Nothing is sent to a provider that a fault is made up for, and no success is ever made up. What has begun (look-ups,
    cancels, the second part of a conversion) is never touched. When a drill ends, its provider stands as if it had
    touched no call.
    """


@drill.command()
@at_a_provider
@share_
def outage(db: Path, provider: str, *, share: float | None, **more: Any) -> None:
    """Have PROVIDER refuse every connection for a while, at the engine that runs on the log DB.

    \b
    Example:
      understudy drill outage calls.db alpha --for 60s --reason "monthly drill"

    \b
    Exit codes: 0 it has begun; 2 wrong usage, refused, or no engine is running
                on DB: nothing is left in its inbox.
    """
    hold(db, DrillForm.OUTAGE, provider=provider, share=share, **more)


@drill.command()
@at_a_provider
@share_
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
    hold(db, DrillForm.BROWNOUT, provider=provider, share=share, delay_ms=in_ms(delay_us), **more)


@drill.command()
@at_a_provider
@share_
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
    hold(db, DrillForm.THROTTLE, provider=provider, share=share, retry_after_ms=in_ms(pause_us), **more)


@drill.command()
@at_a_provider
@click.option(
    "--every",
    "every_us",
    type=Length(least_us=SHORTEST_US),
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
    hold(db, DrillForm.FLAP, provider=provider, every_ms=in_ms(every_us), **more)


@drill.command()
@database
@for_
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
        for_ms = for_us // 1000
        with SqliteReader.open(db) as reader:
            policy = policy_in_force(reader)
        try:
            expect_length(policy, DrillForm.CHAOS, for_ms=for_ms)
        except InvalidRequest as error:
            raise Refused(str(error)) from error
        found = plan(seed, list(policy.by_id), for_ms=for_ms, at_once=at_once)
        print_plan(db, found, as_json=more["as_json"])
        return
    if reason is None:
        raise click.UsageError("say why with --reason; others will read it in the log")
    hold(db, DrillForm.CHAOS, for_us=for_us, seed=seed, at_once=at_once, reason=reason, **more)


@drill.command()
@database
@click.argument("operation")
@click.option(
    "--rps", type=click.FloatRange(0, min_open=True), required=True, metavar="N", help="How many requests a second."
)
@for_
@click.option("--arg", "args", multiple=True, metavar="NAME=VALUE", help="Context of the requests, such as country=us.")
@reason_
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
    context = dict(pair(one) for one in args)
    hold(db, DrillForm.LOAD, operation=operation, per_second=Decimal(str(rps)), context=context or None, **more)


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
    done = delivered(db, wish, wait_us)
    event = decode(done.row)
    ended = event.drill if isinstance(event, DrillEnded) else drill_id
    what = f"drill {ended} is over" if drill_id is not None else "every drill is over"
    if as_json:
        say_json(db, done, {"drill": ended})
    else:
        say(db, wish, done, f"{what}: its provider stands as if it had touched no call", more=[])


drill.add_command(list_)
drill.add_command(report)
