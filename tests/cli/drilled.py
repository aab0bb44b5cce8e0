"""A log in which drills were held, as a page shows it."""

import asyncio
from decimal import Decimal
from pathlib import Path

from providers_for_tests import Told

from understudy.adapters.stores import SqliteLog
from understudy.engine import Engine, Policy, Strategy
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual

POLICY = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, exploration=Decimal(0))


def write(path: Path) -> None:
    """Write a log with an outage of a minute, and a brown-out that was stopped."""
    log = SqliteLog(path, salt=b"of no importance")
    shops = [Told("alpha", delay_s=0.1), Told("beta", delay_s=0.3), Told("gamma", delay_s=0.2)]

    async def live() -> None:
        engine = Engine(providers=shops, log=log, policy=POLICY, system=VirtualSystem(seed=1), watch=False)
        async with engine:
            brownout = engine.drill("brownout", "beta", for_ms=300_000, actor="bob", reason="as in May")
            await ask(engine, 10)
            engine.stop_drill(brownout, actor="bob", reason="a customer called")
            engine.drill("outage", "alpha", for_ms=60_000, actor="ann", reason="monthly drill")
            await ask(engine, 60)

    run_virtual(live(), busy=lambda: log.busy)


async def ask(engine: Engine, times: int) -> None:
    for _ in range(times):
        await engine.call("rent", context={"country": "us"})
        await asyncio.sleep(1)
