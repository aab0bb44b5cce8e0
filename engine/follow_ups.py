"""What must follow an event at once: alerts, and changes of mode. Asked after every append, by engine and replay."""

from typing import Final

from understudy.engine import alerts, modes
from understudy.events.calls import CallSucceeded
from understudy.events.decisions import Event
from understudy.events.operations import AlertCleared, AlertRaised, ModeChanged
from understudy.events.vocabulary import Mode
from understudy.projections.standing import Standing

FollowUp = AlertRaised | AlertCleared | ModeChanged

# An enum's member costs several times a global to look up.
_NORMAL: Final = Mode.NORMAL

HEEDED: Final = alerts.RAISING | modes.TURNING
"""After these something may be due even where no alert stands and no lane has changed."""


def may_be_due(standing: Standing, event: Event, changed: int) -> bool:
    """Whether it is worth asking: seldom."""
    return bool(changed or standing.alerts or standing.mode is not _NORMAL or type(event) in HEEDED)


def due(standing: Standing, event: Event, changed: int) -> FollowUp | None:
    """The event that must follow this one, which has been folded already; asked again until None.

    `changed` is what the fold of this event told of its lane.
    """
    if type(event) is CallSucceeded:  # The alert that it ends tells that the mode may turn.
        return modes.due(standing, event, changed) or alerts.due(standing, event)
    return alerts.due(standing, event) or modes.due(standing, event, changed)
