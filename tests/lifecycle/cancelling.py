"""Cancelling a task at exactly its n-th wait."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


class Interrupted:
    """Runs a coroutine, and cancels its task at its n-th wait: what it waits for there is interrupted."""

    def __init__(self, work: Coroutine[Any, Any, Any], *, at_wait: int) -> None:
        self._work = work
        self._waits_left = at_wait

    @property
    def reached(self) -> bool:
        """Whether the work has waited that often."""
        return self._waits_left <= 0

    def __await__(self) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None
        thrown: BaseException | None = None
        while True:
            try:
                waited_for = self._work.send(None) if thrown is None else self._work.throw(thrown)
            except StopIteration as done:
                return done.value
            self._waits_left -= 1
            if self._waits_left == 0:
                task.cancel()
            thrown = None
            try:
                yield waited_for
            except BaseException as error:  # noqa: BLE001 - Whatever it is, it is meant for the work.
                thrown = error


async def cancelled_at(work: Coroutine[Any, Any, Any], *, at_wait: int) -> bool:
    """Run something in a task that is cancelled at its n-th wait; False once it does not wait that often.

    A cancellation that is swallowed is an error; so is whatever else the work raises.
    """
    interrupted = Interrupted(work, at_wait=at_wait)

    async def run() -> None:
        await interrupted

    task = asyncio.create_task(run())
    await asyncio.wait([task])
    if interrupted.reached:
        assert task.cancelled(), "the cancellation was passed on"
        return True
    task.result()
    return False
