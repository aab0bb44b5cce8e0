"""What each kind of event does to the standing: one small function a kind, and the table that finds it.

What a reader has made of a provider's record (`Lanes.kept`) is dropped here by every event that changes the record.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

from understudy.events import alerts
from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.decisions import Decided, Decision, DecisionMade, Event
from understudy.events.desk import NoteAdded
from understudy.events.drills import DrillEnded, DrillSkipped, DrillStarted
from understudy.events.operations import (
    AlertCleared,
    AlertRaised,
    EngineStarted,
    EngineStopped,
    ModeChanged,
    OverrideCleared,
    OverrideSet,
    PolicyActivated,
    PreferencesChanged,
    ProbeRequested,
    SyncRequested,
)
from understudy.events.quotes import QuarantineReleased, QuarantineSet
from understudy.events.requests import (
    RequestAccepted,
    RequestCancelled,
    RequestCompleted,
    RequestFailed,
    RequestResumed,
    RequestSuspended,
)
from understudy.events.row import Recorded
from understudy.events.stock import OffersListed
from understudy.events.vocabulary import (
    Strategy,
)
from understudy.projections.alert_reactions import (
    alert_cleared,
    alert_raised,
    channels_set,
    delivered,
    digest_due,
    lifted,
    silenced,
)
from understudy.projections.call_reactions import call_abandoned, call_failed, call_started, call_succeeded
from understudy.projections.drill_reactions import (
    drill_ended,
    drill_skipped,
    drill_started,
)
from understudy.projections.end_reactions import (
    cancelled,
    completed,
    failed,
    resumed,
    suspended,
)
from understudy.projections.notes import note_added
from understudy.projections.operator_reactions import (
    engine_started,
    engine_stopped,
    override_cleared,
    override_set,
    policy_activated,
    preferences_changed,
    probe_requested,
)
from understudy.projections.quote_reactions import quarantine_released, quarantine_set
from understudy.projections.stock_reactions import listed, sync_requested

if TYPE_CHECKING:
    from understudy.projections.standing import Standing

F = TypeVar("F", bound=Event)
Reaction = Callable[["Standing", Recorded, Any], int | None]

# An enum's member costs several times a global to look up, and this is asked at every decision.
_ROUND_ROBIN: Final = Strategy.ROUND_ROBIN


def _mode_changed(standing: "Standing", _: Recorded, event: ModeChanged) -> None:
    standing.mode = event.mode


def _decision_made(standing: "Standing", recorded: Recorded, event: Decided) -> None:
    standing.totals.decided(event.provider)
    if event.consensus is not None:
        standing.quotes.judged(event.consensus, recorded[1])
    if event.strategy is _ROUND_ROBIN and event.provider is not None and event.tier is not None:
        standing.last_first[event.tier] = event.provider


def _accepted(standing: "Standing", _: Recorded, event: RequestAccepted) -> None:
    standing.totals.accepted += 1
    if event.undone_by is not None or event.undoes is not None:
        standing.unused.accepted(event)


def _on(kind: type[F], react: Callable[["Standing", Recorded, F], int | None]) -> tuple[Any, Reaction]:
    """A line of the table, typed so that a reaction cannot be put beside another kind of event than its own."""
    return kind, react


REACTIONS: Final[Mapping[type[Event], Reaction]] = dict(
    (
        _on(EngineStarted, engine_started),
        _on(EngineStopped, engine_stopped),
        _on(PolicyActivated, policy_activated),
        _on(PreferencesChanged, preferences_changed),
        _on(CallStarted, call_started),
        _on(CallSucceeded, call_succeeded),
        _on(CallFailed, call_failed),
        _on(CallAbandoned, call_abandoned),
        _on(OverrideSet, override_set),
        _on(OverrideCleared, override_cleared),
        _on(ProbeRequested, probe_requested),
        _on(SyncRequested, sync_requested),
        _on(NoteAdded, note_added),
        _on(OffersListed, listed),
        _on(DrillStarted, drill_started),
        _on(DrillEnded, drill_ended),
        _on(DrillSkipped, drill_skipped),
        _on(AlertRaised, alert_raised),
        _on(AlertCleared, alert_cleared),
        _on(alerts.AlertSilenced, silenced),
        _on(alerts.SilenceLifted, lifted),
        _on(alerts.AlertChannelsSet, channels_set),
        _on(alerts.AlertDelivered, delivered),
        _on(alerts.AlertDeliveryFailed, delivered),
        _on(alerts.DigestDue, digest_due),
        _on(ModeChanged, _mode_changed),
        _on(DecisionMade, _decision_made),
        _on(Decision, _decision_made),
        _on(RequestAccepted, _accepted),
        _on(RequestCompleted, completed),
        _on(RequestCancelled, cancelled),
        _on(RequestFailed, failed),
        _on(QuarantineSet, quarantine_set),
        _on(QuarantineReleased, quarantine_released),
        _on(RequestSuspended, suspended),
        _on(RequestResumed, resumed),
    )
)
"""What to do for each kind of event; the others change nothing but the place in the log."""
