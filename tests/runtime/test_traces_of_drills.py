"""What only a drill had brought about is over at its end: alerts, shares of failovers, suspicions of ourselves."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from conversions_for_tests import events
from providers_for_tests import Told

from understudy.engine import Engine, Policy, RequestError, Strategy, Transient
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.projections import lane_step as lane

WHO: Any = {"actor": "ann", "reason": "to see"}
MINUTE_MS = 60_000


def played(stage: Any, *shops: Told, act: Callable[[Engine], Awaitable[None]], **policy: Any) -> None:
    async def run() -> None:
        plain: dict[str, Any] = {
            "strategy": Strategy.IN_ORDER,
            "exploration": 0,
            "retry_attempts": 0,
            "alert_circuit_open_ms": 0,
        }
        async with stage.engine(*shops, policy=Policy(**{**plain, **policy})) as engine:
            await act(engine)

    stage.play(run)


async def ask(engine: Engine, times: int) -> None:
    for _ in range(times):
        with suppress(RequestError):
            await engine.call("x")
        await asyncio.sleep(1)


def raised(stage: Any) -> list[str]:
    return [f"{one.alert} {one.subject}".rstrip() for one in events(stage.logs[0], AlertRaised)]


def health(engine: Engine, provider: str) -> list[int]:
    lanes = engine.standing.lanes
    base = lanes.base(lanes.places[provider, "serve"])
    return [lanes.state[base + word] for word in (lane.STREAK, lane.FAILED, lane.OPENED_US)]


def test_failovers_during_a_drill_raise_an_alert_that_ends_with_it_and_count_no_more(stage: Any) -> None:
    async def act(engine: Engine) -> None:
        await ask(engine, 5)
        engine.drill("outage", "alpha", for_ms=MINUTE_MS, **WHO)
        await ask(engine, 40)
        assert "fallback_share|x" in engine.standing.alerts
        await asyncio.sleep(60)
        assert not engine.standing.alerts
        share = engine.standing.alerting.shares["x"]
        assert (share.failed_over, share.requests) == (0, 5)

    played(stage, Told("alpha"), Told("beta"), act=act, max_failures=1_000)
    cleared = [one for one in events(stage.logs[0], AlertCleared) if one.alert == "fallback_share"]
    assert [one.message for one in cleared] == ["the drill is over"]


def test_failovers_count_again_only_when_the_last_of_two_drills_is_over(stage: Any) -> None:
    async def act(engine: Engine) -> None:
        first = engine.drill("outage", "alpha", for_ms=MINUTE_MS, **WHO)
        engine.drill("outage", "beta", for_ms=MINUTE_MS, **WHO)
        await ask(engine, 25)
        engine.stop_drill(first, **WHO)
        assert "fallback_share|x" in engine.standing.alerts
        await asyncio.sleep(60)
        assert "fallback_share|x" not in engine.standing.alerts

    played(stage, Told("alpha"), Told("beta"), Told("gamma"), act=act, max_failures=1_000)


def test_an_alert_of_failovers_of_its_own_outlasts_a_drill(stage: Any) -> None:
    async def act(engine: Engine) -> None:
        await ask(engine, 25)
        assert "fallback_share|x" in engine.standing.alerts
        engine.drill("outage", "alpha", for_ms=MINUTE_MS, **WHO)
        await ask(engine, 5)
        await asyncio.sleep(60)
        assert "fallback_share|x" in engine.standing.alerts

    alpha = Told("alpha", [Transient("down")] * 25)
    played(stage, alpha, Told("beta"), act=act, max_failures=1_000, alert_success_rate=0)


def test_a_long_pause_that_a_drill_asked_for_is_no_alert_after_it(stage: Any) -> None:
    async def act(engine: Engine) -> None:
        engine.drill("throttle", "alpha", for_ms=MINUTE_MS, retry_after_ms=600_000, **WHO)
        await ask(engine, 5)
        assert "long_throttle|alpha" in engine.standing.alerts
        await asyncio.sleep(60)
        assert "long_throttle|alpha" not in engine.standing.alerts

    played(stage, Told("alpha"), Told("beta"), act=act)


@pytest.mark.parametrize("own_failures", [0, 2], ids=["all were well", "one had failures of its own"])
def test_drills_of_all_at_once_make_nobody_suspect_ourselves_and_leave_health_as_it_was(
    stage: Any, own_failures: int
) -> None:
    async def act(engine: Engine) -> None:
        await ask(engine, 2)
        before = health(engine, "alpha")
        assert before[0] == own_failures
        for one in ("alpha", "beta", "gamma"):
            engine.drill("outage", one, for_ms=MINUTE_MS, even_the_last=True, **WHO)
        await ask(engine, 5)
        await asyncio.sleep(3_600)
        assert not engine.standing.shielded
        assert health(engine, "alpha") == before

    alpha = Told("alpha", [Transient("bad", network=False)] * own_failures)
    played(stage, alpha, Told("beta"), Told("gamma"), act=act, max_failures=3)
    assert "local_fault" not in raised(stage)
