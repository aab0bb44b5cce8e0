"""Requests that wait because everybody is at a limit: one is let in for each call that ends, in the order they came."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from providers_for_tests import Pingable, Told

from understudy.adapters import MemoryLog
from understudy.engine import (
    AllProvidersFailed,
    Engine,
    Policy,
    ProviderSettings,
    RateLimited,
    RequestError,
    Strategy,
    Transient,
)
from understudy.engine.line import Line
from understudy.replay.virtual_system import VirtualSystem

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


def test_after_a_throttle_few_are_throttled_again(stage: Any) -> None:
    """Fifty callers of a provider that takes five calls a second; each refused call is one too many."""

    async def act() -> None:
        taken: list[float] = []
        refused: list[float] = []

        def answer() -> str:
            now_s = stage.now_s
            if sum(then_s > now_s - 1 for then_s in taken) >= 5:
                refused.append(now_s)
                raise RateLimited("five a second", retry_after_ms=1_000)
            taken.append(now_s)
            return "done"

        alpha = Told("alpha", delay_s=0.05, default=answer)
        async with stage.engine(alpha, policy=Policy(deadline_ms=60_000), watch=False) as engine:
            await asyncio.gather(*(engine.call("x") for _ in range(50)))
        assert len(taken) == 50
        assert sum(now_s < 0.1 for now_s in refused) == 45, "nobody could know"
        assert sum(now_s > 0.1 for now_s in refused) < 20
        assert stage.now_s < 15

    stage.play(act)


def test_how_often_a_call_makes_others_look_does_not_grow_with_the_line(stage: Any) -> None:
    looks = {count: _looks_a_call(stage, count) for count in (10, 300)}
    assert looks[300] < looks[10] + 1 < 8


def _looks_a_call(stage: Any, count: int) -> float:
    """How often the rules are asked for a next step, for each of so many callers of one rate limit."""
    system = CountingSystem(seed=1)

    async def act() -> None:
        settings = ProviderSettings.model_validate({"id": "alpha", "max_calls_per_second": 100})
        alpha = Told("alpha", delay_s=0.05, settings=settings)
        log = MemoryLog()
        stage.logs.append(log)
        policy = Policy(deadline_ms=60_000)
        async with Engine(providers=[alpha], log=log, policy=policy, system=system, watch=False) as engine:
            await asyncio.gather(*(engine.call("x") for _ in range(count)))

    stage.play(act)
    return system.draws / count


class CountingSystem(VirtualSystem):
    """One that counts the draws: there is one for each look at what is next."""

    draws = 0

    def draw(self) -> int:
        self.draws += 1
        return super().draw()


# --- doors that somebody opens


def waiting(stage: Any, beta: Told, opens: Callable[[Engine], Any], *, watch: bool = False) -> float:
    """When a caller is served who waits for alpha's throttle while beta's door is shut, which somebody opens at 2 s."""

    async def act() -> float:
        alpha = Told("alpha", acts=[RateLimited("slow down", retry_after_ms=20_000)])
        policy = Policy(strategy=Strategy.IN_ORDER, max_failures=1, retry_attempts=0)
        async with stage.engine(alpha, beta, policy=policy, watch=watch) as engine:
            if beta.acts:
                with pytest.raises(AllProvidersFailed):
                    await engine.call("x", preferred="beta", deadline_ms=5_000)
                alpha.acts = [RateLimited("slow down", retry_after_ms=20_000)]
            else:
                engine.override("beta", "open", actor="op", reason="test")
            began_s = stage.now_s
            call = asyncio.create_task(engine.call("x", deadline_ms=30_000))
            await asyncio.sleep(2)
            opened = opens(engine)
            if opened is not None:
                await opened
            answer = await call
            assert answer.provider == "beta"
            return float(stage.now_s - began_s)

    return float(stage.play(act))


def test_a_forced_state_that_is_cleared_lets_in_who_waits(stage: Any) -> None:
    served_s = waiting(stage, Told("beta"), lambda engine: engine.clear_override("beta", actor="op", reason="done"))
    assert served_s == pytest.approx(2.0)


def test_a_provider_that_is_forced_closed_lets_in_who_waits(stage: Any) -> None:
    served_s = waiting(stage, Told("beta"), lambda engine: engine.override("beta", "closed", actor="op", reason="is"))
    assert served_s == pytest.approx(2.0)


def test_a_probe_that_an_operator_wants_lets_in_who_waits(stage: Any) -> None:
    beta = Told("beta", acts=[Transient("down")])
    assert waiting(stage, beta, lambda engine: engine.probe("beta", actor="op", reason="is up")) == pytest.approx(2.0)


def test_a_ping_that_succeeds_lets_in_who_waits(stage: Any) -> None:
    def probe(engine: Engine) -> None:
        engine.probe("beta", actor="op", reason="is up")

    beta = Pingable("beta", acts=[Transient("down")])
    assert waiting(stage, beta, probe, watch=True) == pytest.approx(2.0)
    assert beta.pings == 1


def test_a_forced_state_that_runs_out_lets_in_who_waits_within_seconds(stage: Any) -> None:
    def force(engine: Engine) -> None:
        engine.override("beta", "open", actor="op", reason="a while", for_ms=1_000)

    assert 3 <= waiting(stage, Told("beta"), force) <= 8


def test_all_who_wait_are_let_in_when_a_door_opens(stage: Any) -> None:
    async def act() -> None:
        alpha, beta = Told("alpha", acts=[RateLimited("slow down", retry_after_ms=20_000)]), Told("beta")
        policy = Policy(strategy=Strategy.IN_ORDER)
        async with stage.engine(alpha, beta, policy=policy, watch=False) as engine:
            engine.override("beta", "open", actor="op", reason="test")
            calls = [asyncio.create_task(engine.call("x")) for _ in range(50)]
            await asyncio.sleep(2)
            engine.clear_override("beta", actor="op", reason="done")
            answers = await asyncio.gather(*calls)
            assert stage.now_s == pytest.approx(2.0)
            assert {answer.provider for answer in answers} == {"beta"}

    stage.play(act)


def test_a_slot_that_nobody_can_use_goes_so_far_and_no_further() -> None:
    woken: list[str] = []
    line = Line(woken.append)
    names = [f"r{number}" for number in range(1_000)]
    for name in names:
        line.join(name, f"what {name} waits for")
    line.advance()
    for name in names:
        if woken[-1] == name:
            line.join(name, f"what {name} waits for")
    assert woken == names[:8]


def test_a_slot_is_offered_to_one_only_of_those_who_wait_for_the_same() -> None:
    woken: list[str] = []
    line = Line(woken.append)
    for name, waits_for in (("a", "x"), ("b", "x"), ("c", "y"), ("d", "x"), ("e", "y")):
        line.join(name, waits_for)
    line.advance()
    line.join("a", "x")
    line.join("c", "y")
    assert woken == ["a", "c"]


def test_the_first_to_have_come_is_asked_first_whatever_it_waits_for() -> None:
    woken: list[str] = []
    line = Line(woken.append)
    for name, waits_for in (("a", "y"), ("b", "x"), ("c", "y")):
        line.join(name, waits_for)
    line.leave("a", served=True)
    line.advance()
    assert woken == ["c", "b"], "c is the first of its queue now, and b has come before it"


def test_who_goes_lets_the_next_look_and_who_leaves_from_behind_does_not() -> None:
    woken: list[str] = []
    line = Line(woken.append)
    for name in ("a", "b", "c", "d"):
        line.join(name, "x")
    line.leave("c", served=False)
    assert woken == []
    assert [line.is_first(name) for name in ("a", "b", "d")] == [True, False, False]
    line.leave("a", served=True)
    line.leave("b", served=False)
    assert woken == ["b", "d"]
    line.leave("d", served=True)
    assert (woken, line.waiting) == (["b", "d"], False)


def test_who_comes_to_wait_for_something_else_keeps_its_place_and_lets_the_next_look() -> None:
    woken: list[str] = []
    line = Line(woken.append)
    for name in ("a", "b"):
        line.join(name, "x")
    line.join("c", "y")
    line.join("a", "y")
    assert (woken, line.is_first("a"), line.is_first("b")) == (["b"], False, True)


def test_when_a_door_opens_the_first_of_every_queue_looks() -> None:
    woken: list[str] = []
    line = Line(woken.append)
    line.look()
    for name, waits_for in (("a", "x"), ("b", "y"), ("c", "x")):
        line.join(name, waits_for)
    line.look()
    assert woken == ["a", "b"]


def test_a_slot_wakes_one_and_its_refusal_the_next() -> None:
    woken: list[str] = []
    line = Line(woken.append)
    for name in ("a", "b", "c"):
        line.join(name, name)
    line.advance()
    line.join("a", "a")  # It had no use for the slot.
    line.advance()
    assert woken == ["a", "b", "a"]
    line.leave("a", served=True)
    line.leave("b", served=False)
    assert woken == ["a", "b", "a", "c"]
    line.leave("nobody", served=False)
    line.leave("c", served=False)
    line.advance()
    assert woken == ["a", "b", "a", "c"]


def test_newcomers_of_a_busy_loop_do_not_overtake_those_in_line() -> None:
    """On a real loop: virtual time, in which a pass costs nothing, would let whoever is called be the first to look."""

    async def act() -> list[str]:
        alpha = Told("alpha", settings=ProviderSettings.model_validate({"id": "alpha", "max_calls_per_second": 50}))
        async with Engine(providers=[alpha], log=MemoryLog(), watch=False) as engine:
            calls = [asyncio.create_task(engine.call("x")) for _ in range(20)]
            while not all(call.done() for call in calls[:20]):
                calls.append(asyncio.create_task(engine.call("x")))
                until_s = time.perf_counter() + 0.005
                while time.perf_counter() < until_s:
                    pass  # The loop is busy.
                await asyncio.sleep(0)
            served = [request_id for request_id, _ in alpha.calls]
            assert served == sorted(served), "ids are in the order of their coming"
            assert served[:20] == [call.result().request_id for call in calls[:20]]
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
        return served

    assert len(asyncio.run(act())) >= 20
