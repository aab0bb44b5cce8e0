"""The real engine over scripted providers: requests arrive, callers wait or lose patience, time is virtual."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from typing import Final

from understudy.engine.engine import Engine
from understudy.engine.errors import InvalidRequest, ProviderError, RequestError
from understudy.engine.operation import Operation
from understudy.events.policy import Policy
from understudy.events.vocabulary import Effect
from understudy.replay.conversions import conversion_figures
from understudy.replay.market import Market
from understudy.replay.report import Report, Tally
from understudy.replay.runs import Progress, SimulatedLog, Verify, verified
from understudy.replay.scenario import Scenario
from understudy.replay.scripted import ScriptedProvider
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual

_SECOND_US: Final = 1_000_000
_PROGRESS_EVERY: Final = 50
SETTLING_S: Final = 600
"""How long, after the last arrival, requests in doubt may take to be settled in the background."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """A scenario that has been played: its figures, and the providers with their books."""

    report: Report
    providers: dict[str, ScriptedProvider]


def simulate(
    scenario: Scenario,
    *,
    log: SimulatedLog,
    policy: Policy | None = None,
    seed: int | None = None,
    verify: Verify | None = None,
    progress: Progress | None = None,
) -> Report:
    """Play a scenario to its end. `policy` and `seed` take the place of the scenario's own."""
    return play(scenario, log=log, policy=policy, seed=seed, verify=verify, progress=progress).report


def play(
    scenario: Scenario,
    *,
    log: SimulatedLog,
    policy: Policy | None = None,
    seed: int | None = None,
    verify: Verify | None = None,
    progress: Progress | None = None,
    attend: Callable[[Engine], None] | None = None,
) -> Played:
    """As `simulate`, and the providers too, whose books tell what really happened to them.

    `attend` is given the engine before it starts, for instance to listen to its signals.
    """
    chosen_seed = scenario.seed if seed is None else seed
    tally = Tally()
    market = None if scenario.conversion is None else Market(scenario.conversion, seed=chosen_seed)
    providers = {
        one.id: ScriptedProvider(one, seed=chosen_seed, outages=scenario.local_faults, tally=tally, market=market)
        for one in scenario.providers
    }
    run = _Run(scenario, providers, tally, seed=chosen_seed, progress=progress)
    decisions = run_virtual(run.play(log, policy or scenario.policy, attend=attend), busy=lambda: log.busy)
    report = tally.report(decisions=decisions, verified=verified(log, verify))
    if scenario.conversion is not None:
        with log.reader() as reader:
            executed = [one.books.executed_for for one in providers.values()]
            report = replace(report, conversions=conversion_figures(reader.rows(), executed_for=executed))
    return Played(report=report, providers=providers)


def arrivals_us(scenario: Scenario, seed: int) -> list[int]:
    """The instants at which requests come, in order, in microseconds since the start."""
    duration_us = int(scenario.duration_s * _SECOND_US)
    found = list(_steady(scenario, seed, duration_us))
    for burst in scenario.arrivals.bursts:
        first = int(burst.at_s * _SECOND_US)
        found += [first + place * burst.spacing_ms * 1000 for place in range(burst.requests)]
    return sorted(at_us for at_us in found if at_us < duration_us)


def _steady(scenario: Scenario, seed: int, duration_us: int) -> Iterator[int]:
    rate = scenario.arrivals.per_second
    if rate is None:
        return
    if scenario.arrivals.pattern == "even":
        count = int(scenario.duration_s * rate)
        yield from (int(place * _SECOND_US / rate) for place in range(count))
        return
    dice = Random(f"{seed}/arrivals")  # noqa: S311 - a simulation need not be unguessable
    at_us = 0
    while at_us < duration_us:
        at_us += round(dice.expovariate(float(rate)) * _SECOND_US)
        yield at_us


