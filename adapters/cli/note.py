"""`understudy note`: an operator keeps a peculiarity of a provider on record."""

from pathlib import Path

import click

from understudy.adapters.cli.delivery import Waiting, deliver
from understudy.adapters.cli.logs import as_json, complete_provider, database, expect_in_force
from understudy.adapters.cli.wishes import Words, give_up, say, say_json, wish_options
from understudy.adapters.stores import SqliteReader
from understudy.engine.desk import Note


@click.command()
@database
@click.argument("provider", shell_complete=complete_provider)
@click.argument("text", type=Words())
@wish_options
@as_json
@click.pass_context
def note(ctx: click.Context, db: Path, provider: str, text: str, *, actor: str, wait_us: int, as_json: bool) -> None:
    """Keep TEXT, a peculiarity of PROVIDER, on record in the log DB, for whoever looks at that provider later.

    `understudy status` and `understudy doctor` show the latest notes of each provider, with their date and who wrote
    them. No decision reads them. A note cannot be taken back: write another one.

    A running engine takes the command from the log's inbox within a second. If none is running, this command writes
    the event itself.

    \b
    Example:
      understudy note calls.db alpha "throttles every Monday from 6 to 7 UTC" --actor ann

    \b
    Exit codes: 0 done; 2 wrong usage, no such provider, or DB is no log that can
                be written; 3 not done yet: it waits in the inbox.
    """
    with SqliteReader.open(db) as reader:
        expect_in_force(reader, provider)
    wish = Note(provider=provider, text=text, actor=actor)
    done = deliver(db, wish, patience_s=wait_us / 1_000_000)
    if isinstance(done, Waiting):
        give_up(ctx, db, done, as_json=as_json, found={})
    elif as_json:
        say_json(db, done, {})
    else:
        say(db, wish, done, f"noted of {provider}", more=[])
