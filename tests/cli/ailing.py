"""Logs that something is the matter with, each as an engine leaves it when it stops, and one without."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from understudy.adapters.stores import MemoryLog, SqliteLog
from understudy.engine import (
    Engine,
    InsufficientFunds,
    Misconfigured,
    NotOffered,
    Operation,
    OutOfStock,
    Policy,
    ProviderError,
    ProviderSettings,
    RateLimited,
    Reply,
    RequestError,
    Strategy,
    Transient,
)
from understudy.events.codec import recorded
from understudy.events.quotes import Quote
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual

HOUR_S: Final = 3_600
OPERATIONS: Final = (Operation(name="fetch"), Operation(name="convert", quoted=True))
PAGE: Final = "https://status.alpha.example"


@dataclass
class Ward:
    """A provider that fails as it is told, after as long as it is told."""

    id: str
    settings: ProviderSettings | None = None
    fails: BaseException | None = None
    takes_s: float = 0.1

    async def call(self, operation: str, request: Any, *, key: str, deadline: Any) -> Any:
        del operation, key, deadline
        await asyncio.sleep(self.takes_s * (30 if request.context.get("country") == "far" else 1))
        if request.context.get("service") == "unknown" and self.id == "alpha":
            raise NotOffered("no such service")
        if self.fails is not None:
            raise self.fails
        return Reply(value="done")


@dataclass
class Pinged(Ward):
    """One that can be pinged."""

    ping_fails: BaseException | None = None
    ping_s: float = 0.02

    async def ping(self) -> None:
        await asyncio.sleep(self.ping_s)
        if self.ping_fails is not None:
            raise self.ping_fails


@dataclass
class Quoting(Pinged):
    """One that can be asked for quotes."""

    rate: str = "0.05"
    quote_s: float = 0.1

    async def quote(self, request: Any, *, deadline: Any) -> Quote:
        del request, deadline
        await asyncio.sleep(self.quote_s)
        return Quote(rate=Decimal(self.rate))


Act = Callable[[Engine], Awaitable[None]]


def write(path: Path, *wards: Ward, act: Act, policy: Mapping[str, Any] | None = None, watch: bool = False) -> None:
    """Live through `act` in virtual time, and write down what happened."""
    calm = {"strategy": Strategy.IN_ORDER, "exploration": Decimal(0), "retry_attempts": 0}
    log = MemoryLog(salt=b"of no importance")
    engine = Engine(
        providers=wards,
        log=log,
        operations=OPERATIONS,
        policy=Policy(**{**calm, **(policy or {})}),
        system=VirtualSystem(seed=1),
        watch=watch,
    )

    async def live() -> None:
        async with engine:
            await act(engine)

    run_virtual(live())
    asyncio.run(_copied(log, path))


async def _copied(log: MemoryLog, path: Path) -> None:
    file = SqliteLog(path, salt=log.salt)
    await file.open("copy")
    with log.reader() as reader:
        for row in reader.rows():
            event = recorded(row)
            file.append(event.event, at_us=event.at_us)
    await file.close()


async def ask(engine: Engine, *, times: int, every_s: float = 60, **context: str) -> None:
    for _ in range(times):
        with suppress(RequestError):
            await engine.call("fetch", context=context)
        await asyncio.sleep(every_s)


async def drill(engine: Engine) -> None:
    """Have alpha seem to be out for a while: nothing is the matter with it."""
    engine.drill("outage", "alpha", for_ms=60_000, actor="ann", reason="monthly drill")
    await ask(engine, times=60, every_s=1, country="us", service="wa")
    await asyncio.sleep(30)


async def ping(engine: Engine, name: str, *, times: int) -> None:
    for _ in range(times):
        with suppress(ProviderError):
            await engine.ask(name, "ping")
        await asyncio.sleep(10)


async def convert(engine: Engine, *, times: int) -> None:
    for _ in range(times):
        with suppress(RequestError):
            await engine.call("convert", amount="1", context={"pair": "ETH/BTC"})
        await asyncio.sleep(20)


def healthy(path: Path) -> None:
    """Three services that are well, four hours long, asked for all sorts of things, with a drill now and then."""

    async def act(engine: Engine) -> None:
        for country in ("us", "de", "us", "de"):
            await ask(engine, times=30, every_s=110, country=country, service="wa")
            await convert(engine, times=6)
            await ping(engine, "beta", times=6)
            if country == "us":
                await drill(engine)

    policy = {"strategy": Strategy.ROUND_ROBIN}
    write(path, *(Quoting(name) for name in ("alpha", "beta", "gamma")), act=act, policy=policy)


def outage(path: Path) -> None:
    """The first of two is well for some hours, and then is out for good."""
    alpha = Ward("alpha", ProviderSettings(id="alpha", status_page_url=PAGE))

    async def act(engine: Engine) -> None:
        await ask(engine, times=60, every_s=110)
        alpha.fails = Transient("503 Service Unavailable")
        await ask(engine, times=35, every_s=60)
        await ask(engine, times=20, every_s=300)

    write(path, alpha, Ward("beta"), act=act, policy={"max_failures": 30})


def unreachable(path: Path) -> None:
    """The first of two answers no ping any more."""
    alpha = Pinged("alpha", ProviderSettings(id="alpha", status_page_url=PAGE))

    async def act(engine: Engine) -> None:
        await ask(engine, times=1, every_s=15)
        alpha.ping_fails = Transient("no route")
        await ask(engine, times=2, every_s=30)

    write(path, alpha, Ward("beta"), act=act, watch=True)


def dead(path: Path) -> None:
    """The first of two cannot be pinged, and fails whenever it is probed."""

    async def act(engine: Engine) -> None:
        await ask(engine, times=60, every_s=30)

    write(path, Ward("alpha", fails=Transient("503 Service Unavailable")), Ward("beta"), act=act)


def accounts(path: Path) -> None:
    """The first does not accept our key, the second has no money of ours, and the third is forced open."""

    async def act(engine: Engine) -> None:
        engine.override("gamma", "open", actor="ann", reason="they are moving")
        engine.override("delta", "closed", actor="ann", reason="trusted")
        await ask(engine, times=3, every_s=1)

    alpha, beta = Ward("alpha", fails=Misconfigured("bad key")), Ward("beta", fails=InsufficientFunds("pay in"))
    write(path, alpha, beta, Ward("gamma"), Ward("delta", fails=Transient("no")), act=act)


def throttled(path: Path) -> None:
    """The first is slow, and asks us to wait now and then."""
    alpha = Ward("alpha", takes_s=4)

    async def act(engine: Engine) -> None:
        for _ in range(6):
            alpha.fails = RateLimited("429", retry_after_ms=90_000)
            await ask(engine, times=1, every_s=30)
            alpha.fails = None
            await ask(engine, times=4, every_s=30)

    write(path, alpha, Ward("beta"), act=act, policy={"fallback_enabled": True})


def sluggish(path: Path) -> None:
    """All are slow at once, at one hour of the day far slower, and far slower still in one country."""
    alpha, beta = Pinged("alpha", takes_s=0.4, ping_s=0.6), Ward("beta", takes_s=4)

    async def act(engine: Engine) -> None:
        await ask(engine, times=60, every_s=59, country="us")
        alpha.takes_s = 12
        await ask(engine, times=50, every_s=60, country="us")
        alpha.takes_s = 0.4
        await ask(engine, times=20, every_s=60, country="far")
        await ping(engine, "alpha", times=6)

    policy = {"request_timeout_ms": 20_000, "deadline_ms": 60_000, "strategy": Strategy.ROUND_ROBIN}
    write(path, alpha, beta, act=act, policy=policy)


def sold_out(path: Path) -> None:
    """The first of two has nothing left, and does not offer one service at all."""
    alpha = Ward("alpha", fails=OutOfStock("none left"))

    async def act(engine: Engine) -> None:
        await ask(engine, times=30, every_s=20, country="us", service="wa")
        await ask(engine, times=6, every_s=90, country="de", service="unknown")

    write(path, alpha, Ward("beta"), act=act, policy={"stock_ttl_ms": 60_000})


def lossy(path: Path) -> None:
    """The first of two loses every other call, so that its circuit never opens; some calls run out of time."""
    alpha = Ward("alpha")

    async def act(engine: Engine) -> None:
        for number in range(60):
            alpha.fails = Transient("lost") if number % 2 else None
            alpha.takes_s = 5 if number % 20 == 1 else 0.1
            await ask(engine, times=1)

    policy = {"fallback_enabled": False, "min_success_rate": 0, "request_timeout_ms": 2_000}
    write(path, alpha, Ward("beta"), act=act, policy=policy)


def cut_off(path: Path) -> None:
    """All fail on the network at once."""
    wards = [Ward(name, fails=Transient("unreachable", network=True)) for name in ("alpha", "beta", "gamma")]

    async def act(engine: Engine) -> None:
        await ask(engine, times=4, every_s=1)

    write(path, *wards, act=act)


def quoted(path: Path) -> None:
    """The first quotes late, the second lies; the best rate need not win."""
    late, liar = Quoting("alpha", quote_s=9), Quoting("beta", rate="0.09")

    async def act(engine: Engine) -> None:
        await convert(engine, times=12)

    policy = {"always_use_best_rate": False, "deadline_ms": 60_000, "max_failures": 1_000}
    write(path, late, liar, Quoting("gamma"), Quoting("delta"), act=act, policy=policy)


def one_slow_quote(path: Path) -> None:
    """One of four services quotes in time, and far more slowly than the others; the last one is never asked."""

    async def act(engine: Engine) -> None:
        await convert(engine, times=8)

    write(path, Quoting("alpha", quote_s=2), *(Quoting(name) for name in ("beta", "gamma", "delta")), act=act)


LOGS: Final[Mapping[str, Callable[[Path], None]]] = {
    one.__name__: one
    for one in (
        healthy,
        outage,
        unreachable,
        dead,
        accounts,
        throttled,
        sluggish,
        sold_out,
        lossy,
        cut_off,
        quoted,
        one_slow_quote,
    )
}
