"""The tasks that the engine has started, and the callers whom it serves in tasks of their own: none is left behind."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

_STUBBORN_S: Final = 1.0
"""How long callers are waited for whose provider does not let itself be cancelled."""


class Tasks:
    """Holds every task until `close`."""

    def __init__(self) -> None:
        self.closing = False
        self._started: set[asyncio.Task[Any]] = set()
        self._serving: set[asyncio.Task[Any]] = set()
        self._interrupted: set[asyncio.Task[Any]] = set()
        self._quiet = asyncio.Event()

    def spawn(self, work: Coroutine[Any, Any, Any], *, name: str) -> "asyncio.Task[Any]":
        """A task that outlives its caller; it ends with the engine at the latest."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._started.add(task)
        task.add_done_callback(self._started.discard)
        return task

    def begin_serving(self) -> "asyncio.Task[Any]":
        """The current task is being served, in whoever's name it runs."""
        caller = asyncio.current_task()
        assert caller is not None  # noqa: S101 - a coroutine is always awaited in a task.
        self._serving.add(caller)
        return caller

    def end_serving(self, caller: "asyncio.Task[Any]") -> None:
        """It is served."""
        self._serving.discard(caller)
        self._quiet.set()

    def interrupts(self, caller: "asyncio.Task[Any]") -> bool:
        """Whether a cancellation that has arrived is ours alone: such a caller is told, not cancelled."""
        return caller in self._interrupted and caller.uncancel() == 0

    async def close(self, *, grace_s: float) -> None:
        """Let requests end for a while, interrupt the rest, and wait for every task.

        A cancellation cuts the grace short, and passes on once everything has ended.
        """
        self.closing = True
        for task in self._started:
            if not task.get_name().startswith("serve "):
                task.cancel()
        try:
            await self._until_served(grace_s)
        finally:
            ending = asyncio.get_running_loop().create_task(self._end_all(), name="end all tasks")
            try:
                await asyncio.shield(ending)
            except asyncio.CancelledError:
                await asyncio.wait([ending])
                raise

    async def _until_served(self, patience_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                while self._serving or self._to_be_served():
                    self._quiet.clear()
                    if self._serving:
                        await self._quiet.wait()
                    else:  # Begun, and not yet so far: a key is being looked up, say.
                        await asyncio.wait(self._to_be_served(), return_when=asyncio.FIRST_COMPLETED)

    def _to_be_served(self) -> list[asyncio.Task[Any]]:
        return [task for task in self._started if task.get_name().startswith("serve ") and not task.done()]

    async def _end_all(self) -> None:
        self._interrupted = self._serving - self._started
        for caller in self._interrupted:
            caller.cancel()
        while under_way := [task for task in self._started if not task.done()]:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        await self._until_served(_STUBBORN_S)


def is_cancelled() -> bool:
    """Whether it is us whom somebody cancelled; what we wait for may also let a cancellation of its own escape."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
