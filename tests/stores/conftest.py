"""A log in a file that is open, and a look at what its store says to SQLite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from understudy.adapters.stores import SqliteLog


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    log = SqliteLog(tmp_path / "calls.db")
    await log.open("tester")
    yield log
    await log.close()


@pytest.fixture
async def statements(log: SqliteLog) -> list[str]:
    """Every statement that the store runs from now on, in order."""
    seen: list[str] = []

    def see(statement: str) -> None:
        if statement not in seen[-1:]:  # For each row that a trigger looks at, the statement is told once more.
            seen.append(statement)

    assert log._writer is not None
    await log._writer.holding.thread.set_trace_callback(see)
    return seen
