"""What people are told of an event: of an alert, or the page of a day."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from understudy.engine.alert_channels import Digest, Notice
from understudy.events.alerts import DIGEST, DigestDue, Severity, Told, severity
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.events.row import Recorded

MakeDigest = Callable[[int], Awaitable[Digest]]


async def notice_of(
    recorded: Recorded, delivery_id: str, *, stream: str, digest: MakeDigest | None, drill: str | None = None
) -> Notice:
    """The notice of an event that a channel is owed; `drill` is what may have brought an alert about.

    Errors: UnderstudyError if the page of a day cannot be made.
    """
    event = recorded.event
    shared: dict[str, Any] = {
        "delivery_id": delivery_id,
        "at_us": recorded.at_us,
        "stream": stream,
        "seq": recorded.seq,
        "drill": drill,
    }
    match event:
        case AlertRaised(alert=alert, subject=subject, message=told):
            message = naming(drill, told)
            return Notice(
                told=Told.RAISED, alert=alert, subject=subject, severity=severity(alert), message=message, **shared
            )
        case AlertCleared(alert=alert, subject=subject, message=told):
            message = naming(drill, told or "it is over")
            return Notice(
                told=Told.CLEARED, alert=alert, subject=subject, severity=severity(alert), message=message, **shared
            )
        case DigestDue(day=day, since_us=since_us):
            page = (
                Digest(text="no page of the day is configured any more") if digest is None else await digest(since_us)
            )
            return Notice(
                told=Told.DIGEST,
                alert=DIGEST,
                subject=day,
                severity=Severity.INFO,
                message=page.text,
                details=page.tables,
                **shared,
            )
        case _:
            raise TypeError(f"event {recorded.seq} is no notice")


def naming(drill: str | None, message: str) -> str:
    """What is said of an alert, with the drill that may have brought it about."""
    return message if drill is None else f"{message} (drill {drill})"


def day_of(at_us: int) -> str:
    """The day of an instant in UTC, `2026-01-31`."""
    return datetime.fromtimestamp(at_us // 1_000_000, UTC).strftime("%Y-%m-%d")
