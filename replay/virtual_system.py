"""The clock, the dice, the ids and the identity of an engine on virtual time: all of them functions of the seed."""

import asyncio
from random import Random
from typing import Final

from understudy.engine.ports import Identity

START_US: Final = 1_767_225_600_000_000
"""Engine time when a simulation starts, unless it is told otherwise: the first instant of 2026, UTC."""
SIMULATED: Final = Identity(version="simulated", python="simulated", writer="simulation")
"""Who writes in a simulation: the same everywhere, so that logs can be compared between machines and Pythons."""


class VirtualSystem:
    """An `engine.ports.System` on the running loop's clock.

    Draws come from the Mersenne Twister's `getrandbits`, which gives the same numbers on every version of Python.
    `wall_step_us` may be set by a test: how far somebody has set the wall clock. `alone` promises that nobody does,
    nor puts a command into the log: then a month takes no longer than what happens in it.
    """

    def __init__(
        self, *, seed: int = 0, start_us: int = START_US, identity: Identity = SIMULATED, alone: bool = False
    ) -> None:
        self.wall_step_us = 0
        self._anchor_us = start_us
        self._identity = identity
        self._alone = alone
        self._dice = Random(seed)  # noqa: S311 - the dice must be repeatable, not unguessable
        self._ids = 0

    def now_us(self) -> int:
        """Engine time: the start plus what the loop's clock has counted."""
        return self._anchor_us + round(asyncio.get_running_loop().time() * 1_000_000)

    def draw(self) -> int:
        """The next roll of the dice."""
        return self._dice.getrandbits(31)

    def new_id(self) -> str:
        """Thirteen hex digits of time and eleven of a counter."""
        self._ids += 1
        return f"{self.now_us():013x}{self._ids:011x}"

    def identity(self) -> Identity:
        """Who writes."""
        return self._identity

    def clock_step_us(self) -> int:
        """How far the wall clock has been set since the last re-anchoring."""
        return self.wall_step_us

    def start_after(self, at_us: int) -> None:
        """Do not let engine time fall behind an instant that the log has seen."""
        self._anchor_us += max(0, at_us - self.now_us())

    def reanchor(self, step_us: int) -> None:
        """Follow a step of the wall clock forward; after a step back go on at the same pace."""
        self._anchor_us += max(0, step_us)
        self.wall_step_us -= step_us

    async def sleep_until(self, at_us: int) -> None:
        """Wait for an instant of engine time."""
        await asyncio.sleep(max(0, at_us - self.now_us()) / 1_000_000)

    async def next_look(self, every_us: int) -> None:
        """Wait so long; for ever where nobody else is."""
        if self._alone:
            await asyncio.Event().wait()
        await asyncio.sleep(every_us / 1_000_000)
