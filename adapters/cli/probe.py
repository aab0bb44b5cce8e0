"""`understudy probe`: an operator wants to know now whether a provider is well again."""

import time
from pathlib import Path

import click

from understudy.adapters.cli.delivery import PAUSE_S, Delivered, Waiting, deliver
from understudy.adapters.cli.event_words import event_json, told
from understudy.adapters.cli.exits import FINE, NOT_AS_IT_SHOULD_BE
from understudy.adapters.cli.logs import as_json, complete_provider, database, expect_in_force
from understudy.adapters.cli.standings import stands
from understudy.adapters.cli.wishes import Words, give_up, say, say_json, wish_options
from understudy.adapters.stores import SqliteReader
from understudy.adapters.stores.event_search import Wanted
from understudy.engine.commands import Probe, expect_probeable
from understudy.engine.restore import restore
from understudy.events.calls import CallFailed, CallSucceeded
from understudy.events.codec import decode
from understudy.events.row import Row

_ENDS = ("call_succeeded", "call_failed")


@click.command()
@database
@click.argument("provider", shell_complete=complete_provider)
@click.option(
    "--reason",
    type=Words(),
    default="is it well again?",
    show_default=True,
    metavar="TEXT",
    help="Why; others will read it in the log.",
)
@wish_options
@as_json
@click.pass_context
def probe(ctx: click.Context, db: Path, provider: str, *, reason: str, actor: str, wait_us: int, as_json: bool) -> None:
    """Find out now whether PROVIDER in the log DB is well again, rather than when its circuit has rested.

    The rest of an open circuit ends, so that the next request may probe it; who can be pinged is pinged at once, and
    must answer that first. If the probe fails, the circuit opens again for longer, as after any failed probe.

    A running engine takes the command from the log's inbox within a second. If none is running, this command ends the
    rest, and the next engine does the remainder when it starts.

    \b
    Example:
      understudy probe calls.db alpha
      understudy probe calls.db alpha --reason "they say it is over" --json

    \b
    Exit codes: 0 done, and no ping has failed; 1 done, and the ping failed;
                2 wrong usage, no such provider, nothing to probe, or DB is no
                log that can be written; 3 not done yet: it waits in the inbox.
    """
    ends_s = time.monotonic() + wait_us / 1_000_000
    with SqliteReader.open(db) as reader:
        settings = expect_in_force(reader, provider)
        standing = restore(reader).standing
        expect_probeable(standing, provider, now_us=max(standing.at_us, time.time_ns() // 1000))
    wish = Probe(provider=provider, actor=actor, reason=reason)
    done = deliver(db, wish, patience_s=wait_us / 1_000_000)
    if isinstance(done, Waiting):
        give_up(ctx, db, done, as_json=as_json, found={"ping": None, "provider": None})
    with SqliteReader.open(db) as reader:
        pinged = settings.has_ping and done.owner is not None
        ping = _ping(reader, done, provider, ends_s=ends_s) if pinged else None
        now = stands(reader, provider, now_us=time.time_ns() // 1000)
    if as_json:
        say_json(db, done, {"ping": None if ping is None else event_json(ping), "provider": now and now.to_json()})
    else:
        what = _sentence(ping, done, can_be_pinged=settings.has_ping)
        say(db, wish, done, f"{provider} {what}", more=[("now", now.in_words)] if now else [])
    failed = ping is not None and isinstance(decode(ping), CallFailed)
    ctx.exit(NOT_AS_IT_SHOULD_BE if failed else FINE)


def _ping(reader: SqliteReader, done: Delivered, provider: str, *, ends_s: float) -> Row | None:
    """The end of the first ping that began after the command was taken; None if there is none in time."""
    wanted = Wanted(kinds=_ENDS, provider=provider, operation="ping")
    while True:
        for row in reader.search(wanted, after=done.row.seq):
            event = decode(row)
            if isinstance(event, CallSucceeded | CallFailed) and event.started_seq > done.row.seq:
                return row
        if time.monotonic() >= ends_s:
            return None
        time.sleep(PAUSE_S)


def _sentence(ping: Row | None, done: Delivered, *, can_be_pinged: bool) -> str:
    if ping is not None:
        return f"was pinged: {told(ping).removeprefix('ping: ')}"
    if not can_be_pinged:
        return "cannot be pinged: the next request finds out"
    return (
        "is pinged when the next engine starts" if done.owner is None else "is being pinged, and has not answered yet"
    )
