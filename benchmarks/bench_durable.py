"""How fast the engine is where everything is awaited: `once` calls over a SQLite log with full synchronization.

Run: `make bench`, or this file alone, with `--seconds N`. A `once` call waits for two commits: its intent is durable
before the provider is asked, its outcome before the caller hears. Beside it stand, of the same run and disk: what one
`fdatasync` of a page takes, the same calls over a log in memory, the same rows committed in a bare loop without an
engine (for one caller three and two at a time, as a call does, for a hundred 250), and, where it can be imported, how
many single saves a second the `eventsourcing` library makes with its SQLite recorder.
"""

import argparse
import asyncio
import importlib.util
import os
import sqlite3
import statistics
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import closing
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from understudy.adapters.stores import MemoryLog, SqliteLog, SqliteReader, transaction
from understudy.adapters.stores.entry import Entry
from understudy.engine import Engine, Policy, Strategy

NAMES = ("alpha", "beta", "gamma", "delta", "epsilon")


class Prompt:
    """A provider that answers at once."""

    def __init__(self, name: str) -> None:
        self.id = name

    async def call(self, operation: str, request: Any, *, key: str, deadline: Any) -> dict[str, str]:  # noqa: ARG002
        """Answer."""
        return {"number": "+15550100"}


def fdatasync_us(folder: Path, *, times: int = 200) -> float:
    """Microseconds that it takes to have one more page on the disk, the median."""
    took_s = []
    with (folder / "probe").open("wb", buffering=0) as file:
        for _ in range(times):
            file.write(os.urandom(4096))
            began_s = time.perf_counter()
            os.fdatasync(file.fileno())
            took_s.append(time.perf_counter() - began_s)
    return statistics.median(took_s) * 1e6


class Served(NamedTuple):
    """Calls a second, the median of their microseconds, and how many events they wrote a second."""

    rate: float
    median_us: float
    events: float


async def served(log: SqliteLog | MemoryLog, *, callers: int, seconds: float) -> Served:
    """Call for so long."""
    took_s: list[float] = []
    providers = [Prompt(name) for name in NAMES]
    async with Engine(providers=providers, policy=Policy(strategy=Strategy.SCORE), log=log, watch=False) as engine:
        first = engine.standing.seq
        began_s = time.perf_counter()

        async def call_on() -> None:
            while time.perf_counter() - began_s < seconds:
                since_s = time.perf_counter()
                await engine.call("rent", context={"country": "us", "service": "wa"}, effect="once")
                took_s.append(time.perf_counter() - since_s)

        await asyncio.gather(*(call_on() for _ in range(callers)))
        lasted_s = time.perf_counter() - began_s
        events = engine.standing.seq - first
    return Served(len(took_s) / lasted_s, statistics.median(took_s) * 1e6, events / lasted_s)


def committed_bare(source: Path, target: Path, *, groups: Sequence[int], seconds: float) -> float:
    """How many events a second become durable when nothing is done but to commit the rows of a log again."""
    with SqliteReader.open(source) as reader:
        rows = list(reader.rows(through=100_000))
    entries = [Entry(row, os.urandom(32), ()) for row in rows]
    done = 0
    with closing(sqlite3.connect(target, isolation_level=None, cached_statements=160)) as connection:
        transaction.open_store(connection, target, stream="main", salt=None)
        began_s = time.perf_counter()
        for group in cycle(groups):
            transaction.commit(connection, entries[done : done + group], stream="main", in_doubt_after=None)
            done += group
            if done + max(groups) > len(entries) or time.perf_counter() - began_s > seconds:
                return done / (time.perf_counter() - began_s)
    raise AssertionError("groups is empty")


def saved_by_eventsourcing(path: Path, *, seconds: float) -> float | None:
    """Events a second that the library's recorder saves one by one, if it is there."""
    if importlib.util.find_spec("eventsourcing") is None:
        return None
    from eventsourcing.persistence import StoredEvent  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
    from eventsourcing.sqlite import (  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415
        SQLiteApplicationRecorder,
        SQLiteDatastore,
    )

    datastore = SQLiteDatastore(db_name=str(path))
    recorder = SQLiteApplicationRecorder(datastore)
    recorder.create_table()
    source, done, began_s = uuid.uuid4(), 0, time.perf_counter()
    while time.perf_counter() - began_s < seconds:
        done += 1
        recorder.insert_events([StoredEvent(source, done, "call_succeeded.v1", b"x" * 300)])
    rate = done / (time.perf_counter() - began_s)
    datastore.close()
    return rate


def measure(folder: Path, *, callers: int, groups: Sequence[int], seconds: float) -> float:
    """Print a paragraph on so many callers; durable events a second."""
    path = folder / f"{callers}.db"
    sync_us = fdatasync_us(folder)
    ours = asyncio.run(served(SqliteLog(path), callers=callers, seconds=seconds))
    memory = asyncio.run(served(MemoryLog(), callers=callers, seconds=min(2.0, seconds)))
    bare = committed_bare(path, folder / f"{callers}-bare.db", groups=groups, seconds=seconds)
    print(
        f"{callers:>4} callers: {ours.rate:8,.0f} calls/s, {ours.events:8,.0f} durable events/s,"
        f" {ours.median_us:8,.0f} us a call = {ours.median_us / sync_us:.1f} fdatasyncs of {sync_us:,.0f} us\n"
        f"      {ours.rate / memory.rate:.2f} x the {memory.rate:,.0f} calls/s over a log in memory,"
        f" {ours.events / bare:.2f} x the {bare:,.0f} events/s of a bare loop of the same commits"
    )
    return ours.events


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description="How fast the engine is where everything is awaited.")
    parser.add_argument("--seconds", type=float, default=5.0)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measure(folder, callers=1, groups=(3, 2), seconds=seconds)
        events = measure(folder, callers=100, groups=(250,), seconds=seconds)
        saved = saved_by_eventsourcing(folder / "eventsourcing.db", seconds=seconds)
        print(
            "eventsourcing is not installed"
            if saved is None
            else f"eventsourcing, single saves: {saved:,.0f} events/s; a hundred callers, {events / saved:.1f} x that"
        )
        print("(reach: 3 fdatasyncs for one caller; 60,000 events/s for a hundred)")


if __name__ == "__main__":
    main()
