"""A long log in little time: what a real engine wrote under load, over and over, through the real store.

A real engine serves callers under full load, and stops. Then the events of its requests are appended to the same log
again and again, under ids, seqs and instants of their own. Each goes through the codec, the chain and the store's group
commit, is folded, and is taken down in sealed blocks, with snapshots between, as an engine does it. Only the rules are
not asked: so the chain of such a log verifies, its decisions do not.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Final

from full_load import Load, under_load

from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.engine import Engine
from understudy.engine.caches import dump
from understudy.engine.keeping import BLOCKS_A_SNAPSHOT
from understudy.engine.ledger import Ledger
from understudy.engine.opening import ledger_of
from understudy.events.codec import recorded
from understudy.events.decisions import Decision, DecisionMade
from understudy.events.operations import EngineStopped
from understudy.events.requests import RequestAccepted
from understudy.events.row import Recorded, Row

BY_AN_ENGINE: Final = 50_000
"""Events that the engine writes, at least."""
_GROUP: Final = 5_000
"""Events that are made durable together."""
_TIME_DIGITS: Final = 13
"""Hex digits at the beginning of a request's id that tell microseconds."""


async def write_long_log(path: Path, *, events: int) -> None:
    """A new log of at least so many events, as it stands after a stop in good order."""

    async def watch(engine: Engine, load: Load) -> None:
        while engine.standing.seq < min(events, BY_AN_ENGINE):
            await asyncio.sleep(0.05)
            del load.took_s[:]

    await under_load(path, callers=100, watch=watch)
    pattern = requests_of(path)
    log = SqliteLog(path)
    await log.open("benchmark")
    try:
        await _repeat(log, await ledger_of(log), pattern, events=events)
    finally:
        await log.close()


def requests_of(path: Path) -> list[Recorded]:
    """The events of all requests of a log: whole ones, since the engine has stopped."""
    with SqliteReader.open(path) as reader:
        first = next(row.seq for row in reader.rows() if row.kind == RequestAccepted.kind)
        found = [_in_words(row) for row in reader.rows(after=first - 1)]
    while not getattr(found[-1].event, "request_id", None):
        found.pop()  # How the engine stopped.
    return found


async def _repeat(log: SqliteLog, ledger: Ledger, pattern: list[Recorded], *, events: int) -> None:
    blocks = 0
    while log.head.seq < events:
        for at_us, event in _shifted(pattern, after=ledger.standing):
            ledger.fold(log.append(event, at_us=at_us))
            if log.head.seq % _GROUP == 0:
                await log.durable(log.head.seq - _GROUP)  # One group is written while the next is made.
            if ledger.builder is not None and ledger.builder.full:
                blocks += 1
                await _keep(log, ledger, snapshot=blocks % BLOCKS_A_SNAPSHOT == 0)
    ledger.fold(log.append(EngineStopped(writer="benchmark"), at_us=ledger.standing.at_us))
    await _keep(log, ledger, snapshot=True)


async def _keep(log: SqliteLog, ledger: Ledger, *, snapshot: bool) -> None:
    head = log.head
    if ledger.builder is not None:
        await log.save_block(ledger.builder.seal(ledger.standing, chain=head.chain, unsettled=ledger.requests))
    if snapshot:
        await log.save_snapshot(dump(ledger, head))


def _shifted(pattern: list[Recorded], *, after: Any) -> Iterator[tuple[int, Any]]:
    """The pattern once more, behind a place."""
    seqs, us = after.seq + 1 - pattern[0].seq, after.at_us + 1 - pattern[0].at_us
    ids: dict[str, str] = {}
    for _, at_us, event in pattern:
        made: Any = object.__new__(type(event))
        kind: Any = type(event)
        for name in _fields(kind):
            value = getattr(event, name)
            match name:
                case "request_id" if value is not None:
                    value = ids.get(value) or ids.setdefault(value, _later(value, us=us))
                case "started_seq":
                    value += seqs
                case "deadline_at_us":
                    value += us
            setattr(made, name, value)
        yield at_us + us, made


@cache
def _fields(kind: Any) -> tuple[str, ...]:
    return Decision.__slots__ if kind is Decision else tuple(field.name for field in fields(kind))


def _later(request_id: str, *, us: int) -> str:
    return f"{int(request_id[:_TIME_DIGITS], 16) + us:0{_TIME_DIGITS}x}{request_id[_TIME_DIGITS:]}"


def _in_words(row: Row) -> Recorded:
    """A decision as the rules make it: written down much faster than the one that is read back."""
    found = recorded(row)
    event = found.event
    if not isinstance(event, DecisionMade):
        return found
    candidates = row.payload.partition('"candidates":[')[2].removesuffix("]}")
    words = Decision(
        request_id=event.request_id,
        strategy=event.strategy,
        draw=event.draw,
        tier=event.tier,
        explored=event.explored,
        pinned=event.pinned,
        order=event.order,
        tell=lambda: candidates,
    )
    if words.payload() != row.payload:
        raise ValueError(f"event {row.seq} is told otherwise than by an engine")
    return found._replace(event=words)
