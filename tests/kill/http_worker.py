"""Serves `once` requests over HTTP until it is killed, and says of every request what its caller was told.

    python -m kill.http_worker DATABASE serve|settle NAME=URL...

The providers are servers of whoever started this. With `settle` no request is made: what an earlier run left open is
settled, and the worker ends.
"""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from kill.callers import serve_or_settle

from understudy.adapters import SqliteLog
from understudy.adapters.demo import DemoShop
from understudy.engine import Engine, Policy, Strategy

SETTLE_MS = 50
"""What a killed worker has sent may still be on its way to the server when the next one asks about it."""


async def main() -> None:
    database, task, *servers = Path(sys.argv[1]), *sys.argv[2:]
    policy = Policy(
        strategy=Strategy.WEIGHTED,
        request_timeout_ms=400,
        retry_delay_ms=5,
        lookup_interval_ms=10,
        lookup_interval_cap_ms=50,
        max_failures=1_000,
    )
    async with AsyncExitStack() as stack:
        shops = [
            await stack.enter_async_context(DemoShop(name, url, settle_ms=SETTLE_MS, pings=False))
            for name, url in (one.split("=") for one in servers)
        ]
        engine = await stack.enter_async_context(Engine(providers=shops, log=SqliteLog(database), policy=policy))
        await serve_or_settle(engine, task)


asyncio.run(main())
