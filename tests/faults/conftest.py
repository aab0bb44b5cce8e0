"""A town of shops on loopback ports, an engine that buys there, and a clock that a test may set forward.

What happened is judged from the servers' own books; the engine's log must verify in the end.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from http_for_tests import limited
from moving_clock import MovingClock

from understudy.adapters import MemoryLog, SqliteLog
from understudy.adapters.demo import DemoShop, Plan, ProviderServer
from understudy.adapters.providers import HttpLimits
from understudy.engine import Answer, Engine, Policy, Strategy
from understudy.engine.keys import provider_key
from understudy.replay.verify import verify

NAMES = ("alpha", "beta", "gamma")
IN_ORDER = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, request_timeout_ms=20_000, lookup_interval_ms=20)


class Town:
    """Servers by name, and the engine that calls them."""

    def __init__(self, servers: dict[str, ProviderServer], engine: Engine, clock: MovingClock) -> None:
        self.servers = servers
        self.engine = engine
        self.clock = clock
        self.requests: list[str] = []

    async def buy(self, effect: str = "once", **given: Any) -> Answer:
        return await self.engine.call("rent_number", effect=effect, **given)

    def deliveries(self, kind: str = "call") -> dict[str, int]:
        """How many requests of a kind each server has seen, by its own books."""
        return {name: len(server.books.delivered(kind)) for name, server in self.servers.items()}

    def executions(self, request_id: str) -> dict[str, int]:
        """How often each server has executed a request, by its own books."""
        return {
            name: server.books.executions.get(provider_key(request_id, name), 0)
            for name, server in self.servers.items()
        }

    def alerts(self) -> list[str]:
        return list(self.engine.standing.alerts)

    def verdict(self, name: str) -> str:
        return next(one.verdict for one in self.engine.health() if one.provider == name)


Build = Callable[..., Any]


@pytest.fixture(params=["memory", "sqlite"])
def town(request: pytest.FixtureRequest, tmp_path: Path) -> Build:
    """Builds a town: `async with town(...) as here:`."""

    @asynccontextmanager
    async def build(
        *,
        policy: Policy = IN_ORDER,
        limits: Mapping[str, HttpLimits] | None = None,
        tls: tuple[str, ...] = (),
        names: tuple[str, ...] = NAMES,
        plan: Plan | None = None,
        watch: bool = False,
        **shop: Any,
    ) -> AsyncIterator[Town]:
        log = MemoryLog() if request.param == "memory" else SqliteLog(tmp_path / "calls.db")
        clock = MovingClock()
        async with AsyncExitStack() as stack:
            servers = {name: await stack.enter_async_context(ProviderServer(name, plan)) for name in names}
            shops = []
            for name, server in servers.items():
                address = server.url.replace("http:", "https:") if name in tls else server.url
                one = DemoShop(name, address, limits=(limits or {}).get(name, limited()), **{"pings": watch, **shop})
                shops.append(await stack.enter_async_context(one))
            engine = Engine(providers=shops, log=log, policy=policy, system=clock, watch=watch)
            async with engine:
                yield Town(servers, engine, clock)
        with log.reader() as reader:
            verification = verify(reader)
        assert verification.ok, verification

    return build
