"""Callers who go away, operators who decide, and engines that stop in the middle."""

import asyncio
from typing import Any

import pytest
from providers_for_tests import Searchable, Told, never

from understudy.adapters import put_command
from understudy.engine import (
    Ambiguous,
    Finding,
    Found,
    InvalidRequest,
    OutcomeUnknown,
    Policy,
    RequestInterrupted,
    Strategy,
)

IN_ORDER = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0)
PENDING = Found(finding=Finding.PENDING)


def test_a_cancelled_read_is_nobodys_fault(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", [never()])) as engine:
            task = asyncio.create_task(engine.call("x"))
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert engine.health()[0].success_bp is None
            assert engine.standing.calls == {}
        assert stage.kinds()[-4:] == ["call_abandoned", "request_cancelled", "request_failed", "engine_stopped"]

    stage.play(act)


def test_a_once_call_that_is_cancelled_with_every_other_task_is_looked_up_nevertheless(stage: Any) -> None:
    async def act() -> None:
        alpha = Searchable("a", [never()], findings=[Found(finding=Finding.SUCCEEDED, value=1)])
        async with stage.engine(alpha, policy=IN_ORDER) as engine:
            task = asyncio.create_task(engine.call("x", effect="once"))
            await asyncio.sleep(1)
            for one in asyncio.all_tasks():  # As an `asyncio.run` does that is interrupted.
                if one.get_name().startswith("serve "):
                    one.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(60)
            assert engine.unsettled == ()
            assert engine.standing.totals.completed == 1

    stage.play(act)


def test_cancelling_the_caller_of_a_once_call_does_not_abandon_it(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("a", delay_s=2.0)
        async with stage.engine(alpha) as engine:
            task = asyncio.create_task(engine.call("x", effect="once"))
            await asyncio.sleep(1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.sleep(2)
            assert engine.standing.totals.completed == 1

    stage.play(act)


def test_a_held_request_is_looked_up_on_and_on_until_it_is_known(stage: Any) -> None:
    async def act() -> None:
        findings: list[Any] = [PENDING] * 9 + [Found(finding=Finding.SUCCEEDED, value=1)]
        async with stage.engine(Searchable("a", [Ambiguous("reset")], findings=findings), policy=IN_ORDER) as engine:
            with pytest.raises(OutcomeUnknown):
                await engine.call("x", effect="once", deadline_ms=2_000)
            assert "suspended|" in "".join(engine.standing.alerts)
            await asyncio.sleep(3_600)
            assert engine.standing.totals.completed == 1
            assert engine.standing.alerts == {}

    stage.play(act)


@pytest.mark.parametrize("executed", [True, False])
def test_an_operator_may_decide_what_became_of_a_held_request(stage: Any, executed: bool) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", [Ambiguous("reset")]), Told("b"), policy=IN_ORDER) as engine:
            with pytest.raises(OutcomeUnknown) as caught:
                await engine.call("x", effect="once", idempotency_key="k")
            request_id = caught.value.request_id
            with pytest.raises(OutcomeUnknown):
                await engine.call("x", effect="once", idempotency_key="k")
            engine.resolve(request_id, executed=executed, reference="bank-7", actor="ann", reason="statement")
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            with pytest.raises(InvalidRequest, match="not held"):
                engine.resolve(request_id, executed=executed, actor="ann", reason="again")
            if executed:
                answer = await engine.call("x", effect="once", idempotency_key="k")
                assert (answer.via, answer.reference, answer.joined) == ("operator", "bank-7", True)
            else:
                with pytest.raises(RequestInterrupted):
                    await engine.call("x", effect="once", idempotency_key="k")

    stage.play(act)


def test_a_request_left_in_doubt_is_settled_by_the_next_engine(stage: Any) -> None:
    async def act() -> None:
        first = stage.engine(Told("a", [Ambiguous("reset")]), policy=IN_ORDER, log=stage.file())
        async with first as engine:
            with pytest.raises(OutcomeUnknown):
                await engine.call("x", effect="once", body={"n": 1})
        alpha = Searchable("a", findings=[Found(finding=Finding.SUCCEEDED, value=1)])
        async with stage.engine(alpha, policy=IN_ORDER, log=stage.file()) as engine:
            await asyncio.sleep(1)
            assert engine.standing.totals.completed == 1
            assert engine.standing.alerts == {}

    stage.play(act)


def test_an_engine_that_stops_leaves_no_task_and_no_open_call(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", default=never()), policy=Policy(request_timeout_ms=60_000)) as engine:
            calls = [asyncio.create_task(engine.call("x", effect="once")) for _ in range(3)]
            await asyncio.sleep(1)
            await engine.stop()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError | OutcomeUnknown) for one in results), results
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert stage.kinds().count("call_started") == stage.kinds().count("call_abandoned") + stage.kinds().count(
            "call_failed"
        )

    stage.play(act)


def test_commands_from_the_inbox_become_events_and_nonsense_becomes_an_alert(stage: Any) -> None:
    async def act() -> None:
        log = stage.file()
        async with stage.engine(Told("a"), log=log) as engine:
            wish = '{"command":"set_override","provider":"a","state":"open","for_ms":60000,"actor":"ann","reason":"x"}'
            put_command(log.path, wish)
            put_command(log.path, '{"command":"dance"}')
            put_command(log.path, wish.replace('"a"', '"z"'))
            await asyncio.sleep(1)
            assert engine.health()[0].verdict == "forced_open"
            await asyncio.sleep(61)
            assert engine.health()[0].verdict == "eligible"
            assert await log.commands() == []
        kinds = stage.kinds()
        assert (kinds.count("override_set"), kinds.count("alert_raised")) == (1, 2)

    stage.play(act)
