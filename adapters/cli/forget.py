"""`understudy forget`: somebody's sensitive values are erased from a log, and nothing of them is left in its files."""

import asyncio
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

import click
from pydantic import JsonValue
from pydantic_core import from_json

from understudy.adapters.caretaker import tidy_up
from understudy.adapters.cli.delivery import PAUSE_S, Delivered, Waiting, deliver
from understudy.adapters.cli.event_words import event_json
from understudy.adapters.cli.exits import FINE, WAITS, Refused, Unanswered
from understudy.adapters.cli.find_request import find_surely
from understudy.adapters.cli.logs import as_json, database
from understudy.adapters.cli.output import answer, answer_json, facts, plain
from understudy.adapters.cli.wishes import Words, wish_options
from understudy.adapters.stores import SqliteReader
from understudy.adapters.stores.lock import owner_of
from understudy.engine.desk import MOST_VALUES, Forget
from understudy.events.counted import counted
from understudy.events.desk import SubjectForgotten
from understudy.events.errors import LogInUse
from understudy.events.requests import RequestAccepted
from understudy.events.sensitive import token_of, tokens_in

_FROM_STANDARD_INPUT: Final = "-"
_TELLTALE: Final = 4
"""Characters from which on a subject would be recognized in the words that go on record."""


class _Meant(NamedTuple):
    """What is to be forgotten: `subject` as the event has it, `names` as values and subjects go by in the store.

    Shape:  `only` is whose values of these names are meant; None for everybody's.
    """

    subject: str
    names: tuple[str, ...]
    only: str | None = None


@click.command()
@database
@click.argument("subject", required=False)
@click.option("--request", "request", metavar="ID", help="All sensitive values of one request; `last` is none.")
@click.option("--reason", type=Words(), required=True, metavar="TEXT", help="Why; others will read it in the log.")
@wish_options
@as_json
@click.pass_context
def forget(
    ctx: click.Context,
    db: Path,
    subject: str | None,
    *,
    request: str | None,
    reason: str,
    actor: str,
    wait_us: int,
    as_json: bool,
) -> None:
    """Erase from the log DB the sensitive values of SUBJECT, so that no byte of them is left in its files.

    SUBJECT is such a value itself, as it was given to the engine (a phone number, an address), or the name under which
    a program has told whose they are (`engine.call(..., subject=...)`). `-` reads it from standard input, which leaves
    nothing in the history of a shell. Events keep a salted hash in the place of each value: the chain stays whole, and
    decisions can still be recomputed. Values that a request needs which has not ended are not erased.

    A request is named by its id, as much of its beginning as no other request has, or its caller's idempotency key.
    `last` is not accepted: it may be another one by the time that you have typed it.

    A running engine takes the command from the log's inbox within a second. If none is running, this command writes
    the event itself. Interrupted at any moment: run it again.

    \b
    Example:
      understudy forget calls.db customer-17 --reason "she asked us to, ticket 4711"
      understudy forget calls.db --request 0646f2a1c --reason "wrong number"

    \b
    Exit codes: 0 nothing is left, or ever was; 2 wrong usage, a request that still needs it,
                or DB is no log that can be written; 3 not done yet: it waits in
                the inbox, or somebody keeps the write-ahead log from being emptied.
    """
    typed = _typed(subject, request)
    meant = _meant(db, typed, request)
    if request is None:
        _expect_discreet(typed, actor, reason)
    done, waits = _forgotten(db, meant, actor=actor, reason=reason, patience_s=wait_us / 1_000_000)
    count = sum(int(_told(one)["values"]) for one in done)
    if as_json:
        events = [event_json(one.row) for one in done]
        told = {"log": str(db), "forgotten": count, "known": _is_known(db, meant), "events": events, "waits": waits}
        answer_json(told)
        ctx.exit(WAITS if waits else FINE)
    if done:
        _tell(db, done, count=count, signed=f"{actor}: {reason}")
    else:
        answer(f"{db}: {'not yet' if waits else _why_nothing(db, meant)}")
    if waits is not None:
        raise Unanswered(waits)


