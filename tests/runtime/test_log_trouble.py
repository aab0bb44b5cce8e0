"""That the log cannot be written, or lags, is told at once, and put on record once that can be done again."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hearing import Ear
from moving_clock import MovingClock
from providers_for_tests import Told

from understudy.adapters import SqliteLog
from understudy.adapters.alerts import AlertDelivery, Notice
from understudy.engine import Engine
from understudy.events.alerts import AlertDelivered
from understudy.events.codec import decode
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.replay.verify import verify


class Pager:
    """A channel that notes what it takes, and when it takes anything."""

    name = "pager"

    def __init__(self) -> None:
        self.got: list[Notice] = []

    async def deliver(self, notice: Notice, /) -> None:
        self.got.append(notice)


async def until(condition: Any, clock: MovingClock, *, passing_s: float = 0.6) -> None:
    async with asyncio.timeout(20):
        while not condition():
            clock.pass_by(passing_s)
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("patience_ms", "says"),
    [(1, "cannot be written"), (20_000, "nothing has become durable for")],
    ids=["fails", "lags"],
)
async def test_it_is_told_at_once_and_recorded_later_and_told_no_second_time(
    tmp_path: Path, patience_ms: int, says: str, caplog: pytest.LogCaptureFixture
) -> None:
    path, clock, pager = tmp_path / "calls.db", MovingClock(), Pager()
    log = SqliteLog(path, busy_timeout_ms=patience_ms)
    engine = Engine(providers=[Told("a")], log=log, system=clock, alerts=AlertDelivery(channels=[pager]))
    async with engine:
        ear = Ear(engine, "alert:raised", "alert:cleared")
        with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
            await until(lambda: log.pending == 0, clock, passing_s=0)
            stranger.execute("BEGIN IMMEDIATE")
            await engine.call("x")
            await until(lambda: pager.got, clock)
            assert log.pending
            await until(lambda: ear.heard, clock)
            assert says in caplog.text
            stranger.execute("ROLLBACK")
        await until(lambda: len(pager.got) == 2, clock)
        await until(lambda: len(ear.heard) == 2, clock)
        await until(lambda: not any(engine.standing.alerting.owed.values()), clock, passing_s=0)
    assert [(one.told, one.alert) for one in pager.got] == [("raised", "log_trouble"), ("cleared", "log_trouble")]
    assert ear.names() == ["alert:raised", "alert:cleared"]
    assert [one.levelname for one in caplog.records if one.name == "understudy.alerts"] == ["CRITICAL"]
    with log.reader() as reader:
        told = [decode(row) for row in reader.rows() if row.kind.startswith("alert_")]
        assert verify(reader).ok
    kinds = [type(one) for one in told if isinstance(one, AlertRaised | AlertCleared | AlertDelivered)]
    assert kinds == [AlertRaised, AlertCleared, AlertDelivered, AlertDelivered]
    raised, first = told[1], next(one for one in told if isinstance(one, AlertDelivered))
    assert isinstance(raised, AlertRaised)
    assert says in raised.message
    assert first.delivery_id == pager.got[0].delivery_id


async def test_trouble_that_outlasts_its_silence_is_told_when_that_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, clock, pager = tmp_path / "calls.db", MovingClock(), Pager()
    log = SqliteLog(path, busy_timeout_ms=1)
    async with Engine(providers=[Told("a")], log=log, system=clock, alerts=AlertDelivery(channels=[pager])) as engine:
        engine.silence("log_trouble", for_ms=10_000, actor="ann", reason="they migrate")
        silent_until_us = clock.now_us() + 10_000_000
        with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
            await until(lambda: log.pending == 0, clock, passing_s=0)
            stranger.execute("BEGIN IMMEDIATE")
            await engine.call("x")
            await until(lambda: pager.got, clock)
            assert clock.now_us() >= silent_until_us > pager.got[0].at_us
            stranger.execute("ROLLBACK")
        await until(lambda: len(pager.got) == 2, clock)
    assert [one.told for one in pager.got] == ["raised", "cleared"]
    assert [one.levelname for one in caplog.records if one.name == "understudy.alerts"] == ["CRITICAL"]


async def test_who_was_told_of_it_before_it_was_silenced_is_told_that_it_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="understudy.alerts")
    path, clock, pager = tmp_path / "calls.db", MovingClock(), Pager()
    log = SqliteLog(path, busy_timeout_ms=1)
    async with Engine(providers=[Told("a")], log=log, system=clock, alerts=AlertDelivery(channels=[pager])) as engine:
        with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
            await until(lambda: log.pending == 0, clock, passing_s=0)
            stranger.execute("BEGIN IMMEDIATE")
            await engine.call("x")
            await until(lambda: pager.got, clock)
            engine.silence("log_trouble", for_ms=3_600_000, actor="ann", reason="we know")
            stranger.execute("ROLLBACK")
        await until(lambda: len(pager.got) == 2, clock)
        await until(lambda: not any(engine.standing.alerting.owed.values()), clock, passing_s=0)
    assert [one.told for one in pager.got] == ["raised", "cleared"]
    levels = [one.levelname for one in caplog.records if one.name == "understudy.alerts"]
    assert levels == ["CRITICAL", "INFO"]
