"""What starts, policies and operators' words do to the standing."""

from typing import TYPE_CHECKING

from understudy.events.operations import (
    EngineStarted,
    EngineStopped,
    OverrideCleared,
    OverrideSet,
    PolicyActivated,
    PreferencesChanged,
    ProbeRequested,
)
from understudy.events.row import Recorded
from understudy.projections.drill_reactions import schedule_told
from understudy.projections.lanes import turn
from understudy.projections.provider_record import rate_interval_us

if TYPE_CHECKING:
    from understudy.projections.standing import Standing


def engine_started(standing: "Standing", recorded: Recorded, event: EngineStarted) -> None:
    """An engine has taken over: what it was told of its rules, and a fresh look at accounts."""
    standing.rules_version = event.rules_version
    standing.alerting.engine_starts(recorded.at_us)
    standing.lanes.kept.clear()
    for record in standing.providers.values():
        record.misconfigured_us = 0  # A restart may have brought the right key: the next call will tell.


def engine_stopped(standing: "Standing", _: Recorded, __: EngineStopped) -> None:
    """Nobody tells people anything for now."""
    standing.alerting.attended = False


def policy_activated(standing: "Standing", recorded: Recorded, event: PolicyActivated) -> None:
    """From here on this policy decides."""
    standing.policy = event.policy
    standing.policy_hash = event.policy_hash
    standing.rate_interval_us = rate_interval_us(event.policy.max_calls_per_second)
    schedule_told(standing, event.policy.drill_schedule, recorded.at_us)
    turn(standing.lanes, recorded)
    for settings in event.policy.providers:
        standing.provider(settings.id).adopt(settings)
        if settings.id in standing.undrilled:
            standing.undrilled[settings.id].adopt(settings)


def preferences_changed(standing: "Standing", _: Recorded, event: PreferencesChanged) -> None:
    """An operator has said what is to be preferred."""
    standing.preferences |= event.changes


def override_set(standing: "Standing", _: Recorded, event: OverrideSet) -> None:
    """An operator forces a state on a provider."""
    standing.provider(event.provider).override = event
    standing.lanes.kept.pop(event.provider, None)


def override_cleared(standing: "Standing", _: Recorded, event: OverrideCleared) -> None:
    """An operator takes a forced state back."""
    record = standing.provider(event.provider)
    record.override = None
    standing.lanes.kept.pop(event.provider, None)
    record.misconfigured_us = 0


def probe_requested(standing: "Standing", recorded: Recorded, event: ProbeRequested) -> None:
    """Circuits of a provider rest no longer."""
    turn(standing.lanes, recorded)
    standing.lanes.kept.pop(event.provider, None)
