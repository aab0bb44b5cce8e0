"""Silences of alerts: what a wish about one becomes."""

from typing import TYPE_CHECKING, Final

from understudy.engine.errors import InvalidRequest
from understudy.events.alerts import ALERTS, CIRCUIT_OPEN, LOW_STOCK, SUCCESS_RATE, AlertSilenced, SilenceLifted
from understudy.events.names import did_you_mean
from understudy.projections.alerting import silence_key
from understudy.projections.standing import Standing

if TYPE_CHECKING:
    from understudy.engine.commands import LiftSilence, Silence

_OF_A_PROVIDER: Final = frozenset(
    {
        SUCCESS_RATE,
        CIRCUIT_OPEN,
        LOW_STOCK,
        "misconfigured",
        "insufficient_funds",
        "long_throttle",
        "phantom_stock",
        "quarantine",
    }
)
"""Alerts whose subject begins with a provider's name."""


def silencing(standing: Standing, wish: "Silence | LiftSilence", *, now_us: int) -> AlertSilenced | SilenceLifted:
    """The event that a wish about an alert becomes.

    Errors: InvalidRequest if there is no such alert, nobody whom it could be about, or no such silence.
    """
    why_not = no_such_alert(wish.alert)
    if why_not is not None:
        raise InvalidRequest(why_not)
    if wish.command == "silence":
        why_not = no_such_subject(standing, wish.alert, wish.subject)
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


def no_such_subject(standing: Standing, alert: str, subject: str | None) -> str | None:
    """What to say of a subject that an alert can never be about, as there is no such provider; None if it can."""
    if subject is None or alert not in _OF_A_PROVIDER or f"{alert}|{subject}" in standing.alerts:
        return None
    provider, known = subject.replace("|", " ").partition(" ")[0], standing.policy.by_id
    if provider in known:
        return None
    advice = did_you_mean(provider, known) or f"; there are {', '.join(known)}"
    return f"{alert} is about a provider, and there is no provider {provider!r}{advice}"


def not_silenced(standing: Standing, alert: str, subject: str | None, *, now_us: int) -> str | None:
    """Why a silence cannot be lifted, in a sentence; None if it can."""
    found = standing.alerting.silences.get(silence_key(alert, subject))
    if found is not None and found.until_us > now_us:
        return None
    return f"{alert if subject is None else f'{alert} {subject}'} is not silenced"
