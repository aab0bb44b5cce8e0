"""Who waits for a free slot, in the order of their coming: a call that ends lets one of them look, not all."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

_HOPS: Final = 8
"""How often a free slot is passed on by those who have no use for it; the others look again in their own time."""


class Line:
    """Requests that wait because all who could serve them are at a limit."""

    def __init__(self, wake: Callable[[str], None]) -> None:
        self._wake = wake
        self._waiting: dict[str, None] = {}
        self._called: dict[str, Iterator[str]] = {}
        """Who was called for a slot, and to whom it goes next."""

    @property
    def waiting(self) -> bool:
        """Whether anybody stands in line."""
        return bool(self._waiting)

    def join(self, request_id: str) -> None:
        """Wait, or go on waiting in the same place: who was called and had no use for the slot passes it on."""
        self._waiting[request_id] = None
        following = self._called.pop(request_id, None)
        if following is not None:
            self._call(following)

    def advance(self) -> None:
        """A slot is free: let the first one look who has not been called yet."""
        if self._waiting:
            uncalled = (request_id for request_id in self._waiting if request_id not in self._called)
            self._call(iter(tuple(islice(uncalled, _HOPS))))

    def leave(self, request_id: str, *, served: bool) -> None:
        """Go on, or give up; then the slot for which it was called is somebody else's."""
        self._waiting.pop(request_id, None)
        following = self._called.pop(request_id, None)
        if following is not None and not served:
            self._call(following)

    def _call(self, following: Iterator[str]) -> None:
        """Offer a slot down the line, once: back to the front, those who had no use for it would go on for ever."""
        for request_id in following:
            if request_id in self._waiting and request_id not in self._called:
                self._called[request_id] = following
                self._wake(request_id)
                return
