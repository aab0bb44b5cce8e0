"""Silences of alerts: what a wish about one becomes."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from understudy.engine.errors import InvalidRequest
from understudy.engine.subjects import no_such_subject
from understudy.events.alerts import ALERTS, AlertSilenced, SilenceLifted
from understudy.events.names import did_you_mean
from understudy.projections.alerting import silence_key
from understudy.projections.standing import Standing

if TYPE_CHECKING:
    from understudy.engine.commands import LiftSilence, Silence


def silencing(
    standing: Standing, wish: "Silence | LiftSilence", *, operations: Collection[str], now_us: int
) -> AlertSilenced | SilenceLifted:
    """The event that a wish about an alert becomes. `operations` are those that are declared.

    Errors: InvalidRequest if there is no such alert, nothing that it could be about, or no such silence.
    """
    why_not = no_such_alert(wish.alert)
    if why_not is not None:
        raise InvalidRequest(why_not)
    if wish.command == "silence":
        why_not = no_such_subject(standing, wish.alert, wish.subject, operations=operations)
        if why_not is not None:
            raise InvalidRequest(why_not)
        until_us = now_us + wish.for_ms * 1000
        return AlertSilenced(**wish.model_dump(exclude={"command", "for_ms"}), until_us=until_us)
    why_not = not_silenced(standing, wish.alert, wish.subject, now_us=now_us)
    if why_not is not None:
        raise InvalidRequest(why_not)
    return SilenceLifted(**wish.model_dump(exclude={"command"}))


def no_such_alert(alert: str) -> str | None:
    """What to say of an alert that there is not; None if there is."""
    if alert in ALERTS:
        return None
    known = f"; there are {', '.join(ALERTS)}"
    return f"there is no alert {alert!r}{did_you_mean(alert, ALERTS) or known}"


def not_silenced(standing: Standing, alert: str, subject: str | None, *, now_us: int) -> str | None:
    """Why a silence cannot be lifted, in a sentence; None if it can."""
    found = standing.alerting.silences.get(silence_key(alert, subject))
    if found is not None and found.until_us > now_us:
        return None
    return f"{alert if subject is None else f'{alert} {subject}'} is not silenced"
