"""All that the engine knows at a place in the log: the standing, and the requests that are not settled yet."""

from dataclasses import dataclass, field

from understudy.engine.request import accept, evolve
from understudy.engine.request_state import OpenState, RequestEvent, Settled
from understudy.events.requests import RequestAccepted
from understudy.events.row import Recorded
from understudy.projections.standing import Standing


@dataclass(slots=True)
class Ledger:
    """The fold that live engine and replay share."""

    standing: Standing = field(default_factory=Standing)
    requests: dict[str, OpenState] = field(default_factory=dict)
    """Unsettled requests by id, in the order of their acceptance."""

    def fold(self, recorded: Recorded) -> int:
        """Take one more event in; tells by `lane_step`'s bits what changed in the lane that it concerned."""
        changed = self.standing.fold(recorded)
        event = recorded.event
        if isinstance(event, RequestAccepted):
            self.requests[event.request_id] = accept(event)
        elif isinstance(event, RequestEvent) and event.request_id is not None:
            self._evolve(event.request_id, event, recorded.at_us)
        return changed

    def _evolve(self, request_id: str, event: RequestEvent, at_us: int) -> None:
        state = self.requests.get(request_id)
        if state is None:
            return  # Settled before: a late fact changes nothing.
        after = evolve(state, event, at_us)
        if isinstance(after, Settled):
            del self.requests[request_id]
        else:
            self.requests[request_id] = after
