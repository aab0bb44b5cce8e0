"""Requests that wait because everybody is at a limit: one is let in for each call that ends, in the order they came."""

import asyncio
from typing import Any

import pytest
from providers_for_tests import Told

from understudy.engine import AllProvidersFailed, Policy, ProviderSettings, RateLimited, RequestError, Strategy
from understudy.engine.line import Line

ONE_AT_A_TIME = Policy(strategy=Strategy.IN_ORDER, max_in_flight=1, deadline_ms=60_000)


def test_a_hundred_callers_of_one_slot_are_served_in_their_order_and_write_one_wait_each(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("alpha", delay_s=0.3)
        async with stage.engine(alpha, policy=ONE_AT_A_TIME, watch=False) as engine:
            answers = await asyncio.gather(*(engine.call("x", context={"n": str(n)}) for n in range(100)))
            assert [answer.request_id for answer in answers] == [request_id for request_id, _ in alpha.calls]
            assert stage.now_s == pytest.approx(30.0, abs=0.1)

    stage.play(act)
    kinds = stage.kinds()
    assert kinds.count("retry_scheduled") == 99
    assert kinds.count("decision_made") == 100 + 99


def test_who_cannot_use_a_free_slot_passes_it_on(stage: Any) -> None:
    async def act() -> None:
        full = {"max_in_flight": 1}
        alpha = Told("alpha", delay_s=4, settings=ProviderSettings.model_validate({"id": "alpha", **full}))
        beta = Told("beta", delay_s=1, settings=ProviderSettings.model_validate({"id": "beta", **full}))
        beta.acts = ["first", RuntimeError("down"), "third"]
        policy = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, deadline_ms=60_000)
        async with stage.engine(alpha, beta, policy=policy, watch=False) as engine:
            calls = [asyncio.create_task(engine.call("x")) for _ in range(4)]
            answers = await asyncio.gather(*calls)
        # The third fails at beta after two seconds, and must wait for alpha; the fourth gets beta at once.
        assert [answer.provider for answer in answers] == ["alpha", "beta", "alpha", "beta"]
        assert stage.now_s == pytest.approx(8.0, abs=0.1)

    stage.play(act)


def test_a_caller_who_leaves_the_line_holds_nobody_up(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("alpha", delay_s=1)
        async with stage.engine(alpha, policy=ONE_AT_A_TIME, watch=False) as engine:
            calls = [asyncio.create_task(engine.call("x")) for _ in range(4)]
            await asyncio.sleep(0.5)
            calls[1].cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert calls[1].cancelled()
            assert len(alpha.calls) == 3
            assert stage.now_s == pytest.approx(3.0, abs=0.1)

    stage.play(act)


def test_who_waits_beyond_the_deadline_fails_by_it(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("alpha", delay_s=3), policy=ONE_AT_A_TIME, watch=False) as engine:
            first = asyncio.create_task(engine.call("x"))
            await asyncio.sleep(0)
            with pytest.raises(RequestError):
                await engine.call("x", deadline_ms=2_500)
            assert stage.now_s == pytest.approx(2.5, abs=0.1)
            await first

    stage.play(act)


def test_those_who_wait_for_one_throttle_write_nothing_while_they_wait(stage: Any) -> None:
    async def act() -> None:
        settings = ProviderSettings.model_validate({"id": "alpha", "max_calls_per_second": 1, "burst": 1})
        async with stage.engine(Told("alpha", settings=settings), policy=Policy(deadline_ms=60_000)) as engine:
            await asyncio.gather(*(engine.call("x") for _ in range(20)))

    stage.play(act)
    assert stage.kinds().count("retry_scheduled") == 19


def test_a_throttle_longer_than_the_deadline_fails_at_once(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("alpha", acts=[RateLimited("slow down", retry_after_ms=90_000)])
        async with stage.engine(alpha, policy=Policy(deadline_ms=60_000), watch=False) as engine:
            with pytest.raises(AllProvidersFailed):
                await engine.call("x")
            assert stage.now_s == pytest.approx(0.0, abs=0.1)

    stage.play(act)


def test_a_slot_that_nobody_can_use_goes_so_far_and_no_further() -> None:
    woken: list[str] = []
    line = Line(woken.append)
    names = [f"r{number}" for number in range(1_000)]
    for name in names:
        line.join(name)
    line.advance()
    for name in names:
        if woken[-1] == name:
            line.join(name)
    assert woken == names[:8]


def test_a_slot_wakes_one_and_its_refusal_the_next() -> None:
    woken: list[str] = []
    line = Line(woken.append)
    for name in ("a", "b", "c"):
        line.join(name)
    line.advance()
    line.join("a")  # It had no use for the slot.
    line.advance()
    assert woken == ["a", "b", "a"]
    line.leave("a", served=True)
    line.leave("b", served=False)
    assert woken == ["a", "b", "a", "c"]
    line.leave("nobody", served=False)
    line.leave("c", served=False)
    line.advance()
    assert woken == ["a", "b", "a", "c"]
