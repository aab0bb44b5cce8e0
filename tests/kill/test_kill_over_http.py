"""A worker killed while it calls real servers loses nothing acknowledged, and their books show nothing done twice."""

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from understudy.adapters import SqliteReader
from understudy.adapters.demo import Fault, Plan, ProviderServer, Spell
from understudy.events.log import LogReader
from understudy.replay.verify import verify

TESTS = Path(__file__).parents[1]
WORKER = [sys.executable, "-m", "kill.http_worker"]
ENDS = {"request_completed.v1", "request_failed.v1"}
PATIENCE_S = 120
"""After so long without an end, a worker is held to be stuck."""

WEATHER = Spell(
    latency_ms=6,
    p95_ms=25,
    shares={
        Fault.UNAVAILABLE: 0.08,
        Fault.RESET: 0.06,
        Fault.TRUNCATED: 0.04,
        Fault.BROKEN: 0.04,
        Fault.HANG: 0.01,
    },
    executed_share=0.5,
)
"""Of what all servers do to one request in five: half of what is left open has been executed."""


@asynccontextmanager
async def servers(seed: int) -> AsyncIterator[list[ProviderServer]]:
    """Three providers on loopback ports, which execute whatever they are told to, twice if they are told twice."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(ProviderServer(name, Plan(spells=[WEATHER], seed=seed, dedupes=False)))
            for name in ("alpha", "beta", "gamma")
        ]


def words(database: Path, task: str, providers: Sequence[ProviderServer]) -> list[str]:
    return [*WORKER, str(database), task, *(f"{one.name}={one.url}" for one in providers)]


async def kill_at_a_random_moment(database: Path, providers: Sequence[ProviderServer], *, dice: random.Random) -> str:
    """What callers had been told when the worker was killed."""
    worker = await asyncio.create_subprocess_exec(
        *words(database, "serve", providers), cwd=TESTS, stdout=asyncio.subprocess.PIPE, limit=2**24
    )
    assert worker.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        assert await worker.stdout.readline() == b"open\n"
        asyncio.get_running_loop().call_later(dice.uniform(0.01, 0.8), worker.kill)
        told = await worker.stdout.read()
        await worker.wait()
    return told[: told.rfind(b"\n") + 1].decode()


async def settle(database: Path, providers: Sequence[ProviderServer]) -> None:
    worker = await asyncio.create_subprocess_exec(
        *words(database, "settle", providers),
        cwd=TESTS,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE_S):
        _, said = await worker.communicate()
    assert worker.returncode == 0, said.decode()


def check_promises(reader: LogReader, providers: Sequence[ProviderServer], told: str) -> None:
    """Every promise, from the log and from the books of the servers; `told` is what callers were told so far."""
    found = verify(reader)
    assert found.ok, found
    rows = list(reader.rows())
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1)), "no gap"
    ends = {row.request_id: row.kind for row in rows if row.kind in ENDS}
    assert {row.request_id for row in rows if row.kind == "request_accepted.v1"} == set(ends), "all are settled"
    for line in told.splitlines():
        _, request_id, outcome = line.split()
        assert request_id in ends, "what a caller was told is in the log"
        if outcome == "served":
            assert ends[request_id] == "request_completed.v1"
    orders = {
        (row.provider, json.loads(row.payload)["key"]): row.request_id
        for row in rows
        if row.kind == "call_started.v1" and row.operation == "pay"
    }
    executed = Counter[str]()
    for server in providers:
        for key, times in server.books.executions.items():
            executed[orders[server.name, key] or ""] += times
    assert [one for one, times in executed.items() if times > 1] == [], "so say the servers' own books"
    assert {one for one, kind in ends.items() if kind == "request_completed.v1"} == set(executed)


async def play(tmp_path: Path, *, seed: int, kills: int) -> None:
    """Kill so many workers, one after another, on one log; after each the next start settles what it has left."""
    database, told, dice = tmp_path / "calls.db", "", random.Random(seed)
    async with servers(seed) as providers:
        for _ in range(kills):
            told += await kill_at_a_random_moment(database, providers, dice=dice)
            await settle(database, providers)
            with SqliteReader.open(database) as reader:
                check_promises(reader, providers, told)
        assert sum(len(one.books.executions) for one in providers) > kills, "there was something to lose"
        assert any(one.books.delivered("lookup") for one in providers)


async def test_a_worker_killed_while_it_calls_servers_loses_and_repeats_nothing(tmp_path: Path) -> None:
    await play(tmp_path, seed=1, kills=2)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 110))
async def test_a_hundred_workers_killed_while_they_call_servers_lose_and_repeat_nothing(
    tmp_path: Path, seed: int
) -> None:
    await play(tmp_path, seed=seed, kills=10)
