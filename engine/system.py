"""The real clock, dice, ids and identity: the only place of the engine that reads them."""

import asyncio
import os
import platform
import random
import socket
import time
from importlib.metadata import PackageNotFoundError, version

from understudy.engine.ports import Identity


class RealSystem:
    """Engine time is the wall clock at the start plus what the monotonic clock has counted since."""

    def __init__(self) -> None:
        self._offset_us = _wall_us() - time.monotonic_ns() // 1000
        self._ahead_us = 0
        self._last_id_us = 0
        self._dice = random.Random()  # noqa: S311 - dice for routing, and for ids that need not be secret
        self._shaken_by = os.getpid()

    def now_us(self) -> int:
        """Engine time."""
        return time.monotonic_ns() // 1000 + self._offset_us

    def start_after(self, at_us: int) -> None:
        """Run ahead of a wall clock that is behind an instant which the log has seen already."""
        behind_us = at_us - self.now_us()
        if behind_us > 0:
            self._offset_us += behind_us
            self._ahead_us += behind_us

    def draw(self) -> int:
        """A roll of dice that the operating system has shaken, below 2^31."""
        return self._dice.getrandbits(31)

    def new_id(self) -> str:
        """Thirteen hex digits of time and eleven of chance: 24 characters, ordered by time."""
        if os.getpid() != self._shaken_by:  # Made before a fork: parent and child must not roll the same numbers.
            self._dice.seed()
            self._shaken_by = os.getpid()
        self._last_id_us = max(self._last_id_us + 1, self.now_us())
        return f"{self._last_id_us:013x}{self._dice.getrandbits(44):011x}"

    def identity(self) -> Identity:
        """Who writes: `host:pid`."""
        try:
            own_version = version("understudy")
        except PackageNotFoundError:
            own_version = "unknown"
        return Identity(own_version, platform.python_version(), f"{socket.gethostname()}:{os.getpid()}")

    def clock_step_us(self) -> int:
        """How far the wall clock has been set since the last re-anchoring."""
        return _wall_us() - self.now_us() + self._ahead_us

    def reanchor(self, step_us: int) -> None:
        """Follow a step of the wall clock forward; after a step back go on at our own pace, ahead of it."""
        ahead_us = max(0, self._ahead_us - step_us)
        self._offset_us += step_us - self._ahead_us + ahead_us
        self._ahead_us = ahead_us

    async def sleep_until(self, at_us: int) -> None:
        """Wait for an instant of engine time."""
        await asyncio.sleep(max(0, at_us - self.now_us()) / 1_000_000)

    async def next_look(self, every_us: int) -> None:
        """Wait so long: there is always somebody else."""
        await asyncio.sleep(every_us / 1_000_000)


def _wall_us() -> int:
    return time.time_ns() // 1000
