"""What has been appended and is not yet durable, in order, and those who wait for it."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final, NamedTuple

from understudy.adapters.stores.entry import Entry
from understudy.adapters.stores.waiters import Waiters
from understudy.events.log import Head

_GROUP_LIMIT: Final = 4_096
"""Events in one transaction."""


class Group(NamedTuple):
    """What goes to the disk together.

    Shape:  `in_doubt_after` is the end of what is surely stored, if an earlier attempt at these events ended without
            our knowing how; None if there was none.
    """

    entries: list[Entry]
    in_doubt_after: Head | None


class Backlog:
    """A queue of events, of which the first may be on their way to the disk."""

    def __init__(self, stored: Head) -> None:
        self.seq, self.chain = stored
        """The end of the stream; not a `Head`, which takes longer to make than all else that an append does here."""
        self.stored = stored
        """The end of what is surely on the disk."""
        self.failure: BaseException | None = None
        """Why the latest attempt failed; None if it did not."""
        self.in_doubt = False
        """Whether what was taken may be stored although we have not heard of it."""
        self.queue: list[Entry] = []
        self.under_way: list[Entry] = []
        self._told: list[Entry] = []
        self._waiters = Waiters()

    @property
    def pending(self) -> int:
        """Events appended and not yet durable."""
        return self.seq - self.stored.seq

    def append(self, entry: Entry) -> None:
        """Take an event; its chain value must follow `chain`."""
        self.seq, self.chain = entry.row.seq, entry.chain
        self.queue.append(entry)

    def entries(self) -> Iterator[Entry]:
        """What is not yet durable, in order, and what has only just become it: see `forget_told`."""
        return chain(self._told, self.under_way, self.queue)

    def waiter(self, seq: int) -> asyncio.Future[None]:
        """A future of the caller's own, done once that event is durable."""
        return self._waiters.add(seq)

    def take(self) -> Group:
        """The next group; it is under way until `succeeded`, `failed` or `put_back`."""
        doubt = self.stored if self.in_doubt else None
        self.under_way, self.queue = self.queue[:_GROUP_LIMIT], self.queue[_GROUP_LIMIT:]
        self.in_doubt = True
        return Group(self.under_way, doubt)

    def put_back(self) -> None:
        """What was under way waits again, before all else."""
        self.queue[:0] = self.under_way
        self.under_way = []

    def succeeded(self) -> int:
        """What was under way is durable; how many have been told so. `forget_told` is to be called in the next pass."""
        last = self.under_way[-1]
        self.stored = Head(last.row.seq, last.chain)
        self._told, self.under_way = self.under_way, []
        self.in_doubt = False
        self.failure = None
        return self._waiters.tell_of_success(last.row.seq)

    def forget_told(self) -> None:
        """Whoever had asked the store before it was stored has had the answer by now, and has looked here."""
        self._told = []

    def failed(self, error: BaseException, told: Callable[[], BaseException]) -> None:
        """What was under way waits again; each of those who wait is told, with an error of their own."""
        self.put_back()
        self.failure = error
        self._waiters.tell_of_failure(told)

    def give_up(self, told: Callable[[], BaseException]) -> None:
        """Nothing more is written: tell all who wait."""
        self._waiters.tell_of_failure(told)

    def forget_waiters(self) -> None:
        """The loop that they waited in is closed: they will never hear."""
        self._waiters = Waiters()
