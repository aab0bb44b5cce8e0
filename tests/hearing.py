"""An engine whose signals are heard, and waiting for what is due."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from providers_for_tests import Told

from understudy.adapters import MemoryLog, SqliteLog
from understudy.engine import Engine, Policy, Strategy, Transient
from understudy.events.signals import SIGNALS


class Ear:
    """Hears everything that an engine says."""

    def __init__(self, engine: Engine, *names: str) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        for name in names or SIGNALS:
            engine.on(name, self._receiver(name))

    def _receiver(self, name: str) -> Any:
        async def receive(_: Engine, **says: Any) -> None:
            self.heard.append((name, says))

        return receive

    def names(self) -> list[str]:
        return [name for name, _ in self.heard]

    def of(self, name: str, *keys: str) -> list[tuple[Any, ...]]:
        return [tuple(says[key] for key in keys) for heard, says in self.heard if heard == name]


async def settled() -> None:
    """Let what is due be delivered."""
    await asyncio.sleep(0.01)


@asynccontextmanager
async def running(log: MemoryLog | SqliteLog | None = None, *, fails: bool = False) -> AsyncIterator[Engine]:
    alpha = Told("a", [Transient("down")] * 99 if fails else [])
    policy = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, max_failures=1_000)
    async with Engine(providers=[alpha, Told("b")], policy=policy, log=log or MemoryLog(), watch=False) as engine:
        yield engine


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in threads.
            await asyncio.sleep(0.005)
