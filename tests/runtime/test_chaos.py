"""Chaos: drills of a plan, one after another, never more at once than is wanted."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from conversions_for_tests import events
from providers_for_tests import Told

from understudy.adapters import MemoryLog
from understudy.engine import Engine, Policy, Strategy
from understudy.engine.chaos import LEAST_MS, plan
from understudy.events.calls import CallAbandoned
from understudy.events.codec import decode
from understudy.events.drills import DrillEnd, DrillEnded, DrillForm, DrillStarted
from understudy.events.requests import RequestCompleted
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual

WHO: Any = {"actor": "ann", "reason": "to see"}
MINUTE_MS = 60_000
NAMES = ("alpha", "beta", "gamma")
POLICY = Policy(strategy=Strategy.IN_ORDER, exploration=Decimal(0))


def engine_of(log: MemoryLog, system: VirtualSystem) -> Engine:
    return Engine(providers=[Told(name) for name in NAMES], log=log, policy=POLICY, system=system, watch=False)


def parts_of(log: MemoryLog) -> list[DrillStarted]:
    return [one for one in events(log, DrillStarted) if one.form is not DrillForm.CHAOS]


def most_at_once(log: MemoryLog) -> int:
    """How many parts were under way together, at the most, by the order of the log."""
    under_way: set[str] = set()
    most = 0
    with log.reader() as reader:
        for row in reader.rows():
            match decode(row):
                case DrillStarted(form=form, drill=drill) if form is not DrillForm.CHAOS:
                    under_way.add(drill)
                case DrillEnded(drill=drill):
                    under_way.discard(drill)
                case _:
                    continue
            most = max(most, len(under_way))
    return most


def test_a_chaos_goes_by_its_plan_and_stops_at_once() -> None:
    log = MemoryLog()

    async def act() -> str:
        async with engine_of(log, VirtualSystem(seed=1)) as engine:
            chaos = engine.drill("chaos", for_ms=10 * MINUTE_MS, seed=5, at_once=1, **WHO)
            for _ in range(250):
                await engine.call("rent")
                await asyncio.sleep(2)
            engine.stop_drill(chaos, **WHO)
            assert not engine.standing.drills
            assert not engine.standing.courses
            await asyncio.sleep(300)
            return chaos

    chaos = run_virtual(act())
    parts = parts_of(log)
    assert len(parts) > 3
    assert most_at_once(log) == 1
    assert {one.part_of for one in parts} == {chaos}
    assert len(events(log, RequestCompleted)) == 250
    assert not events(log, CallAbandoned)


@pytest.mark.parametrize("at_once", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_an_engine_that_oversleeps_never_holds_more_parts_at_once_than_wanted(seed: int, at_once: int) -> None:
    log, system = MemoryLog(), VirtualSystem(seed=seed)
    planned = plan(seed, NAMES, for_ms=10 * MINUTE_MS, at_once=at_once)

    async def act() -> int:
        async with engine_of(log, system) as engine:
            began_us = system.now_us()
            engine.drill("chaos", for_ms=10 * MINUTE_MS, seed=seed, at_once=at_once, **WHO)
            for _ in range(60):
                await asyncio.sleep(10)
                system.reanchor(700_000)  # So long nobody is awake.
            return began_us

    began_us = run_virtual(act())
    parts = parts_of(log)
    assert len(parts) >= len(planned) - 1
    assert most_at_once(log) == at_once
    ends_us = {began_us + (one.at_ms + one.for_ms) * 1000 for one in planned}
    assert all(any(0 <= end_us - part.until_us < 1000 for end_us in ends_us) for part in parts)
    over = [one for one in events(log, DrillEnded) if one.cause is DrillEnd.OVER]
    assert len(over) == len(parts) + 1


@pytest.mark.parametrize("names", [NAMES, NAMES[:1]])
def test_the_shortest_chaos_holds_a_drill_whatever_its_seed(names: tuple[str, ...]) -> None:
    lengths = {len(plan(seed, names, for_ms=LEAST_MS, at_once=1)) for seed in range(2_000)}
    assert min(lengths) == 1
