"""When a log is archived, and what of it: the table `[archive]` of a file of settings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from understudy.adapters.cli.instants import length_us, written
from understudy.adapters.config_faults import Fault, PolicyFileError, shown
from understudy.events.names import did_you_mean_setting, setting

_DAY_US: Final = 86_400_000_000
_MINUTE_US: Final = 60_000_000
_CLOCK: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_NAMES: Final = ("older_than", "at", "to")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveSettings:
    """What is archived once a day.

    Shape:  files go to the directory `to`, or beside the log if that is None.
    Units:  `older_than_ms` is how old an event must be; `at_minute` counts from midnight, UTC.
    """

    older_than_ms: int
    at_minute: int = 3 * 60
    to: Path | None = None

    def told(self) -> dict[str, str | None]:
        """What a file says of each."""
        hour, minute = divmod(self.at_minute, 60)
        return {
            "older_than": written(self.older_than_ms * 1000),
            "at": f"{hour:02}:{minute:02}",
            "to": None if self.to is None else str(self.to),
        }

    def next_us(self, now_us: int) -> int:
        """The next instant at which it is time, later than `now_us`."""
        today_us = now_us - now_us % _DAY_US + self.at_minute * _MINUTE_US
        return today_us if today_us > now_us else today_us + _DAY_US


def archive_settings(table: object, *, source: str) -> ArchiveSettings:
    """The settings that a table of a file makes; `source` is named in faults.

    Errors: PolicyFileError with all that is wrong.
    """
    if not isinstance(table, Mapping):
        raise PolicyFileError([_fault(source, "archive", f"is {shown(table)}; it must be a table of settings")])
    reading = _Reading(table, source=source)
    age_us, at, to = reading.age_us(), reading.minute(), reading.directory()
    if reading.faults or age_us is None or at is None:
        raise PolicyFileError(reading.faults)
    return ArchiveSettings(older_than_ms=age_us // 1000, at_minute=at, to=to)


class _Reading:
    """The table while it is read; what is wrong is told by the names that stand there."""

    def __init__(self, table: Mapping[object, object], *, source: str) -> None:
        self.faults: list[Fault] = []
        self._source = source
        self._given: dict[str, tuple[str, object]] = {}
        for key, value in table.items():
            name = setting(str(key), known=_NAMES)
            if name is None:
                self._refuse(str(key), f"is unknown{did_you_mean_setting(str(key), _NAMES)}")
            else:
                self._given[name] = str(key), value

    def age_us(self) -> int | None:
        """How old an event must be."""
        key, told = self._given.get("older_than", ("older_than", None))
        age_us = length_us(str(told or ""))
        if not age_us:
            what = "missing" if told is None else shown(told)
            self._refuse(key, f"is {what}; it must be a length of time like 30d or 12h")
        return age_us or None

    def minute(self) -> int | None:
        """When it is archived, in minutes after midnight."""
        key, told = self._given.get("at", ("at", "03:00"))
        at = _CLOCK.fullmatch(str(told))
        if at is None:
            self._refuse(key, f'is {shown(told)}; it must be a time of day in UTC in quotes, like "03:00"')
        return None if at is None else 60 * int(at[1]) + int(at[2])

    def directory(self) -> Path | None:
        """Where files go."""
        key, told = self._given.get("to", ("to", None))
        if told is not None and (not isinstance(told, str) or not told):
            self._refuse(key, f"is {shown(told)}; it must be a directory")
        return Path(told) if isinstance(told, str) and told else None

    def _refuse(self, key: str, what: str) -> None:
        self.faults.append(_fault(self._source, f"archive: {key}", what))


def _fault(source: str, where: str, what: str) -> Fault:
    return Fault(source=source, where=where, what=what)
