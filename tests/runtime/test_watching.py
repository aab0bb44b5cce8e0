"""What the engine notices by itself: outages of idle providers, recoveries, faults of our own, a clock that is set."""

import asyncio
from typing import Any

import pytest
from providers_for_tests import Pingable, Told

from understudy.engine import (
    Misconfigured,
    NoProviderAvailable,
    Policy,
    ProviderSettings,
    Strategy,
    TimedOut,
    Transient,
)


def test_the_outage_of_an_idle_provider_is_known_within_thirty_seconds(stage: Any) -> None:
    async def act() -> None:
        alpha = Pingable("a")
        async with stage.engine(alpha, Told("b"), policy=Policy(strategy=Strategy.IN_ORDER)) as engine:
            await engine.call("x")
            await asyncio.sleep(600)
            alpha.down = True
            await asyncio.sleep(30)
            assert engine.health()[0].verdict == "pings_fail"
            assert (await engine.call("x")).failovers == 0
            alpha.down = False
            await asyncio.sleep(3)
            assert engine.health()[0].verdict == "eligible"

    stage.play(act)


def test_a_circuit_opens_rests_is_pinged_probed_and_closes(stage: Any) -> None:
    async def act() -> None:
        alpha = Pingable("a", [Transient("down")] * 3)
        policy = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0)
        async with stage.engine(alpha, Told("b"), policy=policy) as engine:
            for _ in range(3):
                assert (await engine.call("x")).provider == "b"
            assert engine.health()[0].verdict == "circuit_open"
            alpha.down = True
            await asyncio.sleep(301)
            assert engine.health()[0].verdict in {"circuit_half_open_awaits_ping", "pings_fail"}
            alpha.down = False
            await asyncio.sleep(5)
            assert engine.health()[0].verdict == "probe"
            assert (await engine.call("x")).provider == "a"
            assert engine.health()[0].verdict == "eligible"

    stage.play(act)


def test_without_watching_a_circuit_does_not_wait_for_a_ping_that_nobody_sends(stage: Any) -> None:
    async def act() -> None:
        alpha = Pingable("a", [Transient("down")])
        policy = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, max_failures=1)
        async with stage.engine(alpha, Told("b"), policy=policy, watch=False) as engine:
            assert (await engine.call("x")).provider == "b"
            await asyncio.sleep(301)
            assert (await engine.call("x")).provider == "a"
        assert alpha.pings == 0

    stage.play(act)


def test_a_ping_has_the_time_of_its_provider(stage: Any) -> None:
    async def act() -> None:
        settings = ProviderSettings.model_validate({"id": "a", "request_timeout_ms": 300})
        alpha = Pingable("a", delay_s=0, settings=settings)
        alpha.ping = asyncio.Event().wait  # type: ignore[assignment, method-assign]
        async with stage.engine(alpha, watch=False) as engine:
            with pytest.raises(TimedOut, match="no answer within 300 ms"):
                await engine.ask("a", "ping")

    stage.play(act)


def test_a_look_up_that_is_none_is_no_look_up(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("a")
        alpha.lookup = None  # type: ignore[attr-defined]
        async with stage.engine(alpha) as engine:
            assert not engine.policy.providers[0].has_lookup

    stage.play(act)


def test_a_trusted_ping_alone_closes_the_circuit(stage: Any) -> None:
    async def act() -> None:
        policy = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, trust_ping=True, max_failures=1)
        async with stage.engine(Pingable("a", [Transient("down")]), Told("b"), policy=policy) as engine:
            await engine.call("x")
            assert engine.health()[0].verdict == "circuit_open"
            await asyncio.sleep(302)
            assert engine.health()[0].verdict == "eligible"

    stage.play(act)


def test_when_everybody_fails_at_once_we_suspect_ourselves(stage: Any) -> None:
    async def act() -> None:
        cut = [Transient("unreachable", network=True)] * 4
        providers = [Told(name, list(cut)) for name in "abcd"]
        policy = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, max_failures=2)
        async with stage.engine(*providers, policy=policy) as engine:
            for _ in range(4):
                with pytest.raises(Exception, match="x failed"):
                    await engine.call("x")
                await asyncio.sleep(0.1)
            assert [one.verdict for one in engine.health()] == ["eligible"] * 4
            assert "local_fault|" in engine.standing.alerts
            assert (await engine.call("x")).provider == "a"
            assert "local_fault|" not in engine.standing.alerts

    stage.play(act)


def test_a_wall_clock_that_is_set_forward_is_followed_and_noted(stage: Any) -> None:
    async def act() -> None:
        engine = stage.engine(Told("a"), others=True)
        async with engine:
            engine._system.wall_step_us = 3_600_000_000
            await asyncio.sleep(1)
            assert engine.standing.at_us >= 3_600_000_000
        assert stage.kinds().count("clock_stepped") == 1

    stage.play(act)


def test_a_misconfigured_provider_is_out_until_somebody_says_it_is_fixed(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("a", [Misconfigured("bad key")])
        async with stage.engine(alpha) as engine:
            with pytest.raises(Exception, match="bad key"):
                await engine.call("x")
            with pytest.raises(NoProviderAvailable, match="misconfigured"):
                await engine.call("x")
            assert "misconfigured|a" in engine.standing.alerts
            engine.clear_override("a", actor="ann", reason="new key")
            assert (await engine.call("x")).provider == "a"
            assert engine.standing.alerts == {}

    stage.play(act)


def test_health_shows_the_worst_lane_of_a_record_that_is_split(stage: Any) -> None:
    async def act() -> None:
        policy = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, max_failures=2, lane_by=("country",))
        async with stage.engine(Told("a", [Transient("down")] * 2), Told("b"), policy=policy) as engine:
            for country in ("us", "us", "de"):
                await engine.call("x", context={"country": country})
            assert [one.verdict for one in engine.health()] == ["circuit_open", "eligible"]

    stage.play(act)
