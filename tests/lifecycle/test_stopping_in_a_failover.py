"""An engine that is being stopped lets calls end, and begins no further one that moves something."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from providers_for_tests import Told

from understudy.adapters import MemoryLog
from understudy.engine import Engine, Policy, RequestInterrupted, Strategy, Transient
from understudy.replay.verify import verify
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual

POLICY = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0)


@pytest.fixture
def log() -> Iterator[MemoryLog]:
    made = MemoryLog()
    yield made
    with made.reader() as reader:
        assert verify(reader).ok


def stopped_during_the_first_call(log: MemoryLog, effect: str) -> tuple[Any, Told]:
    """What becomes of a request whose first provider fails while the engine is being stopped, and its second one."""
    alpha, beta = Told("alpha", [Transient("down")], delay_s=1), Told("beta")

    async def act() -> Any:
        engine = Engine(providers=[alpha, beta], log=log, policy=POLICY, system=VirtualSystem(), watch=False)
        async with engine:
            call = asyncio.create_task(engine.call("pay", effect=effect))
            await asyncio.sleep(0.5)
            await engine.stop(grace_ms=5_000)
            return (await asyncio.gather(call, return_exceptions=True))[0]

    return run_virtual(act(), busy=lambda: log.busy), beta


def test_nothing_is_moved_at_another_provider_once_a_stop_is_wanted(log: MemoryLog) -> None:
    end, beta = stopped_during_the_first_call(log, "once")
    assert isinstance(end, RequestInterrupted)
    assert beta.calls == []


def test_a_read_is_still_served_by_another_one_within_the_grace(log: MemoryLog) -> None:
    end, beta = stopped_during_the_first_call(log, "read")
    assert end.provider == "beta"
    assert len(beta.calls) == 1
