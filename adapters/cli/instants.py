"""Instants as people write and read them: ISO 8601, in UTC unless they say otherwise, or so long ago."""

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_UNITS_US: Final = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


class Instant(click.ParamType[int]):
    """A point in time on the command line, as microseconds since 1970 UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read `2026-01-31T12:00:00Z`, `2026-01-31 12:00` and the like, and `10m` for ten minutes ago."""
        if isinstance(value, int):
            return value
        ago_us = length_us(str(value))
        if ago_us is not None:
            return max(0, time.time_ns() // 1000 - ago_us)
        try:
            found = datetime.fromisoformat(str(value).strip())
        except ValueError:
            told = "write it like 2026-01-31T12:00:00Z, or like 10m for ten minutes ago"
            self.fail(f"{value!r} is not a time; {told}", param, ctx)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).__sub__(_EPOCH) // _MICROSECOND


class Length(click.ParamType[int]):
    """A length of time on the command line, in microseconds: `90s`, `10m`, `2h`, `7d`."""

    name = "time"

    def __init__(self, *, least_us: int = 0, most_us: int | None = None) -> None:
        self._least_us = least_us
        self._most_us = most_us

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a length, and refuse one that is too short or too long."""
        found = length_us(str(value))
        if found is None:
            self.fail(f"{value!r} is not a length of time; write it like 90s, 10m, 2h or 7d", param, ctx)
        if found < self._least_us:
            self.fail(f"{value!r} is too short; it is {span(self._least_us)} at least", param, ctx)
        if self._most_us is not None and found > self._most_us:
            self.fail(f"{value!r} is too long; it is {self._most_us // _UNITS_US['d']:,}d at most", param, ctx)
        return found


def length_us(text: str) -> int | None:
    """A length of time as people write it (`90s`, `10m`, `2h`, `7d`), in microseconds; None if it is none."""
    match = re.fullmatch(r"\s*(\d{1,9})\s*(ms|s|m|h|d)\s*", text, re.ASCII)
    return int(match[1]) * _UNITS_US[match[2]] if match else None


def written(length_us: int) -> str:
    """A length of time as `length_us` reads it, in the largest unit that tells it exactly: `30d`, not `720h`."""
    exact = [(name, unit) for name, unit in _UNITS_US.items() if length_us % unit == 0]
    name, unit = exact[-1] if exact else ("ms", _UNITS_US["ms"])
    return f"{length_us // unit}{name}"


def iso(at_us: int) -> str:
    """An instant to the millisecond, in UTC; beyond the calendar (who tampers with a log can do that) a number."""
    try:
        whole = (_EPOCH + timedelta(microseconds=at_us)).isoformat(timespec="milliseconds")
    except OverflowError:
        return f"{at_us} us"
    return whole.replace("+00:00", "Z")


def iso_or_none(at_us: int | None) -> str | None:
    """The same for an instant that may be unknown: None or 0."""
    return iso(at_us) if at_us else None


def span(length_us: int) -> str:
    """A length of time in its two largest units: `4m 05s`."""
    seconds = max(0, -(-length_us // 1_000_000))
    if seconds < _MINUTE_S:
        return f"{seconds}s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S}m {seconds % _MINUTE_S:02}s"
    return f"{seconds // _HOUR_S}h {seconds % _HOUR_S // _MINUTE_S:02}m"
