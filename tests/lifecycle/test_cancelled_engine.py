"""A task that runs an engine may be cancelled at any await: nothing is left behind, and nothing is half written."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from lifecycle.cancelling import cancelled_at
from lifecycle.leftovers import is_locked, no_thread_left, tasks_left
from providers_for_tests import Pingable, Searchable

from understudy.adapters import SqliteLog, SqliteReader
from understudy.engine import Ambiguous, Answer, Engine, EngineClosed, Finding, Found, Policy, RequestError
from understudy.replay.verify import verify

WAITS_AT_MOST = 200


def engine(path: Path) -> Engine:
    found = [Found(finding=Finding.SUCCEEDED, value=1)] * 9
    providers = [
        Searchable("a", [Ambiguous("reset")], findings=list(found)),
        Pingable("b"),
        Searchable("c", delay_s=0.001, findings=list(found)),  # Whom nobody can ask, an operator must settle.
    ]
    return Engine(providers=providers, policy=Policy(request_timeout_ms=200, lookup_interval_ms=1), log=SqliteLog(path))


async def idle(path: Path) -> None:
    async with engine(path):
        pass


async def serving(path: Path) -> None:
    async with engine(path) as running:
        await running.call("x")
        await running.call("x", effect="once")
        await running.call("x", effect="idempotent", idempotency_key="k")
        await running.ask("b", "stock")


async def serving_many(path: Path) -> None:
    async with engine(path) as running, asyncio.TaskGroup() as group:
        for effect in ("read", "once", "idempotent") * 3:
            group.create_task(running.call("x", effect=effect))


async def stopping_in_the_middle(path: Path) -> None:
    async with engine(path) as running:
        calls = [asyncio.create_task(running.call("x", effect=effect)) for effect in ("read", "once", "idempotent")]
        try:
            await asyncio.sleep(0)
            await running.stop()
        finally:
            ended = await asyncio.gather(*calls, return_exceptions=True)
            assert all(
                isinstance(one, Answer | EngineClosed | RequestError | asyncio.CancelledError) for one in ended
            ), ended


@pytest.mark.parametrize(
    "work",
    [idle, serving, *(pytest.param(one, marks=pytest.mark.long) for one in (serving_many, stopping_in_the_middle))],
)
def test_wherever_it_is_cancelled_it_leaves_a_whole_log_and_nothing_else(
    work: Callable[[Path], Coroutine[Any, Any, None]], tmp_path: Path
) -> None:
    async def interrupt(path: Path, at_wait: int) -> bool:
        reached = await cancelled_at(work(path), at_wait=at_wait)
        assert tasks_left() == []
        assert not is_locked(path)
        return reached

    for at_wait in range(1, WAITS_AT_MOST):
        path = tmp_path / f"{at_wait}.db"
        with no_thread_left():
            reached = asyncio.run(interrupt(path, at_wait))
        assert_goes_on(path)
        if not reached:
            return
    raise AssertionError("it waits for ever")


def assert_goes_on(path: Path) -> None:
    """The next engine starts, settles what is open, and all of it verifies."""

    async def settle() -> None:
        async with asyncio.timeout(60), engine(path) as running:
            while running.unsettled:  # noqa: ASYNC110 - The engine settles by itself; nobody is told.
                await asyncio.sleep(0.001)
            await running.call("y", effect="once")

    asyncio.run(settle())
    with SqliteReader.open(path) as reader:
        assert verify(reader).ok
        assert reader.damage() == []
        kinds = [row.kind for row in reader.rows()]
    assert kinds.count("call_started.v1") == sum(
        kinds.count(end) for end in ("call_succeeded.v1", "call_failed.v1", "call_abandoned.v1")
    )


def test_whoever_cancels_a_cancelled_stop_again_need_not_wait_and_it_still_ends(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"

    async def act() -> None:
        running = engine(path)
        await running.start()
        held = asyncio.create_task(running.call("x", effect="once"))
        await asyncio.sleep(0)
        stopping = asyncio.create_task(running.stop())
        for _ in range(3):
            await asyncio.sleep(0)
            stopping.cancel()
        await asyncio.wait([stopping, held])
        assert stopping.cancelled()
        await running._log.close()

    with no_thread_left():
        asyncio.run(act())
    assert not is_locked(path)
    assert_goes_on(path)
