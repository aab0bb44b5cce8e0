"""An engine that stops lets what is under way end, and then tells everybody who still waits."""

import asyncio
from typing import Any

import pytest
from lifecycle.leftovers import tasks_left
from providers_for_tests import Pingable, Told, never

from understudy.engine import EngineClosed, Policy, RequestInterrupted, Strategy
from understudy.events.errors import LogUnavailable

IN_ORDER = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, request_timeout_ms=5_000)


def under_way(call: Any) -> "asyncio.Task[Any]":
    return asyncio.ensure_future(call)


@pytest.mark.parametrize("effect", ["read", "idempotent", "once"])
def test_a_call_that_ends_in_time_is_answered_and_on_record(stage: Any, effect: str) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", delay_s=4.0), policy=IN_ORDER) as engine:
            call = under_way(engine.call("x", effect=effect))
            await asyncio.sleep(1)
            await engine.stop()
            assert (await call).provider == "a"
        assert stage.kinds()[-3:] == ["call_succeeded", "request_completed", "engine_stopped"]

    stage.play(act)


@pytest.mark.parametrize("effect", ["read", "idempotent"])
def test_a_call_that_does_not_end_in_time_is_given_up_and_its_caller_told(stage: Any, effect: str) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", default=never()), policy=IN_ORDER) as engine:
            call = under_way(engine.call("x", effect=effect))
            await asyncio.sleep(0)
            await engine.stop(grace_ms=1_000)  # Less patience with its own stop than with the call.
            with pytest.raises(RequestInterrupted, match=r"the engine was stopped; request .* was given up"):
                await call
            assert call.cancelling() == 0, "it is told, not cancelled"
        assert stage.kinds()[-4:] == ["call_abandoned", "request_cancelled", "request_failed", "engine_stopped"]

    stage.play(act)


def test_a_caller_who_is_cancelled_by_others_too_is_cancelled(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", default=never()), policy=IN_ORDER) as engine:
            call = under_way(engine.call("x"))
            await asyncio.sleep(0)
            stopping = asyncio.create_task(engine.stop(grace_ms=1_000))
            await asyncio.sleep(0.5)
            call.cancel()
            await stopping
            with pytest.raises(asyncio.CancelledError):
                await call

    stage.play(act)


def test_a_side_call_under_way_is_told_that_the_engine_is_gone(stage: Any) -> None:
    async def act() -> None:
        class Slow(Pingable):
            async def stock(self, request: Any, *, deadline: Any) -> Any:
                await asyncio.Event().wait()

        async with stage.engine(Slow("a"), policy=IN_ORDER, watch=False) as engine:
            asked = under_way(engine.ask("a", "stock"))
            await asyncio.sleep(0)
            await engine.stop(grace_ms=1_000)  # Less patience with its own stop than with the call.
            with pytest.raises(EngineClosed, match="the engine was stopped before a answered"):
                await asked
        assert stage.kinds()[-2:] == ["call_abandoned", "engine_stopped"]

    stage.play(act)


def test_a_ping_under_way_does_not_hold_a_stop_up(stage: Any) -> None:
    async def act() -> None:
        class Deaf(Pingable):
            async def ping(self) -> None:
                await asyncio.Event().wait()

        loop = asyncio.get_running_loop()
        async with stage.engine(Deaf("a"), policy=IN_ORDER) as engine:
            await asyncio.sleep(11)
            assert len(engine.standing.calls) == 1
            before_s = loop.time()
        assert loop.time() == before_s
        assert tasks_left() == []
        assert stage.kinds()[-2:] == ["call_abandoned", "engine_stopped"]

    stage.play(act)


def test_a_provider_that_swallows_its_cancellation_cannot_keep_the_engine_from_stopping(stage: Any) -> None:
    async def act() -> None:
        class Stubborn(Told):
            async def call(self, *_: Any, **__: Any) -> Any:
                while not release.is_set():
                    try:
                        await release.wait()
                    except asyncio.CancelledError:
                        continue
                return "late"

        release = asyncio.Event()
        engine = stage.engine(Stubborn("a"), policy=IN_ORDER)
        await engine.start()
        call = under_way(engine.call("x", deadline_ms=50_000))
        await asyncio.sleep(0)
        await engine.stop()
        release.set()
        with pytest.raises(LogUnavailable, match="is not open"):
            await call

    stage.play(act)


def test_a_second_stop_and_a_call_after_it_are_answered_at_once(stage: Any) -> None:
    async def act() -> None:
        engine = stage.engine(Told("a"))
        async with engine:
            await engine.stop()
            await engine.stop()
            with pytest.raises(EngineClosed):
                await engine.call("x")
        async with engine:
            assert (await engine.call("x")).provider == "a"
        assert stage.kinds().count("engine_started") == 2

    stage.play(act)
