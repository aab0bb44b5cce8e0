"""`understudy explain`: the story of one request."""

from pathlib import Path

import click

from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.find_request import find_by_key, find_request, last_failover
from understudy.adapters.cli.logs import archive_option, as_json, complete_request, database, opened
from understudy.adapters.cli.output import answer, answer_json, note, plain, width
from understudy.adapters.cli.unsettled import by_hand, needs_a_word, ownership
from understudy.adapters.stores import SqliteReader
from understudy.events.log import LogReader
from understudy.replay.explain import Story
from understudy.replay.explain import explain as told


@click.command()
@database
@click.argument("request", metavar="[REQUEST]", required=False, shell_complete=complete_request)
@click.option("--key", metavar="KEY", help="The request to which its caller gave this idempotency key.")
@archive_option
@as_json
def explain(db: Path, request: str | None, key: str | None, *, archive: Path | None, as_json: bool) -> None:
    """Tell the story of one REQUEST in the log DB: each call and its end, and for each decision who could have been
    asked, why others could not, and what would have made another one win.

    REQUEST is an id, as much of its beginning as no other request has, the idempotency key that its caller gave it
    (where no id begins so), or one of

    \b
      last           the newest request,
      last-failover  the newest one that another provider than the first has served.

    \b
    Example:
      understudy explain calls.db last-failover
      understudy explain calls.db 0646f2a1c --json
      understudy explain calls.db --key order-17

    \b
    Exit codes: 0 told; 2 no such request, wrong usage, or DB is no log that can be read.
    """
    with opened(db, archive) as reader:
        story = told(reader, _meant(reader, request, key))
        by_word = needs_a_word(reader, story.request_id)
        now = ownership(db, reader)
    if as_json:
        answer_json({**now.to_json(), **story.to_json()})
    else:
        _tell(story)
        if by_word:
            answer(f"  what to do       {by_hand(db, story.request_id)}")
    now.tell(db)


def _meant(reader: SqliteReader, request: str | None, key: str | None) -> str:
    """The id of the request that is named, by one of the two."""
    match request, key:
        case None, str():
            return find_by_key(reader, key)
        case str(), None:
            return find_request(reader, request)
        case _:
            raise click.UsageError("name either a REQUEST (`last` is the newest one) or its --key")


def tell_last_failover(reader: LogReader) -> None:
    """Tell the story of the newest request that another provider than the first has served, if there is one."""
    try:
        request_id = last_failover(reader)
    except Refused as error:
        note(str(error))
    else:
        _tell(told(reader, request_id))


def _tell(story: Story) -> None:
    for line in story.lines(width=width()):
        answer(plain(line))
