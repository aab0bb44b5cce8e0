"""How fast a log is verified: events of the chain and recomputed decisions per second, alone and with all cores.

Run: `make bench`, or this file alone, with `--requests N` and `--jobs N`. Writes a log of its own by calling an
engine N times (five providers, five events a request, a SQLite file). Times are wall-clock. The last column is the time
as a multiple of that of a bare loop over the rows in the same run, which knows neither chain nor rules: it tells what
is ours from what is the machine's.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from understudy.adapters.parallel_verify import cores, verify_file
from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.engine import Engine, Policy, Strategy
from understudy.replay.verify import check_chain, recompute

A = TypeVar("A")


class Prompt:
    """A provider that answers at once."""

    def __init__(self, name: str) -> None:
        self.id = name

    async def call(self, operation: str, request: Any, *, key: str, deadline: Any) -> dict[str, str]:  # noqa: ARG002
        """Answer."""
        return {"number": "+15550100"}


async def write(path: Path, *, requests: int) -> None:
    """A log of so many requests."""
    log = SqliteLog(path)
    providers = [Prompt(name) for name in ("alpha", "beta", "gamma", "delta", "epsilon")]
    async with Engine(providers=providers, policy=Policy(strategy=Strategy.SCORE), log=log) as engine:
        for _ in range(requests):
            await engine.call("rent", context={"country": "us", "service": "wa"})


def timed(act: Callable[[], A]) -> tuple[A, float]:
    """What an act returns, and the seconds that it took."""
    began_s = time.perf_counter()
    result = act()
    return result, time.perf_counter() - began_s


def main() -> None:
    """Write, verify, print."""
    parser = argparse.ArgumentParser(description="How fast a log is verified.")
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--jobs", type=int, default=cores())
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "calls.db")
        _, wrote_s = timed(lambda: asyncio.run(write(path, requests=wanted.requests)))
        print(f"{wanted.requests:,} requests written in {wrote_s:.1f} s")
        with SqliteReader.open(path) as reader:
            end = reader.head().seq
            _, rows_s = timed(lambda: sum(1 for _ in reader.rows(through=end)))
            chain, chain_s = timed(lambda: check_chain(reader, through=end))
            alone, rules_s = timed(lambda: recompute(reader, through=end))
        both, both_s = timed(lambda: verify_file(path, jobs=wanted.jobs, small=0))
    if chain.broken or alone.differs or not both.ok or both.identical != alone.identical:
        raise SystemExit(f"the log does not verify: {both}")

    def line(what: str, done: int, took_s: float) -> None:
        print(f"{what:<44}{done / took_s:>12,.0f} /s {took_s:8.2f} s {took_s / rows_s:8.1f}")

    print(f"{'':<44}{'rate':>15}{'time':>11}{'x rows':>8}")
    line("rows alone, events", end, rows_s)
    line("chain, one process, events", end, chain_s)
    line("rules, one process, decisions", alone.identical, rules_s)
    line("both, one process, decisions", alone.identical, chain_s + rules_s)
    line(f"both, {wanted.jobs} processes and their start, decisions", both.identical, both_s)


if __name__ == "__main__":
    main()
