"""`understudy explain`: the story of one request."""

from pathlib import Path

import click

from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.find_request import LAST_FAILOVER, find_request
from understudy.adapters.cli.logs import as_json, complete_request, database
from understudy.adapters.cli.output import answer, answer_json, note, plain, width
from understudy.adapters.stores import SqliteReader
from understudy.events.log import LogReader
from understudy.replay.explain import Story
from understudy.replay.explain import explain as told


@click.command()
@database
@click.argument("request_id", metavar="REQUEST", shell_complete=complete_request)
@as_json
def explain(db: Path, request_id: str, *, as_json: bool) -> None:
    """Tell the story of one REQUEST in the log DB: each call and its end, and for each decision who could have been
    asked, why others could not, and what would have made another one win.

    REQUEST is an id, as much of its beginning as no other request has, or one of

    \b
      last           the newest request,
      last-failover  the newest one that another provider than the first has served.

    \b
    Example:
      understudy explain calls.db last-failover
      understudy explain calls.db 0646f2a1c --json

    \b
    Exit codes: 0 told; 2 no such request, wrong usage, or DB is no log that can be read.
    """
    with SqliteReader.open(db) as reader:
        story = told(reader, find_request(reader, request_id))
    if as_json:
        answer_json(story.to_json())
    else:
        _tell(story)


def tell_last_failover(reader: LogReader) -> None:
    """Tell the story of the newest request that another provider than the first has served, if there is one."""
    try:
        request_id = find_request(reader, LAST_FAILOVER)
    except Refused as error:
        note(str(error))
    else:
        _tell(told(reader, request_id))


def _tell(story: Story) -> None:
    for line in story.lines(width=width()):
        answer(plain(line))
