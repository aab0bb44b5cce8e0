"""The page of the day, as `understudy report daily` prints it: made in a thread, for it may take seconds."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from understudy.adapters.stores.reports import PAGE, REPORTS, ask
from understudy.engine.alert_channels import Digest

LINES: Final = 5
"""How many lines of each table the text has; the records have them all, up to `MOST`."""
MOST: Final = 100


class DailyPage:
    """Makes the page of a day from a log."""

    def __init__(self, db: Path) -> None:
        self._db = db

    async def __call__(self, since_us: int) -> Digest:
        """The page of the time since an instant.

        Errors: NotALog, LogUnavailable, LogDamaged.
        """
        return await asyncio.to_thread(self._made, since_us)

    def _made(self, since_us: int) -> Digest:
        text, tables = [], {}
        for name in PAGE:
            names, rows = ask(self._db, REPORTS[name].since(since_us))
            tables[name] = [dict(zip(names, row, strict=True)) for row in rows[:MOST]]
            text += [REPORTS[name].asks, *_lines(names, rows[:LINES])]
            if len(rows) > LINES:
                text.append(f"  and {len(rows) - LINES:,} more: understudy report {name}")
            text.append("")
        return Digest(text="\n".join(text).rstrip(), tables=tables)


def _lines(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    if not rows:
        return ["  nothing"]
    cells = [list(names), *([_shown(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        "  " + "  ".join(one.ljust(width) for one, width in zip(row, widths, strict=True)).rstrip() for row in cells
    ]


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float) and value.is_integer():
        return f"{value:,.0f}"
    text = f"{value:,}" if isinstance(value, int | float) else str(value)
    return " ".join(text.split())  # A provider's message may have lines of its own.
