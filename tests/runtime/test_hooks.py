"""Signals: what is sent, when, to whom, and that no receiver harms anybody."""

import asyncio
import gc
import logging
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest
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
from understudy.engine.threads import AT_ONCE
from understudy.events.calls import CallFailed
from understudy.events.decisions import DecisionMade
from understudy.events.operations import AlertRaised
from understudy.events.requests import RequestCompleted
from understudy.events.signals import SIGNALS
from understudy.projections.standing import Standing

IN_ORDER = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, max_failures=2, recovery_time_ms=60_000)


class Ear:
    """Hears everything that an engine says."""

    def __init__(self, engine: Engine, *names: str) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        for name in names or SIGNALS:
            engine.on(name, self._receiver(name))

    def _receiver(self, name: str) -> Any:
        async def receive(_: Engine, **says: Any) -> None:
            self.heard.append((name, says))

        return receive

    def names(self) -> list[str]:
        return [name for name, _ in self.heard]

    def of(self, name: str, *keys: str) -> list[tuple[Any, ...]]:
        return [tuple(says[key] for key in keys) for heard, says in self.heard if heard == name]


async def settled() -> None:
    """Let what is due be delivered."""
    await asyncio.sleep(0.01)


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


# --- on the real clock: threads, receivers that misbehave, and a disk that is not there


@asynccontextmanager
async def running(log: MemoryLog | SqliteLog | None = None, *, fails: bool = False) -> AsyncIterator[Engine]:
    alpha = Told("a", [Transient("down")] * 99 if fails else [])
    policy = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, max_failures=1_000)
    async with Engine(providers=[alpha, Told("b")], policy=policy, log=log or MemoryLog(), watch=False) as engine:
        yield engine


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in threads.
            await asyncio.sleep(0.005)


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


async def test_a_receiver_that_raises_harms_nobody_and_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[int] = []

    async def fails(_: Engine, **__: Any) -> None:
        raise ValueError("my own fault")

    def fails_too(_: Engine, **__: Any) -> None:
        raise ValueError("my own fault as well")

    with caplog.at_level(logging.ERROR, "understudy.hooks"):
        async with running() as engine:
            engine.on("request:completed", fails)
            engine.on("request:completed", fails_too)
            engine.on("request:completed", lambda _, **says: heard.append(says["seq"]))
            for _ in range(3):
                assert (await engine.call("x")).provider == "a"
    assert len(heard) == 3
    assert "my own fault" in caplog.text
    assert "my own fault as well" in caplog.text
    assert "request:completed" in caplog.text


async def test_a_receiver_that_is_slow_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("understudy.engine.hooks.SLOW_S", 0.0)

    def dawdles(_: Engine, **__: Any) -> None:
        time.sleep(0.001)

    with caplog.at_level(logging.WARNING, "understudy.hooks"):
        async with running() as engine:
            engine.on("request:completed", dawdles)
            await engine.call("x")
    assert "dawdles" in caplog.text
    assert "of request:completed took 0.0 s" in caplog.text


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


async def test_a_receiver_that_is_slow_delays_neither_requests_nor_others() -> None:
    heard: list[int] = []
    held = threading.Event()
    async with running() as engine:
        engine.on("request:completed", lambda _, **__: held.wait(5))
        engine.on("request:completed", lambda _, **says: heard.append(says["seq"]))
        for _ in range(20):
            await engine.call("x")
        await until(lambda: len(heard) == 20)
        assert not held.is_set()
        held.set()
    assert heard == sorted(heard)


