"""`understudy override`: an operator forces a provider's state, or takes that back."""

import time
from pathlib import Path
from typing import Final

import click

from understudy.adapters.cli.delivery import Waiting, deliver
from understudy.adapters.cli.instants import Length, iso, span
from understudy.adapters.cli.logs import as_json, complete_provider, database, expect_in_force
from understudy.adapters.cli.one_of import OneOf
from understudy.adapters.cli.standings import stands
from understudy.adapters.cli.wishes import Words, give_up, say, say_json, wish_options
from understudy.adapters.stores import SqliteReader
from understudy.engine.commands import ClearOverride, SetOverride
from understudy.engine.restore import restore
from understudy.events.codec import decode
from understudy.events.log import LogReader
from understudy.events.operations import OverrideSet
from understudy.events.row import Row
from understudy.events.vocabulary import ForcedState
from understudy.projections.provider_record import ProviderRecord

CLEAR: Final = "clear"
_SHORTEST_US: Final = 1_000_000
_LONGEST_US: Final = 10**14
_MEANS: Final = {
    ForcedState.OPEN: ("is forced open", "it is not called"),
    ForcedState.CLOSED: ("is forced closed", "it is called whatever its circuit says"),
    ForcedState.DRAIN: ("is drained", "it gets nothing new"),
}


@click.command()
@database
@click.argument("provider", shell_complete=complete_provider)
@click.argument("state", metavar="STATE", type=OneOf([*(state.value for state in ForcedState), CLEAR]))
@click.option(
    "--for",
    "for_us",
    type=Length(least_us=_SHORTEST_US, most_us=_LONGEST_US),
    metavar="TIME",
    help="Only for so long (90s, 10m, 2h, 7d) from when it is obeyed; without it, until it is cleared.",
)
@click.option("--reason", type=Words(), required=True, metavar="TEXT", help="Why; others will read it in the log.")
@wish_options
@as_json
@click.pass_context
def override(
    ctx: click.Context,
    db: Path,
    provider: str,
    state: str,
    *,
    for_us: int | None,
    reason: str,
    actor: str,
    wait_us: int,
    as_json: bool,
) -> None:
    """Force the state of PROVIDER in the log DB, whatever its record says, or take that back.

    STATE is one of

    \b
      open    it is never called,
      closed  it is called, whatever its circuit says,
      drain   it gets nothing new; what is under way there is finished,
      clear   its own record decides again; also: what was wrong with our key
              or account there has been put right.

    A running engine takes the command from the log's inbox within a second. If none is running, this command writes
    the event itself, and the next engine goes by it.

    \b
    Example:
      understudy override calls.db alpha drain --for 10m --reason "maintenance"
      understudy override calls.db alpha clear --reason "they are done" --json

    \b
    Exit codes: 0 done; 2 wrong usage, no such provider, or DB is no log that
                can be written; 3 not done yet: it waits in the inbox.
    """
    if state == CLEAR and for_us is not None:
        raise click.UsageError("--for says how long a state is forced, and `clear` forces none; leave it out")
    with SqliteReader.open(db) as reader:
        expect_in_force(reader, provider)
    wish: SetOverride | ClearOverride = ClearOverride(provider=provider, actor=actor, reason=reason)
    if state != CLEAR:
        for_ms = None if for_us is None else for_us // 1000
        wish = SetOverride(provider=provider, state=ForcedState(state), for_ms=for_ms, actor=actor, reason=reason)
    done = deliver(db, wish, patience_s=wait_us / 1_000_000)
    if isinstance(done, Waiting):
        give_up(ctx, db, done, as_json=as_json, found={"provider": None})
    with SqliteReader.open(db) as reader:
        now = stands(reader, provider, now_us=time.time_ns() // 1000)
        what = _sentence(reader, done.row)
    if as_json:
        return say_json(db, done, {"provider": now and now.to_json()})
    return say(db, wish, done, f"{provider} {what}", more=[("now", now.in_words)] if now else [])


def _sentence(reader: LogReader, row: Row) -> str:
    event = decode(row)
    if not isinstance(event, OverrideSet):
        return _cleared(restore(reader, through=row.seq - 1).standing.provider(row.provider or ""), at_us=row.at_us)
    state, means = _MEANS[event.state]
    if event.until_us is None:
        return f"{state} until it is cleared: {means}"
    return f"{state} until {iso(event.until_us)} (for {span(event.until_us - row.at_us)}): {means}"


def _cleared(before: ProviderRecord, *, at_us: int) -> str:
    """What clearing has changed of a provider that stood so before."""
    if before.forced(at_us) is not None:
        return "is no longer forced: its own record decides"
    if before.misconfigured_us:
        return "was not forced; that our key or account there is wrong counts no more"
    return "was not forced, and our key and account there were not held to be wrong: nothing has changed"
