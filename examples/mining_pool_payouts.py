"""A mining pool pays its miners out in bitcoin, through eight services that fail one after another.

    .venv/bin/python examples/mining_pool_payouts.py

The hierarchy is `multi_service.json` beside this file. It leaves `payouts.db`; ask `understudy explain payouts.db
last-failover` how a payout found its way, or `understudy verify payouts.db` whether the log is in order.
"""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

from understudy.adapters import SqliteLog
from understudy.adapters.conversion import MultiServiceConverter, read_settings
from understudy.engine import Deadline, Finding, Found, Quote, Reply, Request, RequestError, Transient

HIERARCHY = Path(__file__).with_name("multi_service.json")
LOG = Path("payouts.db")
RATES = {"ETH/BTC": Decimal("0.0654"), "LTC/BTC": Decimal("0.00181"), "DOGE/BTC": Decimal("0.0000041")}
PAYOUTS = [("ETH", "1.5"), ("LTC", "40"), ("DOGE", "25000"), ("ETH", "0.75"), ("LTC", "12.5")]
MINER = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
TIERS = ("primary", "secondary", "backup")


class Service:
    """A conversion service that can be switched off, and keeps books of what it has converted."""

    def __init__(self, name: str, worse_bp: int) -> None:
        self.id = name
        self.quotes = self.converts = True
        self.books: dict[str, Decimal] = {}
        self._share = 1 - Decimal(worse_bp) / 10_000

    async def quote(self, request: Request, *, deadline: Deadline) -> Quote:
        await self.answer(self.quotes)
        return Quote(rate=RATES[request.context["pair"]] * self._share)

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:
        await self.answer(self.converts)
        self.books[key] = request.amount or Decimal(0)
        return Reply(value={"to_coin": "BTC"}, reference=f"{self.id}-{len(self.books)}")

    async def lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:
        await self.answer(self.quotes)
        return Found(finding=Finding.SUCCEEDED if key in self.books else Finding.ABSENT)

    async def answer(self, able: bool) -> None:  # noqa: FBT001 - what it is asked for works, or does not
        await asyncio.sleep(0.005)
        if not able:
            raise Transient("503 Service Unavailable")


async def main() -> None:
    hierarchy = read_settings(HIERARCHY).policy.providers
    services = {one.id: Service(one.id, worse_bp=5 * place) for place, one in enumerate(hierarchy)}
    converter = MultiServiceConverter.from_file(HIERARCHY, log=SqliteLog(LOG), services=list(services.values()))
    converter.on("mode:degraded", tell)
    converter.on("mode:emergency", tell)
    async with converter:
        await pay_out(converter, "all is well")
        for one in hierarchy:
            services[one.id].converts = one.priority > 1
        await pay_out(converter, "the primary services give quotes, and take no orders")
        for tier, name in enumerate(TIERS, start=1):
            for one in hierarchy:
                services[one.id].quotes = services[one.id].converts = one.priority > tier
            await pay_out(converter, f"the {name} services are out, too")
        stats = converter.get_stats()
    print(f"\n{stats.total_conversions} conversions, {stats.failovers} failovers; by service:")
    for name, count in stats.service_usage.items():
        print(f"  {name:<18}{count}")
    executed = sum(len(one.books) for one in services.values())
    print(f"the services' own books have {executed} conversions")


async def pay_out(converter: MultiServiceConverter, weather: str) -> None:
    print(f"\n{weather}:")
    for coin, amount in PAYOUTS:
        try:
            done = await converter.convert(from_coin=coin, to_coin="BTC", amount=amount, address=MINER)
        except RequestError as error:
            print(f"  {amount} {coin} not converted: {error}")
        else:
            print(f"  {amount} {coin} -> {done.amount_out:.8f} BTC by {done.service}, {done.failovers} failovers")


async def tell(event: Any) -> None:
    print(f"  ** {event.signal}, it was {event.previous}")


if __name__ == "__main__":
    LOG.unlink(missing_ok=True)
    asyncio.run(main())
