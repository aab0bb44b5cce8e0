"""Who waits for a free slot, in the order of their coming: a call that ends lets one of them look, not all.

Those who wait for the same thing stand in one queue, because what is no use to the first of them is no use to the
others. So only the first of a queue watches the time; when it has gone, the next one looks. A line of ten thousand
costs each call no more than a line of ten.
"""

from collections.abc import Callable, Hashable, Iterator
from heapq import nsmallest
from typing import Final

from understudy.engine.eligibility import too_late_for
from understudy.engine.request_state import Chosen, OpenState, Progress
from understudy.events.policy import Policy
from understudy.projections.open_call import call_context
from understudy.projections.standing import Standing

_HOPS: Final = 8
"""How often a free slot is passed on by those who have no use for it; the others look again in their own time."""


def waited_for(state: OpenState, standing: Standing, *, now_us: int) -> Hashable:
    """What a request in line waits for: equal for two of whom eligibility says the same of every provider.

    Time makes no difference but by lateness. Who has become too late for one provider changes over to another queue
    with its next look: it would be called for each of that provider's slots, and those behind it for none.
    """
    progress, policy = state.progress, standing.policy
    accepted, then = progress.accepted, getattr(state, "then", None)
    here = then.turn.provider if isinstance(then, Chosen) else None
    context = call_context(accepted) if policy.lane_by else {}
    wares = (accepted.service, accepted.country) if standing.stock else (), accepted.only, accepted.max_price
    asked = _quoted(progress, policy)
    late = too_late_for(standing, accepted, tried=progress.tried, since_us=progress.since_us, now_us=now_us)
    return here, progress.tried, tuple([context[name] for name in policy.lane_by]), wares, asked, late


def _quoted(progress: Progress, policy: Policy) -> Hashable:
    """What else decides who may serve where quotes are asked for: quarantines, limits, and who gave no good one."""
    accepted = progress.accepted
    if not accepted.quoted:
        return None
    amount = None if policy.max_emergency_amount is None else accepted.amount
    return accepted.pair, amount, progress.spent


class Line:
    """Requests that wait because all who could serve them are at a limit."""

    def __init__(self, wake: Callable[[str], None]) -> None:
        self._wake = wake
        self._places: dict[str, tuple[int, Hashable]] = {}
        """When each has come, counted, and what it waits for."""
        self._queues: dict[Hashable, dict[str, None]] = {}
        self._called: dict[str, Iterator[str]] = {}
        """Who was called for a slot, and to whom it goes next."""
        self._came = 0

    @property
    def waiting(self) -> bool:
        """Whether anybody stands in line."""
        return bool(self._places)

    @property
    def who(self) -> tuple[str, ...]:
        """The ids of those who stand in line, as they have come."""
        return tuple(self._places)

    def has(self, waits_for: Hashable) -> bool:
        """Whether anybody waits for that."""
        return waits_for in self._queues

    def join(self, request_id: str, waits_for: Hashable) -> None:
        """Wait, or go on waiting in the same place: who was called and had no use for the slot passes it on."""
        came, before = self._places.get(request_id, (0, None))
        if not came:
            came = self._came = self._came + 1
        elif before != waits_for:
            self._step_out(request_id, before)
        self._places[request_id] = came, waits_for
        self._queues.setdefault(waits_for, {})[request_id] = None
        following = self._called.pop(request_id, None)
        if following is not None:
            self._call(following)

    def is_first(self, request_id: str) -> bool:
        """Whether it is the first of its queue, who watches the time for all behind."""
        _, waits_for = self._places[request_id]
        return next(iter(self._queues[waits_for])) == request_id

    def advance(self) -> None:
        """A slot is free: let the first one look who has not been called yet, and if need be the first of others."""
        if self._places:
            firsts = [first for queue in self._queues.values() if (first := self._uncalled(queue)) is not None]
            self._call(iter(nsmallest(_HOPS, firsts, key=self._places.__getitem__)))

    def look(self) -> None:
        """More than a slot has become free: let the first of every queue look; whoever goes lets the next one look."""
        for queue in self._queues.values():
            self._wake(next(iter(queue)))

    def leave(self, request_id: str, *, served: bool) -> None:
        """Go on, or give up; then the slot for which it was called is somebody else's."""
        came, waits_for = self._places.pop(request_id, (0, None))
        if came:
            self._step_out(request_id, waits_for)
        following = self._called.pop(request_id, None)
        if following is not None and not served:
            self._call(following)

    def _step_out(self, request_id: str, waits_for: Hashable) -> None:
        """Leave a queue; if it was the first, the next one looks and watches the time from here on."""
        queue = self._queues[waits_for]
        was_first = next(iter(queue)) == request_id
        del queue[request_id]
        if not queue:
            del self._queues[waits_for]
        elif was_first:
            self._wake(next(iter(queue)))

    def _uncalled(self, queue: dict[str, None]) -> str | None:
        return next((request_id for request_id in queue if request_id not in self._called), None)

    def _call(self, following: Iterator[str]) -> None:
        """Offer a slot down the line, once: back to the front, those who had no use for it would go on for ever."""
        for request_id in following:
            if request_id in self._places and request_id not in self._called:
                self._called[request_id] = following
                self._wake(request_id)
                return
