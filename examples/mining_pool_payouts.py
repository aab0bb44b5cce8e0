"""A mining pool pays its miners out in bitcoin, through eight services that fail tier by tier and come back.

    .venv/bin/python examples/mining_pool_payouts.py

It shows who serves, failovers, changes of mode, and a payout of which nobody can say for a while whether it was made:
that one is held, and asked of nobody else. The hierarchy is `multi_service.json` beside this file. It leaves
`payouts.db`; ask `understudy explain payouts.db last-failover` how a payout found its way, or `understudy verify
payouts.db` whether the log is in order.
"""

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from understudy.adapters import SqliteLog
from understudy.adapters.conversion import MultiServiceConverter, read_settings
from understudy.engine import (
    Ambiguous,
    Deadline,
    Finding,
    Found,
    OutcomeUnknown,
    Quote,
    Reply,
    Request,
    RequestError,
    Transient,
)

HIERARCHY = Path(__file__).with_name("multi_service.json")
LOG = Path("payouts.db")
RATES = {"ETH/BTC": Decimal("0.0654"), "LTC/BTC": Decimal("0.00181"), "DOGE/BTC": Decimal("0.0000041")}
PAYOUTS = [("ETH", "1.5"), ("LTC", "40"), ("DOGE", "25000"), ("ETH", "0.75"), ("LTC", "12.5")]
MINER = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
TIERS = ("primary", "secondary", "backup")


class Service:
    """A conversion service that can be switched off, or break off in the middle, and keeps books of its conversions."""

    def __init__(self, name: str, worse_bp: int) -> None:
        self.id = name
        self.quotes = self.converts = True
        self.breaks_off = False
        self.books: dict[str, Decimal] = {}
        self._share = 1 - Decimal(worse_bp) / 10_000

    async def quote(self, request: Request, *, deadline: Deadline) -> Quote:
        await self.answer(self.quotes)
        return Quote(rate=RATES[request.context["pair"]] * self._share)

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:
        await self.answer(self.converts)
        self.books[key] = request.amount or Decimal(0)
        if self.breaks_off:
            raise Ambiguous("the connection broke after the order was sent")
        return Reply(value={"to_coin": "BTC"}, reference=f"{self.id}-{len(self.books)}")

    async def lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:
        await self.answer(self.quotes and not self.breaks_off)
        if key in self.books:
            return Found(finding=Finding.SUCCEEDED, value={"to_coin": "BTC"}, reference=f"{self.id}-found")
        return Found(finding=Finding.ABSENT)

    async def ping(self) -> None:
        await self.answer(self.quotes and self.converts)

    async def answer(self, able: bool) -> None:  # noqa: FBT001 - what it is asked for works, or does not
        await asyncio.sleep(0.005)
        if not able:
            raise Transient("503 Service Unavailable")


async def main() -> None:
    hierarchy = read_settings(HIERARCHY).policy.providers
    services = {one.id: Service(one.id, worse_bp=5 * place) for place, one in enumerate(hierarchy)}
    converter = MultiServiceConverter.from_file(HIERARCHY, log=SqliteLog(LOG), services=list(services.values()))
    for signal in ("mode:normal", "mode:degraded", "mode:emergency"):
        converter.on(signal, tell)
    async with converter:
        await pay_out(converter, "all is well")
        for one in hierarchy:
            services[one.id].converts = one.priority > 1
        await pay_out(converter, "the primary services give quotes, and take no orders")
        for tier, name in enumerate(TIERS, start=1):
            for one in hierarchy:
                services[one.id].quotes = services[one.id].converts = one.priority > tier
            await pay_out(converter, f"the {name} services are out, too")
        services["dex"].quotes = False
        await pay_out(converter, "for a moment nobody is left", payouts=PAYOUTS[:1])
        services["dex"].quotes = services["dex"].breaks_off = True
        await pay_out(converter, "the last one is back, and breaks off in the middle of an order", payouts=PAYOUTS[:1])
        services["dex"].breaks_off = False
        for service in services.values():
            service.quotes = service.converts = True
            converter.engine.probe(
                service.id, actor="pool", reason="it says that it is back"
            )  # Else: when it has rested.
        await settled(converter)
        await pay_out(converter, "all are back, and the payout that was held is settled")
        stats = converter.get_stats()
    print(f"\n{stats.total_conversions} conversions, {stats.failovers} failovers; by service:")
    for name, count in stats.service_usage.items():
        print(f"  {name:<18}{count}")
    executed = sum(len(one.books) for one in services.values())
    print(f"the services' own books have {executed} conversions")


async def pay_out(
    converter: MultiServiceConverter, weather: str, *, payouts: Sequence[tuple[str, str]] = PAYOUTS
) -> None:
    print(f"\n{weather}:")
    for coin, amount in payouts:
        wish = {"from_coin": coin, "to_coin": "BTC", "amount": amount, "address": MINER}
        try:
            done = await converter.convert(**wish, deadline_ms=2_000)
        except OutcomeUnknown:
            print(f"  {amount} {coin} held: it may have been executed, and nobody else is asked")
        except RequestError as error:
            print(f"  {amount} {coin} refused, and nothing has moved: {error}")
        else:
            print(f"  {amount} {coin} -> {done.amount_out:.8f} BTC by {done.service}, {done.failovers} failovers")


async def settled(converter: MultiServiceConverter) -> None:
    """Wait until it is known of every payout what has become of it."""
    async with asyncio.timeout(30):
        while converter.engine.unsettled:  # noqa: ASYNC110 - a look-up settles it, in its own time
            await asyncio.sleep(0.05)


async def tell(event: Any) -> None:
    print(f"  ** {event.signal}, it was {event.previous}")


if __name__ == "__main__":
    LOG.unlink(missing_ok=True)
    asyncio.run(main())