async def test_a_receiver_that_never_ends_is_left_when_the_engine_stops(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("understudy.engine.hooks.GRACE_S", 0.05)
    entered = asyncio.Event()

    async def hangs(_: Engine, **__: Any) -> None:
        entered.set()
        await asyncio.Event().wait()

    with caplog.at_level(logging.WARNING, "understudy.hooks"):
        async with running() as engine:
            engine.on("request:completed", hangs)
            await engine.call("x")
            await entered.wait()
    assert "still busy" in caplog.text
    assert [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_receivers_that_hang_keep_nobody_from_being_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.engine.threads.STUCK_S", 0.05)
    heard: list[int] = []
    held = threading.Event()

    before = threading.active_count()

    def hangs() -> Any:
        return lambda _, **__: held.wait(20)

    try:
        async with running() as engine:
            for _ in range(AT_ONCE * 2):
                engine.on("request:completed", hangs())
            engine.on("request:completed", lambda _, **says: heard.append(says["seq"]))
            await engine.call("x")
            await until(lambda: len(heard) == 1)
            await engine.call("x")
            await until(lambda: len(heard) == 2)
            assert not held.is_set()
            held.set()
            await until(lambda: threading.active_count() <= before + AT_ONCE)
    finally:
        held.set()


async def test_many_quick_receivers_share_a_few_threads() -> None:
    heard: list[str] = []

    def hears() -> Any:
        def hear(_: Engine, **__: Any) -> None:
            time.sleep(0.001)
            heard.append(threading.current_thread().name)

        return hear

    before = threading.active_count()
    most = 0
    async with running() as engine:
        for _ in range(300):
            engine.on("request:completed", hears())
        for number in range(1, 4):
            await engine.call("x")
            await until(lambda: len(heard) == 300 * number)  # noqa: B023 - asked at once.
            most = max(most, threading.active_count())
    assert most <= before + AT_ONCE + 1
    await until(lambda: threading.active_count() == before)


async def test_a_receiver_that_hangs_is_named_while_it_does(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("understudy.engine.hooks.HANGS_S", 0.02)
    held = threading.Event()

    def sticks(_: Engine, **__: Any) -> None:
        held.wait(20)

    async def sticks_too(_: Engine, **__: Any) -> None:
        await asyncio.to_thread(held.wait, 20)

    with caplog.at_level(logging.WARNING, "understudy.hooks"):
        async with running() as engine:
            engine.on("request:completed", sticks)
            engine.on("request:completed", sticks_too)
            await engine.call("x")
            await asyncio.sleep(0.05)
            for _ in range(3):
                await engine.call("x")
                await asyncio.sleep(0.01)
            named = [record.getMessage() for record in caplog.records if "has not returned" in record.getMessage()]
            held.set()
    assert len(named) == 2, "each once"
    assert sum("sticks_too" in message for message in named) == 1


async def test_a_receiver_that_begins_to_lose_signals_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("understudy.engine.hooks.QUEUE", 3)
    held = threading.Event()
    with caplog.at_level(logging.ERROR, "understudy.hooks"):
        async with running() as engine:
            engine.on("request:completed", lambda _, **__: held.wait(20))
            for _ in range(10):
                await engine.call("x")
                await settled()
            assert caplog.text.count("begins to lose signals") == 1
            held.set()
    assert "it has lost" in caplog.text


async def test_a_plain_receiver_that_exits_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[int] = []

    def leaves(_: Engine, **says: Any) -> None:
        heard.append(says["seq"])
        sys.exit("I am done")

    with caplog.at_level(logging.ERROR, "understudy.hooks"):
        async with running() as engine:
            engine.on("request:completed", leaves)
            for _ in range(2):
                await engine.call("x")
                await settled()
    assert len(heard) == 2
    assert "I am done" in caplog.text


async def test_without_a_thread_a_receiver_is_not_told_and_that_is_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with caplog.at_level(logging.ERROR, "understudy.hooks"):
        async with running() as engine:
            engine.on("request:completed", lambda _, **__: None)
            with monkeypatch.context() as patched:
                patched.setattr(threading.Thread, "start", refuse)
                await engine.call("x")
                await settled()
    assert "there is no thread for it" in caplog.text


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


def test_a_receiver_that_hangs_keeps_no_interpreter_from_ending() -> None:
    script = """
import asyncio, threading
from understudy.adapters import MemoryLog
from understudy.engine import Engine, hooks

hooks.GRACE_S = 0.05

class Shop:
    id = "shop"
    async def call(self, operation, request, *, key, deadline):
        return "done"

async def main():
    async with Engine(providers=[Shop()], log=MemoryLog(), watch=False) as engine:
        engine.on("request:completed", lambda _, **__: threading.Event().wait())
        await engine.call("x")

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], timeout=20, check=True, capture_output=True, text=True)
    assert "are still busy, and are left" in done.stderr


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
