"""An engine starts, and tells its people, without the files that were archived; a start that fails leaves nothing."""

import asyncio
import shutil
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lifecycle.leftovers import is_locked, no_thread_left, tasks_left
from providers_for_tests import Told

from understudy.adapters.alerts import AlertDelivery, Notice
from understudy.adapters.archive import archive
from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.engine import Engine, Policy, Strategy, Transient
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual

POLICY = Policy(
    strategy=Strategy.IN_ORDER, exploration=Decimal(0), retry_attempts=0, max_failures=10_000, alert_min_calls=4
)
HALF_AN_HOUR_MS = 1_800_000


class Pager:
    """A channel that keeps what it is told."""

    name = "pager"

    def __init__(self) -> None:
        self.taken: list[Notice] = []

    async def deliver(self, notice: Notice) -> None:
        self.taken.append(notice)


def engine(log: SqliteLog, *providers: Any, pager: Pager | None = None, chores: Sequence[Any] = ()) -> Engine:
    channels = [] if pager is None else [pager]
    return Engine(
        providers=providers,
        log=log,
        policy=POLICY,
        system=VirtualSystem(seed=1),
        watch=False,
        chores=chores,
        alerts=AlertDelivery(channels=channels),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A log whose archive has been moved away, with an alert that stands since before the cut."""
    path = tmp_path / "calls.db"
    log = SqliteLog(path)

    async def fail_for_hours() -> None:
        async with engine(log, Told("alpha", [Transient("no")] * 20), Told("beta")) as running:
            for _ in range(20):
                await running.call("x")
                await asyncio.sleep(240)

    run_virtual(fail_for_hours(), busy=lambda: log.busy)
    with SqliteReader.open(path) as reader:
        end_us = max(row.at_us for row in reader.rows(after=reader.head().seq - 1))
    archive(path, older_than_ms=HALF_AN_HOUR_MS, now_us=end_us)
    shutil.move(tmp_path / "calls.db.archive", tmp_path / "cold")
    return path


def test_an_engine_starts_without_its_archive_though_an_older_alert_stands_and_tells_it(path: Path) -> None:
    log, pager = SqliteLog(path), Pager()

    async def start() -> set[str]:
        async with engine(log, Told("alpha"), Told("beta"), pager=pager) as running:
            await running.call("x")
            await asyncio.sleep(5)
            return {name.partition("|")[0] for name in running.standing.alerts}

    standing = run_virtual(start(), busy=lambda: log.busy)
    assert {one.alert for one in pager.taken} == standing != set()


class Unready:
    """A chore that cannot even begin."""

    name = "unready"

    def run(self, log: object, system: object, report: object) -> Any:
        raise OSError("no directory for it")


async def test_a_start_that_fails_at_its_very_end_leaves_nothing_behind_and_can_be_repeated(path: Path) -> None:
    with no_thread_left():
        failing = engine(SqliteLog(path), Told("alpha"), Told("beta"), pager=Pager(), chores=[Unready()])
        with pytest.raises(OSError, match="no directory"):
            await failing.start()
        assert (tasks_left(), is_locked(path)) == ([], False)
        async with engine(SqliteLog(path), Told("alpha"), Told("beta")) as running:
            assert (await running.call("x")).provider == "alpha"
