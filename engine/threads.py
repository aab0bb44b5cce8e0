"""Threads for work that may hang: a few share what is quick, and whoever is stuck has a thread to itself."""

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from threading import Condition, Lock, Thread, get_ident
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

AT_ONCE: Final = 32
"""Threads that are at work at once; those that are stuck do not count."""
STUCK_S: Final = 1.0
"""Work that takes longer is stuck: what waits behind it gets another thread."""


class Threads(Executor):
    """An executor whose work may hang without anybody else's being held up for longer than `STUCK_S`.

    Its threads are daemons: work that never ends keeps no interpreter from ending either. There are never more than
    `AT_ONCE`, and one for each piece of work that is stuck.
    """

    def __init__(self) -> None:
        lock = Lock()
        self._changed = Condition(lock)
        self._over = Condition(lock)
        """What the watch waits for: with the others, it would at times be the one who hears of new work."""
        self._jobs: deque[Callable[[], None]] = deque()
        self._since_s: dict[int, float] = {}
        """Since when each thread that is at work has been at it."""
        self._threads = self._idle = 0
        self._watched = self._closed = False

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have something done in a thread.

        Errors: RuntimeError after `shutdown`, or if no thread can be started at all.
        """
        future: Future[T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - whoever awaits the future is told, whatever it is
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._changed:
            if self._closed:
                raise RuntimeError("these threads have been shut down")
            self._jobs.append(job)
            try:
                self._see_to_it()
            except RuntimeError:
                if not self._threads:  # Otherwise one of those that there are will do it.
                    self._jobs.pop()
                    raise
        return future

    def _see_to_it(self) -> None:
        """Have what has just been put in line taken out by somebody."""
        if self._idle >= len(self._jobs):
            self._changed.notify()
        elif self._threads < AT_ONCE:
            self._start()
        elif not self._watched:
            Thread(target=self._watch, name="understudy-hooks watch", daemon=True).start()
            self._watched = True

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - the base's own.
        """Let go: nothing new is begun, and nobody waits for what is stuck."""
        del wait, cancel_futures
        with self._changed:
            self._closed = True
            self._jobs.clear()
            self._changed.notify_all()
            self._over.notify_all()

    def _start(self) -> None:
        Thread(target=self._work, name="understudy-hooks", daemon=True).start()
        self._threads += 1

    def _work(self) -> None:
        """A thread: one piece of work after another, until there are more threads than need be."""
        while True:
            with self._changed:
                self._since_s.pop(get_ident(), None)
                while not self._jobs:
                    if self._closed or self._threads > AT_ONCE:
                        self._threads -= 1
                        return
                    self._idle += 1
                    self._changed.wait()
                    self._idle -= 1
                job = self._jobs.popleft()
                self._since_s[get_ident()] = time.monotonic()
            job()

    def _watch(self) -> None:
        """A thread that is there only while work waits: it puts another in the place of each that is stuck."""
        with self._over:
            while not self._over.wait_for(lambda: self._closed or not self._jobs, timeout=STUCK_S / 4):
                limit_s = time.monotonic() - STUCK_S
                stuck = sum(since_s <= limit_s for since_s in self._since_s.values())
                with suppress(RuntimeError):  # No more threads can be had now; it looks again.
                    for _ in range(min(AT_ONCE + stuck - self._threads, len(self._jobs))):
                        self._start()
            self._watched = False
