"""`understudy resolve`: an operator says what became of a suspended request."""

import time
from pathlib import Path
from typing import Final

import click

from understudy.adapters.cli.delivery import PAUSE_S, Delivered, Waiting, deliver
from understudy.adapters.cli.event_words import told
from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.find_request import find_surely
from understudy.adapters.cli.logs import as_json, complete_held, database, policy_in_force
from understudy.adapters.cli.output import plain
from understudy.adapters.cli.request_summary import RequestSummary, summarized
from understudy.adapters.cli.wishes import Words, give_up, say, say_json, wish_options
from understudy.adapters.stores import SqliteReader
from understudy.adapters.stores.lock import owner_of
from understudy.adapters.stores.request_search import Became
from understudy.engine.commands import Resolve, awaits_last_word
from understudy.engine.restore import restore
from understudy.events.requests import RequestCompleted, RequestFailed

_ENDS: Final = frozenset({RequestCompleted.kind, RequestFailed.kind})


@click.command()
@database
@click.argument("request_id", metavar="REQUEST", shell_complete=complete_held)
@click.option(
    "--executed",
    "reference",
    type=Words(),
    metavar="REF",
    help="It was, under this reference there: it is completed, and a repeat under its key is told so.",
)
@click.option(
    "--not-executed", is_flag=True, help="It surely was not: it has failed, and may be asked anew under another key."
)
@click.option("--reason", type=Words(), required=True, metavar="TEXT", help="How you know; others will read it.")
@wish_options
@as_json
@click.pass_context
def resolve(
    ctx: click.Context,
    db: Path,
    request_id: str,
    *,
    reference: str | None,
    not_executed: bool,
    reason: str,
    actor: str,
    wait_us: int,
    as_json: bool,
) -> None:
    """Say what became of a suspended REQUEST in the log DB: whether its provider has executed it is not known, and so
    it is held. Ask there first: what you say is believed. REQUEST is an id, as much of its beginning as no other
    request has, or its caller's idempotency key, never `last`; `understudy requests DB --outcome held` lists them.

    A request that has ended, and of which its provider has said the opposite since (alert `contradiction`) or another
    one that it has executed it, too (`late_success`), may be resolved once more: that is on record, ends the alert, and
    changes nothing else. Without a running engine, this command writes the events.

    \b
    Example:
      understudy resolve calls.db 0646f2a1c --executed bank-7 --reason "statement"
      understudy resolve calls.db 0646f2a1c --not-executed --reason "they say so"

    \b
    Exit codes: 0 done; 2 wrong usage, no such request, one that is not
                suspended, or DB is no log that can be written;
                3 not done yet: it waits in the inbox.
    """
    if (executed := reference is not None) == not_executed:
        raise click.UsageError("say what became of it: either --executed REF or --not-executed")
    ends_s = time.monotonic() + wait_us / 1_000_000
    held = _held(db, request_id)
    word = Resolve(request_id=held.request_id, executed=executed, reference=reference, actor=actor, reason=reason)
    done = deliver(db, word, patience_s=wait_us / 1_000_000)
    if isinstance(done, Waiting):
        give_up(ctx, db, done, as_json=as_json, found={"request": held.to_json()})
    _tell(db, held, word, done, ends_s=ends_s, as_json=as_json)


def _tell(db: Path, held: RequestSummary, word: Resolve, done: Delivered, *, ends_s: float, as_json: bool) -> None:
    ended = _as_before(held) if held.ended_us else _end(db, done, held.request_id, ends_s=ends_s)
    if as_json:
        say_json(db, done, {"request": _summary(db, held.request_id).to_json()})
    else:
        say(db, word, done, _lead(held, word), more=[("now", ended or "the engine has not ended it yet")])


def _summary(db: Path, request_id: str) -> RequestSummary:
    with SqliteReader.open(db) as reader:
        return summarized(reader.request_rows(request_id))


def _lead(held: RequestSummary, word: Resolve) -> str:
    how = f"executed, with reference {word.reference}" if word.executed else "not executed"
    return f"request {held.request_id} ({held.operation} at {held.provider}) is resolved: {how}"


def _held(db: Path, wanted: str) -> RequestSummary:
    """The request that is meant, which must be suspended.

    Errors: Refused, saying what became of it instead.
    """
    listed = f"`understudy requests {db} --outcome {Became.HELD}` lists those that are suspended"
    with SqliteReader.open(db) as reader:
        policy_in_force(reader)
        found = summarized(reader.request_rows(find_surely(reader, wanted, otherwise=listed)))
        if found.became is not Became.HELD and awaits_last_word(restore(reader), found.request_id):
            return found  # The last word is due.
    match found.became:
        case Became.HELD:
            return found
        case Became.SERVED:
            what = f"it was served by {found.provider}"
        case Became.FAILED:
            what = f"it ended as {found.outcome}"
        case _ if owner_of(db.resolve()) is None:
            what = "it was left open by a crash, and the next start of an engine settles it"
        case _:
            what = "it is under way"
    raise Refused(f"request {plain(found.request_id)} is not suspended: {plain(what)}; {listed}")


def _as_before(ended: RequestSummary) -> str:
    """How a request had ended before the last word on it."""
    return f"it had ended as {ended.outcome} before; its alert is over"


def _end(db: Path, done: Delivered, request_id: str, *, ends_s: float) -> str | None:
    """How the request ended after it was resolved, in words; None if it has not ended in time."""
    with SqliteReader.open(db) as reader:
        while True:
            for row in reader.request_rows(request_id):
                if row.seq > done.row.seq and row.kind in _ENDS:
                    return told(row)
            if time.monotonic() >= ends_s:
                return None
            time.sleep(PAUSE_S)
