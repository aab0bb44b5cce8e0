"""Sixteen ways for a provider to fail, on real sockets; what happened is what the servers' own books say."""

import asyncio
import time
from email.utils import formatdate
from typing import Any

import pytest
from http_for_tests import limited

from understudy.adapters.demo import Act, Fault, Line, Plan, Spell
from understudy.engine import (
    AllProvidersFailed,
    Answer,
    NoProviderAvailable,
    OutcomeUnknown,
    Policy,
    RequestError,
    RequestRejected,
    Strategy,
)

READS_AND_WRITES = ["read", "idempotent", "once"]
NOBODY = {"alpha": 0, "beta": 0, "gamma": 0}
SHORT = {"alpha": limited(headers_ms=80, body_ms=80)}
"""Only who is to be late has little time: on a slow machine the others must not seem to be."""


def policy(**changed: Any) -> Policy:
    settings = {"retry_attempts": 0, "request_timeout_ms": 20_000, "lookup_interval_ms": 20, **changed}
    return Policy(strategy=Strategy.IN_ORDER, **settings)


# 1 and 2: throttling


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_retry_after_is_honoured_in_full(town: Any, form: str) -> None:
    async with town() as here:
        asked = "30" if form == "seconds" else formatdate(time.time() + 30, usegmt=True)
        here.servers["alpha"].will(Act(fault=Fault.THROTTLED, retry_after=asked))
        assert (await here.buy()).provider == "beta"
        here.clock.pass_by(28)
        assert (await here.buy()).provider == "beta"
        assert here.deliveries()["alpha"] == 1
        here.clock.pass_by(3)
        back = await here.buy()
        assert here.executions(back.request_id) == {"alpha": 1, "beta": 0, "gamma": 0}


async def test_when_nobody_else_is_left_a_request_waits_as_long_as_it_was_told(town: Any) -> None:
    async with town(names=("alpha",)) as here:
        alpha = here.servers["alpha"]
        alpha.will(Act(fault=Fault.THROTTLED, retry_after="0.04"))
        assert (await here.buy()).provider == "alpha"
        first, second = alpha.books.delivered()
        assert second.at_us - first.at_us >= 40_000


async def test_a_provider_that_throttles_is_not_hammered(town: Any) -> None:
    async with town() as here:
        here.servers["alpha"].will(Act(fault=Fault.THROTTLED, retry_after="30"))
        await here.buy()
        answers = await asyncio.gather(*(here.buy("read") for _ in range(60)))
        assert {one.provider for one in answers} == {"beta"}
        assert here.deliveries() == {"alpha": 1, "beta": 61, "gamma": 0}
        assert here.verdict("alpha") == "throttled"


# 3 to 7: answers that do not come, or not whole

BROKEN_AFTERWARDS = [Fault.SLOW_BODY, Fault.TRUNCATED, Fault.WRONG_TYPE]


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HANG, *BROKEN_AFTERWARDS])
async def test_a_read_goes_on_to_the_next(town: Any, fault: Fault) -> None:
    async with town(limits=SHORT) as here:
        here.servers["alpha"].will(fault)
        answer = await here.buy("read")
        assert (answer.provider, answer.failovers) == ("beta", 1)
        assert here.deliveries() == {"alpha": 1, "beta": 1, "gamma": 0}


@pytest.mark.parametrize("effect", ["idempotent", "once"])
@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HANG, *BROKEN_AFTERWARDS])
async def test_a_write_that_was_executed_is_found_and_nobody_else_is_asked(
    town: Any, fault: Fault, effect: str
) -> None:
    async with town(limits=SHORT) as here:
        here.servers["alpha"].will(Act(fault=fault, executes=True))
        answer = await here.buy(effect)
        assert (answer.provider, answer.via, answer.reference) == ("alpha", "lookup", "alpha-1")
        assert here.executions(answer.request_id) == {"alpha": 1, "beta": 0, "gamma": 0}
        assert here.deliveries() == {"alpha": 1, "beta": 0, "gamma": 0}


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HANG, *BROKEN_AFTERWARDS])
async def test_what_moves_money_is_not_sent_again_however_many_tries_are_allowed(town: Any, fault: Fault) -> None:
    async with town(policy=policy(retry_attempts=5, retry_delay_ms=1), limits=SHORT) as here:
        here.servers["alpha"].will(Act(fault=fault, executes=True))
        answer = await here.buy()
        assert here.executions(answer.request_id) == {"alpha": 1, "beta": 0, "gamma": 0}
        assert here.deliveries() == {"alpha": 1, "beta": 0, "gamma": 0}


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HANG])
async def test_a_write_that_was_not_executed_is_looked_up_before_the_next_is_asked(town: Any, fault: Fault) -> None:
    async with town(limits=SHORT) as here:
        here.servers["alpha"].will(Act(fault=fault, executes=False))
        answer = await here.buy()
        assert answer.provider == "beta"
        assert here.executions(answer.request_id) == {"alpha": 0, "beta": 1, "gamma": 0}
        looked = here.servers["alpha"].books.delivered("lookup")[0].at_us
        assert looked < here.servers["beta"].books.delivered()[0].at_us


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HANG])
async def test_a_write_whose_provider_cannot_be_asked_is_held(town: Any, fault: Fault) -> None:
    async with town(limits=SHORT, lookups=False) as here:
        here.servers["alpha"].will(Act(fault=fault, executes=True))
        with pytest.raises(OutcomeUnknown) as caught:
            await here.buy()
        assert here.executions(caught.value.request_id) == {"alpha": 1, "beta": 0, "gamma": 0}
        assert here.deliveries() == {"alpha": 1, "beta": 0, "gamma": 0}
        assert f"suspended|{caught.value.request_id}" in here.alerts()


