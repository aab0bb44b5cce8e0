"""More requests than there are slots for: what can be served is served, and nobody is blamed for the rest."""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from random import Random
from typing import Any

import pytest
from providers_for_tests import Searchable, Told, never

from understudy.adapters import MemoryLog
from understudy.engine import (
    AllProvidersFailed,
    Ambiguous,
    DeadlineExceeded,
    Engine,
    EngineClosed,
    Finding,
    Found,
    NoProviderAvailable,
    Policy,
    ProviderSettings,
    RequestError,
    Strategy,
    TimedOut,
    Transient,
)
from understudy.engine.health import Status
from understudy.replay.explain import explain

SLOTS = 10
USUAL_S = 0.2
SECONDS = 4
POLICY = Policy(deadline_ms=1_000, retry_attempts=0)


def few_slots() -> ProviderSettings:
    return ProviderSettings(id="alpha", max_in_flight=SLOTS)


def varying(seed: int) -> Told:
    """A provider that takes a fifth of a second on average, and seldom twice as long."""
    dice = Random(seed)

    async def answers() -> str:
        await asyncio.sleep(dice.lognormvariate(-1.67, 0.35))
        return "done"

    return Told("alpha", default=answers, settings=few_slots())


async def ask(engine: Engine, told: Counter[str]) -> None:
    try:
        await engine.call("x")
        told["served"] += 1
    except (DeadlineExceeded, NoProviderAvailable) as error:
        told[type(error).__name__] += 1


async def come(engine: Engine, *, a_second: float, seconds: float) -> Counter[str]:
    """Requests that come when they come, whether or not anybody is served."""
    dice, told = Random(7), Counter[str]()
    end_s = asyncio.get_running_loop().time() + seconds
    async with asyncio.TaskGroup() as callers:
        while asyncio.get_running_loop().time() < end_s:
            callers.create_task(ask(engine, told))
            await asyncio.sleep(dice.expovariate(a_second))
    return told


@pytest.mark.parametrize("times", [1.2, 2, 5])
def test_an_overload_leaves_the_slots_in_use_and_the_provider_healthy(stage: Any, times: float) -> None:
    async def act() -> None:
        async with stage.engine(varying(7), policy=POLICY, watch=False) as engine:
            told = await come(engine, a_second=times * SLOTS / USUAL_S, seconds=SECONDS)
            seen = engine.health()[0]
        assert told["served"] > 0.9 * SLOTS * SECONDS / USUAL_S
        assert seen.status is Status.HEALTHY
        assert (seen.success_bp or 0) > 9_500

    stage.play(act)


def test_who_comes_too_late_for_a_slow_provider_does_not_keep_those_behind_from_it(stage: Any) -> None:
    async def act() -> None:
        fast = Told("fast", delay_s=0.05, settings=ProviderSettings(id="fast", max_in_flight=1))
        slow = Told("slow", delay_s=0.5, settings=ProviderSettings(id="slow", max_in_flight=10))
        async with stage.engine(fast, slow, policy=POLICY, watch=False) as engine:
            told = await come(engine, a_second=200, seconds=SECONDS)
        assert told["served"] > 0.9 * SECONDS * (1 / 0.05 + 10 / 0.5)

    stage.play(act)


class SlowLog(MemoryLog):
    """A log that takes nine tenths of a second for whatever must be durable."""

    def durable(self, seq: int) -> Awaitable[None]:
        return self._later(seq)

    async def _later(self, seq: int) -> None:
        await asyncio.sleep(0.9)
        await super().durable(seq)


def test_a_provider_is_not_blamed_for_the_time_that_our_own_log_has_taken(stage: Any) -> None:
    async def act() -> None:
        policy = Policy(deadline_ms=1_000, max_failures=1)
        alpha = Searchable("alpha", findings=[Found(finding=Finding.ABSENT)] * 9, delay_s=0.2)
        async with stage.engine(alpha, log=SlowLog(), policy=policy, watch=False) as engine:
            with pytest.raises(RequestError):
                await engine.call("x", effect="once")
            assert len(alpha.calls) == 1
            assert engine.health()[0].verdict == "eligible"

    stage.play(act)


