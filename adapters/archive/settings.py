"""When a log is archived, and what of it: the table `[archive]` of a file of settings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from understudy.adapters.cli.instants import length_us, written
from understudy.adapters.config_faults import Fault, PolicyFileError, shown
from understudy.events.names import did_you_mean_setting, snake_case

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
    given = {snake_case(str(key)): value for key, value in table.items()}
    faults = [
        _fault(source, f"archive: {key}", f"is unknown{did_you_mean_setting(key, _NAMES)}")
        for key in given
        if key not in _NAMES
    ]
    age_us = length_us(str(given.get("older_than", "")))
    if not age_us:
        told = shown(given["older_than"]) if "older_than" in given else "missing"
        faults.append(_fault(source, "archive: older_than", f"is {told}; it must be a length of time like 30d or 12h"))
    at = _CLOCK.fullmatch(str(given.get("at", "03:00")))
    if at is None:
        faults.append(
            _fault(
                source,
                "archive: at",
                f'is {shown(given["at"])}; it must be a time of day in UTC in quotes, like "03:00"',
            )
        )
    to = given.get("to")
    if to is not None and (not isinstance(to, str) or not to):
        faults.append(_fault(source, "archive: to", f"is {shown(to)}; it must be a directory"))
    if faults or at is None or age_us is None:
        raise PolicyFileError(faults)
    return ArchiveSettings(
        older_than_ms=age_us // 1000,
        at_minute=60 * int(at[1]) + int(at[2]),
        to=Path(to) if isinstance(to, str) else None,
    )


def _fault(source: str, where: str, what: str) -> Fault:
    return Fault(source=source, where=where, what=what)
