"""Drills on running engines: faults are made up at one provider, seen in full, and leave no trace afterwards."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from conversions_for_tests import convert, events
from providers_for_tests import Pingable, Searchable, Told
from quoters import CONVERT, Quoter

from understudy.adapters import MemoryLog, put_command
from understudy.engine import (
    AllProvidersFailed,
    Ambiguous,
    Engine,
    Finding,
    Found,
    InvalidRequest,
    Policy,
    ProviderSettings,
    RateLimited,
    ServicePriority,
    Strategy,
)
from understudy.engine.drill_commands import StartDrill
from understudy.events.calls import CallFailed, CallStarted, CallSucceeded
from understudy.events.drill_schedule import scheduled
from understudy.events.drills import DrillEnd, DrillEnded, DrillForm, DrillSkipped, DrillStarted
from understudy.events.operations import AlertRaised
from understudy.events.vocabulary import FailureKind, Mode
from understudy.projections import lane_step as lane

WHO: Any = {"actor": "ann", "reason": "to see"}
MINUTE_MS = 60_000
POLICY = Policy(strategy=Strategy.IN_ORDER, exploration=Decimal(0))


def played(
    stage: Any,
    *shops: Any,
    act: Callable[[Engine], Awaitable[Any]],
    log: Any = None,
    operations: Any = (),
    **policy: Any,
) -> Any:
    async def run() -> Any:
        policy.setdefault("exploration", 0)
        async with stage.engine(*shops, policy=Policy(**policy), log=log, operations=operations) as engine:
            return await act(engine)

    return stage.play(run)


async def ask(engine: Engine, times: int = 1, **fields: Any) -> list[str]:
    """So many requests, a second apart; who served each."""
    served = []
    for _ in range(times):
        served.append((await engine.call("rent", **fields)).provider)
        await asyncio.sleep(1)
    return served


def slots(engine: Engine, provider: str, *names: str) -> list[int]:
    lanes = engine.standing.lanes
    base = lanes.base(lanes.places[provider, "serve"])
    return [lanes.state[base + vars(lane)[name]] for name in names]


def test_an_outage_reaches_no_provider_opens_the_circuit_and_is_forgotten(stage: Any) -> None:
    alpha, beta = Told("alpha"), Told("beta")

    async def act(engine: Engine) -> None:
        await ask(engine, 2)
        before = slots(engine, "alpha", "STARTED", "SUCCEEDED", "FAILED", "STREAK", "OPENED_US", "COUNT")
        drill = engine.drill("outage", "alpha", for_ms=MINUTE_MS, **WHO)
        assert await ask(engine, 5) == ["beta"] * 5
        assert slots(engine, "alpha", "OPENED_US")[0] > 0
        assert len(alpha.calls) == 2
        await asyncio.sleep(60)
        assert slots(engine, "alpha", "STARTED", "SUCCEEDED", "FAILED", "STREAK", "OPENED_US", "COUNT") == before
        assert await ask(engine) == ["alpha"]
        (ended,) = events(stage.logs[0], DrillEnded)
        assert (ended.drill, ended.cause) == (drill, DrillEnd.OVER)

    played(stage, alpha, beta, act=act, strategy="in_order")
    faults = events(stage.logs[0], CallFailed)
    assert {(one.provider, one.outcome, one.drill) for one in faults} == {
        ("alpha", FailureKind.TRANSIENT, faults[0].drill)
    }
    assert (faults[0].message or "").startswith(f"drill {faults[0].drill}: outage")


def test_an_order_moves_on_from_a_drill_and_is_executed_once(stage: Any) -> None:
    alpha, beta = Searchable("alpha"), Searchable("beta")

    async def act(engine: Engine) -> None:
        engine.drill("outage", "alpha", for_ms=MINUTE_MS, **WHO)
        assert await ask(engine, effect="once", idempotency_key="k1") == ["beta"]

    played(stage, alpha, beta, act=act, strategy="in_order")
    assert (alpha.calls, alpha.looked_up, len(beta.calls)) == ([], [], 1)


def test_a_brownout_fails_a_share_and_holds_the_others_back_within_their_deadline(stage: Any) -> None:
    alpha = Told("alpha")

    async def act(engine: Engine) -> None:
        engine.drill("brownout", "alpha", for_ms=10 * MINUTE_MS, share=50, delay_ms=60_000, even_the_last=True, **WHO)
        for _ in range(20):
            with suppress(AllProvidersFailed):
                await engine.call("rent")

    played(stage, alpha, act=act, retry_attempts=0, max_failures=1_000, request_timeout_ms=4_000)
    log = stage.logs[0]
    failed, served = events(log, CallFailed), events(log, CallSucceeded)
    assert len(failed) + len(served) == 20
    assert 4 <= len(failed) <= 16
    assert len(served) == len(alpha.calls)
    assert {one.latency_us for one in served} == {2_000_000}
    assert all(one.drill is not None for one in (*failed, *served))


def test_a_stopped_drill_lets_go_at_once_what_it_holds_back(stage: Any) -> None:
    alpha = Told("alpha")

    async def act(engine: Engine) -> None:
        engine.drill(
            "brownout", "alpha", for_ms=MINUTE_MS, share="0.01", delay_ms=2_000, even_the_last=True, seed=1, **WHO
        )
        call = asyncio.create_task(engine.call("rent"))
        await asyncio.sleep(0.5)
        assert alpha.calls == []
        engine.stop_drill(**WHO)
        await call
        assert stage.now_s == pytest.approx(0.5, abs=0.01)

    played(stage, alpha, act=act)
    (served,) = events(stage.logs[0], CallSucceeded)
    assert served.drill is not None


def test_a_throttle_asks_for_patience_and_the_pause_ends_with_it(stage: Any) -> None:
    alpha, beta = Told("alpha"), Told("beta")

    async def act(engine: Engine) -> None:
        engine.drill("throttle", "alpha", for_ms=MINUTE_MS, retry_after_ms=600_000, **WHO)
        assert await ask(engine, 3) == ["beta"] * 3
        engine.stop_drill(**WHO)
        assert await ask(engine) == ["alpha"]

    played(stage, alpha, beta, act=act, strategy="in_order")
    (failed,) = events(stage.logs[0], CallFailed)
    assert (failed.outcome, failed.retry_after_us) == (FailureKind.RATE_LIMITED, 600_000_000)


def test_a_flapping_provider_is_out_and_back_by_turns(stage: Any) -> None:
    alpha, beta = Told("alpha"), Told("beta")

    async def act(engine: Engine) -> None:
        await asyncio.sleep(0.5)
        engine.drill("flap", "alpha", for_ms=8_000, every_ms=2_000, **WHO)
        assert await ask(engine, 8) == ["beta", "beta", "alpha", "alpha"] * 2

    played(stage, alpha, beta, act=act, strategy="in_order", retry_attempts=0, max_failures=9, max_failure_rate=None)
    assert [one.drill is None for one in events(stage.logs[0], CallSucceeded) if one.provider == "alpha"] == [True] * 4


def test_pings_are_touched_and_stand_as_before_afterwards(stage: Any) -> None:
    alpha, beta = Pingable("alpha"), Told("beta")

    async def act(engine: Engine) -> None:
        await asyncio.sleep(15)
        pings = alpha.pings
        engine.drill("outage", "alpha", for_ms=MINUTE_MS, **WHO)
        await asyncio.sleep(59)
        assert alpha.pings == pings
        assert engine.health()[0].status == "unavailable"
        await asyncio.sleep(2)
        assert engine.health()[0].status == "healthy"
        assert await ask(engine) == ["alpha"]

    played(stage, alpha, beta, act=act, strategy="in_order")


def test_what_has_begun_is_never_touched(stage: Any) -> None:
    """Look-ups of a call in doubt, and whatever is asked of the one provider that has the rental."""
    alpha, beta = Searchable("alpha", acts=[Ambiguous("cut off"), "cancelled"], delay_s=0.02), Told("beta")
    alpha.findings = [Found(finding=Finding.SUCCEEDED, value=1)]

    async def act(engine: Engine) -> None:
        call = asyncio.create_task(engine.call("rent", effect="once", idempotency_key="k1"))
        await asyncio.sleep(0.01)
        engine.drill("outage", "alpha", for_ms=MINUTE_MS, **WHO)
        assert (await call).provider == "alpha"
        assert (await engine.call("cancel", only="alpha", context={"rental_id": "A1"})).provider == "alpha"

    played(stage, alpha, beta, act=act, strategy="in_order")
    assert [one.drill for one in events(stage.logs[0], CallStarted)] == [None] * 3


def test_a_try_after_one_that_may_have_been_executed_is_not_touched(stage: Any) -> None:
    alpha = Told("alpha", acts=[Ambiguous("cut off"), "done"], delay_s=0.02)

    async def act(engine: Engine) -> None:
        call = asyncio.create_task(engine.call("top_up", effect="idempotent"))
        await asyncio.sleep(0.01)
        engine.drill("outage", "alpha", for_ms=MINUTE_MS, even_the_last=True, **WHO)
        assert (await call).provider == "alpha"

    played(stage, alpha, act=act)
    assert [one.drill for one in events(stage.logs[0], CallStarted)] == [None] * 2


@pytest.mark.parametrize("then", [[], [RateLimited("slow", retry_after_ms=1_000)]])
@pytest.mark.parametrize("form", ["outage", "brownout", "throttle", "flap"])
def test_a_circuit_or_a_pause_that_a_drill_has_made_up_leaves_no_write_in_doubt(
    stage: Any, form: str, then: list[Any]
) -> None:
    async def unclear() -> None:
        await asyncio.sleep(1)
        raise Ambiguous("cut off")

    alpha = Told("alpha", acts=[unclear, *then])

    async def act(engine: Engine) -> None:
        write = asyncio.create_task(engine.call("top_up", effect="idempotent", deadline_ms=MINUTE_MS))
        await asyncio.sleep(0.2)
        more: dict[str, Any] = {"throttle": {"retry_after_ms": 50_000}, "brownout": {"share": 100}}
        engine.drill(form, "alpha", for_ms=55_000, **more.get(form, {}), **WHO)
        await asyncio.gather(*(engine.call("rent") for _ in range(8)))
        assert slots(engine, "alpha", "OPENED_US") != [0] or form == "throttle", "or the test shows nothing"
        assert (await write).provider == "alpha"
        assert stage.now_s < 5

    played(stage, alpha, Told("beta"), act=act, strategy="in_order", max_failures=2)


def test_what_is_created_is_committed_in_spite_of_a_drill(stage: Any) -> None:
    alpha, beta = Quoter("alpha", "0.0501"), Quoter("beta", "0.0500")
    alpha.two_part = True  # type: ignore[attr-defined]

    async def act(engine: Engine) -> None:
        alpha.acts = [lambda: engine.drill("outage", "alpha", for_ms=MINUTE_MS, **WHO) and None]
        assert (await convert(engine)).provider == "alpha"

    played(stage, alpha, beta, act=act, operations=(CONVERT,))
    assert [operation for operation, _ in alpha.calls] == ["create", "commit"]


def test_quotes_are_touched_and_somebody_else_converts(stage: Any) -> None:
    alpha, beta, gamma = Quoter("alpha", "0.0501"), Quoter("beta", "0.0500"), Quoter("gamma", "0.0500")

    async def act(engine: Engine) -> None:
        engine.drill("outage", "alpha", for_ms=MINUTE_MS, **WHO)
        assert (await convert(engine)).provider != "alpha"
        assert not engine.standing.lanes.undrilled.state[0]  # type: ignore[union-attr]

    played(stage, alpha, beta, gamma, act=act, operations=(CONVERT,))
    (failed,) = events(stage.logs[0], CallFailed)
    assert (failed.operation, failed.drill is not None) == ("quote", True)


def test_a_pause_that_a_drill_makes_up_does_not_hold_back_what_has_begun(stage: Any) -> None:
    alpha, beta = Told("alpha"), Told("beta")

    async def act(engine: Engine) -> None:
        engine.drill("throttle", "alpha", for_ms=MINUTE_MS, retry_after_ms=30_000, **WHO)
        assert await ask(engine) == ["beta"]
        since_s = stage.now_s
        await engine.call("cancel", only="alpha", context={"rental_id": "A1"})
        assert stage.now_s == since_s

    played(stage, alpha, beta, act=act, strategy="in_order")


def test_a_bound_request_that_may_not_fail_over_waits_its_own_pause_and_not_the_drills(stage: Any) -> None:
    alpha = Told("alpha", [RateLimited("slow down", retry_after_ms=1_000), {}])

    async def act(engine: Engine) -> float:
        throttle: Any = {"for_ms": MINUTE_MS, "retry_after_ms": 50_000, "even_the_last": True}
        engine.drill("throttle", "alpha", **throttle, **WHO)
        with suppress(AllProvidersFailed):
            await engine.call("rent", deadline_ms=100)
        began = asyncio.get_running_loop().time()
        await engine.call("cancel", only="alpha", effect="idempotent")
        return asyncio.get_running_loop().time() - began

    policy: Any = {"strategy": "in_order", "deadline_ms": 2 * MINUTE_MS, "fallback_enabled": False}
    assert 1 <= played(stage, alpha, Told("beta"), act=act, **policy) < 5


def test_the_last_one_is_not_taken_unless_that_is_wanted(stage: Any) -> None:
    async def act(engine: Engine) -> None:
        engine.drill("outage", "alpha", for_ms=MINUTE_MS, **WHO)
        with pytest.raises(InvalidRequest, match="nobody but 'beta' can serve now"):
            engine.drill("outage", "beta", for_ms=MINUTE_MS, **WHO)
        engine.drill("outage", "beta", for_ms=MINUTE_MS, even_the_last=True, **WHO)
        with pytest.raises(AllProvidersFailed):
            await engine.call("rent", deadline_ms=3_000)

    played(stage, Told("alpha"), Told("beta"), act=act, retry_attempts=0)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"provider": "gamma"}, "provider 'gamma' is unknown; known: alpha, beta"),
        ({"for_ms": 3_600_001}, r"a drill lasts at most 3,600,000 ms \(`drill_max_ms`\)"),
        ({"provider": None}, "outage needs a provider"),
        ({"form": "chaos"}, "chaos concerns no one provider"),
        ({"form": "chaos", "provider": None, "for_ms": 24_999}, "a chaos lasts at least 25,000 ms, not 24,999 ms"),
        ({"form": "load", "provider": None}, "load needs an operation"),
        ({"share": "0.001"}, "two decimals"),
        ({"form": "quake"}, "form: Input should be"),
    ],
)
def test_a_drill_that_cannot_be_is_refused_in_a_sentence(stage: Any, fields: dict[str, Any], says: str) -> None:
    async def act(engine: Engine) -> None:
        with pytest.raises(InvalidRequest, match=says):
            engine.drill(**{"form": "outage", "provider": "alpha", "for_ms": MINUTE_MS, **WHO, **fields})
        assert "drill_started" not in stage.kinds()

    played(stage, Told("alpha"), Told("beta"), act=act)


def test_one_provider_has_one_drill_at_once(stage: Any) -> None:
    async def act(engine: Engine) -> None:
        drill = engine.drill("outage", "alpha", for_ms=MINUTE_MS, **WHO)
        with pytest.raises(InvalidRequest, match=f"{drill} is running already, outage of alpha"):
            engine.drill("flap", "alpha", for_ms=MINUTE_MS, **WHO)
        with pytest.raises(InvalidRequest, match=f"no drill 'd1' is running; there are {drill}"):
            engine.stop_drill("d1", **WHO)
        engine.stop_drill(drill, **WHO)
        with pytest.raises(InvalidRequest, match="no drill 'd99' is running, nor is any other"):
            engine.stop_drill("d99", **WHO)
        with pytest.raises(InvalidRequest, match="no drill is running"):
            engine.stop_drill(**WHO)

    played(stage, Told("alpha"), Told("beta"), act=act)


def test_the_mode_turns_with_a_drill_and_back_at_its_end(stage: Any) -> None:
    backup = ProviderSettings(id="beta", priority=ServicePriority.BACKUP)

    async def act(engine: Engine) -> None:
        engine.drill("outage", "alpha", for_ms=MINUTE_MS, **WHO)
        await ask(engine, 4)
        modes = [engine.standing.mode]
        engine.stop_drill(**WHO)
        assert [*modes, engine.standing.mode] == [Mode.DEGRADED, Mode.NORMAL]

    played(stage, Told("alpha"), Told("beta"), act=act, providers=(ProviderSettings(id="alpha"), backup))


def test_a_drill_ends_when_its_engine_stops(stage: Any) -> None:
    async def act(engine: Engine) -> None:
        engine.drill("outage", "alpha", for_ms=MINUTE_MS, **WHO)

    played(stage, Told("alpha"), Told("beta"), act=act)
    (ended,) = events(stage.logs[0], DrillEnded)
    assert ended.cause is DrillEnd.ENGINE_STOPPED
    assert stage.kinds()[-2:] == ["drill_ended", "engine_stopped"]


def test_a_drill_whose_engine_has_crashed_ends_at_the_next_start_with_health_put_right(stage: Any) -> None:
    alpha, beta = Told("alpha"), Told("beta")

    async def crashing() -> None:
        engine = stage.engine(alpha, beta, log=stage.file(), policy=POLICY)
        await engine.start()
        engine.drill("outage", "alpha", for_ms=MINUTE_MS, **WHO)
        await ask(engine, 4)
        await engine._log.durable(engine._log.head.seq)
        await engine._at_work.runner.close(grace_s=0)
        await engine._at_work.messenger.close()
        await engine._log.close()

    async def again(engine: Engine) -> None:
        assert slots(engine, "alpha", "FAILED", "OPENED_US", "STARTED") == [0, 0, 0]
        assert await ask(engine) == ["alpha"]

    stage.play(crashing)
    played(stage, alpha, beta, act=again, log=stage.file(), strategy="in_order")
    (ended,) = events(stage.logs[-1], DrillEnded)
    assert ended.cause is DrillEnd.CRASHED


def test_a_command_in_the_inbox_starts_a_drill(stage: Any) -> None:
    log = stage.file()

    async def act(engine: Engine) -> None:
        wish = StartDrill(form=DrillForm.OUTAGE, provider="alpha", for_ms=MINUTE_MS, **WHO)
        put_command(log.file, wish.model_dump_json())
        await asyncio.sleep(1)
        assert list(engine.standing.drills) == ["alpha"]
        stale = wish.model_copy(update={"provider": "beta", "expires_us": engine.standing.at_us - 1})
        put_command(log.file, stale.model_dump_json())
        await asyncio.sleep(1)

    played(stage, Told("alpha"), Told("beta"), Told("gamma"), act=act, log=log)
    (alert,) = events(log, AlertRaised)
    assert "does not wait for it any more" in alert.message


LINE = "daily at 03:00: outage alpha for 60s"


def test_the_schedule_holds_a_drill_when_it_is_due_once_even_over_a_restart(stage: Any) -> None:
    log = MemoryLog()

    async def act(engine: Engine) -> None:
        due_us = next_due(engine)
        await engine._system.sleep_until(due_us + 30_000_000)
        assert list(engine.standing.drills) == ["alpha"]

    async def again(engine: Engine) -> None:
        await asyncio.sleep(3_600)

    played(stage, Told("alpha"), Told("beta"), act=act, log=log, drill_schedule=(LINE,))
    played(stage, Told("alpha"), Told("beta"), act=again, log=log, drill_schedule=(LINE,))
    (started,) = events(log, DrillStarted)
    assert (started.line, started.actor, started.for_us) == (LINE, "the schedule", 60_000_000)
    assert events(log, DrillSkipped) == []


def next_due(engine: Engine) -> int:
    return scheduled(LINE).next_due_us(engine.standing.at_us)


def test_a_drill_that_was_due_while_no_engine_ran_is_skipped_on_record(stage: Any) -> None:
    log = MemoryLog()

    async def run() -> None:
        for wait_s in (0, 40 * 86_400):
            await asyncio.sleep(wait_s)
            async with stage.engine(Told("alpha"), Told("beta"), log=log, policy=Policy(drill_schedule=(LINE,))):
                await asyncio.sleep(1)

    stage.play(run)
    (skipped,) = events(log, DrillSkipped)
    assert (skipped.line, skipped.reason) == (LINE, "no engine was running when it was due")
    assert events(log, DrillStarted) == []
