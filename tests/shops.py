"""Shops that rent phone numbers out and do as a test tells them, with books of their own."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from understudy.adapters.rental import RENTALS
from understudy.engine import Deadline, Engine, Finding, Found, OutOfStock, Policy, ProviderSettings, Reply, Request

US_WA = {"country": "us", "service": "wa"}


@dataclass
class Shop:
    """One that has numbers at a price. `acts` is what happens to its calls instead, in order; None for nothing.

    `rented` are its activations by id: the key of the call, and whether it is `open`, `cancelled` or `finished`.
    """

    id: str
    price: Decimal = Decimal("0.50")
    left: int = 100
    settings: ProviderSettings | None = None
    call_s: float = 0.1
    acts: list[BaseException | None] = field(default_factory=list)
    after: list[BaseException | None] = field(default_factory=list)
    """What happens after a number has been rented, in order."""
    lookups: list[Found | BaseException] = field(default_factory=list)
    bids: list[BaseException | None] = field(default_factory=list)
    """What happens to bids instead, in order."""
    codes: list[str | None] = field(default_factory=list)
    cancels: list[BaseException | None] = field(default_factory=list)
    calls: list[tuple[str, Request]] = field(default_factory=list)
    rented: dict[str, list[str]] = field(default_factory=dict)

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Any:
        self.calls.append((operation, request))
        await asyncio.sleep(self.call_s)
        match operation:
            case "rent":
                return self._rent(key)
            case "code":
                return Reply(value={"code": self.codes.pop(0) if self.codes else None})
            case "cancel" | "finish":
                return self._close(operation, request.context["rental_id"])
        raise AssertionError(operation)

    async def bid(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Any:
        self.calls.append(("bid", request))
        await asyncio.sleep(self.call_s)
        _happen(self.bids)
        return replace(self._rent(key), cost=request.max_price)

    def _rent(self, key: str) -> Reply:
        _happen(self.acts)
        if not self.left:
            raise OutOfStock("NO_NUMBERS")
        self.left -= 1
        reference = f"{self.id}-{len(self.rented) + 1}"
        self.rented[reference] = [key, "open"]
        _happen(self.after)
        return Reply(value={"number": f"+1555010{len(self.rented)}"}, reference=reference, cost=self.price)

    def _close(self, operation: str, reference: str) -> Reply:
        if operation == "cancel":
            _happen(self.cancels)
        self.rented[reference][1] = "cancelled" if operation == "cancel" else "finished"
        return Reply(value="ok")

    async def lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:
        if self.lookups:
            found = self.lookups.pop(0)
            if isinstance(found, BaseException):
                raise found
            return found
        mine = [reference for reference, (its_key, _) in self.rented.items() if its_key == key]
        if not mine:
            return Found(finding=Finding.ABSENT)
        return Found(finding=Finding.SUCCEEDED, value={"number": "+15550100"}, reference=mine[0])

    @property
    def books(self) -> dict[str, str]:
        """What has become of each activation."""
        return {reference: state for reference, (_, state) in self.rented.items()}


def _happen(script: list[BaseException | None]) -> None:
    act = script.pop(0) if script else None
    if act is not None:
        raise act


def played(stage: Any, *shops: Shop, act: Callable[[Engine], Awaitable[Any]], log: Any = None, **policy: Any) -> Any:
    """What comes of acting with an engine over these shops, in virtual time."""

    async def run() -> Any:
        async with stage.engine(*shops, policy=Policy(**policy), operations=RENTALS, log=log) as engine:
            return await act(engine)

    return stage.play(run)
