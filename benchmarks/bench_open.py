"""How long an engine takes to open a long log: with a snapshot of its end, with an older one, with none, with nothing.

Run: `make bench`, or this file alone, with `--events N`. A million are written in a minute, ten million in ten where
the machine is quiet; they take six gigabytes in the current directory, which are given back afterwards. How they are
written is told in `long_log`. Each time is from `Engine.start` to its return, after a stop in good order the median of
five. Beside them stands a bare loop over all rows in the same run, which knows no rules: what is ours is told from what
is the machine's. `held` is the longest time, of the processor, for which the start kept the event loop to itself.
"""

import argparse
import asyncio
import sqlite3
import statistics
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, NamedTuple

from full_load import engine_on
from long_log import write_long_log

from understudy.adapters.stores import SqliteReader
from understudy.engine.keeping import BLOCKS_A_SNAPSHOT
from understudy.engine.restore import restore
from understudy.projections import block
from understudy.projections.block import BLOCK_EVENTS

ROWS_FOLDED_AT_MOST: Final = 2_000_000
"""A longer log is not opened by its rows alone: that takes minutes, and as long an event as here."""
NONE_LATER: Final = 2**62
_LOOKS_EVERY_S: Final = 0.002


class Opened(NamedTuple):
    """Seconds until an engine has started, and of processor time for which it held the loop at most."""

    took_s: float
    held_s: float


async def opened(path: Path) -> Opened:
    """Start an engine. It stops in good order, and leaves a snapshot of the end."""
    engine = engine_on(path)
    gaps_s: list[float] = []

    async def look() -> None:
        while True:
            began_s = time.thread_time()
            await asyncio.sleep(_LOOKS_EVERY_S)
            gaps_s.append(time.thread_time() - began_s)

    looking = asyncio.create_task(look())
    began_s = time.perf_counter()
    await engine.start()
    took_s = time.perf_counter() - began_s
    await asyncio.sleep(2 * _LOOKS_EVERY_S)
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking
    await engine.stop()
    return Opened(took_s, max(gaps_s))


def open_without(path: Path, *, snapshots_after: int = 0, blocks_after: int = NONE_LATER) -> Opened:
    """Open the log without the snapshots of later events than the one, and the blocks that end later than the other."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM snapshots WHERE seq > ?", (snapshots_after,))
        connection.execute("DELETE FROM sealed_blocks WHERE last_seq > ?", (blocks_after,))
    return asyncio.run(opened(path))


def open_from_all_blocks(path: Path) -> Opened:
    """Open the log without snapshots, as if no block told the lanes in full: all of them are folded."""
    usual = block.MILESTONE_EVENTS
    block.MILESTONE_EVENTS = sys.maxsize  # type: ignore[misc]
    try:
        return open_without(path)
    finally:
        block.MILESTONE_EVENTS = usual  # type: ignore[misc]


def rows_s(path: Path) -> tuple[int, float]:
    """How many rows there are, and the seconds of a loop over them."""
    with SqliteReader.open(path) as reader:
        began_s = time.perf_counter()
        count = sum(1 for _ in reader.rows())
        return count, time.perf_counter() - began_s


def back_then_s(path: Path, *, seq: int) -> float:
    """Seconds to find out how things stood after an event."""
    with SqliteReader.open(path) as reader:
        began_s = time.perf_counter()
        restore(reader, through=seq)
        return time.perf_counter() - began_s


def main() -> None:
    """Write, open, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        path = Path(folder, "calls.db")
        began_s = time.perf_counter()
        asyncio.run(write_long_log(path, events=wanted.events))
        print(f"written in {time.perf_counter() - began_s:.0f} s, {path.stat().st_size / 1e6:,.0f} MB")
        measure(path)


def measure(path: Path) -> None:
    """Open the log in every way, and tell how long it took."""
    count, bare_s = rows_s(path)

    def line(what: str, found: Opened) -> None:
        held = f"{found.held_s * 1000:8.0f} ms" if found.held_s else ""
        print(f"{what:<52}{found.took_s:>9.3f} s{found.took_s / bare_s:>9.4f}{held}")

    print(f"{f'{count:,} events':<52}{'time':>11}{'x rows':>9}{'held':>11}")
    line("a bare loop over the rows", Opened(bare_s, 0))
    at_a_bad_moment = open_without(
        path,
        snapshots_after=count - BLOCKS_A_SNAPSHOT * BLOCK_EVENTS,
        blocks_after=count - BLOCK_EVENTS,
    )
    line("open, after a crash at a bad moment", at_a_bad_moment)
    times = [asyncio.run(opened(path)) for _ in range(5)]
    median_s = statistics.median(one.took_s for one in times)
    line("open, after a stop in good order", Opened(median_s, max(one.held_s for one in times)))
    line("open, without a snapshot", open_without(path))
    line("open, all blocks folded, no milestone used", open_from_all_blocks(path))
    line("as of the middle of the log", Opened(back_then_s(path, seq=count // 2), 0))
    if count <= ROWS_FOLDED_AT_MOST:
        line("open, without any block either", open_without(path, blocks_after=0))


if __name__ == "__main__":
    main()
