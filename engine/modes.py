"""How the engine as a whole is served: by its best tier, by its backups, or by nothing but the last resort."""

from typing import Final

from understudy.engine.eligibility import pings_fail
from understudy.events.calls import CallFailed, CallSucceeded
from understudy.events.decisions import Event
from understudy.events.drills import DrillEnded
from understudy.events.operations import EngineStarted, ModeChanged, OverrideCleared, OverrideSet, PolicyActivated
from understudy.events.policy import ProviderSettings
from understudy.events.vocabulary import FailureKind, ForcedState, Mode, ServicePriority
from understudy.projections import lane_step as lane
from understudy.projections.standing import Standing

TURNING: Final = frozenset({DrillEnded, EngineStarted, PolicyActivated, OverrideSet, OverrideCleared})
"""Events after which providers may be able to serve, or no longer, whatever their circuits say."""
_CIRCUITS: Final = lane.OPENED | lane.CLOSED | lane.REOPENED


def due(standing: Standing, event: Event, changed: int) -> ModeChanged | None:
    """The change of mode that must follow an event, which has been folded already with these bits for its lane."""
    if not may_turn(standing, event, changed):
        return None
    mode = mode_of(standing)
    return None if mode is standing.mode else ModeChanged(mode=mode, previous=standing.mode)


def may_turn(standing: Standing, event: Event, changed: int) -> bool:
    """Whether the mode may be another one after an event."""
    return bool(changed & _CIRCUITS) or type(event) in TURNING or _turns(standing, event)


def mode_of(standing: Standing) -> Mode:
    """Normal while anybody of the best tier can serve, degraded while a backup can, else emergency."""
    providers = [one for one in standing.policy.providers if not one.free_price]
    able = {int(settings.priority) for settings in providers if is_able(standing, settings)}
    best = min([int(settings.priority) for settings in providers], default=None)
    if best is None or best in able:
        return Mode.NORMAL
    return Mode.DEGRADED if any(tier < ServicePriority.EMERGENCY for tier in able) else Mode.EMERGENCY


def is_able(standing: Standing, settings: ProviderSettings) -> bool:
    """Whether a provider can serve now, as far as its circuits, its account and operators have a say."""
    record = standing.providers[settings.id]  # The policy that names it has made it.
    forced = record.forced(standing.at_us)
    if forced is not None:
        return forced is ForcedState.CLOSED
    if record.misconfigured_us:
        return False
    quotes = standing.lanes.find((settings.id, "quote"))
    if quotes is not None and not _is_closed(standing, quotes):
        return False
    served = [index for _, index in standing.lanes.serving(settings.id)]
    if not served:
        return not pings_fail(standing, settings, None)
    return any(_is_closed(standing, one) and not pings_fail(standing, settings, one) for one in served)


def _is_closed(standing: Standing, index: int) -> bool:
    """Whether a lane's circuit is closed by now, be it that a trusted ping has closed it."""
    lanes = standing.lanes
    return lane.circuit(lanes.state, lanes.base(index), lanes.params[index], standing.at_us) == lane.IS_CLOSED


def _turns(standing: Standing, event: Event) -> bool:
    """Whether the end of a call says something of a whole account, or the alert that it raised closes circuits."""
    if type(event) is CallFailed:
        return event.outcome is FailureKind.MISCONFIGURED or event.operation == "ping" or _others_stand(standing)
    # That a forced state has run out is no event: the next success looks.
    return type(event) is CallSucceeded and (_others_stand(standing) or standing.mode is not Mode.NORMAL)


def _others_stand(standing: Standing) -> bool:
    """Whether an alert stands that may have to do with who is able to serve: no measured one has."""
    return len(standing.alerts) > standing.alerting.measured
