"""Providers that do as a test tells them, and remember what they were asked."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from understudy.engine import Deadline, Found, ProviderSettings, Reply, Request

Act = Callable[[], Any] | BaseException | Any


@dataclass
class Told:
    """A provider with a list of acts: an exception is raised, a function called, a value answered."""

    id: str
    acts: list[Act] = field(default_factory=list)
    default: Act = "done"
    delay_s: float = 0.0
    settings: ProviderSettings | None = None
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Request id and key of each call, in order."""

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Any:
        self.calls.append((request.request_id, key))
        return await self._act(self.acts.pop(0) if self.acts else self.default)

    async def _act(self, act: Act) -> Any:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if isinstance(act, BaseException):
            raise act
        if callable(act):
            outcome = act()
            return await outcome if asyncio.iscoroutine(outcome) else outcome
        return act


@dataclass
class Searchable(Told):
    """One that can be asked what became of a call."""

    findings: list[Found | BaseException] = field(default_factory=list)
    looked_up: list[str] = field(default_factory=list)

    async def lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:
        self.looked_up.append(key)
        found = self.findings.pop(0)
        if isinstance(found, BaseException):
            raise found
        return found


@dataclass
class Pingable(Told):
    """One that can be pinged, and tells its stock."""

    pings: int = 0
    down: bool = False
    units: int = 7

    async def ping(self) -> None:
        self.pings += 1
        if self.down:
            raise ConnectionRefusedError("down")

    async def stock(self, request: Request, *, deadline: Deadline) -> Reply:
        return Reply(value={"units": self.units}, stock=self.units)


def never() -> Callable[[], Any]:
    """An act that hangs until it is cancelled."""
    return lambda: asyncio.Event().wait()