# 8: an error in a 200


@pytest.mark.parametrize("effect", READS_AND_WRITES)
async def test_an_error_in_a_200_is_a_failure_like_any_other(town: Any, effect: str) -> None:
    async with town() as here:
        here.servers["alpha"].will(*[Fault.ERROR_IN_200] * 3)
        answers = [await here.buy(effect) for _ in range(5)]
        assert [one.provider for one in answers] == ["beta"] * 5
        assert here.deliveries() == {"alpha": 3, "beta": 5, "gamma": 0}  # Then its circuit is open.
        for one in answers:
            assert here.executions(one.request_id) == {"alpha": 0, "beta": 1, "gamma": 0}
        assert here.verdict("alpha") == "circuit_open"


# 9: 400


@pytest.mark.parametrize("effect", READS_AND_WRITES)
async def test_a_400_is_the_callers_fault_and_tried_nowhere_else(town: Any, effect: str) -> None:
    async with town(policy=policy(retry_attempts=2)) as here:
        here.servers["alpha"].will(*[Fault.REJECTED] * 5)
        for _ in range(5):
            with pytest.raises(RequestRejected, match="no such country"):
                await here.buy(effect)
        assert here.deliveries() == {"alpha": 5, "beta": 0, "gamma": 0}
        assert [one.books.executions for one in here.servers.values()] == [{}, {}, {}]
        assert here.verdict("alpha") == "eligible"
        assert (await here.buy(effect)).provider == "alpha"


# 10: 401


@pytest.mark.parametrize("effect", READS_AND_WRITES)
async def test_a_401_takes_the_provider_out_with_an_alert_until_somebody_has_mended_it(town: Any, effect: str) -> None:
    async with town() as here:
        here.servers["alpha"].will(Fault.UNAUTHORIZED)
        assert [(await here.buy(effect)).provider for _ in range(3)] == ["beta"] * 3
        here.clock.pass_by(86_400)
        assert (await here.buy(effect)).provider == "beta"
        assert here.deliveries()["alpha"] == 1
        assert here.alerts() == ["misconfigured|alpha"]
        here.engine.clear_override("alpha", actor="ann", reason="new key")
        mended = await here.buy(effect)
        assert here.executions(mended.request_id) == {"alpha": 1, "beta": 0, "gamma": 0}
        assert here.alerts() == []


# 11: a minute away


async def test_a_provider_that_is_gone_for_a_minute_is_missed_by_nobody_and_comes_back(town: Any) -> None:
    async with town(policy=policy(recovery_time_ms=10_000), watch=True) as here:
        alpha = here.servers["alpha"]
        assert (await here.buy()).provider == "alpha"
        await alpha.change(Line.REFUSES)
        for second in range(60):
            here.clock.pass_by(1)
            await asyncio.sleep(0)
            answer = await here.buy("once" if second % 2 else "read")
            assert answer.provider == "beta"
            assert sum(here.executions(answer.request_id).values()) == 1
            assert second < 5 or here.verdict("alpha") != "eligible"
        assert here.deliveries()["alpha"] == 1
        await alpha.change(Line.OPEN)
        for _ in range(100):
            here.clock.pass_by(0.2)
            await asyncio.sleep(0.002)  # For the pings, which go over the wire, too.
            if here.verdict("alpha") == "probe":
                break
        back = await here.buy()
        assert here.executions(back.request_id) == {"alpha": 1, "beta": 0, "gamma": 0}
        assert here.deliveries()["alpha"] == 1 + 1, "no request but the first and the last"
        assert here.verdict("alpha") == "eligible"
        assert here.alerts() == []


