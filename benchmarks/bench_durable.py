"""How fast the engine is where everything is awaited: `once` calls over a SQLite log with full synchronization.

Run: `make bench`, or this file alone, with `--seconds N`. A `once` call waits for two commits: its intent is durable
before the provider is asked, its outcome before the caller hears. Beside it stands what one `fdatasync` of a page takes
on the same disk in the same run, and how much of a call that explains.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from understudy.adapters.stores import SqliteLog
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


async def served(path: Path, *, callers: int, seconds: float) -> tuple[float, float, int]:
    """Calls a second, the median microseconds of one, and how many events they wrote a second."""
    log = SqliteLog(path)
    took_s: list[float] = []
    providers = [Prompt(name) for name in NAMES]
    async with Engine(providers=providers, policy=Policy(strategy=Strategy.SCORE), log=log, watch=False) as engine:
        first = log.head.seq
        began_s = time.perf_counter()

        async def call_on() -> None:
            while time.perf_counter() - began_s < seconds:
                since_s = time.perf_counter()
                await engine.call("rent", context={"country": "us", "service": "wa"}, effect="once")
                took_s.append(time.perf_counter() - since_s)

        await asyncio.gather(*(call_on() for _ in range(callers)))
        lasted_s = time.perf_counter() - began_s
        events = log.head.seq - first
    return len(took_s) / lasted_s, statistics.median(took_s) * 1e6, round(events / lasted_s)


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description="How fast the engine is where everything is awaited.")
    parser.add_argument("--seconds", type=float, default=5.0)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sync_us = fdatasync_us(folder)
        print(f"one fdatasync of a page here: {sync_us:,.0f} us")
        for callers in (1, 100):
            rate, median_us, events = asyncio.run(
                served(folder / f"{callers}.db", callers=callers, seconds=wanted.seconds)
            )
            print(
                f"{callers:>4} callers: {rate:8,.0f} calls/s, {events:8,} durable events/s,"
                f" {median_us:8,.0f} us a call = {median_us / sync_us:.1f} fdatasyncs"
            )
        print("(reach: 3 fdatasyncs for one caller; 60,000 events/s for a hundred)")


if __name__ == "__main__":
    main()
