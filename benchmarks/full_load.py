"""A full load for benchmarks: many callers, one after another's answer, on five providers that answer at once."""

import asyncio
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

from understudy.adapters.stores import SqliteLog
from understudy.engine import Engine, Policy, Strategy

NAMES = ("alpha", "beta", "gamma", "delta", "epsilon")


class Prompt:
    """A provider that answers at once."""

    def __init__(self, name: str) -> None:
        self.id = name

    async def call(self, operation: str, request: Any, *, key: str, deadline: Any) -> dict[str, str]:  # noqa: ARG002
        """Answer."""
        return {"number": "+15550100"}


class Load:
    """Callers who never rest, and what their calls took."""

    def __init__(self, engine: Engine, *, callers: int) -> None:
        self._engine = engine
        self._callers = callers
        self.stopped = False
        self.took_s = array("d")
        """Seconds of each call since somebody last emptied it."""

    async def run(self) -> None:
        """Call until `stopped`. Every other call is `once`, so that its outcome is awaited."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._callers):
                group.create_task(self._call(number))

    async def _call(self, number: int) -> None:
        effects = ("once", "read") if number % 2 else ("read", "once")
        while not self.stopped:
            for effect in effects:
                began_s = time.perf_counter()
                await self._engine.call("rent", context={"country": "us", "service": "wa"}, effect=effect)
                self.took_s.append(time.perf_counter() - began_s)


def engine_on(path: Path) -> Engine:
    """An engine with the five providers, on a file."""
    return Engine(
        providers=[Prompt(name) for name in NAMES], policy=Policy(strategy=Strategy.SCORE), log=SqliteLog(path)
    )


async def under_load(path: Path, *, callers: int, watch: Callable[[Engine, Load], Any]) -> None:
    """Put an engine under load for as long as `watch(engine, load)` takes."""
    async with engine_on(path) as engine:
        load = Load(engine, callers=callers)
        running = asyncio.create_task(load.run())
        try:
            await watch(engine, load)
        finally:
            load.stopped = True
            await running


def wal_bytes(path: Path) -> int:
    """The size of a log's write-ahead log."""
    wal = path.with_name(path.name + "-wal")
    return wal.stat().st_size if wal.exists() else 0