def _forgotten(
    db: Path, meant: _Meant, *, actor: str, reason: str, patience_s: float
) -> tuple[list[Delivered], str | None]:
    """Have everything forgotten that is meant, and the files cleaned; tells what is not done yet, in a sentence."""
    done: list[Delivered] = []
    while values := _left(db, meant):
        wish = Forget(subject=meant.subject, values=tuple(values), actor=actor, reason=reason)
        found = deliver(db, wish, patience_s=patience_s)
        if isinstance(found, Waiting):
            return done, f"command {found.number} waits in the inbox of {db}: {found.why}"
        done.append(found)
    if not _is_cleaned(db, patience_s=patience_s):
        kept = f"erased, but a reader of {db} keeps older pages in its write-ahead log"
        return done, f"{kept}; end that one, and run this again"
    return done, None


def _typed(subject: str | None, request: str | None) -> str:
    """What was named, the one way or the other."""
    if (subject is None) == (request is None):
        raise click.UsageError("name either a SUBJECT or a --request")
    if request is not None:
        return request
    typed = sys.stdin.readline().rstrip("\r\n") if subject == _FROM_STANDARD_INPUT else subject
    if not typed:
        raise click.UsageError("SUBJECT is empty; name a value, or whose values they are")
    return typed


def _meant(db: Path, typed: str, request: str | None) -> _Meant:
    with SqliteReader.open(db) as reader:
        if request is not None:
            return _of_request(reader, find_surely(reader, request, otherwise="`understudy requests` lists them"))
        salt = reader.salt
    name = token_of(salt, typed)
    return _Meant(name, (name, *(token_of(salt, number) for number in _numbers(typed)), typed))


def _numbers(typed: str) -> Iterator[JsonValue]:
    """The number that a text may have been given as."""
    try:
        value: JsonValue = from_json(typed)
    except ValueError:
        return
    if isinstance(value, int | float):
        yield value


def _of_request(reader: SqliteReader, request_id: str) -> _Meant:
    rows = reader.request_rows(request_id)
    tokens: set[str] = set().union(*(tokens_in(from_json(row.payload)) for row in rows))
    payloads = [from_json(row.payload) for row in rows if row.kind == RequestAccepted.kind]
    whose = next((str(told["subject"]) for told in payloads if told.get("subject")), request_id)
    return _Meant(request_id, (*sorted(tokens), request_id), only=whose)


def _left(db: Path, meant: _Meant) -> Sequence[tuple[str, str]]:
    """The next values that are to be forgotten."""
    with SqliteReader.open(db) as reader:
        return reader.kept_of(meant.names, only=meant.only, most=MOST_VALUES)


def _is_known(db: Path, meant: _Meant) -> bool:
    with SqliteReader.open(db) as reader:
        return reader.ever_kept(meant.names, only=meant.only)


def _why_nothing(db: Path, meant: _Meant) -> str:
    """Why there was nothing to do: all is forgotten already, or nothing of it was ever there (a slip in typing?)."""
    if not _is_known(db, meant):
        return "nothing is known of this name" if meant.only is None else "this request has nothing that is sensitive"
    with SqliteReader.open(db) as reader:
        rows = reader.operations(SubjectForgotten.kind)
    seqs = [row.seq for row in rows if from_json(row.payload)["subject"] == meant.subject]
    return f"already forgotten, by event {seqs[-1]:,}" if seqs else "nothing is left to forget"


def _expect_discreet(typed: str, *words: str) -> None:
    """Refuse words that would put on record for ever what is to be forgotten."""
    if len(typed) >= _TELLTALE and any(typed.casefold() in one.casefold() for one in words):
        raise Refused("the reason and the actor stay in the log for ever: they must not name what is to be forgotten")


def _is_cleaned(db: Path, *, patience_s: float) -> bool:
    """Wait until nothing is left in the files; a running engine sees to that itself, and nobody else may."""
    ends_s = time.monotonic() + patience_s
    while True:
        with SqliteReader.open(db) as reader:
            if reader.is_clean():
                return True
        if time.monotonic() >= ends_s:
            return False
        if owner_of(db.resolve()) is None:
            with suppress(LogInUse):
                asyncio.run(tidy_up(db))
        time.sleep(PAUSE_S)


def _tell(db: Path, done: Collection[Delivered], *, count: int, signed: str) -> None:
    answer(f"{db}: {counted(count, 'value is', 'values are')} forgotten")
    facts([("by", plain(signed)), *(("event", plain(_where(one))) for one in done)])


def _where(one: Delivered) -> str:
    by = "written by this command, as no engine is running" if one.owner is None else f"taken by {one.owner}"
    return f"{one.row.seq:,}, {by}"


def _told(one: Delivered) -> dict[str, str]:
    found: dict[str, str] = from_json(one.row.payload)
    return found
