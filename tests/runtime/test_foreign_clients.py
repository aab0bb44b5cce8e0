"""Beside an engine at full load another program reads and updates: nobody is refused, and nothing is lost."""

import asyncio
import subprocess
import sys
from pathlib import Path

from conversions_for_tests import events
from providers_for_tests import Told

from understudy.adapters import SqliteLog
from understudy.engine import Engine, Policy
from understudy.events.operations import PreferencesChanged
from understudy.events.requests import RequestCompleted
from understudy.replay.verify import verify

CLIENT = """
import sqlite3, sys
path, times = sys.argv[1], int(sys.argv[2])
connection = sqlite3.connect(path, timeout=5, isolation_level=None)
connection.execute("PRAGMA wal_autocheckpoint = 0")
for turn in range(times):
    connection.execute("UPDATE provider_preferences SET retry_delay_ms = ?", (1000 + turn,))
    health = connection.execute("SELECT SUM(total_requests) FROM provider_health").fetchone()[0]
    calls = connection.execute("SELECT COUNT(*) FROM provider_requests").fetchone()[0]
    again = connection.execute("SELECT SUM(total_requests) FROM provider_health").fetchone()[0]
    assert health <= calls <= again, (health, calls, again)
print("done")
"""
TURNS = 20


async def test_another_program_updates_and_reads_under_load_and_what_it_reads_belongs_together(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    served = 0

    async def caller(engine: Engine, client: asyncio.subprocess.Process) -> None:
        nonlocal served
        while client.returncode is None:
            await engine.call("x", effect="once")
            served += 1

    policy = Policy(stale_after_ms=10**9)
    async with Engine(providers=[Told("a"), Told("b")], log=SqliteLog(path), policy=policy) as engine:
        await engine.call("x", effect="once")
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CLIENT, str(path), str(TURNS), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        callers = asyncio.gather(*(caller(engine, client) for _ in range(20)))
        out, err = await client.communicate()
        await callers
        assert (out, err) == (b"done\n", b"")
        await asyncio.sleep(1)
        assert engine.policy.retry_delay_ms == 1000 + TURNS - 1
    log = SqliteLog(path)
    assert len(events(log, PreferencesChanged)) == TURNS
    assert len(events(log, RequestCompleted)) == served + 1
    with log.reader() as reader:
        assert verify(reader).ok
