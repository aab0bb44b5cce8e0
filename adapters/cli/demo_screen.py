"""What is shown while a demonstration runs: a live table on a terminal, elsewhere a plain line now and then."""

import os
import sys
from collections.abc import Sequence
from typing import Final, Self, TextIO

import click

from understudy.adapters.cli.output import note, table_lines
from understudy.adapters.cli.standings import ProviderStanding, providers_of
from understudy.adapters.cli.status import FIGURES, HEADER, row_of
from understudy.adapters.demo.show import Sight
from understudy.adapters.demo.weather import Trouble
from understudy.engine.health import Status
from understudy.events.counted import counted
from understudy.projections.standing import Totals

_LINES: Final = 12
"""Plain lines in a whole run, about."""
_CLEAR: Final = "\x1b[J"
_NARROWER: Final = (
    HEADER,
    HEADER[:-1],
    ("provider", "tier", "status", "circuit", "score", "success", "average", "calls", "failed"),
    ("provider", "status", "circuit", "score"),
)
"""What the table consists of, as far as the terminal is wide enough."""


class Screen:
    """Called with what there is to see; used in a `with`, which takes the table away at its end."""

    def __init__(self, seconds: float, troubles: Sequence[Trouble], *, stream: TextIO | None = None) -> None:
        self._seconds = seconds
        self._troubles = troubles
        self._stream = sys.stderr if stream is None else stream
        self._drawn = 0
        self._next_s = seconds / _LINES

    def __call__(self, sight: Sight) -> None:
        """Show it: the table anew, or a line if it is time for one."""
        size = _size(self._stream)
        if size is not None:
            self._draw(sight, columns=size.columns)
        elif sight.passed_s >= self._next_s:
            self._next_s += self._seconds / _LINES
            note(f"{self._clock(sight)}: {_counts(sight.standing.totals)}; {_ill(_judged(sight))}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            self._stream.write(self._home() + _CLEAR)
            self._stream.flush()
            self._drawn = 0

    def _draw(self, sight: Sight, *, columns: int) -> None:
        totals = sight.standing.totals
        lines = [
            f"{self._clock(sight)}  {_counts(totals)}",
            f"now: {self._weather(sight.passed_s)}",
            "",
            *_table(_judged(sight), columns=columns),
        ]
        self._stream.write(self._home() + _CLEAR)
        self._stream.flush()
        for line in lines:
            note(_cut(line, columns))
        self._drawn = len(lines)

    def _home(self) -> str:
        """Back to the table's first line."""
        return f"\x1b[{self._drawn}F" if self._drawn else ""

    def _clock(self, sight: Sight) -> str:
        return f"{min(sight.passed_s, self._seconds):4.1f} of {self._seconds:g} s"

    def _weather(self, second: float) -> str:
        told = [f"{one.what} at {one.provider}" for one in self._troubles if one.from_s <= second < one.until_s]
        return ", ".join(told) or "all providers are well"


def _size(stream: TextIO) -> os.terminal_size | None:
    """The terminal's size, if the stream is one on which a table can be drawn anew."""
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        return None
    size = os.get_terminal_size(stream.fileno())
    return size if size.lines > len(FIGURES) and size.columns > 0 else None


def _judged(sight: Sight) -> tuple[ProviderStanding, ...]:
    return providers_of(sight.standing, now_us=sight.now_us)


def _counts(totals: Totals) -> str:
    return (
        f"{counted(totals.accepted, 'request')}, {totals.completed:,} served ({totals.failovers:,} after a failover),"
        f" {totals.failed:,} failed"
    )


def _ill(providers: Sequence[ProviderStanding]) -> str:
    told = [
        f"{one.judged.provider} {one.judged.status.value}" for one in providers if one.judged.status != Status.HEALTHY
    ]
    return ", ".join(told) or "all are healthy"


def _table(providers: Sequence[ProviderStanding], *, columns: int) -> list[str]:
    """The widest table that has room, else the narrowest that there is."""
    rows = [dict(zip(HEADER, row_of(line), strict=True)) for one in providers for line in one.lines()]
    lines: list[str] = []
    for header in _NARROWER:
        lines = list(table_lines(header, [[row[name] for name in header] for row in rows], numbers=FIGURES))
        if max(len(click.unstyle(line)) for line in lines) <= columns:
            break
    return lines


def _cut(line: str, columns: int) -> str:
    """A line that the terminal does not break in two; one that has to be cut loses its colours."""
    return line if len(click.unstyle(line)) <= columns else click.unstyle(line)[: columns - 1] + "…"
