"""The demonstration: provider servers on loopback ports, an engine in front of them, and callers who want numbers."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from random import Random
from typing import Final

from understudy.adapters.demo.books import Books
from understudy.adapters.demo.plan import plan_of
from understudy.adapters.demo.provider_server import ProviderServer
from understudy.adapters.demo.shop import DemoShop
from understudy.engine import Engine, RequestError
from understudy.engine.system import RealSystem
from understudy.events.errors import UnderstudyError
from understudy.events.log import EventLog
from understudy.projections.standing import Standing
from understudy.replay.simulate import Scenario

_WATCH_S: Final = 0.2
"""How often watchers are shown what there is to see."""
_LOOKS: Final = 25
"""How often we look whether orders in doubt are settled when all callers have gone, before we give that up."""
_GRACE_MS: Final = 100
"""How long requests may take to end when somebody wants to stop."""
_PATIENCE: Final = 2
"""How many times as long as planned it may take until all wishes have come in, on a machine that is too slow."""
_ORDERS: Final = 4
"""Every fourth wish is an order, as the scenario says; the others only look."""
_READ: Final = "list_numbers"
_SERVICES: Final = ("fb", "go", "tg", "wa")


class NoLoopback(UnderstudyError):
    """The provider servers cannot be had on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What there is to see at an instant. Units: `passed_s` since the servers started; `now_us` is engine time."""

    passed_s: float
    now_us: int
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """What was played: when the servers started, by the engine's clock, and what they have in their books, by name."""

    began_us: int
    took_s: float
    books: dict[str, Books]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What one caller wants, and when. Units: `due_s` since the servers started."""

    number: int
    due_s: float
    service: str

    @property
    def is_order(self) -> bool:
        """Whether it moves goods."""
        return self.number % _ORDERS == 0


class Show:
    """A scenario to be played in real time, over sockets; `watch` is called now and then while it is."""

    def __init__(self, scenario: Scenario, *, callers: int, watch: Callable[[Sight], None]) -> None:
        self._scenario = scenario
        self._callers = callers
        self._watch = watch
        self._system = RealSystem()
        self._began_s = 0.0

    async def play(self, log: EventLog) -> Performance:
        """Play it. Cancelled, it lets go of everything within a second.

        Errors: NoLoopback; LogInUse, NotALog and LogUnavailable of the log.
        """
        async with AsyncExitStack() as stage:
            began_us, self._began_s = self._system.now_us(), asyncio.get_running_loop().time()
            servers = {one.id: await self._server(stage, one.id) for one in self._scenario.providers}
            shops = [await stage.enter_async_context(DemoShop(name, one.url)) for name, one in servers.items()]
            policy = self._scenario.policy.with_providers(one.for_policy for one in self._scenario.providers)
            engine = Engine(providers=shops, log=log, policy=policy, system=self._system)
            await engine.start()
            grace_ms: int | None = _GRACE_MS
            try:
                await self._serve(engine)
                grace_ms = None
            finally:
                await engine.stop(grace_ms=grace_ms)
            return Performance(
                began_us=began_us,
                took_s=self._passed_s(),
                books={name: one.books for name, one in servers.items()},
            )

    async def _server(self, stage: AsyncExitStack, name: str) -> ProviderServer:
        """A provider that listens, and can be reached."""
        script = next(one for one in self._scenario.providers if one.id == name)
        server = ProviderServer(name, plan_of(script, seed=self._scenario.seed))
        try:
            await stage.enter_async_context(server)
            _, connection = await asyncio.open_connection(*server.address)
        except OSError as error:
            raise NoLoopback(
                f"provider {name} cannot be served on {server.address[0]}: {error.strerror or error};"
                " the demo needs the loopback interface and five free ports"
            ) from error
        connection.close()
        return server

    async def _serve(self, engine: Engine) -> None:
        """Have all wishes come in, then wait for the orders that are in doubt."""
        wishes = self._wishes()  # One for all: whoever is free takes the next.
        watching = asyncio.get_running_loop().create_task(self._look(engine), name="watch the show")
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._callers):
                    group.create_task(self._call(engine, wishes))
            await self._settled(engine)
        except ExceptionGroup as group_of_errors:
            raise group_of_errors.exceptions[0] from group_of_errors  # One caller's is as good as another's.
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def _settled(self, engine: Engine) -> None:
        for _ in range(_LOOKS):
            if not engine.unsettled:
                return
            await asyncio.sleep(_WATCH_S)

    async def _call(self, engine: Engine, wishes: Iterator[Wish]) -> None:
        """One caller: wishes one after another, each when it is due, or late if the one before took longer."""
        for wish in wishes:
            await asyncio.sleep(max(0, wish.due_s - self._passed_s()))
            if self._passed_s() > self._scenario.duration_s * _PATIENCE:
                return
            try:
                await self._ask(engine, wish)
            except RequestError:
                continue  # It is on record, and is counted from there.

    async def _ask(self, engine: Engine, wish: Wish) -> None:
        context = {**self._scenario.context, "service": wish.service}
        if wish.is_order:
            name, effect, key = self._scenario.operation, self._scenario.effect, f"order-{wish.number}"
            await engine.call(name, context=context, effect=effect, idempotency_key=key)
        else:
            await engine.call(_READ, context=context)

    def _wishes(self) -> Iterator[Wish]:
        dice = Random(self._scenario.seed)  # noqa: S311 - repeatable, not unguessable
        rate = float(self._scenario.arrivals.per_second or 1)
        for number in range(self._scenario.requests):
            yield Wish(number=number + 1, due_s=(number + dice.random()) / rate, service=dice.choice(_SERVICES))

    async def _look(self, engine: Engine) -> None:
        while True:
            self._watch(Sight(passed_s=self._passed_s(), now_us=self._system.now_us(), standing=engine.standing))
            await asyncio.sleep(_WATCH_S)

    def _passed_s(self) -> float:
        return asyncio.get_running_loop().time() - self._began_s
