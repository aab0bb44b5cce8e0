"""Scripted conversion services for tests on virtual time: each keeps books of what it was asked, and has done."""

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from understudy.adapters.conversion import MultiServiceConverter
from understudy.adapters.stores import MemoryLog
from understudy.engine import Deadline, Finding, Found, Quote, Reply, Request
from understudy.events.log import EventLog
from understudy.replay.virtual_system import VirtualSystem

if TYPE_CHECKING:
    from collections.abc import Callable

BTC = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


class Exchange:
    """A service. `refuses` is raised instead of a conversion, `twist` changes what is answered to one."""

    def __init__(self, name: str, rate: str = "0.0654", **more: Any) -> None:
        self.id = name
        self.rate = Decimal(rate)
        self.latency_s = 0.1
        self.two_part = False
        self.refuses: Callable[[], Exception] | None = None
        self.twist: Callable[[Reply], Any] | None = None
        self.quoted: list[Request] = []
        self.called: list[str] = []
        self.orders: dict[str, Reply] = {}
        self.__dict__.update(more)

    async def quote(self, request: Request, *, deadline: Deadline) -> Quote:
        self.quoted.append(request)
        await asyncio.sleep(self.latency_s)
        assert request.amount is not None
        return Quote(rate=self.rate, amount_out=self.rate * request.amount, reference=f"{self.id}-q")

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Any:
        self.called.append(operation)
        await asyncio.sleep(self.latency_s)
        if self.refuses is not None:
            raise self.refuses()
        assert request.amount is not None
        done = Reply(
            value=dict(request.body),  # type: ignore[arg-type] # A conversion's body is always a table.
            reference=f"{self.id}-{len(self.orders) + 1}",
            amount_out=self.rate * request.amount,
        )
        self.orders.setdefault(key, done)
        return done if self.twist is None else self.twist(done)

    async def lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:
        await asyncio.sleep(self.latency_s)
        done = self.orders.get(key)
        if done is None:
            return Found(finding=Finding.ABSENT)
        return Found(finding=Finding.SUCCEEDED, reference=done.reference)


def three() -> list[Exchange]:
    return [Exchange("btcpay", "0.0654"), Exchange("simpleswap", "0.0652"), Exchange("changenow", "0.0651")]


def virtual(services: list[Any], *, log: EventLog | None = None, **settings: Any) -> MultiServiceConverter:
    """A converter on virtual time."""
    return MultiServiceConverter(services, log=log or MemoryLog(), system=VirtualSystem(), **settings)


ETH_TO_BTC: dict[str, Any] = {"from_coin": "ETH", "to_coin": "BTC", "address": BTC}
