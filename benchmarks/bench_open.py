"""How long an engine takes to open a long log: with a snapshot of its end, with an older one, and with none.

Run: `make bench`, or this file alone, with `--events N` (a million; ten million take three minutes to write and six
gigabytes). The log is written by a real engine under full load, into the current directory, and removed afterwards.
Each time is from `Engine.start` to its return, after a stop in good order the median of five. Beside them stands a
bare loop over all rows in the same run, which knows no rules: what is ours is told from what is the machine's.
Without a snapshot time grows with the log, and is given for ten million events too.
"""

import argparse
import asyncio
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from full_load import Load, engine_on, under_load

from understudy.adapters.stores import SqliteReader
from understudy.engine import Engine
from understudy.engine.keeping import BLOCKS_A_SNAPSHOT
from understudy.projections.block import BLOCK_EVENTS


async def write(path: Path, *, events: int) -> None:
    """A log of at least so many events."""

    async def watch(engine: Engine, load: Load) -> None:
        while engine.standing.seq < events:
            await asyncio.sleep(0.05)
            del load.took_s[:]

    await under_load(path, callers=100, watch=watch)


async def opened_s(path: Path) -> float:
    """Seconds until an engine has started. It stops in good order, and leaves a snapshot of the end."""
    engine = engine_on(path)
    began_s = time.perf_counter()
    await engine.start()
    took_s = time.perf_counter() - began_s
    await engine.stop()
    return took_s


def forget_snapshots(path: Path, *, after: int) -> None:
    """Remove the snapshots of later events."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM snapshots WHERE seq > ?", (after,))


def rows_s(path: Path) -> tuple[int, float]:
    """How many rows there are, and the seconds of a loop over them."""
    with SqliteReader.open(path) as reader:
        began_s = time.perf_counter()
        count = sum(1 for _ in reader.rows())
        return count, time.perf_counter() - began_s


def main() -> None:
    """Write, open, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        path = Path(folder, "calls.db")
        began_s = time.perf_counter()
        asyncio.run(write(path, events=wanted.events))
        print(f"written in {time.perf_counter() - began_s:.0f} s, {path.stat().st_size / 1e6:,.0f} MB")
        count, bare_s = rows_s(path)
        forget_snapshots(path, after=count - BLOCKS_A_SNAPSHOT * BLOCK_EVENTS)  # As after a crash at a bad moment.
        crashed_s = asyncio.run(opened_s(path))
        stopped_s = statistics.median(asyncio.run(opened_s(path)) for _ in range(5))
        forget_snapshots(path, after=0)
        none_s = asyncio.run(opened_s(path))

    def line(what: str, took_s: float, note: str = "") -> None:
        print(f"{what:<44}{took_s:>10.3f} s {took_s / bare_s:>9.4f} {note}")

    print(f"{f'{count:,} events':<44}{'time':>12}{'x rows':>10}")
    line("a bare loop over the rows", bare_s)
    line("open, after a stop in good order", stopped_s)
    line("open, with the snapshot before a crash", crashed_s)
    line("open, without a snapshot", none_s, f"= {none_s / count * 10_000_000:,.0f} s for ten million")


if __name__ == "__main__":
    main()
