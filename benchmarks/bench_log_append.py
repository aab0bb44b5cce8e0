"""How fast events become durable in a SQLite log, beside the time that this disk needs for one fdatasync.

Run: `make bench`, or this file alone. Prints, for 1 and for 100 callers who each await every one of their
events, the durable events per second and the time of one append until durable, as multiples of one fdatasync
after appending 4 KiB to a file in the same directory. The last line does the same commits through aiosqlite's
public methods, statement by statement: what the store's own way saves.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiosqlite

from understudy.adapters.stores import SqliteLog
from understudy.adapters.stores.schema import COLUMNS
from understudy.events.calls import CallSucceeded
from understudy.events.codec import encode

AT_US = 1_700_000_000_000_000
EVENT = CallSucceeded(
    request_id="01jd00000000000000000000",
    provider="alpha",
    operation="rent_number",
    attempt=1,
    service="wa",
    country="us",
    started_seq=3,
    latency_us=412_000,
    reply={"number": "token:4f5a", "reference": "r-1029"},
    reference="r-1029",
)


def measure_fdatasync(folder: Path, *, times: int) -> float:
    """Seconds that appending 4 KiB and making it durable takes, the median."""
    page = os.urandom(4096)
    taken = []
    descriptor = os.open(folder / "probe", os.O_RDWR | os.O_CREAT)
    try:
        for number in range(times):
            began = time.perf_counter()
            os.pwrite(descriptor, page, number * len(page))
            os.fdatasync(descriptor)
            taken.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
    return statistics.median(taken)


async def measure_log(path: Path, *, callers: int, events: int) -> tuple[float, Sequence[float]]:
    """Durable events per second, and the seconds that each append took until it was durable."""
    log = SqliteLog(path)
    await log.open("benchmark")
    taken = []

    async def call() -> None:
        for number in range(events // callers):
            began = time.perf_counter()
            await log.durable(log.append(EVENT, at_us=AT_US + number).seq)
            taken.append(time.perf_counter() - began)

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(call())
    rate = events // callers * callers / (time.perf_counter() - began)
    await log.close()
    return rate, sorted(taken)


async def measure_public_methods(path: Path, *, times: int) -> float:
    """Seconds that one event's commit takes through aiosqlite's public methods, the median."""
    log = SqliteLog(path)
    await log.open("benchmark")
    await log.close()
    places = ", ".join("?" for _ in range(COLUMNS.count(",") + 3))
    columns = f"stream, {COLUMNS}, chain"
    statement = f"INSERT INTO events ({columns}) VALUES ({places})"  # noqa: S608 - Our own constants.
    taken = []
    async with aiosqlite.connect(path, isolation_level=None) as connection:
        await connection.execute("PRAGMA synchronous = FULL")
        await connection.execute("PRAGMA wal_autocheckpoint = 0")
        for seq in range(1, times + 1):
            began = time.perf_counter()
            await (await connection.execute("BEGIN IMMEDIATE")).close()
            row = encode(EVENT, seq=seq, at_us=AT_US)
            await (await connection.execute(statement, ("main", *row, b"\0" * 32))).close()
            await connection.commit()
            taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=100_000, help="events of the 100 callers (default 100000)")
    events = parser.parse_args().events
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as name:
        folder = Path(name)
        for callers, number in ((1, events // 50), (100, events)):
            # The disk's own time is taken right before and after: other programs may be at it too.
            before_s = measure_fdatasync(folder, times=300)
            rate, taken = asyncio.run(measure_log(folder / f"{callers}.db", callers=callers, events=number))
            sync_s = (before_s + measure_fdatasync(folder, times=300)) / 2
            p50, p99 = taken[len(taken) // 2], taken[len(taken) * 99 // 100]
            print(
                f"{callers:>3} caller{'s' if callers > 1 else ' '}: {rate:>9,.0f} durable events/s"
                f" = {rate * sync_s:6.2f} per fdatasync of {sync_s * 1e6:,.0f} µs;"
                f" until durable p50 {p50 * 1e6:,.0f} µs = {p50 / sync_s:.2f} fdatasyncs,"
                f" p99 {p99 * 1e6:,.0f} µs = {p99 / sync_s:.2f}"
            )
        public_s = asyncio.run(measure_public_methods(folder / "public.db", times=events // 50))
        sync_s = measure_fdatasync(folder, times=300)
        print(
            f"  1 caller, aiosqlite's public methods: p50 {public_s * 1e6:,.0f} µs"
            f" = {public_s / sync_s:.2f} fdatasyncs of {sync_s * 1e6:,.0f} µs"
        )


if __name__ == "__main__":
    main()
