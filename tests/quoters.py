"""Providers of quotes and conversions that do as a test tells them, with books of their own."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from understudy.engine import Deadline, Effect, Found, Operation, ProviderSettings, Reply, Request, ServicePriority
from understudy.events.quotes import Quote
from understudy.events.vocabulary import Finding

CONVERT = Operation(name="convert", effect=Effect.ONCE, quoted=True)
ETH_BTC = {"pair": "ETH/BTC"}

Rate = str | BaseException | Quote | Callable[[], Any]


@dataclass
class Quoter:
    """One that quotes `rate`, and pays out what it promised unless told otherwise."""

    id: str
    rate: Rate = "0.05"
    priority: int = 1
    settings: ProviderSettings | None = None
    quote_s: float = 0.1
    call_s: float = 0.1
    acts: list[BaseException | Callable[[], Any]] = field(default_factory=list)
    pays: Decimal | None = None
    asked: int = 0
    calls: list[tuple[str, Request]] = field(default_factory=list)
    executed: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.settings = self.settings or ProviderSettings(id=self.id, priority=ServicePriority(self.priority))

    async def quote(self, request: Request, *, deadline: Deadline) -> Any:
        self.asked += 1
        await asyncio.sleep(self.quote_s)
        rate = self.rate() if callable(self.rate) else self.rate
        if isinstance(rate, BaseException):
            raise rate
        return Quote(rate=Decimal(rate)) if isinstance(rate, str) else rate

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Any:
        self.calls.append((operation, request))
        await asyncio.sleep(self.call_s)
        act = self.acts.pop(0) if self.acts else None
        if isinstance(act, BaseException):
            raise act
        if callable(act):
            act()
        return self._pay(operation, request, key)

    def _pay(self, operation: str, request: Request, key: str) -> Reply:
        if operation == "create":
            return Reply(value={"reservation": f"r-{self.id}"}, reference=f"r-{self.id}")
        self.executed[key] = self.executed.get(key, 0) + 1
        assert request.amount is not None
        assert request.quote is not None
        promised = request.amount * request.quote.rate
        return Reply(value={"ok": True}, reference=f"tx-{self.id}", amount_out=self.pays or promised)


@dataclass
class Findable(Quoter):
    """One that can be asked what became of a conversion."""

    findings: list[Found | BaseException] = field(default_factory=list)
    settle_ms: int = 0

    async def lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:
        if self.findings:
            found = self.findings.pop(0)
            if isinstance(found, BaseException):
                raise found
            return found
        if key in self.executed:
            return Found(finding=Finding.SUCCEEDED, value={"ok": True}, reference=f"tx-{self.id}")
        return Found(finding=Finding.ABSENT)
