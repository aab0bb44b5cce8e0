"""The limits of provider calls: when one passes, the task that waits is cancelled, and that cancellation is ours."""

from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio


class Limit:
    """What `asyncio.timeout` does, as far as a call needs it. `lift` it just after the call, however that ended."""

    __slots__ = ("_cancelling", "_task", "at_s", "lifted", "passed", "timer")

    def __init__(self, task: "asyncio.Task[Any]", at_s: float) -> None:
        self.at_s = at_s
        self.passed = self.lifted = False
        self.timer: asyncio.TimerHandle | None = None
        self._task = task
        self._cancelling = task.cancelling()

    def lift(self) -> bool:
        """End the limit; tells whether it had passed and nobody else has cancelled the task meanwhile."""
        self.lifted = True
        if self.timer is not None:
            self.timer.cancel()
        return self.passed and self._task.uncancel() <= self._cancelling

    def strike(self) -> None:
        """The time has come."""
        if not self.lifted:
            self.passed = True
            self._task.cancel()


class Limits:
    """All limits of one event loop's calls, behind one timer.

    Most calls have the same time, so their limits pass in the order in which they were set: a queue is enough, and a
    timer of the loop for each, made and cancelled, would cost more than a decision. What is out of order has a timer
    of its own.
    """

    def __init__(self, loop: "asyncio.AbstractEventLoop") -> None:
        self._loop = loop
        self._queue: deque[Limit] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def set(self, task: "asyncio.Task[Any]", *, seconds: float) -> Limit:
        """A limit for what a task is about to await."""
        limit = Limit(task, self._loop.time() + seconds)
        queue = self._queue
        while queue and queue[0].lifted:
            queue.popleft()
        if queue and limit.at_s < queue[-1].at_s:
            limit.timer = self._loop.call_at(limit.at_s, limit.strike)
            return limit
        queue.append(limit)
        if self._timer is None or limit.at_s < self._timer.when():
            self._wait_for(limit)
        return limit

    def close(self) -> None:
        """Let go of the timer; nothing passes any more."""
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _wait_for(self, limit: Limit) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(limit.at_s, self._strike, limit.at_s)

    def _strike(self, due_s: float) -> None:
        """Pass what is due: up to the time that the timer was set for, even if the clock is a hair's breadth before."""
        self._timer = None
        queue = self._queue
        while queue and (queue[0].lifted or queue[0].at_s <= due_s):
            queue.popleft().strike()
        if queue:
            self._wait_for(queue[0])
