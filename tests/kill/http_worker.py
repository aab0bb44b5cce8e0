"""Serves `once` requests over HTTP until it is killed, and says of every request what its caller was told.

    http_worker.py DATABASE serve|settle NAME=URL...

The providers are servers of whoever started this. With `settle` no request is made: what an earlier run left open is
settled, and the worker ends.
"""

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from understudy.adapters import SqliteLog
from understudy.adapters.demo import DemoShop
from understudy.engine import Engine, Policy, RequestError, Strategy

CALLERS = 16
SETTLE_MS = 50
"""What a killed worker has sent may still be on its way to the server when the next one asks about it."""


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def call_on_and_on(engine: Engine, caller: int) -> None:
    count = 0
    while True:
        count += 1
        try:
            answer = await engine.call("pay", effect="once", idempotency_key=f"{os.getpid()}-{caller}-{count}")
        except RequestError as error:
            say(f"told {error.request_id} {type(error).__name__}")
        else:
            say(f"told {answer.request_id} served")


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
        say("open")
        if task == "settle":
            while engine.unsettled:  # noqa: ASYNC110 - the engine settles by itself; nobody is told
                await asyncio.sleep(0.01)
            return
        async with asyncio.TaskGroup() as group:
            for caller in range(CALLERS):
                group.create_task(call_on_and_on(engine, caller))


asyncio.run(main())
