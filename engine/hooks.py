"""The signals of one engine: sent once their event is durable, to receivers that can harm nobody but themselves.

A receiver has a queue of its own. An async one is awaited in a task, a plain one runs in a thread: a slow one, or one
that never returns, delays neither requests nor others. What it raises is logged, and that it hangs or loses signals.
"""

import asyncio
import inspect
import logging
import time
from collections import deque
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Final, NamedTuple, TypeVar

from blinker import ANY, NamedSignal, Namespace

from understudy.engine.news import News, Newsroom
from understudy.engine.request_state import OpenState
from understudy.engine.tasks import is_cancelled
from understudy.engine.threads import Threads
from understudy.events.decisions import Decision
from understudy.events.errors import LogUnavailable
from understudy.events.log import EventLog
from understudy.events.row import Recorded
from understudy.events.signals import SIGNALS
from understudy.projections.standing import Standing

logger = logging.getLogger("understudy.hooks")

R = TypeVar("R", bound=Callable[..., Any])

QUEUE: Final = 10_000
"""Signals that one receiver may be behind; then it loses the oldest."""
SLOW_S: Final = 1.0
"""A receiver that takes longer is named in the log."""
HANGS_S: Final = 10.0
"""One that has not returned for so long is named before it does, whenever somebody is told of anything."""
GRACE_S: Final = 5.0
"""How long receivers may take for what is left when the engine stops."""
_STUBBORN_S: Final = 1.0
"""How long receivers are waited for that do not let themselves be cancelled."""
_AGAIN_S: Final = 0.5


class _Signal(NamedSignal):
    """A blinker signal that keeps its receivers alive, and tells when somebody comes or goes."""

    def __init__(self, name: str, told: Callable[[], None]) -> None:
        super().__init__(name)
        self._told = told

    def connect(self, receiver: R, sender: Any = ANY, weak: bool = False) -> R:  # noqa: FBT001, FBT002 - blinker's own.
        """Connect a receiver; closures and bound methods stay alive."""
        connected = super().connect(receiver, sender, weak)
        self._told()
        return connected

    def disconnect(self, receiver: Callable[..., Any], sender: Any = ANY) -> None:
        """Let a receiver go."""
        super().disconnect(receiver, sender)
        self._told()


class _Letter(NamedTuple):
    name: str
    says: dict[str, Any]


class _Box:
    """What a receiver is still to be told, and the task that tells it."""

    def __init__(self, receiver: Callable[..., Any]) -> None:
        self.receiver = receiver
        self.letters: deque[_Letter] = deque()
        self.lost = 0
        self.since_s = 0.0
        """Since when it has been at a letter; 0 while it is at none."""
        self.named = False
        """Whether it has been named for hanging at that letter."""
        self.task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """It is told something."""
        self.since_s, self.named = time.monotonic(), False

    def end(self, letter: _Letter) -> None:
        """It has returned, or raised."""
        took_s, self.since_s = time.monotonic() - self.since_s, 0.0
        if took_s > SLOW_S:
            logger.warning("receiver %r of %s took %.1f s", self.receiver, letter.name, took_s)


