"""Nothing is asked behind the log's back: while it cannot be written, what the engine does by itself rests too."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from providers_for_tests import Pingable, Searchable

from understudy.adapters import SqliteLog, SqliteReader
from understudy.engine import Ambiguous, Engine, Finding, Found, OutcomeUnknown, Policy, Strategy
from understudy.events.errors import LogUnavailable
from understudy.replay.verify import verify
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual

POLICY = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, lookup_interval_cap_ms=5_000)
PENDING = Found(finding=Finding.PENDING)
DONE = Found(finding=Finding.SUCCEEDED, value=1)


def test_look_ups_and_pings_rest_while_the_log_cannot_be_written_and_go_on_afterwards(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db", busy_timeout_ms=1)
    held = Searchable("a", [Ambiguous("reset")], findings=[PENDING] * 400)
    pinged = Pingable("b")

    async def act() -> None:
        async with Engine(providers=[held, pinged], log=log, policy=POLICY, system=VirtualSystem()) as engine:
            with pytest.raises(OutcomeUnknown):
                await engine.call("x", effect="once", deadline_ms=2_000)
            await asyncio.sleep(60)
            with closing(sqlite3.connect(log.path, isolation_level=None)) as stranger:
                stranger.execute("BEGIN IMMEDIATE")
                await asyncio.sleep(60)
                with pytest.raises(LogUnavailable):
                    log.check()
                before = len(held.looked_up), pinged.pings, log.pending
                await asyncio.sleep(3_600)
                assert (len(held.looked_up), pinged.pings, log.pending) == before
                stranger.execute("ROLLBACK")
            held.findings = [DONE]
            await asyncio.sleep(30)
            assert engine.unsettled == ()
            assert pinged.pings > before[1]

    run_virtual(act(), busy=lambda: log.busy)
    with SqliteReader.open(log.path) as reader:
        assert verify(reader).ok
