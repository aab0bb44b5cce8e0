"""By which ways people are told of alerts besides the program's own logging and signals: what such a way must be."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from understudy.events.alerts import Severity, Told
from understudy.events.errors import UnderstudyError

DAY_US: Final = 86_400_000_000
MINUTE_US: Final = 60_000_000
_MINUTES: Final = 1_440


class NotDelivered(UnderstudyError):
    """A channel has not taken a notice. The message says why, goes on record, and has no secret in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What people are told.

    Shape:  `delivery_id` is the same at every attempt, also after a restart. `seq` is the event that it is about, None
            for trouble of the log itself, which is told before it can be put on record. `details` are there with the
            page of the day: each of its tables by name, as records. `drill` is the drill that ran at the provider when
            an alert was raised that it may have brought about; the message names it, too.
    Units:  `at_us` is when that happened.
    """

    delivery_id: str
    told: Told
    alert: str
    subject: str
    severity: Severity
    message: str
    at_us: int
    stream: str
    seq: int | None = None
    details: Mapping[str, Any] | None = None
    drill: str | None = None


class AlertChannel(Protocol):
    """A way to tell people. A new one is a new class and no other change."""

    @property
    def name(self) -> str:
        """What it goes by in the log, for ever."""

    async def deliver(self, notice: Notice, /) -> None:
        """Tell people once. Trying again is the engine's business, and so is the time limit.

        Errors: NotDelivered.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """The page of a day: as text, and as records."""

    text: str
    tables: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertDelivery:
    """How an engine tells people.

    Shape:  `daily_at_min` are minutes after midnight UTC at which the page of the day is due, None for never; `digest`
            makes it, of the time since an instant.
    Units:  `retry_ms` is the pause after the first attempt, which doubles up to `retry_cap_ms`.
    Errors: TypeError for what is no channel; ValueError for channels of one name, and for figures that cannot be.
    """

    channels: Sequence[AlertChannel] = ()
    daily_at_min: int | None = None
    digest: Callable[[int], Awaitable[Digest]] | None = None
    attempts: int = 10
    attempt_ms: int = 10_000
    retry_ms: int = 1_000
    retry_cap_ms: int = 60_000

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for one in self.channels:
            if not isinstance(getattr(one, "name", None), str) or not callable(getattr(one, "deliver", None)):
                raise TypeError(
                    f"{type(one).__name__} is no alert channel: it needs a name, and `async def deliver(notice)`"
                )
        names = [one.name for one in self.channels]
        if len(set(names)) < len(names):
            raise ValueError(f"two alert channels have the same name; there are {', '.join(names)}")
        if self.daily_at_min is not None and not 0 <= self.daily_at_min < _MINUTES:
            raise ValueError(f"daily_at_min must be from 0 to {_MINUTES - 1}, not {self.daily_at_min}")
        if (self.daily_at_min is None) != (self.digest is None):
            raise ValueError("daily_at_min and digest belong together; give both or neither")
        for name in ("attempts", "attempt_ms", "retry_ms", "retry_cap_ms"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")

    def pause_us(self, attempts: int) -> int:
        """How long to wait after so many attempts."""
        return min(self.retry_ms << min(attempts - 1, 30), self.retry_cap_ms) * 1000

    def digest_at_us(self, now_us: int, last_day_us: int, *, begun_us: int) -> int | None:
        """When the next page of a day is due: today's, unless it is on record already; None for never.

        `last_day_us` is the midnight of the day that the last one was about, 0 for none: then the first is due at its
        next hour after `begun_us`, when the engine began, for nobody wants one at the very first start.
        """
        if self.daily_at_min is None:
            return None
        hour_us = self.daily_at_min * MINUTE_US
        midnight_us = now_us - now_us % DAY_US
        had_its_hour_before = not last_day_us and begun_us > midnight_us + hour_us
        had = last_day_us >= midnight_us or had_its_hour_before
        return midnight_us + hour_us + (DAY_US if had else 0)
