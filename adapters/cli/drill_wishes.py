"""Wishes for drills: the options that they have in common, and how they reach a running engine."""

import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from understudy.adapters.cli.delivery import Delivered, deliver
from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.instants import Length, iso, span
from understudy.adapters.cli.logs import as_json, complete_provider, database, expect_in_force
from understudy.adapters.cli.wishes import Words, say, say_json, wish_options
from understudy.adapters.stores import SqliteReader
from understudy.engine.commands import wished
from understudy.engine.drill_commands import StartDrill, StopDrill
from understudy.events.codec import decode
from understudy.events.drills import DrillForm, DrillStarted

F = TypeVar("F", bound=Callable[..., Any])

SHORTEST_US: Final = 1_000_000
for_: Final = click.option(
    "--for", "for_us", type=Length(least_us=SHORTEST_US), required=True, metavar="TIME", help="How long: 60s, 10m, 1h."
)
reason_: Final = click.option(
    "--reason", type=Words(), required=True, metavar="TEXT", help="Why; others will read it in the log."
)
share_: Final = click.option(
    "--share",
    type=click.FloatRange(0.01, 100),
    metavar="PERCENT",
    help="Share of calls that fail.  [default: 100; brownout: 50]",
)


def at_a_provider(function: F) -> F:
    """The arguments and options that the drills at one provider have in common."""
    last = click.option("--even-the-last", is_flag=True, help="Also if nobody else can serve meanwhile.")
    named = click.argument("provider", shell_complete=complete_provider)
    for option in (as_json, wish_options, reason_, last, for_, named, database):
        function = option(function)
    return function


def hold(
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
    """Have a running engine hold a drill, and say so.

    Errors: Refused if there is none, or if it refuses; then nothing is left in the inbox.
    """
    if more.get("provider") is not None:
        with SqliteReader.open(db) as reader:
            expect_in_force(reader, more["provider"])
    expires_us = time.time_ns() // 1000 + wait_us + SHORTEST_US
    exact = None if share is None else Decimal(str(share))
    told = {"actor": actor, "reason": reason, "share": exact, "for_ms": for_us // 1000, "expires_us": expires_us}
    wish = wished(StartDrill, form=form, **told, **more)
    done = delivered(db, wish, wait_us)
    event = decode(done.row)
    if not isinstance(event, DrillStarted):
        raise Refused(f"event {done.row.seq} is no drill")
    if as_json:
        say_json(db, done, {"drill": event.drill, "until": iso(event.until_us)})
        return
    what = f"{form} of {event.provider}" if event.provider is not None else f"{form}"
    lead = f"drill {event.drill}, {what}, has begun, until {iso(event.until_us)} (for {span(event.for_us)})"
    say(db, wish, done, lead, more=[("stop", f"understudy drill stop {db} {event.drill}")])


def delivered(db: Path, wish: StartDrill | StopDrill, wait_us: int) -> Delivered:
    """Have a running engine obey a wish about drills.

    Errors: Refused if nobody does.
    """
    done = deliver(db, wish, patience_s=wait_us / 1_000_000)
    if not isinstance(done, Delivered):
        raise Refused(done.why)
    return done


def in_ms(length_us: int | None) -> int | None:
    """A length of time in whole milliseconds."""
    return None if length_us is None else length_us // 1000


def pair(arg: str) -> tuple[str, str]:
    """A NAME=VALUE in its two parts.

    Errors: click.UsageError.
    """
    name, equals, value = arg.partition("=")
    if not equals or not name:
        raise click.UsageError(f"{arg!r} is no NAME=VALUE, such as country=us")
    return name, value