# 12: half-open herd


async def test_a_provider_that_may_be_back_is_tried_by_one_request_at_a_time(town: Any) -> None:
    async with town(policy=policy(recovery_time_ms=10_000), limits={"alpha": limited(headers_ms=150)}) as here:
        alpha = here.servers["alpha"]
        alpha.will(*[Fault.UNAVAILABLE] * 3, Fault.HANG)
        for _ in range(3):
            assert (await here.buy("read")).provider == "beta"
        here.clock.pass_by(11)
        answers = await asyncio.gather(*(here.buy("read") for _ in range(50)))
        assert {one.provider for one in answers} == {"beta"}
        assert here.deliveries()["alpha"] == 3 + 1  # The one probe, which hung.
        here.clock.pass_by(11)
        assert (await here.buy("read")).provider == "beta"  # The second rest is twice as long.
        here.clock.pass_by(10)
        assert (await here.buy("read")).provider == "alpha"
        assert {(await here.buy("read")).provider for _ in range(5)} == {"alpha"}
        assert here.deliveries()["alpha"] == 3 + 1 + 1 + 5


# 13: late success after failover


async def test_a_late_success_after_a_failover_changes_nothing_for_the_caller(town: Any) -> None:
    async with town(limits=SHORT) as here:
        alpha = here.servers["alpha"]
        alpha.will(Fault.LATE)
        answer = await here.buy("idempotent", free_to_abandon=True, idempotency_key="order-17")
        assert answer.provider == "beta"
        alpha.finish_late()
        assert here.executions(answer.request_id) == {"alpha": 1, "beta": 1, "gamma": 0}  # That was allowed.
        again = await here.buy("idempotent", free_to_abandon=True, idempotency_key="order-17")
        assert (again.provider, again.joined) == ("beta", True)
        assert here.deliveries() == {"alpha": 1, "beta": 1, "gamma": 0}


async def test_what_moves_money_waits_for_its_late_success(town: Any) -> None:
    async with town(limits=SHORT) as here:
        alpha = here.servers["alpha"]
        alpha.will(Fault.LATE)
        buying = asyncio.create_task(here.buy())
        await alpha.books.until(2, kind="lookup")
        alpha.finish_late()
        answer = await buying
        assert (answer.provider, answer.via) == ("alpha", "lookup")
        assert here.executions(answer.request_id) == {"alpha": 1, "beta": 0, "gamma": 0}


async def test_an_early_absent_is_not_believed_before_the_provider_has_settled(town: Any) -> None:
    async with town(limits=SHORT, plan=Plan(admits_pending=False), settle_ms=150) as here:
        alpha = here.servers["alpha"]
        alpha.will(Fault.LATE)
        buying = asyncio.create_task(here.buy())
        await alpha.books.until(1, kind="lookup")
        alpha.finish_late()
        answer = await buying
        assert (answer.provider, answer.via) == ("alpha", "lookup")
        assert here.executions(answer.request_id) == {"alpha": 1, "beta": 0, "gamma": 0}


# 14: duplicate delivery


async def test_a_request_that_is_delivered_twice_is_known_by_its_key(town: Any) -> None:
    async with town(plan=Plan(dedupes=True)) as here:
        here.servers["alpha"].will(Fault.TWICE)
        answer = await here.buy()
        assert here.deliveries() == {"alpha": 2, "beta": 0, "gamma": 0}
        assert here.executions(answer.request_id) == {"alpha": 1, "beta": 0, "gamma": 0}


async def test_a_try_and_its_repeat_carry_the_same_key(town: Any) -> None:
    async with town(policy=policy(retry_attempts=2, retry_delay_ms=1), plan=Plan(dedupes=True)) as here:
        here.servers["alpha"].will(Act(fault=Fault.RESET, executes=True))
        answer = await here.buy("idempotent")
        assert (answer.provider, answer.attempts, answer.via) == ("alpha", 2, "call")
        assert here.deliveries() == {"alpha": 2, "beta": 0, "gamma": 0}
        assert here.executions(answer.request_id) == {"alpha": 1, "beta": 0, "gamma": 0}


async def test_an_order_that_comes_in_several_times_is_placed_once(town: Any) -> None:
    async with town() as here:
        answers = await asyncio.gather(*(here.buy(idempotency_key="order-17") for _ in range(20)))
        assert len({one.request_id for one in answers}) == 1
        assert here.deliveries() == {"alpha": 1, "beta": 0, "gamma": 0}
        assert here.executions(answers[0].request_id) == {"alpha": 1, "beta": 0, "gamma": 0}


