"""A call under way, and how its events are read: the lane that it counts in, and what its ending is to that lane."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from understudy.events.calls import CallAbandoned, CallFact, CallFailed, CallStarted, CallSucceeded
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import FailureKind
from understudy.projections import lane_step as lane

CODES: Final[Mapping[FailureKind, int]] = MappingProxyType(
    {
        FailureKind.TRANSIENT: lane.TRANSIENT,
        FailureKind.TIMED_OUT: lane.TIMED_OUT,
        FailureKind.AMBIGUOUS: lane.AMBIGUOUS,
        FailureKind.INVALID_REPLY: lane.INVALID_REPLY,
        FailureKind.RATE_LIMITED: lane.THROTTLE,
        FailureKind.OUT_OF_STOCK: lane.DECLINE,
        FailureKind.NOT_OFFERED: lane.DECLINE,
        FailureKind.TOO_EXPENSIVE: lane.DECLINE,
        FailureKind.INSUFFICIENT_FUNDS: lane.DECLINE,
        FailureKind.MISCONFIGURED: lane.DECLINE,
        FailureKind.REJECTED: lane.DECLINE,
    }
)
"""What each failure kind is to the lane: the rows of the table of endings."""


def ending_code(event: CallSucceeded | CallFailed | CallAbandoned) -> int:
    """What the ending of a call is to its lane."""
    if isinstance(event, CallFailed):
        return CODES[event.outcome]
    return lane.SUCCESS if isinstance(event, CallSucceeded) else lane.ABANDON


class OpenCall(NamedTuple):
    """A call that has started and not ended. `lane` is the index of the lane that it counts in."""

    lane: int
    started_us: int
    started: CallStarted


def call_context(event: CallFact | RequestAccepted) -> dict[str, str | None]:
    """The context of an event that lanes may be split by."""
    return {
        "operation": event.operation,
        "service": event.service,
        "country": event.country,
        "rental_id": event.rental_id,
        "pair": event.pair,
    }
