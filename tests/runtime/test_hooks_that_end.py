"""What becomes of receivers, their tasks and their threads when the engine stops: nothing outlives it."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from understudy.adapters import MemoryLog
from understudy.engine.hooks import Hooks
from understudy.events.operations import AlertRaised
from understudy.projections.standing import Standing


class Tower:
    """The signals of a log without an engine, so that a test may choose the very pass of the loop."""

    def __init__(self, log: MemoryLog, *receivers: Callable[..., Any]) -> None:
        self.hooks, self._log = Hooks(self), log
        self.hooks.open(log)
        for receiver in receivers:
            self.hooks.signal("alert:raised").connect(receiver)

    def raise_alert(self) -> None:
        alert = self._log.append(AlertRaised(alert="suspended", subject="r1", message="held"), at_us=1)
        self.hooks.take(alert, 0, Standing(), None)

    def open_again(self) -> None:
        self.hooks.open(self._log)


class Ear:
    """An async receiver that hears, then does as it likes."""

    def __init__(self, then: Callable[[], Any] | None = None) -> None:
        self.heard: list[int] = []
        self.listening = asyncio.Event()
        self._then = then

    async def has_heard(self) -> None:
        async with asyncio.timeout(5):
            await self.listening.wait()

    async def __call__(self, _: object, **says: Any) -> None:
        self.heard.append(says["seq"])
        self.listening.set()
        if self._then is not None:
            await self._then()


@pytest.fixture
async def log() -> MemoryLog:
    log = MemoryLog()
    await log.open("tester")
    return log


async def forever() -> None:
    await asyncio.Event().wait()


async def turn_a_cancellation_down() -> None:
    with suppress(asyncio.CancelledError):
        await forever()


def others() -> list[str]:
    return [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_a_task_that_was_cancelled_before_it_began_leaves_nobody_untold_after_the_next_start(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.engine.hooks.GRACE_S", 0.0)
    ear = Ear()
    tower = Tower(log, ear)
    tower.raise_alert()
    await tower.hooks.close()
    assert ear.heard == []
    tower.open_again()
    tower.raise_alert()
    await ear.has_heard()
    await tower.hooks.close()
    assert ear.heard == [2]


async def test_a_receivers_task_that_was_cancelled_before_it_began_leaves_it_to_be_told_after_the_next_start(
    log: MemoryLog,
) -> None:
    ear, busy = Ear(), Ear(forever)
    tower = Tower(log, busy)
    tower.raise_alert()
    await busy.has_heard()
    closing = asyncio.create_task(tower.hooks.close())
    await asyncio.sleep(0)
    tower.hooks.signal("alert:raised").connect(ear)
    tower.raise_alert()  # In the next pass it is handed out; the receiver's task would begin in the one after that.
    closing.cancel()
    with suppress(asyncio.CancelledError):
        await closing
    assert ear.heard == []
    tower.hooks.signal("alert:raised").disconnect(busy)
    tower.open_again()
    tower.raise_alert()
    await ear.has_heard()
    await tower.hooks.close()
    assert ear.heard == [3]


async def test_a_receivers_task_that_is_begun_while_the_engine_stops_ends_before_it(log: MemoryLog) -> None:
    ear = Ear(lambda: asyncio.sleep(0.01))
    tower = Tower(log, ear)
    for _ in range(3):
        tower.raise_alert()
    await tower.hooks.close()
    assert ear.heard == [1, 2, 3]
    assert others() == []


async def test_a_receiver_that_turns_its_cancellation_down_is_told_nothing_more(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.engine.hooks.GRACE_S", 0.01)
    ear = Ear(turn_a_cancellation_down)
    tower = Tower(log, ear)
    for _ in range(3):
        tower.raise_alert()
    async with asyncio.timeout(5):
        await tower.hooks.close()
    assert ear.heard == [1]
    assert others() == []


async def test_a_receiver_that_turns_every_cancellation_down_is_left_after_a_while(
    log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.engine.hooks.GRACE_S", 0.01)
    monkeypatch.setattr("understudy.engine.hooks._STUBBORN_S", 0.01)
    freed = asyncio.Event()

    async def stay() -> None:
        while not freed.is_set():
            with suppress(asyncio.CancelledError):
                await freed.wait()

    tower = Tower(log, Ear(stay))
    tower.raise_alert()
    async with asyncio.timeout(5):
        await tower.hooks.close()
    assert others() == ["tell a receiver"]
    freed.set()
    await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, timeout=5)
    assert others() == []


async def test_who_cancels_a_stop_twice_still_leaves_no_task_and_no_thread(log: MemoryLog) -> None:
    heard = threading.Event()
    before = {*threading.enumerate()}

    async def end_slowly() -> None:
        try:
            await forever()
        finally:
            await asyncio.sleep(0.01)

    ear = Ear(end_slowly)
    tower = Tower(log, ear, lambda _, **__: heard.set())
    tower.raise_alert()
    await ear.has_heard()
    assert await asyncio.to_thread(heard.wait, 5)
    closing = asyncio.create_task(tower.hooks.close())
    for _ in range(2):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert others() == []
    for thread in {*threading.enumerate()} - before:
        if thread.name.startswith("understudy"):
            thread.join(timeout=5)  # It has been told to end, and may be on its way.
            assert not thread.is_alive()
