"""The virtual clock: it jumps when nothing is ready, stands still for threads, and keeps timers in order."""

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given
from providers_for_tests import Told

from understudy.adapters import SqliteLog
from understudy.engine import Engine
from understudy.replay.virtual_system import START_US, VirtualSystem
from understudy.replay.virtual_time import DeadlockError, VirtualLoop, run_virtual, virtually


@virtually
async def test_a_day_passes_at_once() -> None:
    began = time.monotonic()
    await asyncio.sleep(86_400)
    assert asyncio.get_running_loop().time() == 86_400
    assert time.monotonic() - began < 5


@virtually
async def test_the_clock_starts_at_zero_and_does_not_move_while_anything_is_ready() -> None:
    loop = asyncio.get_running_loop()
    for _ in range(1000):
        await asyncio.sleep(0)
    assert loop.time() == 0


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60))
def test_timers_fire_in_order_of_time_and_then_in_the_order_in_which_they_were_set(seconds: list[int]) -> None:
    fired: list[tuple[int, int]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for place, second in enumerate(seconds):
            loop.call_at(second, fired.append, (second, place))
        await asyncio.sleep(10)

    run_virtual(main())
    assert fired == sorted((second, place) for place, second in enumerate(seconds))


@virtually
async def test_the_clock_counts_whole_microseconds() -> None:
    for _ in range(1_000_000 // 997):
        await asyncio.sleep(0.000_997)
    assert asyncio.get_running_loop().time() == (1_000_000 // 997) * 997 / 1_000_000


@virtually
async def test_a_cancelled_timer_neither_fires_nor_moves_the_clock() -> None:
    loop = asyncio.get_running_loop()
    fired: list[str] = []
    loop.call_later(5, fired.append, "cancelled").cancel()
    await asyncio.sleep(1)
    assert (fired, loop.time()) == ([], 1)
    await asyncio.sleep(9)
    assert fired == []


@virtually
async def test_a_timeout_ends_what_hangs() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(30):
            await asyncio.get_running_loop().create_future()
    assert asyncio.get_running_loop().time() == 30


@virtually
async def test_the_clock_stands_still_while_a_thread_works() -> None:
    loop = asyncio.get_running_loop()
    release = threading.Event()
    timer: list[float] = []
    loop.call_later(1, lambda: timer.append(loop.time()))
    work = loop.run_in_executor(None, release.wait, 10)
    await asyncio.sleep(0)
    threading.Timer(0.05, release.set).start()
    assert await work
    assert (loop.time(), timer) == (0, [])


def test_the_clock_stands_still_while_a_store_is_busy() -> None:
    busy = threading.Event()

    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        stored = loop.create_future()

        def report() -> None:
            busy.clear()
            stored.set_result(None)

        busy.set()
        asleep = asyncio.create_task(asyncio.sleep(5))
        threading.Timer(0.05, lambda: loop.call_soon_threadsafe(report)).start()
        await stored
        stored_at = loop.time()
        await asleep
        return stored_at, loop.time()

    assert run_virtual(main(), busy=busy.is_set) == (0, 5)


def test_reports_of_threads_are_taken_one_at_a_time_when_nothing_else_is_ready() -> None:
    order: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        async def worker(name: str) -> None:
            for _ in range(3):
                order.append(name)
                await asyncio.sleep(0)

        def report(name: str) -> None:
            order.append(f"report {name}")
            tasks.append(loop.create_task(worker(name)))

        tasks: list[asyncio.Task[None]] = []
        loop.call_soon_threadsafe(report, "a")
        loop.call_soon_threadsafe(report, "b")
        await worker("main")
        await asyncio.sleep(1)

    run_virtual(main())
    assert order == [*["main"] * 3, "report a", *["a"] * 3, "report b", *["b"] * 3]


@pytest.mark.parametrize("busy", [lambda: False, lambda: True], ids=["nothing under way", "a thread never reports"])
def test_waiting_for_nothing_is_an_error_that_names_who_waits(busy: Callable[[], bool]) -> None:
    async def main() -> None:
        asyncio.current_task().set_name("the one that waits")  # type: ignore[union-attr]
        with pytest.raises(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()

    with pytest.raises(DeadlockError, match="the one that waits"):
        run_virtual(main(), busy=busy, patience_s=0.05)


def test_an_error_of_the_main_coroutine_comes_out() -> None:
    async def main() -> None:
        await asyncio.sleep(1)
        raise LookupError("as it was raised")

    with pytest.raises(LookupError, match="as it was raised"):
        run_virtual(main())


def test_a_decorated_test_is_given_its_fixtures(tmp_path: object) -> None:
    @virtually
    async def run(given: object, *, twice: bool) -> tuple[object, bool, bool]:
        return given, twice, isinstance(asyncio.get_running_loop(), VirtualLoop)

    assert run(tmp_path, twice=True) == (tmp_path, True, True)


@virtually
async def test_engine_time_starts_where_it_is_told_and_follows_the_loop() -> None:
    system = VirtualSystem(start_us=1_000_000)
    await asyncio.sleep(2.5)
    assert system.now_us() == 3_500_000
    await system.sleep_until(10_000_001)
    assert system.now_us() == 10_000_001


@virtually
async def test_engine_time_does_not_fall_behind_the_log_nor_run_back_with_the_wall_clock() -> None:
    system = VirtualSystem(start_us=0)
    system.start_after(5_000_000)
    assert system.now_us() == 5_000_000
    system.wall_step_us = -300_000
    system.reanchor(system.clock_step_us())
    assert (system.now_us(), system.clock_step_us()) == (5_000_000, 0)
    system.wall_step_us = 3_000_000
    system.reanchor(system.clock_step_us())
    assert (system.now_us(), system.clock_step_us()) == (8_000_000, 0)


@virtually
async def test_others_are_looked_for_now_and_then_but_never_by_who_is_alone() -> None:
    loop = asyncio.get_running_loop()
    await VirtualSystem().next_look(500_000)
    assert loop.time() == 0.5
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(86_400):
            await VirtualSystem(alone=True).next_look(500_000)
    assert loop.time() == 86_400.5


@virtually
async def test_dice_and_ids_follow_from_the_seed() -> None:
    one, same, other = VirtualSystem(seed=7), VirtualSystem(seed=7), VirtualSystem(seed=8)
    assert [one.draw() for _ in range(5)] == [same.draw() for _ in range(5)]
    # The generator is part of the promise: these are its numbers on every Python.
    assert [other.draw() for _ in range(3)] == [486_847_129, 795_453_426, 2_066_512_851]
    ids = [one.new_id() for _ in range(100)]
    assert ids == sorted(set(ids))
    assert ids[0].startswith(f"{START_US:013x}")


def test_the_clock_stands_still_while_an_engine_opens_its_file(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db")

    async def main() -> float:
        loop = asyncio.get_running_loop()
        far = loop.call_later(10**6, lambda: None)
        async with Engine(providers=[Told("a")], log=log, system=VirtualSystem(), watch=False):
            far.cancel()
            return loop.time()

    assert run_virtual(main(), busy=lambda: log.busy) < 1
