"""Those who wait for an event to become durable, each with a future of their own."""

import asyncio
from collections.abc import Callable, Generator


class Durability:
    """Awaitable: done when an event is durable. Who awaits it has a future of their own, made only then."""

    __slots__ = ("_seq", "_waiter")

    def __init__(self, waiter: Callable[[int], "asyncio.Future[None] | None"], seq: int) -> None:
        self._waiter = waiter
        self._seq = seq

    def __await__(self) -> Generator[object, None, None]:
        waiter = self._waiter(self._seq)
        if waiter is not None:
            yield from waiter


class Waiters:
    """Futures by the seq that they wait for. A caller who is cancelled takes nobody along."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def add(self, seq: int) -> asyncio.Future[None]:
        """A future that is done once that event is durable."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((seq, waiter))
        return waiter

    def tell_of_success(self, stored_seq: int) -> int:
        """Everything up to this event is durable; how many have been told."""
        waiting, self._waiting = self._waiting, []
        for seq, waiter in waiting:
            if seq > stored_seq:
                self._waiting.append((seq, waiter))
            elif not waiter.done():
                waiter.set_result(None)
        return len(waiting) - len(self._waiting)

    def tell_of_failure(self, error: Callable[[], BaseException]) -> None:
        """What they wait for has not become durable: each is given an error of their own."""
        waiting, self._waiting = self._waiting, []
        for _, waiter in waiting:
            if not waiter.done():
                waiter.set_exception(error())
