"""What alerts, silences and deliveries do to the standing."""

from typing import TYPE_CHECKING

from understudy.events.alerts import (
    DRILLED,
    AlertChannelsSet,
    AlertDelivered,
    AlertDeliveryFailed,
    AlertSilenced,
    DigestDue,
    SilenceLifted,
)
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.events.row import Recorded
from understudy.projections.end_reactions import tidy_up
from understudy.projections.lanes import turn

if TYPE_CHECKING:
    from understudy.projections.standing import Standing


def alert_raised(standing: "Standing", recorded: Recorded, event: AlertRaised) -> None:
    """Something needs a person."""
    name = f"{event.alert}|{event.subject}"
    standing.alerts[name] = recorded.at_us
    drill = standing.drills.get(event.subject.partition(" ")[0]) if event.alert in DRILLED else None
    by = None if drill is None else drill.drill
    standing.alerting.raised(name, recorded.seq, at_us=recorded.at_us, drill=by, early=event.told_us is not None)
    standing.leftovers.told(event.subject)
    standing.lanes.kept.clear()
    turn(standing.lanes, recorded)


def alert_cleared(standing: "Standing", recorded: Recorded, event: AlertCleared) -> None:
    """It is over."""
    name = f"{event.alert}|{event.subject}"
    if standing.unused.owed:
        tidy_up(standing, name)
    standing.alerts.pop(name, None)
    standing.alerting.cleared(name, recorded.seq, at_us=recorded.at_us)
    standing.spoken.pop(event.subject, None)  # That a request was held, or is contradicted, is over with it.
    standing.lanes.kept.clear()
    turn(standing.lanes, recorded)


def silenced(standing: "Standing", recorded: Recorded, event: AlertSilenced) -> None:
    """People do not want to hear of it for a while."""
    standing.alerting.silence(event, at_us=recorded.at_us)


def lifted(standing: "Standing", _: Recorded, event: SilenceLifted) -> None:
    """They want to again."""
    standing.alerting.lift(event.alert, event.subject)


def channels_set(standing: "Standing", _: Recorded, event: AlertChannelsSet) -> None:
    """People are told by these from here on."""
    standing.alerting.tell_by(event.channels)


def delivered(standing: "Standing", _: Recorded, event: AlertDelivered | AlertDeliveryFailed) -> None:
    """A channel is owed it no more."""
    standing.alerting.owed.get(event.channel, {}).pop(event.notice_seq, None)


def digest_due(standing: "Standing", recorded: Recorded, event: DigestDue) -> None:
    """The page of the day is on record."""
    standing.alerting.digest(event, recorded.seq)
