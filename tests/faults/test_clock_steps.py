"""The wall clock may be set back and forth: engine time never runs backward, and goes on from what the log has seen."""

import asyncio
import time
from itertools import pairwise
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st
from providers_for_tests import Told, never

from understudy.adapters import SqliteLog, SqliteReader
from understudy.engine import AllProvidersFailed, Engine, Policy
from understudy.engine.system import RealSystem
from understudy.replay.verify import verify
from understudy.replay.virtual_system import START_US, VirtualSystem
from understudy.replay.virtual_time import run_virtual

DAY_US = 86_400_000_000
SECOND_US = 1_000_000


class Machine:
    """A machine whose wall clock somebody sets; the other one only ever counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall_us = START_US
        self.counted_us = 0
        monkeypatch.setattr(time, "time_ns", lambda: self.wall_us * 1000)
        monkeypatch.setattr(time, "monotonic_ns", lambda: self.counted_us * 1000)

    def run(self, length_us: int) -> None:
        self.wall_us += length_us
        self.counted_us += length_us


steps = st.lists(st.tuples(st.integers(0, DAY_US), st.integers(-DAY_US, DAY_US), st.booleans()), max_size=30)


@hypothesis.given(steps=steps)
def test_engine_time_never_runs_backward_and_follows_the_wall_clock_forward(steps: list[tuple[int, int, bool]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        machine = Machine(patch)
        system = RealSystem()
        last_us = system.now_us()
        for ran_us, set_us, followed in steps:
            machine.run(ran_us)
            machine.wall_us += set_us
            if followed:
                system.reanchor(system.clock_step_us())
                assert system.clock_step_us() == 0
                assert system.now_us() >= machine.wall_us
            assert system.now_us() >= last_us
            last_us = system.now_us()


@hypothesis.given(ahead_us=st.integers(0, DAY_US), behind_us=st.integers(0, DAY_US))
def test_a_step_back_and_forth_leaves_no_trace(ahead_us: int, behind_us: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        machine = Machine(patch)
        system = RealSystem()
        system.start_after(machine.wall_us + ahead_us)
        before_us = system.now_us()
        for step_us in (-behind_us, behind_us):
            machine.wall_us += step_us
            system.reanchor(system.clock_step_us())
        assert system.now_us() == before_us


def at(path: Path) -> list[int]:
    with SqliteReader.open(path) as reader:
        assert verify(reader).ok
        return [row.at_us for row in reader.rows()]


def test_a_clock_that_jumps_about_under_load_orders_events_as_ever(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db")

    async def act() -> None:
        system = VirtualSystem()
        async with Engine(providers=[Told("a"), Told("b")], log=log, system=system) as engine:
            for step_us in (3_600 * SECOND_US, -7_200 * SECOND_US, DAY_US, -DAY_US, 2 * SECOND_US):
                system.wall_step_us += step_us
                await engine.call("x", effect="once")
                await asyncio.sleep(1)

    run_virtual(act(), busy=lambda: log.busy)
    assert all(earlier <= later for earlier, later in pairwise(at(log.path)))
    with SqliteReader.open(log.path) as reader:
        assert len(reader.operations("clock_stepped.v1")) == 5


def test_an_engine_that_starts_on_a_clock_set_back_goes_on_from_the_last_event(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"

    async def serve(log: SqliteLog, start_us: int) -> None:
        async with Engine(providers=[Told("a")], log=log, system=VirtualSystem(start_us=start_us)) as engine:
            assert not (await engine.call("x", effect="once", idempotency_key=f"at {start_us}")).joined
            assert (await engine.call("x", effect="once", idempotency_key=f"at {START_US}")).joined

    def run(log: SqliteLog, start_us: int) -> None:
        run_virtual(serve(log, start_us), busy=lambda: log.busy)

    for start_us in (START_US, START_US - DAY_US, START_US - 7 * DAY_US, START_US + DAY_US):
        run(SqliteLog(path), start_us)
    assert all(earlier <= later for earlier, later in pairwise(at(path)))


def test_a_step_is_not_followed_while_a_call_is_open_whose_deadline_is_a_real_length_of_time(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db")

    async def act() -> None:
        system = VirtualSystem()
        policy = Policy(request_timeout_ms=5_000, retry_attempts=0)
        async with Engine(providers=[Told("a", [never()])], log=log, system=system, policy=policy) as engine:
            call = asyncio.ensure_future(engine.call("x"))
            await asyncio.sleep(0)
            system.wall_step_us = 3_600 * SECOND_US
            with pytest.raises(AllProvidersFailed, match="no answer within 5000 ms"):
                await call
            assert asyncio.get_running_loop().time() == 5.0, "the call had its five seconds, not an hour"
            await asyncio.sleep(1)

    run_virtual(act(), busy=lambda: log.busy)
    assert all(earlier <= later for earlier, later in pairwise(at(log.path)))
    with SqliteReader.open(log.path) as reader:
        kinds = [row.kind for row in reader.rows()]
    assert kinds.index("request_failed.v1") < kinds.index("clock_stepped.v1")
