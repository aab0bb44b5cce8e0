"""What happens to alerts, in one sentence."""

from typing import Final

from understudy.adapters.cli.instants import iso
from understudy.events.alerts import (
    AlertChannelsSet,
    AlertDelivered,
    AlertDeliveryFailed,
    AlertSilenced,
    DigestDue,
    SilenceLifted,
    Told,
)
from understudy.events.counted import counted
from understudy.events.fact import Fact
from understudy.events.operations import AlertCleared, AlertRaised

OF_ALERTS: Final[frozenset[type[Fact]]] = frozenset(
    {
        AlertRaised,
        AlertCleared,
        AlertChannelsSet,
        AlertDelivered,
        AlertDeliveryFailed,
        AlertSilenced,
        DigestDue,
        SilenceLifted,
    }
)


def alert_words(event: Fact) -> str:
    """The event in words."""
    match event:
        case AlertRaised():
            return f"alert {_about(event)}: {event.message}"
        case AlertCleared():
            return f"alert {_about(event)} is over{f': {event.message}' if event.message else ''}"
        case AlertSilenced(alert=alert, subject=subject, until_us=until_us, actor=actor, reason=reason):
            return f"{actor} silences {named(alert, subject)} until {iso(until_us)}: {reason}"
        case SilenceLifted(alert=alert, subject=subject, actor=actor, reason=reason):
            return f"{actor} wants to be told of {named(alert, subject)} again: {reason}"
        case AlertChannelsSet(channels=channels):
            return f"alerts are told by {', '.join(channels)}" if channels else "alerts are told by no channel"
        case AlertDelivered():
            after = f" after {counted(event.attempts, 'attempt')}" if event.attempts > 1 else ""
            return f"{event.channel} has taken {_what(event)}{after}"
        case AlertDeliveryFailed():
            return (
                f"{event.channel} has not taken {_what(event)}, in {counted(event.attempts, 'attempt')}: {event.error}"
            )
        case DigestDue(day=day):
            return f"the page of {day} is due"
        case _:
            return event.kind


def named(alert: str, subject: str | None) -> str:
    """An alert by its name, and what it is about."""
    return f"{alert} {subject}" if subject else alert


def _what(event: AlertDelivered | AlertDeliveryFailed) -> str:
    if event.told is Told.DIGEST:
        return f"the page of {event.subject}"
    return f"that {named(event.alert, event.subject)} was {event.told}"


def _about(event: AlertRaised | AlertCleared) -> str:
    return f"{event.alert} about {event.subject}" if event.subject else event.alert