def test_a_provider_that_hangs_is_found_out_although_most_come_to_it_late(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("alpha", default=never(), settings=few_slots())
        async with stage.engine(alpha, policy=POLICY, watch=False) as engine:
            await come(engine, a_second=40, seconds=3)
            assert engine.health()[0].verdict == "circuit_open"

    stage.play(act)


MANY = 16
"""So that of some the caller is interrupted before the look-up is, and of others after it."""


class Hanging(Searchable):
    """One whose later look-ups are not answered."""

    async def lookup(self, *args: Any, **offered: Any) -> Found:
        if not self.findings:
            await asyncio.Event().wait()
        return await super().lookup(*args, **offered)


def test_a_stop_leaves_a_held_request_alone_whose_caller_is_about_to_hear_of_it(stage: Any) -> None:
    async def act() -> None:
        unknown = Found(finding=Finding.UNKNOWN)
        alpha = Hanging("alpha", [Ambiguous("reset")] * MANY, findings=[unknown] * MANY)
        policy = Policy(deadline_ms=1_500, lookup_interval_ms=400, request_timeout_ms=60_000)
        engine = stage.engine(alpha, log=SlowLog(), policy=policy, watch=False)
        await engine.start()
        calls = [asyncio.create_task(engine.call("x", effect="once")) for _ in range(MANY)]
        await asyncio.sleep(1.2)
        await engine.stop(grace_ms=1_150)
        told = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(one) for one in told} == {EngineClosed}

    stage.play(act)


def test_a_time_limit_of_the_provider_itself_tells_against_it_however_late_the_request(stage: Any) -> None:
    async def act() -> None:
        first = Told("first", default=Transient("no"), delay_s=0.5)
        second = Told("second", default=TimedOut("no answer within 200 ms"), delay_s=0.2)
        policy = Policy(strategy=Strategy.IN_ORDER, deadline_ms=4_000, retry_attempts=0, max_failures=1)
        async with stage.engine(first, second, policy=policy, watch=False) as engine:
            with pytest.raises(AllProvidersFailed):
                await engine.call("x")
            assert [one.verdict for one in engine.health()] == ["circuit_open", "circuit_open"]

    stage.play(act)


def test_who_was_refused_for_lateness_is_told_so_and_explain_tells_the_wait(stage: Any) -> None:
    async def act() -> str:
        alpha = Told("alpha", delay_s=0.4, settings=ProviderSettings(id="alpha", max_in_flight=1))
        async with stage.engine(alpha, policy=POLICY, watch=False) as engine:
            for _ in range(2):
                await engine.call("x")
            calls = [asyncio.create_task(engine.call("x")) for _ in range(4)]
            told = await asyncio.gather(*calls, return_exceptions=True)
        late = [one for one in told if isinstance(one, DeadlineExceeded)]
        assert late
        assert "nobody was asked (alpha: too_late)" in str(late[-1])
        return late[-1].request_id

    request_id = stage.play(act)
    with stage.logs[0].reader() as reader:
        story = "\n".join(explain(reader, request_id).lines())
    assert "ms in line behind others, decides: nobody may be asked" in story
    assert "alpha was out: too late:" in story
    assert "and its calls take 400 ms on average" in story


def test_impatient_callers_do_not_take_a_provider_from_those_who_have_time(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("alpha", delay_s=0.5)
        async with stage.engine(alpha, policy=Policy(retry_attempts=0), watch=False) as engine:
            for _ in range(3):
                await engine.call("x")
            for _ in range(20):
                hurried = [asyncio.create_task(engine.call("x", deadline_ms=300)) for _ in range(8)]
                await engine.call("x")
                told = await asyncio.gather(*hurried, return_exceptions=True)
                assert {type(one) for one in told} == {DeadlineExceeded}

    stage.play(act)
