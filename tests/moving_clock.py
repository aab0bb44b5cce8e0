"""The real clock, which a test may set forward: an hour of rest takes no time at all."""

import asyncio

from understudy.engine.ports import Identity
from understudy.engine.system import RealSystem


class MovingClock:
    """An `engine.ports.System`: real time plus what `pass_by` has added. Who sleeps until then wakes up."""

    def __init__(self) -> None:
        self._real = RealSystem()
        self._added_us = 0
        self._moved = asyncio.Event()

    def pass_by(self, seconds: float) -> None:
        """Let time pass at once."""
        self._added_us += round(seconds * 1_000_000)
        self._moved.set()
        self._moved = asyncio.Event()

    def now_us(self) -> int:
        return self._real.now_us() + self._added_us

    def draw(self) -> int:
        return self._real.draw()

    def new_id(self) -> str:
        return self._real.new_id()

    def identity(self) -> Identity:
        return self._real.identity()

    def clock_step_us(self) -> int:
        return 0

    def start_after(self, at_us: int) -> None:
        self._added_us += max(0, at_us - self.now_us())

    def reanchor(self, step_us: int) -> None:
        raise AssertionError(f"nobody has set the wall clock, by {step_us} µs or otherwise")

    async def next_look(self, every_us: int) -> None:
        await self.sleep_until(self.now_us() + every_us)

    async def sleep_until(self, at_us: int) -> None:
        while (left_us := at_us - self.now_us()) > 0:
            try:
                await asyncio.wait_for(self._moved.wait(), left_us / 1_000_000)
            except TimeoutError:
                return
