"""What must follow an event at once: alerts, modes, quarantines. Asked after every append, by engine and replay."""

from typing import Final

from understudy.engine import alert_rules, alerts, modes, quarantine
from understudy.engine.quarantine import RULES
from understudy.events.alerts import BY_TIME, AlertSilenced, DigestDue, SilenceLifted
from understudy.events.calls import CallSucceeded
from understudy.events.decisions import Decision, DecisionMade, Event
from understudy.events.operations import AlertCleared, AlertRaised, ClockStepped, ModeChanged, PolicyActivated
from understudy.events.quotes import QuarantineReleased, QuarantineSet
from understudy.events.requests import RequestCompleted, RequestFailed, RequestResumed
from understudy.events.stock import OffersListed
from understudy.events.vocabulary import Mode
from understudy.projections.standing import Standing

FollowUp = AlertRaised | AlertCleared | ModeChanged | QuarantineSet | QuarantineReleased

# An enum's member costs several times a global to look up.
_NORMAL: Final = Mode.NORMAL
_DECISIONS: Final = frozenset({Decision, DecisionMade})

_ENDS: Final = frozenset({CallSucceeded, RequestCompleted, RequestFailed, RequestResumed, OffersListed})
"""After these something may be due where an alert stands, the mode is another, or something is left behind."""

NOTICES: Final = frozenset(
    {AlertRaised, AlertCleared, AlertSilenced, SilenceLifted, DigestDue, PolicyActivated, ClockStepped}
)
"""Events that say something to those who tell people of alerts."""

HEEDED: Final = alerts.RAISING | modes.TURNING | {QuarantineSet, QuarantineReleased} | NOTICES
"""After these something may be due, or is to be told, even where no alert stands and no lane has changed."""


def follows(event: Event) -> bool:
    """Whether an event of the engine's own followed from another: quarantines may be an operator's, too.

    What time alone has made due followed from nothing: to ask its predecessor again would be to ask it too late.
    """
    if isinstance(event, QuarantineSet | QuarantineReleased):
        return event.actor == RULES
    if isinstance(event, AlertRaised) and event.alert in BY_TIME:
        return False
    return isinstance(event, AlertRaised | AlertCleared | ModeChanged)


def may_be_due(standing: Standing, event: Event, changed: int) -> bool:
    """Whether it is worth asking: seldom."""
    if changed:
        return True
    kind = type(event)
    if kind in _ENDS:
        if standing.alerts or standing.mode is not _NORMAL or standing.leftovers.watched or standing.unused.owed:
            return True
        return alert_rules.may_raise(standing, event)
    return kind in HEEDED or (kind in _DECISIONS and event.consensus is not None)  # type: ignore[union-attr]


def due(standing: Standing, event: Event, changed: int) -> FollowUp | None:
    """The event that must follow this one, which has been folded already; asked again until None.

    `changed` is what the fold of this event told of its lane.
    """
    found: FollowUp | None
    if type(event) is CallSucceeded:  # The alert that it ends tells that the mode may turn.
        found = modes.due(standing, event, changed) or alerts.due(standing, event)
    else:
        found = alerts.due(standing, event) or modes.due(standing, event, changed) or quarantine.due(standing, event)
    if found is None and modes.may_turn(standing, event, changed):
        found = alerts.of_the_mode(standing)
    return found or alert_rules.due(standing, event, changed)
