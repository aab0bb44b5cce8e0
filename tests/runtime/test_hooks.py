"""Signals: what is sent, when, and to whom."""

import asyncio
import gc
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hearing import Ear, running, settled, until
from providers_for_tests import Told

from understudy.adapters import MemoryLog, SqliteLog
from understudy.engine import (
    Ambiguous,
    Engine,
    Misconfigured,
    OutcomeUnknown,
    Policy,
    ProviderSettings,
    RequestError,
    Strategy,
    Transient,
)
from understudy.engine.hooks import Hooks
from understudy.events.calls import CallFailed
from understudy.events.decisions import DecisionMade
from understudy.events.operations import AlertRaised
from understudy.events.requests import RequestCompleted
from understudy.projections.standing import Standing

IN_ORDER = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, max_failures=2, recovery_time_ms=60_000)


def test_an_outage_is_told_from_the_first_failure_to_the_recovery(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("a", [Transient("down")] * 3)
        async with stage.engine(alpha, Told("b"), policy=IN_ORDER, watch=False) as engine:
            ear = Ear(engine)
            for _ in range(2):
                await engine.call("x")
            await asyncio.sleep(61)
            await engine.call("x")
            await asyncio.sleep(121)
            await engine.call("x")
            await settled()
        assert ear.of("service:failure", "service_id", "failures") == [("a", 1), ("a", 2), ("a", 3)]
        assert ear.of("failover:success", "from_service", "to_service") == [("a", "b")] * 3
        assert ear.of("circuit:opened", "service_id", "again") == [("a", False), ("a", True)]
        assert ear.of("circuit:half_opened", "service_id") == [("a",)] * 2
        assert ear.of("circuit:closed", "service_id") == ear.of("service:recovered", "service_id") == [("a",)]
        assert len(ear.of("decision:made", "request_id")) == 4 + 3
        assert len(ear.of("request:completed", "request_id")) == 4
        assert isinstance(ear.of("service:failure", "event")[0][0], CallFailed)
        assert isinstance(ear.of("decision:made", "event")[0][0], DecisionMade)
        assert isinstance(ear.of("failover:success", "event")[0][0], RequestCompleted)

    stage.play(act)


def test_several_tries_of_one_request_are_one_failure_and_one_failover(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("a", [Transient("down")] * 3)
        policy = Policy(strategy=Strategy.IN_ORDER, retry_attempts=2)
        async with stage.engine(alpha, Told("b"), policy=policy, watch=False) as engine:
            ear = Ear(engine, "service:failure", "failover:success")
            await engine.call("x")
            await settled()
        assert ear.names() == ["service:failure", "failover:success"]

    stage.play(act)


def test_what_ends_without_success_is_told_too(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("a", [Ambiguous("broken"), Misconfigured("bad key")])
        async with stage.engine(alpha, policy=IN_ORDER, watch=False) as engine:
            ear = Ear(engine)
            with pytest.raises(OutcomeUnknown) as held:
                await engine.call("pay", effect="once")
            with pytest.raises(RequestError):
                await engine.call("x")
            await settled()
        assert ear.of("request:suspended", "request_id", "service_id") == [(held.value.request_id, "a")]
        assert ear.of("request:failed", "reason") == [("exhausted",)]
        assert ear.of("alert:raised", "alert") == [("suspended",), ("misconfigured",)]
        assert ear.of("mode:emergency", "previous") == [("normal",)]

    stage.play(act)


def test_the_modes_are_told_as_they_change(stage: Any) -> None:
    async def act() -> None:
        backup = Told("b", settings=ProviderSettings.model_validate({"id": "b", "priority": 3}))
        async with stage.engine(Told("a"), backup, watch=False) as engine:
            ear = Ear(engine, "mode:normal", "mode:degraded", "mode:emergency")
            engine.override("a", "open", actor="ann", reason="test")
            engine.override("b", "open", actor="ann", reason="test")
            engine.clear_override("a", actor="ann", reason="test")
            await settled()
        assert ear.names() == ["mode:degraded", "mode:emergency", "mode:normal"]

    stage.play(act)


def test_a_provider_that_becomes_degraded_is_told_once(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("a", ["ok"] * 8 + [Transient("down"), "ok", Transient("down"), "ok", "ok"])
        policy = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0)
        async with stage.engine(alpha, Told("b"), policy=policy, watch=False) as engine:
            ear = Ear(engine, "service:degraded")
            for _ in range(13):
                await engine.call("x")
            await settled()
        assert ear.of("service:degraded", "service_id", "threshold") == [("a", "success_rate")]

    stage.play(act)


def test_a_restart_tells_nothing_of_what_was_before(stage: Any) -> None:
    async def act() -> None:
        for _ in range(2):
            engine = stage.engine(Told("a", [Transient("down")]), Told("b"), log=stage.file(), policy=IN_ORDER)
            ear = Ear(engine, "service:failure", "failover:success", "request:completed")
            async with engine:
                await engine.call("x")
            assert len(ear.of("request:completed", "request_id")) == 1

    stage.play(act)


async def test_closures_and_bound_methods_stay_alive_until_they_are_let_go() -> None:
    heard: list[str] = []

    class Listener:
        def hear(self, _: Engine, **says: Any) -> None:
            heard.append(f"method {says['service_id']}")

    async with running() as engine:
        method = engine.on("request:completed", Listener().hear)
        engine.signals["request:completed"].connect(lambda _, **says: heard.append(f"closure {says['service_id']}"))
        gc.collect()
        await engine.call("x")
        await until(lambda: len(heard) == 2)
        engine.off("request:completed", method)
        await engine.call("x")
        await until(lambda: len(heard) == 3)
    assert sorted(heard) == ["closure a", "closure a", "method a"]


async def test_when_the_last_receiver_goes_nothing_is_told_any_more_and_a_new_one_hears_only_what_is_new() -> None:
    async with running() as engine:
        ear = Ear(engine, "request:completed")
        await engine.call("x")
        await until(lambda: len(ear.heard) == 1)
        for receiver in [*engine.signals["request:completed"].receivers.values()]:
            engine.off("request:completed", receiver)
        await engine.call("x")
        other = Ear(engine, "request:completed")
        await engine.call("x")
        await until(lambda: len(other.heard) == 1)
    assert len(ear.heard) == len(other.heard) == 1


async def test_after_a_stop_nothing_is_sent_and_nothing_turns_in_circles() -> None:
    engine = Engine(providers=[Told("a")], log=MemoryLog())
    hooks, log = Hooks(engine), MemoryLog()
    await log.open("test")
    hooks.open(log)
    hooks.signal("alert:raised").connect(print)
    alert = log.append(AlertRaised(alert="suspended", subject="r1", message="held"), at_us=1)
    await hooks.close()
    hooks.take(alert, 0, Standing(), None)
    await asyncio.wait_for(asyncio.sleep(0), 1)
    assert [task for task in asyncio.all_tasks() if task.get_name() == "deliver signals"] == []


async def test_what_is_left_when_the_engine_stops_is_heard() -> None:
    heard: list[int] = []
    async with running(fails=True) as engine:
        engine.on("service:failure", lambda _, **says: heard.append(says["failures"]))
        for _ in range(30):
            await engine.call("x")
    assert heard == list(range(1, 31))


async def test_nothing_is_told_before_it_is_durable(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db", busy_timeout_ms=20)
    seen: list[bool] = []

    async def look(_: Engine, **says: Any) -> None:
        with log.reader() as reader:
            seen.append(reader.head().seq >= says["seq"])

    async with running(log) as engine:
        engine.on("request:completed", look)
        await engine.call("x")
        await until(lambda: seen == [True])
        with closing(sqlite3.connect(log.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await engine.call("x")
            await asyncio.sleep(0.1)
            assert seen == [True]
            other.execute("ROLLBACK")
        await until(lambda: seen == [True, True])


def test_a_name_that_is_no_signal_is_refused_with_the_nearest() -> None:
    engine = Engine(providers=[Told("a")], log=MemoryLog())
    with pytest.raises(ValueError, match="did you mean 'service:failure'"):
        engine.on("service:failed", print)


def test_two_engines_have_signals_of_their_own() -> None:
    one, two = (Engine(providers=[Told("a")], log=MemoryLog()) for _ in range(2))
    assert one.signals["service:failure"] is not two.signals["service:failure"]
