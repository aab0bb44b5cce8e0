"""Time that costs nothing: an asyncio event loop whose clock jumps to the next timer when nothing is ready.

    from understudy.replay.virtual_time import run_virtual, virtually

    answer = run_virtual(main())           # like asyncio.run; an hour of sleep takes no time

    @virtually                             # a test that awaits; fixtures work as ever
    async def test_a_rest_of_five_minutes_ends() -> None:
        await asyncio.sleep(300)

Runs are reproducible. The clock starts at 0 and counts whole microseconds; timers that are due together fire in
the order in which they were set. What threads report (a store, an executor) is taken in only when nothing else is
ready, one report at a time, in the order of its arrival. While such a report is outstanding (work given to the
loop's executor, or `busy()` says so) the clock stands still and the loop really waits. There is no network on this
loop: providers are scripted ones.
"""

import asyncio
import functools
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, ThreadPoolExecutor
from contextvars import Context
from queue import Empty, SimpleQueue
from typing import Any, Final, ParamSpec, TypeVar, TypeVarTuple

P = ParamSpec("P")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")

PATIENCE_S: Final = 20.0
"""Real seconds that the loop waits for a thread before it takes the run for stuck."""
SECOND_US: Final = 1_000_000


class DeadlockError(RuntimeError):
    """Everybody waits, and nothing is left that could wake anybody. The message names the tasks."""


class VirtualLoop(asyncio.BaseEventLoop):
    """The event loop on virtual time. `busy` tells whether some thread owes us a report."""

    def __init__(self, *, busy: Callable[[], bool] | None = None, patience_s: float = PATIENCE_S) -> None:
        super().__init__()
        self._now_us = 0
        self._busy = busy or _never
        self._patience_s = patience_s
        self._due: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[int, int, asyncio.TimerHandle]] = []
        self._set = 0
        self._reports: SimpleQueue[asyncio.Handle] = SimpleQueue()
        self._owed = 0
        self._executor: Executor | None = None

    @property
    def now_us(self) -> int:
        """Microseconds since the loop was made."""
        return self._now_us

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._now_us / SECOND_US

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Run a callback after those that are due already."""
        handle = asyncio.Handle(callback, args, self, context)
        self._due.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Run a callback at an instant, after those that were set for the same instant before."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        self._set += 1
        heapq.heappush(self._timers, (round(when * SECOND_US), self._set, handle))
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Report from another thread; it is taken in once nothing else is ready."""
        handle = asyncio.Handle(callback, args, self, context)
        self._reports.put(handle)
        return handle

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> "asyncio.Future[T]":
        """Run something in a thread while the clock stands still. The loop's own executor has one thread."""
        if executor is None:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="virtual-time")
            executor = self._executor
        self._owed += 1
        future = asyncio.wrap_future(executor.submit(func, *args), loop=self)
        future.add_done_callback(self._paid)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ARG002, ASYNC109 - the base's
        """Wait for the loop's own thread; virtual time has no hurry, so `timeout` is not looked at."""
        if self._executor is not None:
            self._executor.shutdown(wait=True)

    def _paid(self, _: "asyncio.Future[Any]") -> None:
        self._owed -= 1

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """The base counts these for its own heap; ours skips them when their time comes."""

    def _run_once(self) -> None:
        """One turn of `run_forever`: the callbacks that are due now, or else whatever comes next."""
        if not self._due:
            self._advance()
        for _ in range(len(self._due)):
            handle = self._due.popleft()
            if not handle.cancelled():
                handle._run()  # noqa: SLF001 - a loop is what runs handles

    def _advance(self) -> None:
        while self._timers and self._timers[0][2].cancelled():
            heapq.heappop(self._timers)
        report = self._next_report()
        if report is not None:
            self._due.append(report)
            return
        if not self._timers:
            raise DeadlockError(f"nothing can happen after {self.time():.6f} s; waiting: {self._waiting()}")
        at_us = self._timers[0][0]
        self._now_us = max(self._now_us, at_us)
        while self._timers and self._timers[0][0] == at_us:
            self._due.append(heapq.heappop(self._timers)[2])

    def _next_report(self) -> asyncio.Handle | None:
        """The next report of a thread: waited for if one is owed, or if there is nothing else to wait for."""
        owed = self._owed > 0 or self._busy()
        try:
            if owed or not self._timers:
                return self._reports.get(timeout=self._patience_s)
            return self._reports.get_nowait()
        except Empty:
            if owed:
                told = f"a thread owes a report for {self._patience_s:g} real seconds"
                raise DeadlockError(f"{told}; waiting: {self._waiting()}") from None
            return None

    def _waiting(self) -> str:
        names = sorted(task.get_name() for task in asyncio.all_tasks(self))
        return ", ".join(names) or "nobody"


def run_virtual(
    main: Coroutine[Any, Any, T], *, busy: Callable[[], bool] | None = None, patience_s: float = PATIENCE_S
) -> T:
    """Run a coroutine to its end on virtual time, as `asyncio.run` does on real time.

    `busy` tells whether a store's thread has work under way, for instance `lambda: log.busy`.
    Errors: DeadlockError when nothing is left to wait for, or no thread reports for `patience_s` real seconds.
    """

    def make() -> asyncio.AbstractEventLoop:
        return VirtualLoop(busy=busy, patience_s=patience_s)

    with asyncio.Runner(loop_factory=make) as runner:
        return runner.run(main)


def virtually(function: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Make a plain function of a coroutine function, run on virtual time at each call. Made for tests."""

    @functools.wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return run_virtual(function(*args, **kwargs))

    return run


def _never() -> bool:
    return False
