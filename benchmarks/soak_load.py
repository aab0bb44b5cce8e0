"""Full load for a long time: does memory stay flat, the write-ahead log bounded, and the time of a call steady?

Run: this file alone, with `--seconds N` (900, a quarter of an hour) and `--interval N`. A hundred callers, half of
whose calls await their outcome on the disk, on five providers that answer at once, over a SQLite file in the current
directory, which grows by one to two gigabytes a minute and is removed afterwards. Prints a line for each interval and
a judgement: the last third of the intervals against the middle third, since in the first one caches fill. Ends with
exit code 1 if memory grows by more than a tenth, the write-ahead log by more than its limit, or the 99th percentile
doubles.
"""

import argparse
import asyncio
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from full_load import Load, under_load, wal_bytes

from understudy.engine import Engine

WAL_LIMIT = 64
"""Megabytes: four times what the store lets it grow to before it empties it; a slow disk may hold it back a while."""
MEMORY_LIMIT = 1.1
P99_LIMIT = 2.0
BYTES_A_SECOND = 30_000_000
MEGABYTE = 1024 * 1024


class Sample(NamedTuple):
    """An interval: calls a second, bytes, seconds."""

    rate: float
    events: int
    memory: int
    wal: int
    p50_s: float
    p99_s: float


def memory_bytes() -> int:
    """The memory that this process has in use now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def soak(path: Path, *, seconds: float, interval_s: float, callers: int) -> list[Sample]:
    """Load for so long; a sample for each interval."""
    samples = []

    async def watch(engine: Engine, load: Load) -> None:
        print(f"{'s':>6} {'calls/s':>9} {'events':>12} {'memory MB':>10} {'wal MB':>7} {'p50 ms':>8} {'p99 ms':>8}")
        for number in range(max(3, round(seconds / interval_s))):
            del load.took_s[:]
            largest = 0
            for _ in range(20):
                await asyncio.sleep(interval_s / 20)
                largest = max(largest, wal_bytes(path))
            took_s = sorted(load.took_s)
            sample = Sample(
                rate=len(took_s) / interval_s,
                events=engine.standing.seq,
                memory=memory_bytes(),
                wal=largest,
                p50_s=took_s[len(took_s) // 2],
                p99_s=took_s[len(took_s) * 99 // 100],
            )
            samples.append(sample)
            print(
                f"{(number + 1) * interval_s:>6.0f} {sample.rate:>9,.0f} {sample.events:>12,}"
                f" {sample.memory / MEGABYTE:>10.1f} {sample.wal / MEGABYTE:>7.1f}"
                f" {sample.p50_s * 1000:>8.2f} {sample.p99_s * 1000:>8.2f}",
                flush=True,
            )

    await under_load(path, callers=callers, watch=watch)
    return samples


def judgement(samples: Sequence[Sample]) -> Iterator[tuple[bool, str]]:
    """Each promise: whether it was kept, and the figures."""
    third = len(samples) // 3
    middle, last = samples[third : 2 * third], samples[-third:]
    memory = max(one.memory for one in last) / max(one.memory for one in middle)
    yield memory <= MEMORY_LIMIT, f"memory, last third / middle third: {memory:.3f} (at most {MEMORY_LIMIT})"
    wal = max(one.wal for one in samples) / MEGABYTE
    yield wal <= WAL_LIMIT, f"largest write-ahead log: {wal:.1f} MB (at most {WAL_LIMIT})"
    p99 = statistics.median(one.p99_s for one in last) / statistics.median(one.p99_s for one in middle)
    yield p99 <= P99_LIMIT, f"p99, last third / middle third: {p99:.2f} (at most {P99_LIMIT})"


def main() -> int:
    """Load, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--interval", type=float, default=10)
    parser.add_argument("--callers", type=int, default=100)
    wanted = parser.parse_args()
    needed = int(wanted.seconds * BYTES_A_SECOND)
    if shutil.disk_usage(Path.cwd()).free < needed:
        sys.exit(f"this may need {needed / 1e9:.0f} GB of disk; free some, or take fewer --seconds")
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".soak-") as folder:
        path = Path(folder, "calls.db")
        run = soak(path, seconds=wanted.seconds, interval_s=wanted.interval, callers=wanted.callers)
        samples = asyncio.run(run)
        print(f"the file has {path.stat().st_size / MEGABYTE:,.0f} MB")
    verdicts = list(judgement(samples))
    for kept, figures in verdicts:
        print(f"{'kept  ' if kept else 'BROKEN'}  {figures}")
    return 0 if all(kept for kept, _ in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