class _Run:
    def __init__(
        self,
        scenario: Scenario,
        providers: dict[str, ScriptedProvider],
        tally: Tally,
        *,
        seed: int,
        progress: Progress | None,
    ) -> None:
        self._scenario = scenario
        self._providers = providers
        self._tally = tally
        self._seed = seed
        self._progress = progress
        self._system = VirtualSystem(seed=seed, alone=True)
        self._places = asyncio.Semaphore(scenario.concurrency)

    async def play(self, log: SimulatedLog, policy: Policy, *, attend: Callable[[Engine], None] | None) -> int:
        """Everything, from the engine's start to its stop; tells how many decisions were made."""
        scenario, start_us = self._scenario, self._system.now_us()
        arrivals = arrivals_us(scenario, self._seed)
        engine = Engine(
            providers=list(self._providers.values()),
            log=log,
            policy=policy,
            system=self._system,
            operations=_operations(scenario),
        )
        if attend is not None:
            attend(engine)
        async with engine:
            stock = asyncio.create_task(self._ask_stock(engine), name="stock")
            try:
                async with asyncio.TaskGroup() as callers:
                    for place, at_us in enumerate(arrivals):
                        await self._system.sleep_until(start_us + at_us)
                        callers.create_task(self._caller(engine, place, at_us, expected=len(arrivals)))
                await self._system.sleep_until(start_us + int(scenario.duration_s * _SECOND_US))
                await self._settled(engine)
            finally:
                stock.cancel()
                with suppress(asyncio.CancelledError):
                    await stock
            return engine.standing.totals.decisions

    async def _settled(self, engine: Engine) -> None:
        """Let requests in doubt be settled in the background, within limits."""
        totals = engine.standing.totals
        for _ in range(SETTLING_S):
            if totals.accepted == totals.completed + totals.failed:
                return
            await asyncio.sleep(1)

    async def _caller(self, engine: Engine, place: int, at_us: int, *, expected: int) -> None:
        async with self._places:
            began_us = self._system.now_us()
            served = False
            for number in range(self._scenario.tries):
                served = await self._request(engine, at_us, place=place, key=f"{place}-{number}")
                if served:
                    break
            self._tally.ended(self._system.now_us() - began_us, request_id=None, served=served)
            ended = len(self._tally.durations_us)
            if self._progress is not None and (ended % _PROGRESS_EVERY == 0 or ended == expected):
                self._progress(ended, expected)

    async def _request(self, engine: Engine, at_us: int, *, place: int, key: str) -> bool:
        scenario, converts = self._scenario, self._scenario.conversion
        call = engine.call(
            scenario.operation,
            context=scenario.context if converts is None else {**scenario.context, "pair": converts.pair},
            amount=None if converts is None else converts.amounts[place % len(converts.amounts)],
            effect=scenario.effect,
            idempotency_key=key if scenario.effect is Effect.ONCE else None,
            deadline_ms=scenario.deadline_ms,
        )
        try:
            async with asyncio.timeout(self._patience_s(at_us)):
                await call
        except (RequestError, TimeoutError):
            return False
        return True

    def _patience_s(self, at_us: int) -> float | None:
        scenario = self._scenario
        at_s = Decimal(at_us) / _SECOND_US
        impatient = scenario.cancel_from_s <= at_s and (
            scenario.cancel_until_s is None or at_s < scenario.cancel_until_s
        )
        if scenario.cancel_after_ms is None or not impatient:
            return None
        return scenario.cancel_after_ms / 1000

    async def _ask_stock(self, engine: Engine) -> None:
        """Ask every provider that can tell, at the start and then as often as the scenario says."""
        if self._scenario.stock_every_s is None:
            return
        while True:
            for provider in self._providers:
                with suppress(ProviderError, InvalidRequest):
                    await engine.ask(provider, "stock", context=self._scenario.context)
            await asyncio.sleep(float(self._scenario.stock_every_s))


def _operations(scenario: Scenario) -> tuple[Operation, ...]:
    """What has to be declared: that quotes come first."""
    if scenario.conversion is None:
        return ()
    return (Operation(name=scenario.operation, effect=scenario.effect, quoted=True),)
