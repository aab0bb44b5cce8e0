"""Who waits for a free slot, in the order of their coming: a call that ends lets one of them look, not all."""

from collections.abc import Callable


class Line:
    """Requests that wait because all who could serve them are at a limit."""

    def __init__(self, wake: Callable[[str], None]) -> None:
        self._wake = wake
        self._waiting: dict[str, None] = {}
        self._called: set[str] = set()

    @property
    def waiting(self) -> bool:
        """Whether anybody stands in line."""
        return bool(self._waiting)

    def join(self, request_id: str) -> None:
        """Wait, or go on waiting in the same place: who was called and had no use for the slot passes it on."""
        self._waiting[request_id] = None
        if request_id in self._called:
            self._called.discard(request_id)
            self._offer(after=request_id)

    def advance(self) -> None:
        """A slot is free: let the first one look who has not been called yet."""
        if self._waiting:
            self._offer()

    def _offer(self, *, after: str | None = None) -> None:
        """Offer a slot down the line, once: back to the front, those who had no use for it would go on for ever."""
        behind = after is None
        for request_id in self._waiting:
            if behind and request_id not in self._called:
                self._called.add(request_id)
                self._wake(request_id)
                return
            behind = behind or request_id == after

    def leave(self, request_id: str, *, served: bool) -> None:
        """Go on, or give up; then the slot for which it was called is somebody else's."""
        if request_id not in self._waiting:
            return
        if request_id in self._called:
            self._called.discard(request_id)
            if not served:
                self._offer(after=request_id)
        del self._waiting[request_id]
