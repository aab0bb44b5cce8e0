"""A log of two shops that list what they have on offer, as a page shows it."""

import asyncio
from decimal import Decimal
from pathlib import Path

from shops import Shop

from understudy.adapters.rental import RENTALS, rent_number_with_failover
from understudy.adapters.stores import SqliteLog
from understudy.engine import Engine, Offer, Policy, Strategy
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual


class Lister(Shop):
    """A shop that lists one offer at its own price."""

    syncs = 0

    async def sync(self, *, deadline: object) -> list[Offer]:
        self.syncs += 1
        return [Offer(country="us", service="wa", stock=self.left, price=self.price)]


def write(path: Path) -> None:
    """Write a log in which a number was rented from the cheaper of two shops, an hour after both had listed."""
    log = SqliteLog(path, salt=b"of no importance")
    shops = [Lister("alpha", price=Decimal("0.45"), left=8), Lister("beta", price=Decimal("0.42"), left=140)]
    policy = Policy(strategy=Strategy.CHEAPEST, exploration=Decimal(0))

    async def live() -> None:
        engine = Engine(
            providers=shops, log=log, policy=policy, operations=RENTALS, system=VirtualSystem(seed=1), watch=False
        )
        async with engine:
            for shop in shops:
                await engine.ask(shop.id, "sync")
            await asyncio.sleep(3_600)
            await rent_number_with_failover("us", "wa", engine=engine)

    run_virtual(live(), busy=lambda: log.busy)
