"""`understudy release`: an operator takes a provider out of quarantine."""

from pathlib import Path

import click

from understudy.adapters.cli.delivery import Waiting, deliver
from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.logs import as_json, complete_provider, database, expect_in_force
from understudy.adapters.cli.wishes import Words, give_up, say, say_json, wish_options
from understudy.adapters.stores import SqliteReader
from understudy.engine.commands import Release, not_in_quarantine
from understudy.engine.restore import restore
from understudy.projections.standing import Standing


@click.command()
@database
@click.argument("provider", shell_complete=complete_provider)
@click.argument("pair")
@click.option("--reason", type=Words(), required=True, metavar="TEXT", help="Why; others will read it in the log.")
@wish_options
@as_json
@click.pass_context
def release(
    ctx: click.Context, db: Path, provider: str, pair: str, *, reason: str, actor: str, wait_us: int, as_json: bool
) -> None:
    """Take PROVIDER in the log DB out of quarantine for PAIR, such as ETH/BTC: its quotes count again.

    Who quotes rates that cannot be trusted, several times in a row, is put there, and comes out by itself when its
    quotes are honest again, or after a while (`quarantine_ms` of the policy). `understudy events DB --kind
    quarantine_set` shows the evidence. The pair may be typed in any case.

    A running engine takes the command from the log's inbox within a second. If none is running, this command writes
    the event itself, and the next engine goes by it.

    \b
    Example:
      understudy release calls.db alpha ETH/BTC --reason "they had a feed fixed"

    \b
    Exit codes: 0 done; 2 wrong usage, not in quarantine, or DB is no log that
                can be written; 3 not done yet: it waits in the inbox.
    """
    with SqliteReader.open(db) as reader:
        expect_in_force(reader, provider)
        standing = restore(reader).standing
        pair = _meant(standing, provider, pair)
        why_not = not_in_quarantine(standing, provider, pair)
    if why_not is not None:
        raise Refused(why_not)
    wish = Release(provider=provider, pair=pair, actor=actor, reason=reason)
    done = deliver(db, wish, patience_s=wait_us / 1_000_000)
    if isinstance(done, Waiting):
        give_up(ctx, db, done, as_json=as_json, found={})
    elif as_json:
        say_json(db, done, {})
    else:
        say(db, wish, done, f"{provider} is out of quarantine for {pair}: its quotes count again", more=[])


def _meant(standing: Standing, provider: str, pair: str) -> str:
    """The pair as the log spells it, in whichever case it was typed; as it was typed, if it is in no quarantine."""
    keys = [key.partition("|") for key in standing.quotes.quarantines]
    there = [its for name, _, its in keys if name == provider]
    return pair if pair in there else next((one for one in there if one.casefold() == pair.casefold()), pair)
