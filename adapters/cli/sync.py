"""`understudy sync`: an operator wants to know now what providers have on offer, and at which prices."""

from pathlib import Path

import click

from understudy.adapters.cli.delivery import Delivered, Waiting, deliver
from understudy.adapters.cli.logs import as_json, complete_provider, database, expect_in_force
from understudy.adapters.cli.wishes import Words, give_up, say, say_json, wish_options
from understudy.adapters.stores import SqliteReader
from understudy.engine.commands import Sync, expect_listing
from understudy.engine.restore import restore
from understudy.events.policy import Policy


@click.command()
@database
@click.argument("provider", required=False, shell_complete=complete_provider)
@click.option(
    "--reason",
    type=Words(),
    default="what is on offer?",
    show_default=True,
    metavar="TEXT",
    help="Why; others will read it in the log.",
)
@wish_options
@as_json
@click.pass_context
def sync(
    ctx: click.Context, db: Path, provider: str | None, *, reason: str, actor: str, wait_us: int, as_json: bool
) -> None:
    """Have PROVIDER in the log DB, or all providers, list what they have on offer now: stock and prices.

    A running engine asks for these lists by itself, every `sync_interval_ms` of its policy (six hours by default).

    A running engine takes the command from the log's inbox within a second. If none is running, this command puts it
    on record, and the next engine asks when it starts.

    \b
    Examples:
      understudy sync calls.db
      understudy sync calls.db alpha --reason "they have new prices" --json

    \b
    Exit codes: 0 done, the lists are being asked for; 2 wrong usage, nobody who
                can list what is on offer, or DB is no log that can be written;
                3 not done yet: it waits in the inbox.
    """
    with SqliteReader.open(db) as reader:
        if provider is not None:
            expect_in_force(reader, provider)
        policy = restore(reader).standing.policy
        expect_listing(policy.by_id, provider)
    wish = Sync(provider=provider, actor=actor, reason=reason)
    done = deliver(db, wish, patience_s=wait_us / 1_000_000)
    asked = _asked(policy, provider)
    if isinstance(done, Waiting):
        give_up(ctx, db, done, as_json=as_json, found={"providers": asked})
    elif as_json:
        say_json(db, done, {"providers": asked})
    else:
        say(db, wish, done, f"{', '.join(asked)} {_what(done, count=len(asked))}", more=[])


def _asked(policy: Policy, provider: str | None) -> list[str]:
    return [one.id for one in policy.providers if one.has_sync and provider in {None, one.id}]


def _what(done: Delivered, *, count: int) -> str:
    be = "is" if count == 1 else "are"
    when = "when the next engine starts" if done.owner is None else "now"
    return f"{be} asked {when} for a list of what is on offer"
