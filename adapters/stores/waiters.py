"""Those who wait for an event to become durable, each with a future of their own."""

import asyncio
from collections.abc import Callable


class Waiters:
    """Futures by the seq that they wait for. A caller who is cancelled takes nobody along."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def add(self, seq: int) -> asyncio.Future[None]:
        """A future that is done once that event is durable."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((seq, waiter))
        return waiter

    def tell_of_success(self, stored_seq: int) -> None:
        """Everything up to this event is durable."""
        waiting, self._waiting = self._waiting, []
        for seq, waiter in waiting:
            if seq > stored_seq:
                self._waiting.append((seq, waiter))
            elif not waiter.done():
                waiter.set_result(None)

    def tell_of_failure(self, error: Callable[[], BaseException]) -> None:
        """What they wait for has not become durable: each is given an error of their own."""
        waiting, self._waiting = self._waiting, []
        for _, waiter in waiting:
            if not waiter.done():
                waiter.set_exception(error())
