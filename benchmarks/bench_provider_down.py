"""What one provider's outage costs the callers: the added time, and how soon the outage is noticed.

Run: `make bench`, or this file alone. Five provider servers on loopback ports share the traffic of concurrent callers
over HTTP. Each of them in turn refuses connections for a while, first with the circuit still closed. Printed for each:
failed requests (there should be none), p50 and p99 of all requests before and during the outage, how many failed over,
what passed for these until the call began that served them (median and longest: the rules' retries at the one that is
down, with their back-off, are in it), and how long the outage went unnoticed: with traffic, and without any, when only
pings can tell.
"""

import argparse
import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from understudy.adapters import MemoryLog
from understudy.adapters.demo import DemoShop, Line, Plan, ProviderServer, Spell
from understudy.engine import Engine, Policy, RequestError, Strategy
from understudy.engine.health import Status
from understudy.engine.system import RealSystem
from understudy.events.calls import CallStarted
from understudy.events.codec import decode
from understudy.events.requests import RequestAccepted, RequestCompleted

NAMES = ("alpha", "beta", "gamma", "delta", "epsilon")
LATENCY = Spell(latency_ms=46, p95_ms=72)
"""As measured of order round trips at an exchange."""
REST_MS = 300_000
"""The usual rest: nobody comes back within a measurement."""


@dataclass
class Phase:
    """Requests of a length of time, in microseconds."""

    took_us: list[int] = field(default_factory=list)
    added_us: list[int] = field(default_factory=list)
    failed: int = 0


async def measure(down: str, *, seconds: float, callers: int) -> tuple[Phase, Phase, float]:
    """Requests before and during the outage of one provider, and the seconds until it was noticed."""
    system, log = RealSystem(), MemoryLog()
    async with AsyncExitStack() as stage:
        servers = [await stage.enter_async_context(ProviderServer(one, Plan(spells=(LATENCY,)))) for one in NAMES]
        shops = [await stage.enter_async_context(DemoShop(one.name, one.url)) for one in servers]
        policy = Policy(strategy=Strategy.ROUND_ROBIN, recovery_time_ms=REST_MS)
        engine = await stage.enter_async_context(Engine(providers=shops, log=log, policy=policy, system=system))
        await load(engine, system, until_us=system.now_us() + round(seconds * 1e6), callers=callers)
        await servers[NAMES.index(down)].change(Line.REFUSES)
        began_us = system.now_us()
        noticing = asyncio.create_task(noticed(engine, system, down))
        await load(engine, system, until_us=began_us + round(seconds * 1e6), callers=callers)
        noticed_s = (await asyncio.wait_for(noticing, 60) - began_us) / 1e6
    before, during = look_back(log, began_us)
    return before, during, noticed_s


async def measure_idle(down: str) -> float:
    """Seconds until an outage is noticed where no request comes at all."""
    system = RealSystem()
    async with AsyncExitStack() as stage:
        servers = [await stage.enter_async_context(ProviderServer(one, Plan(spells=(LATENCY,)))) for one in NAMES]
        shops = [await stage.enter_async_context(DemoShop(one.name, one.url)) for one in servers]
        engine = await stage.enter_async_context(Engine(providers=shops, log=MemoryLog(), system=system))
        await servers[NAMES.index(down)].books.until(1, kind="ping")
        await servers[NAMES.index(down)].change(Line.REFUSES)
        began_us = system.now_us()
        return (await noticed(engine, system, down) - began_us) / 1e6


async def load(engine: Engine, system: RealSystem, *, until_us: int, callers: int) -> None:
    """Callers who ask again as soon as they have been answered."""

    async def ask() -> None:
        while system.now_us() < until_us:
            try:
                await engine.call("rent_number", context={"country": "us"})
            except RequestError:
                continue  # Counted from the log.

    await asyncio.gather(*(ask() for _ in range(callers)))


async def noticed(engine: Engine, system: RealSystem, provider: str) -> int:
    """The instant from which on decisions go round a provider, to a few milliseconds."""
    while True:
        if any(one.provider == provider and one.status is not Status.HEALTHY for one in engine.health()):
            return system.now_us()
        await asyncio.sleep(0.002)


def look_back(log: MemoryLog, began_us: int) -> tuple[Phase, Phase]:
    """The requests that were accepted before the outage, and the others."""
    phases = Phase(), Phase()
    accepted: dict[str, int] = {}
    started: dict[tuple[str, int], int] = {}
    with log.reader() as reader:
        for row in reader.rows():
            match decode(row):
                case RequestAccepted(request_id=request_id):
                    accepted[request_id] = row.at_us
                    phases[row.at_us >= began_us].failed += 1  # Until it is served.
                case CallStarted(request_id=str(request_id), attempt=attempt):
                    started[request_id, attempt] = row.at_us
                case RequestCompleted(request_id=request_id, attempt=attempt, failovers=failovers):
                    phase = phases[accepted[request_id] >= began_us]
                    phase.failed -= 1
                    phase.took_us.append(row.at_us - accepted[request_id])
                    if failovers:
                        phase.added_us.append(started[request_id, attempt] - accepted[request_id])
                case _:
                    pass
    return phases


def figures(lengths_us: list[int], *percents: int) -> str:
    """Percentiles in milliseconds."""
    ordered = sorted(lengths_us)
    told = [f"{ordered[min(len(ordered) * one // 100, len(ordered) - 1)] / 1000:,.1f}" for one in percents if ordered]
    return " / ".join(told) or "-"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0, help="before, and during, each outage (default 2)")
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--idle", action="store_true", help="also without traffic, by pings alone: half a minute more")
    given = parser.parse_args()
    line = "{:<9}  {:>6}  {:>18}  {:>18}  {:>9}  {:>20}  {:>7}"
    print(
        line.format(
            "down", "failed", "before, p50 / p99", "during, p50 / p99", "failovers", "added, p50 / most", "noticed"
        )
    )
    for name in NAMES:
        before, during, noticed_s = asyncio.run(measure(name, seconds=given.seconds, callers=given.callers))
        print(
            line.format(
                name,
                before.failed + during.failed,
                figures(before.took_us, 50, 99),
                figures(during.took_us, 50, 99),
                len(during.added_us),
                figures(during.added_us, 50, 100),
                f"{noticed_s * 1000:,.0f}",
            )
        )
    print("All times in milliseconds.")
    if given.idle:
        print(f"without traffic, by pings alone: noticed after {asyncio.run(measure_idle(NAMES[0])):.1f} s")


if __name__ == "__main__":
    main()
