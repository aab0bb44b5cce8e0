"""A service as the engine is given it: the same, but for its answers, which are looked at before they are believed."""

from typing import Any

from understudy.adapters.conversion.replies import checked_finding, checked_quote, checked_reply
from understudy.engine.provider import Deadline, Found, Provider, Reply, Request


class CheckedService:
    """A service that raises `InvalidReply` for an answer that cannot be right.

    Shape:  it is able to do what the service is: `ping`, `stock`, `lookup` and `quote` are there only if they are
            there. `two_part` is the service's.
    """

    def __init__(self, service: Provider, *, settle_ms: int) -> None:
        self.id = service.id
        self.settle_ms = settle_ms
        self._service: Any = service
        for name in ("ping", "stock", "two_part"):
            if (found := getattr(service, name, None)) is not None:
                setattr(self, name, found)
        if callable(getattr(service, "lookup", None)):
            self.lookup = self._lookup
        if callable(getattr(service, "quote", None)):
            self.quote = self._quote

    def __repr__(self) -> str:
        return repr(self._service)

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:
        """Convert, or do one of the two parts of it."""
        told = await self._service.call(operation, request, key=key, deadline=deadline)
        return checked_reply(told, request, operation=operation)

    async def _quote(self, request: Request, *, deadline: Deadline) -> Reply:
        told = await self._service.quote(request, deadline=deadline)
        return checked_quote(told, request, now_us=_now_us(deadline))

    async def _lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:
        told = await self._service.lookup(operation, request, key=key, deadline=deadline)
        return checked_finding(told, request) if isinstance(told, Found) else told


def _now_us(deadline: Deadline) -> int:
    """The engine's clock, as a deadline tells it."""
    return deadline.at_us - round(deadline.remaining_s() * 1_000_000)