# 15 and 16: no connection


@pytest.mark.parametrize("effect", READS_AND_WRITES)
async def test_a_refused_connection_is_passed_over_without_any_doubt(town: Any, effect: str) -> None:
    async with town(lookups=False) as here:
        await here.servers["alpha"].change(Line.REFUSES)
        answer = await here.buy(effect)
        assert (answer.provider, answer.failovers) == ("beta", 1)
        assert here.executions(answer.request_id) == {"alpha": 0, "beta": 1, "gamma": 0}
        assert here.servers["alpha"].books.entries == []


@pytest.mark.parametrize("effect", READS_AND_WRITES)
async def test_a_handshake_that_stalls_is_passed_over_without_any_doubt(town: Any, effect: str) -> None:
    async with town(tls=("alpha",), limits={"alpha": limited(connect_ms=40)}, lookups=False) as here:
        await here.servers["alpha"].change(Line.STALLS)
        answer = await here.buy(effect)
        assert (answer.provider, answer.failovers) == ("beta", 1)
        assert here.executions(answer.request_id) == {"alpha": 0, "beta": 1, "gamma": 0}
        met = [(one.what, one.kind) for one in here.servers["alpha"].books.entries]
        assert met == [("connected", "silence")], "it was asked, once, and never heard of the order"


async def test_nobody_is_asked_after_a_stall_that_swallowed_the_order(town: Any) -> None:
    """The same silence without TLS: the order was sent, and nobody can say what became of it."""
    async with town(limits={"alpha": limited(headers_ms=30)}) as here:
        await here.servers["alpha"].change(Line.STALLS)
        with pytest.raises(OutcomeUnknown):
            await here.buy(deadline_ms=200)
        assert here.deliveries() == NOBODY


# All together


@pytest.mark.parametrize("line", [Line.REFUSES, Line.STALLS])
async def test_while_one_provider_is_down_no_read_fails(town: Any, line: Line) -> None:
    async with town(limits={"alpha": limited(headers_ms=40)}) as here:
        await here.servers["alpha"].change(line)
        answers = await asyncio.gather(*(here.buy("read") for _ in range(40)))
        assert {one.provider for one in answers} == {"beta"}


FOUL = Spell(
    shares={
        Fault.RESET: 0.1,
        Fault.HANG: 0.05,
        Fault.LATE: 0.03,
        Fault.SLOW_BODY: 0.03,
        Fault.TRUNCATED: 0.05,
        Fault.WRONG_TYPE: 0.05,
        Fault.BROKEN: 0.1,
        Fault.ERROR_IN_200: 0.05,
        Fault.UNAVAILABLE: 0.05,
        Fault.THROTTLED: 0.05,
        Fault.REJECTED: 0.02,
    },
    executed_share=0.5,
    retry_after="0.02",
)


@pytest.mark.parametrize("seed", [1, 2])
async def test_in_foul_weather_nothing_is_done_twice_and_nobody_is_told_what_is_not_so(town: Any, seed: int) -> None:
    plan = Plan(spells=(FOUL,), seed=seed)
    settings = policy(retry_attempts=2, retry_delay_ms=5, max_failures=50, deadline_ms=1_500)
    hasty = limited(headers_ms=150, body_ms=150)
    async with town(limits=dict.fromkeys(NOBODY, hasty), policy=settings, plan=plan) as here:
        ends = await asyncio.gather(*(here.buy() for _ in range(60)), return_exceptions=True)
        for server in here.servers.values():
            server.finish_late()
        served = 0
        for end in ends:
            assert isinstance(end, Answer | RequestError)
            executed = here.executions(end.request_id)
            assert sum(executed.values()) <= 1
            if isinstance(end, Answer):
                served += 1
                assert executed[end.provider] == 1
            elif not isinstance(end, OutcomeUnknown):
                assert sum(executed.values()) == 0
        assert served > 0


async def test_when_all_refuse_the_caller_hears_that_nothing_was_done(town: Any) -> None:
    async with town() as here:
        for server in here.servers.values():
            await server.change(Line.REFUSES)
        with pytest.raises(AllProvidersFailed):
            await here.buy()
        assert here.engine.unsettled == ()
        for _ in range(5):
            with pytest.raises((AllProvidersFailed, NoProviderAvailable)):
                await here.buy()
        assert "local_fault|" in here.alerts()
        for server in here.servers.values():
            await server.change(Line.OPEN)
        assert (await here.buy()).provider == "alpha"
        assert here.alerts() == []
