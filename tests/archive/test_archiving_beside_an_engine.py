"""Archiving beside an engine at work: no caller notices, nothing is lost, and the engine removes the rows itself."""

import asyncio
import threading
from pathlib import Path

import pytest
from archive.stretches import in_the_database
from providers_for_tests import Told

from understudy.adapters.archive import archive
from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.engine import Effect, Engine, Policy
from understudy.replay.verify import verify


# Callers leave the archiving time to keep up: a round takes in what has come during the one before.
@pytest.mark.parametrize(("rounds", "pause_s"), [(1, 0.01), pytest.param(40, 0.1, marks=pytest.mark.soak)])
async def test_an_engine_under_load_is_archived_without_a_caller_noticing(
    tmp_path: Path, rounds: int, pause_s: float
) -> None:
    path = tmp_path / "calls.db"
    over = threading.Event()

    async def call(engine: Engine) -> int:
        done = 0
        while not over.is_set():
            answer = await engine.call("rent", effect=Effect.ONCE if done % 3 == 0 else Effect.READ)
            done += answer.provider == "alpha"
            await asyncio.sleep(pause_s)
        return done

    def archive_again_and_again() -> int:
        found = list[int]()
        try:
            while len(found) < rounds:
                events = archive(path, older_than_ms=50, now_us=newest_us(path), most=2_000).events
                found += [events] if events else []
        finally:
            over.set()
        return sum(found)

    async with Engine(providers=[Told("alpha")], log=SqliteLog(path), policy=Policy()) as engine:
        callers = [asyncio.create_task(call(engine)) for _ in range(5)]
        archiving = asyncio.create_task(asyncio.to_thread(archive_again_and_again))
        served = sum(await asyncio.gather(*callers))
        archived = await archiving
    assert served > 0
    with SqliteReader.open(path) as reader:
        found = verify(reader)
        assert found.ok, found
        assert [link.seq for link in reader.links()] == list(range(1, found.head_seq + 1))
        completed = [row.seq for row in reader.rows() if row.kind == "request_completed.v1"]
    assert len(completed) >= served
    assert len(in_the_database(path)) < found.head_seq - archived + 100


def newest_us(path: Path) -> int:
    with SqliteReader.open(path) as reader:
        return max((row.at_us for row in reader.rows(after=max(0, reader.head().seq - 1))), default=0)