class Hooks:
    """Signals by name, and their way to the receivers."""

    def __init__(self, sender: object) -> None:
        self.listening = False
        self._sender = sender
        self.signals = Namespace()
        for name in SIGNALS:
            self.signals[name] = _Signal(name, self._count)
        self._news = Newsroom()
        self._log: EventLog | None = None
        self._waiting: deque[tuple[int, _Letter]] = deque()
        self._postman: asyncio.Task[None] | None = None
        self._boxes: dict[tuple[int, int], _Box] = {}
        self._threads: Threads | None = None

    def signal(self, name: str) -> NamedSignal:
        """A signal by its name.

        Errors: ValueError, with the nearest right name.
        """
        if name not in self.signals:
            near = get_close_matches(name, SIGNALS, n=1)
            raise ValueError(
                f"there is no signal {name!r}; there are {', '.join(SIGNALS)}"
                + (f" (did you mean {near[0]!r}?)" if near else "")
            )
        return self.signals[name]

    def open(self, log: EventLog) -> None:
        """Begin to send what is durable in a log."""
        self._log = log

    def take(self, recorded: Recorded, changed: int, standing: Standing, before: OpenState | None) -> None:
        """Send the news of an event as soon as it is durable; after `close`, nothing is."""
        if self._log is not None:
            for news in self._news.of(recorded, changed, standing, before):
                self.tell(news, recorded)

    def tell(self, news: News, recorded: Recorded) -> None:
        """Send one piece of news as soon as its event is durable."""
        if self._log is not None and self.signals[news.signal].receivers:
            last = self._waiting[-1][0] if self._waiting else 0  # What was silenced for a while is told late.
            self._waiting.append((max(recorded.seq, last), _letter(news, recorded)))
            if self._postman is None:
                self._postman = asyncio.get_running_loop().create_task(self._deliver(self._log), name="deliver signals")

    def tell_now(self, news: News, recorded: Recorded) -> None:
        """Send what cannot wait until it is durable: that nothing can be made durable."""
        self._hand_out(_letter(news, recorded))

    def look(self, standing: Standing) -> None:
        """Before an event is folded: what is so already is no news."""
        self._news.look(standing)

    async def close(self) -> None:
        """Let receivers hear what is left, for a while; then leave no task and no thread behind."""
        deadline = asyncio.get_running_loop().time() + GRACE_S
        try:
            while tasks := self._tasks():
                left_s = deadline - asyncio.get_running_loop().time()
                if left_s <= 0:
                    names = ", ".join(repr(box.receiver) for box in self._boxes.values())
                    logger.warning("receivers are still busy, and are left: %s", names or "the log is not durable")
                    break
                await asyncio.wait(tasks, timeout=left_s)
        finally:
            self._log = None  # What is noted while receivers are cancelled is told to nobody: that would have no end.
            self._waiting.clear()  # Its seqs mean nothing in another log.
            try:
                await end_tasks(self._tasks())
            finally:
                self._forget_the_ended()

    def _forget_the_ended(self) -> None:
        """A task that was cancelled before it had begun could not do this itself; a later start needs new ones."""
        self._postman = None
        self._boxes = {key: box for key, box in self._boxes.items() if box.task is not None and not box.task.done()}
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def _tasks(self) -> list[asyncio.Task[None]]:
        ours = asyncio.current_task()  # A receiver may stop the engine: it does not wait for itself.
        tasks = [self._postman, *(box.task for box in self._boxes.values())]
        return [task for task in tasks if task is not None and task is not ours]

    def _count(self) -> None:
        self.listening = any(signal.receivers for signal in self.signals.values())
        if not self.listening:
            self._news = Newsroom()

    async def _deliver(self, log: EventLog) -> None:
        try:
            while self._waiting:
                await made_durable(log, self._waiting[-1][0])
                while self._waiting and self._waiting[0][0] <= log.head.seq - log.pending:
                    self._hand_out(self._waiting.popleft()[1])
                self._name_who_hangs()
        finally:
            self._postman = None

    def _hand_out(self, letter: _Letter) -> None:
        for receiver in self.signals[letter.name].receivers_for(self._sender):
            key = (id(getattr(receiver, "__self__", None)), id(getattr(receiver, "__func__", receiver)))
            box = self._boxes.get(key)
            if box is None:
                box = self._boxes[key] = _Box(receiver)
            if len(box.letters) >= QUEUE:
                if not box.lost:
                    logger.error("receiver %r is so far behind that it begins to lose signals", receiver)
                box.letters.popleft()
                box.lost += 1
            box.letters.append(letter)
            if box.task is None:
                box.task = asyncio.get_running_loop().create_task(self._empty(key, box), name="tell a receiver")

    async def _empty(self, key: tuple[int, int], box: _Box) -> None:
        try:
            while box.letters:
                if box.lost:
                    logger.error("receiver %r is too slow: it has lost %d signals", box.receiver, box.lost)
                    box.lost = 0
                letters = list(box.letters)
                box.letters.clear()
                if _is_async(box.receiver):
                    for letter in letters:
                        await self._tell_async(box, letter)
                        if is_cancelled():
                            return  # The receiver has kept to itself what was meant for us.
                else:
                    await asyncio.get_running_loop().run_in_executor(self._pool(), self._tell, box, letters)
        except RuntimeError:
            logger.exception("receiver %r cannot be told: there is no thread for it", box.receiver)
        finally:
            del self._boxes[key]

    def _name_who_hangs(self) -> None:
        now_s = time.monotonic()
        for box in self._boxes.values():
            if box.since_s and not box.named and now_s - box.since_s > HANGS_S:
                box.named = True
                logger.warning("receiver %r has not returned for %.0f s", box.receiver, now_s - box.since_s)

    def _pool(self) -> Threads:
        if self._threads is None:
            self._threads = Threads()
        return self._threads

    async def _tell_async(self, box: _Box, letter: _Letter) -> None:
        receiver = box.receiver
        box.begin()
        try:
            await receiver(self._sender, **letter.says)
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            logger.exception("receiver %r of %s let a cancellation of its own escape", receiver, letter.name)
        except Exception:
            logger.exception("receiver %r of %s failed", receiver, letter.name)
        finally:
            box.end(letter)

    def _tell(self, box: _Box, letters: list[_Letter]) -> None:
        """In a thread."""
        receiver = box.receiver
        for letter in letters:
            box.begin()
            try:
                receiver(self._sender, **letter.says)
            except BaseException:
                logger.exception("receiver %r of %s failed", receiver, letter.name)
            finally:
                box.end(letter)


def _letter(news: News, recorded: Recorded) -> _Letter:
    event = recorded.event
    told = event.made() if isinstance(event, Decision) else event
    return _Letter(news.signal, {**news.says, "event": told, "seq": recorded.seq, "at_us": recorded.at_us})


async def made_durable(log: EventLog, seq: int) -> None:
    """Wait until an event is durable, however long the log cannot be written."""
    while True:
        try:
            return await log.durable(seq)
        except LogUnavailable:
            await asyncio.sleep(_AGAIN_S)  # Those who wrote it are told; we wait until it can be written.


async def end_tasks(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for them, but not for ever; a cancellation of ours passes on then, a second one at once."""
    for task in tasks:
        task.cancel()
    if not tasks:
        return
    try:
        await asyncio.wait(tasks, timeout=_STUBBORN_S)
    except asyncio.CancelledError:
        await asyncio.wait(tasks, timeout=_STUBBORN_S)
        raise


def _is_async(receiver: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(receiver) or inspect.iscoroutinefunction(getattr(receiver, "__call__", None))  # noqa: B004
