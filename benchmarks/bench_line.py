"""What a call costs while many others wait for a rate limit, on virtual time: it must not grow with the line.

Run: `python benchmarks/bench_line.py [callers …]`.
"""

import asyncio
import sys
import time
from decimal import Decimal

from understudy.adapters import MemoryLog
from understudy.engine import Deadline, Engine, Policy, ProviderSettings, Reply, Request
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual


class Shop:
    """A provider that answers at once, and may be asked a thousand times a second."""

    id = "shop"
    settings = ProviderSettings(id="shop", max_calls_per_second=Decimal(1_000))

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:
        """Done."""
        del request, key, deadline
        await asyncio.sleep(0.01)
        return Reply(value=operation)


async def crowd(count: int) -> None:
    """So many callers at once; all are served, one each millisecond."""
    policy = Policy(deadline_ms=10**9)
    async with Engine(
        providers=[Shop()], log=MemoryLog(capacity=10**6), policy=policy, system=VirtualSystem(seed=1), watch=False
    ) as engine:
        await asyncio.gather(*(engine.call("x") for _ in range(count)))


def main() -> None:
    """Print microseconds of real time a call for each size of the crowd."""
    for count in [int(size) for size in sys.argv[1:]] or [100, 1_000, 10_000]:
        began_s = time.perf_counter()
        run_virtual(crowd(count))
        print(f"{count:>7,} callers: {(time.perf_counter() - began_s) / count * 1e6:>10,.0f} us a call", flush=True)


if __name__ == "__main__":
    main()
