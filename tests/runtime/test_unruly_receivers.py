"""Receivers that raise, are slow, hang or exit: they harm neither requests nor one another, and are named."""

import asyncio
import logging
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from hearing import running, settled, until

from understudy.engine import Engine
from understudy.engine.threads import AT_ONCE


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
