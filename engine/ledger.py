"""All that the engine knows at a place in the log: the standing, and the requests that are not settled yet."""

from dataclasses import dataclass, field
from typing import Any

from understudy.engine.request import EVOLUTIONS, accept
from understudy.engine.request_state import OpenState, Settled
from understudy.events.requests import RequestAccepted
from understudy.events.row import Recorded
from understudy.projections.block import BlockBuilder
from understudy.projections.standing import Standing


@dataclass(slots=True)
class Ledger:
    """The fold that live engine and replay share."""

    standing: Standing = field(default_factory=Standing)
    requests: dict[str, OpenState] = field(default_factory=dict)
    """Unsettled requests by id, in the order of their acceptance."""
    builder: BlockBuilder | None = None
    """Takes the events down for a sealed block, where that is wanted."""

    def fold(self, recorded: Recorded) -> int:
        """Take one more event in; tells by `lane_step`'s bits what changed in the lane that it concerned."""
        builder = self.builder
        changed = self.standing.fold(recorded) if builder is None else builder.fold(recorded, self.standing)
        event: Any = recorded[2]
        evolution = EVOLUTIONS.get(type(event))
        if evolution is None:
            if type(event) is RequestAccepted:
                self.requests[event.request_id] = accept(event, recorded[1])
            return changed
        requests, request_id = self.requests, event.request_id
        state = requests.get(request_id)
        if state is None:
            return changed  # Of no request, or of one that was settled before: a late fact changes nothing.
        after = evolution(state, event, recorded[1])
        if type(after) is Settled:
            del requests[request_id]
        else:
            requests[request_id] = after  # type: ignore[assignment]
        return changed
