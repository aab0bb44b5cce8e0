"""The schedule of drills: what a line of it means, and when it is due. Times are UTC.

monthly on 1 at 03:00: outage alpha for 60s
weekly on mon at 12:30: brownout beta for 5m
daily at 04:00: throttle alpha for 30s
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from understudy.events.drills import FAULTS, DrillForm
from understudy.events.names import did_you_mean

SCHEDULE: Final = "drill_schedule"
"""The type of the error of a line that cannot be read."""
_FORMS: Final = tuple(form.value for form in FAULTS)
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_UNITS_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000}
_LINE: Final = re.compile(
    r"(?:(?P<monthly>monthly on (?P<day>\S+))|(?P<weekly>weekly on (?P<weekday>\S+))|daily) at (?P<time>\S+?):"
    r" (?P<form>\S+) (?P<provider>\S+) for (?P<length>\S+)"
)
_LENGTH: Final = re.compile(r"(\d{1,9})(ms|s|m|h)")
_LAST_DAY: Final = 28
"""Every month has it."""
_DAY_US: Final = 86_400_000_000
_MINUTE_US: Final = 60_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduled:
    """A line of the schedule: `day` of the month or `weekday` (Monday is 0), or neither for every day."""

    day: int | None
    weekday: int | None
    minute: int
    form: DrillForm
    provider: str
    for_ms: int

    def last_due_us(self, now_us: int) -> int:
        """When it was due last, up to an instant."""
        day = (now_us - self.minute * _MINUTE_US) // _DAY_US
        while not self._falls_on(day):
            day -= 1
        return day * _DAY_US + self.minute * _MINUTE_US

    def next_due_us(self, after_us: int) -> int:
        """When it is due first, after an instant."""
        day = (after_us - self.minute * _MINUTE_US) // _DAY_US + 1
        while not self._falls_on(day):
            day += 1
        return day * _DAY_US + self.minute * _MINUTE_US

    def _falls_on(self, day: int) -> bool:
        if self.day is not None:
            return _day_of_month(day) == self.day
        return self.weekday is None or (day + 3) % 7 == self.weekday  # The first of January 1970 was a Thursday.


def scheduled(line: str) -> Scheduled:
    """What a line of the schedule means.

    Errors: PydanticCustomError with a sentence that says what is wrong.
    """
    found = _LINE.fullmatch(" ".join(line.split()))
    if found is None:
        raise _wrong("is no line of a schedule; one is 'monthly on 1 at 03:00: outage alpha for 60s', and there are"
                     " 'weekly on mon' and 'daily'")  # fmt: skip
    day, weekday, form = found["day"], found["weekday"], found["form"]
    if day is not None and not (day.isascii() and day.isdecimal() and 1 <= int(day) <= _LAST_DAY):
        raise _wrong(f"has the day {day}; it must be one that every month has, from 1 to {_LAST_DAY}")
    if weekday is not None and weekday.lower() not in _DAYS:
        raise _wrong(f"has the day {weekday}; it must be one of {', '.join(_DAYS)}")
    if form not in FAULTS:
        raise _wrong(f"has the drill {form}; it must be one of {', '.join(FAULTS)}{did_you_mean(form, _FORMS)}")
    return Scheduled(
        day=None if day is None else int(day),
        weekday=None if weekday is None else _DAYS.index(weekday.lower()),
        minute=_minute(found["time"]),
        form=DrillForm(form),
        provider=found["provider"],
        for_ms=_length_ms(found["length"]),
    )


def expect_possible(lines: Iterable[str], providers: Collection[str], *, most_ms: int) -> None:
    """Refuse a line about a provider that there is not, and one of a drill that would last too long.

    Errors: ValueError.
    """
    for line in lines:
        told = scheduled(line)
        name = told.provider
        if told.for_ms > most_ms:
            raise ValueError(f"drill_schedule: {line!r} lasts longer than drill_max_ms, {most_ms:,} ms")
        if providers and name not in providers:
            advice = did_you_mean(name, providers) or f"; known: {', '.join(providers)}"
            raise ValueError(f"drill_schedule: {line!r} is about provider {name!r}, which is not configured{advice}")


def _checked(line: str) -> str:
    scheduled(line)
    return line


ScheduleLine = Annotated[str, AfterValidator(_checked)]


def _minute(told: str) -> int:
    hour, _, minute = told.partition(":")
    if not re.fullmatch(r"[0-2][0-9]:[0-5][0-9]", told) or int(hour) > 23:  # noqa: PLR2004 - the last hour of a day.
        raise _wrong(f"has the time {told}; it must be an hour and a minute like 03:00, UTC")
    return int(hour) * 60 + int(minute)


def _length_ms(told: str) -> int:
    found = _LENGTH.fullmatch(told)
    if found is None or not int(found[1]):
        raise _wrong(f"has the length {told}; it must be one like 60s, 5m or 1h")
    return int(found[1]) * _UNITS_MS[found[2]]


def _day_of_month(day: int) -> int:
    """The day of the month of a day that is counted from 1970, by the Gregorian calendar."""
    # Counted from the first of March of a year 0, so that leap days come last.
    era_day = (day + 719_468) % 146_097
    year = (era_day - era_day // 1_460 + era_day // 36_524 - era_day // 146_096) // 365
    in_year = era_day - (365 * year + year // 4 - year // 100)
    month = (5 * in_year + 2) // 153
    return in_year - (153 * month + 2) // 5 + 1


def _wrong(told: str) -> PydanticCustomError:
    return PydanticCustomError(SCHEDULE, "{told}", {"told": told})
