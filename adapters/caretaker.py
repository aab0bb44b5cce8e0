"""Obeys the inbox of a log while no engine runs: owns the log for an instant, and writes what an engine would write.

That is no start of an engine: none is put on record, nothing is settled or given up, no policy is adopted and nobody
is asked anything. What a crash has left open stays so for the next start.
"""

import os
import socket
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.engine.commands import Resolve, conclude, obey
from understudy.engine.cut_off import cut_off
from understudy.engine.decide import RULES_VERSION
from understudy.engine.health_facts import tell
from understudy.engine.journal import Journal
from understudy.engine.ledger import Ledger
from understudy.engine.restore import restore
from understudy.engine.system import RealSystem
from understudy.events.codec import recorded
from understudy.events.errors import UnderstudyError


class OtherRules(UnderstudyError):
    """The last engine decided by other rules than this version's: only the next start may change them in the log."""


class _AsOf(RealSystem):
    """The system at an instant that is told."""

    def __init__(self, at_us: int) -> None:
        super().__init__()
        self._at_us = at_us

    def now_us(self) -> int:
        """That instant."""
        return self._at_us


async def obey_inbox(path: Path, *, now_us: int | None = None) -> Sequence[int]:
    """Obey every command that waits, in order; the ids of those that were taken, and are durable.

    `now_us` is what the events are dated as, and None the time that it is.

    Errors: LogInUse if an engine owns the log after all; OtherRules; LogUnavailable, NotALog, UnreadableEvent. What
            was not obeyed waits as before.
    """
    with SqliteReader.open(path) as reader:  # Before the log is ours: this may take a second.
        stream, ledger = reader.stream, restore(reader)
    _expect_our_rules(ledger)
    log = SqliteLog(path, stream=stream, brief=True)
    await log.open(f"understudy, for an operator: {socket.gethostname()}:{os.getpid()}")
    try:
        with log.reader() as reader:
            for row in reader.rows(after=ledger.standing.seq):
                ledger.fold(recorded(row))
            rest = cut_off(reader, ledger)
        _expect_our_rules(ledger)
        journal = Journal(log, ledger, RealSystem() if now_us is None else _AsOf(now_us))
        log.describe_with(partial(tell, ledger.standing))
        if rest is not None:
            journal.follow(*rest, at_us=ledger.standing.at_us)
        taken = await log.commands()
        for command in taken:
            wish = obey(journal, command)
            if isinstance(wish, Resolve):
                conclude(journal, wish.request_id)
        await log.durable(log.head.seq)
    finally:
        await log.close()
    return [command.command_id for command in taken]


async def tidy_up(path: Path) -> None:
    """Own the log for an instant, and leave it tidy: nothing of what was forgotten is left beside it.

    Errors: LogInUse if an engine owns the log, which does that itself; LogUnavailable, NotALog.
    """
    with SqliteReader.open(path) as reader:
        stream = reader.stream
    log = SqliteLog(path, stream=stream, brief=True)
    await log.open(f"understudy, tidying up: {socket.gethostname()}:{os.getpid()}")
    await log.close()


def _expect_our_rules(ledger: Ledger) -> None:
    theirs = ledger.standing.rules_version
    if theirs != RULES_VERSION:
        raise OtherRules(
            f"the last engine decided by rules {theirs}, and this version decides by rules {RULES_VERSION}"
        )
