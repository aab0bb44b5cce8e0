"""Alerts: which there are, how urgent each is, and what happens to one besides being raised and cleared."""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Final

from understudy.events.fact import Fact
from understudy.events.record import record

SUCCESS_RATE: Final = "success_rate"
CIRCUIT_OPEN: Final = "circuit_open"
FALLBACK_SHARE: Final = "fallback_share"
LOW_STOCK: Final = "low_stock"
LONG_THROTTLE: Final = "long_throttle"
"""A provider wants to be left alone for so long that somebody should know: a ban, say."""
LOG_TROUBLE: Final = "log_trouble"
CHORE_FAILED: Final = "chore_failed"

MEASURED: Final = frozenset({SUCCESS_RATE, CIRCUIT_OPEN, FALLBACK_SHARE, LOW_STOCK})
"""Those that hold a figure against a mark. Nothing else that is decided depends on whether they stand."""

BY_TIME: Final = frozenset({CIRCUIT_OPEN})
"""Those that no event raises: nothing but time has passed since the one before."""

DRILLED: Final = frozenset({SUCCESS_RATE, CIRCUIT_OPEN, LONG_THROTTLE})
"""Those about a provider that a drill there may bring about."""

UNRULED: Final = frozenset({"command_refused", LOG_TROUBLE, CHORE_FAILED})
"""Those that no rule raises: their cause lies outside of what a log tells."""


class Severity(StrEnum):
    """How urgent an alert is; the page of the day is no alert, and not urgent: `info`."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class Told(StrEnum):
    """What people are told of an alert, or besides: the page of the day."""

    RAISED = "raised"
    CLEARED = "cleared"
    DIGEST = "digest"


ALERTS: Final[Mapping[str, tuple[Severity, str]]] = {
    SUCCESS_RATE: (Severity.ERROR, "a provider fails too often"),
    CIRCUIT_OPEN: (Severity.ERROR, "a provider's circuit has not been closed for long"),
    FALLBACK_SHARE: (Severity.WARNING, "too many requests are served by another provider than the first"),
    LOW_STOCK: (Severity.WARNING, "a provider has little left of something"),
    LOG_TROUBLE: (Severity.CRITICAL, "the log cannot be written, or lags behind"),
    CHORE_FAILED: (Severity.ERROR, "what an engine is to do beside serving, such as archiving, has failed"),
    "local_fault": (Severity.CRITICAL, "nearly all providers fail on the network at once"),
    "emergency": (Severity.CRITICAL, "nobody above the emergency tier is able to serve"),
    "misconfigured": (Severity.ERROR, "a provider does not accept our key or account"),
    "insufficient_funds": (Severity.ERROR, "our account at a provider lacks funds"),
    LONG_THROTTLE: (Severity.WARNING, "a provider wants to be left alone for five minutes or more"),
    "suspended": (Severity.ERROR, "a request may have been executed, and is held"),
    "late_success": (Severity.ERROR, "a provider has executed after all what it was believed not to have"),
    "contradiction": (Severity.ERROR, "an operator says one thing of a request, and its provider another"),
    "unclaimed": (Severity.WARNING, "a request was executed, and nobody has a use for it"),
    "phantom_stock": (Severity.WARNING, "a provider refuses again and again what it says it has"),
    "quarantine": (Severity.WARNING, "a provider's quotes for a pair do not count"),
    "no_honest_quote": (Severity.ERROR, "no quote for a pair can be trusted"),
    "command_refused": (Severity.WARNING, "a command in the inbox made no sense"),
}
"""Every alert by its name, how urgent it is, and what it says. Names are for ever."""

DIGEST: Final = "digest"
"""What the page of the day goes by, where an alert has its name."""


def severity(alert: str) -> Severity:
    """How urgent an alert is; one of another version of ours is a warning."""
    return ALERTS[alert][0] if alert in ALERTS else Severity.WARNING


@record(kw_only=True)
class AlertSilenced(Fact):
    """An operator does not want to hear of an alert for a while. It is raised and cleared on record all the same.

    Shape:  `subject` None means whatever it is about.
    """

    kind: ClassVar[str] = "alert_silenced.v1"
    alert: str
    subject: str | None = None
    until_us: int
    actor: str
    reason: str


@record(kw_only=True)
class SilenceLifted(Fact):
    """An operator wants to hear of an alert again, before its silence was over."""

    kind: ClassVar[str] = "silence_lifted.v1"
    alert: str
    subject: str | None = None
    actor: str
    reason: str


@record(kw_only=True)
class AlertChannelsSet(Fact):
    """By which channels people are told from here on; each is owed what stands, and all that comes."""

    kind: ClassVar[str] = "alert_channels_set.v1"
    channels: tuple[str, ...]


@record(kw_only=True)
class AlertDelivered(Fact):
    """A channel has taken what it was owed.

    Shape:  `notice_seq` is the event that people are told of, `told` what of it. `delivery_id` is the same at every
            attempt, also after a restart: whoever has seen it has been told before.
    """

    kind: ClassVar[str] = "alert_delivered.v1"
    channel: str
    delivery_id: str
    notice_seq: int
    told: Told
    alert: str
    subject: str
    attempts: int


@record(kw_only=True)
class AlertDeliveryFailed(Fact):
    """A channel has not taken what it was owed, however often it was tried; it is owed that no more.

    Errors: `error` is the last attempt's, without secrets.
    """

    kind: ClassVar[str] = "alert_delivery_failed.v1"
    channel: str
    delivery_id: str
    notice_seq: int
    told: Told
    alert: str
    subject: str
    attempts: int
    error: str


@record(kw_only=True)
class DigestDue(Fact):
    """The page of the day is due: once a day, and every channel is owed it.

    Shape:  `day` is the day in UTC, `2026-01-31`, and `day_us` its first instant. The page is about the time since
            `since_us`.
    """

    kind: ClassVar[str] = "digest_due.v1"
    day: str
    day_us: int
    since_us: int
