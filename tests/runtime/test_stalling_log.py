"""A log that stalls or cannot be written at the very instant that matters: what is sent, noted, and told."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from moving_clock import MovingClock
from providers_for_tests import Pingable, Told
from quoters import CONVERT, ETH_BTC, Quoter

from understudy.adapters import MemoryLog, SqliteLog, put_command
from understudy.engine import (
    AllProvidersFailed,
    Engine,
    EngineClosed,
    OutcomeUnknown,
    Policy,
    Quote,
    Strategy,
    Transient,
)
from understudy.events.errors import LogUnavailable
from understudy.replay.verify import verify

IN_ORDER = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, request_timeout_ms=5_000)


FORCE_OPEN = '{"command": "set_override", "provider": "a", "state": "open", "actor": "ann", "reason": "maintenance"}'


class Stranger:
    """Another program, which keeps everybody from writing for as long as it likes."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)

    def take(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def let_go(self) -> None:
        self._connection.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[SqliteLog]:
    """A log that waits for a stranger; what is in it must verify in the end."""
    log = SqliteLog(tmp_path / "calls.db", busy_timeout_ms=20_000)
    yield log
    with log.reader() as reader:
        assert verify(reader).ok


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[SqliteLog]:
    """A log that says at once that it cannot be written; what is in it must verify in the end."""
    log = SqliteLog(tmp_path / "calls.db", busy_timeout_ms=1)
    yield log
    with log.reader() as reader:
        assert verify(reader).ok


def kinds(log: SqliteLog) -> list[str]:
    with log.reader() as reader:
        return [row.kind.rpartition(".")[0] for row in reader.rows()]


async def until(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in threads.
            await asyncio.sleep(0)


async def test_an_intent_that_is_on_record_too_late_is_not_sent_and_the_request_is_decided_anew(
    patient: SqliteLog,
) -> None:
    alpha, clock = Told("a"), MovingClock()
    async with Engine(providers=[alpha], log=patient, policy=IN_ORDER, system=clock, watch=False) as engine:
        with closing(Stranger(patient.path)) as stranger:
            stranger.take()
            call = asyncio.create_task(engine.call("x", effect="once"))
            await until(lambda: patient.head.seq >= 5 and patient.busy)
            clock.pass_by(6)
            assert alpha.calls == []
            stranger.let_go()
        assert (await call).provider == "a"
    assert len(alpha.calls) == 1
    told = kinds(patient)
    assert told.count("call_started") == 2
    assert told.count("call_abandoned") == 1


async def test_an_intent_that_is_on_record_too_late_for_its_quote_is_not_sent_and_quotes_are_asked_for_anew(
    patient: SqliteLog,
) -> None:
    clock = MovingClock()
    alpha = Quoter("alpha", lambda: Quote(rate=Decimal("0.05"), expires_at_us=clock.now_us() + 1_000_000), quote_s=0)
    async with Engine(
        providers=[alpha], log=patient, policy=IN_ORDER, operations=[CONVERT], system=clock, watch=False
    ) as engine:
        with closing(Stranger(patient.path)) as stranger:
            stranger.take()
            call = asyncio.create_task(engine.call("convert", context=ETH_BTC, amount=1))
            await until(lambda: patient.head.seq >= 8 and patient.busy)
            clock.pass_by(2)
            stranger.let_go()
        assert (await call).provider == "alpha"
    assert (alpha.asked, len(alpha.calls)) == (2, 1)
    assert kinds(patient).count("quotes_requested") == 2
    assert kinds(patient).count("call_abandoned") == 1


async def test_an_intent_that_cannot_be_written_is_not_sent_and_its_request_ends(impatient: SqliteLog) -> None:
    alpha = Told("a")
    async with Engine(providers=[alpha], log=impatient, policy=IN_ORDER, watch=False) as engine:
        await impatient.durable(impatient.head.seq)
        with closing(Stranger(impatient.path)) as stranger:
            stranger.take()
            with pytest.raises(LogUnavailable, match="another program holds the file"):
                await engine.call("x", effect="once")
            assert engine.unsettled == ()
            stranger.let_go()
        await until(lambda: impatient.pending == 0)
    assert alpha.calls == []
    assert kinds(impatient)[-4:] == ["call_abandoned", "request_cancelled", "request_failed", "engine_stopped"]


async def test_an_end_that_cannot_be_written_is_told_as_unknown_with_the_cause(impatient: SqliteLog) -> None:
    alpha = Told("a")
    async with Engine(providers=[alpha], log=impatient, policy=IN_ORDER, watch=False) as engine:
        with closing(Stranger(impatient.path)) as stranger:
            alpha.acts.append(stranger.take)
            with pytest.raises(OutcomeUnknown, match="has ended, but the log cannot be written") as told:
                await engine.call("x", effect="once")
            assert isinstance(told.value.__cause__, LogUnavailable)
            stranger.let_go()
        await until(lambda: impatient.pending == 0)
    assert kinds(impatient)[-2:] == ["request_completed", "engine_stopped"]


async def test_a_request_that_has_ended_is_not_cancelled_by_a_stop_that_cuts_its_last_commit_short(
    patient: SqliteLog,
) -> None:
    alpha = Told("a")
    engine = Engine(providers=[alpha], log=patient, policy=IN_ORDER, watch=False)
    await engine.start()
    with closing(Stranger(patient.path)) as stranger:
        alpha.acts.append(stranger.take)
        call = asyncio.create_task(engine.call("x", effect="once"))
        await until(lambda: engine.standing.totals.completed == 1)
        stopping = asyncio.create_task(engine.stop(grace_ms=0))
        with pytest.raises(EngineClosed):
            await call
        stranger.let_go()
        await stopping
    assert kinds(patient)[-2:] == ["request_completed", "engine_stopped"]


async def test_a_request_beyond_what_the_log_can_buffer_waits_until_there_is_room(patient: SqliteLog) -> None:
    log = SqliteLog(patient.path, capacity=40)
    async with Engine(providers=[Told("a")], log=log, policy=IN_ORDER, watch=False) as engine:
        for _ in range(10):
            await engine.call("x")
            assert log.pending <= 40
        assert engine.standing.totals.completed == 10


async def test_a_request_is_refused_while_as_many_are_under_way_as_the_log_can_buffer() -> None:
    held = asyncio.Event()
    log = MemoryLog(capacity=40)
    async with Engine(providers=[Told("a", default=held.wait)], log=log, policy=IN_ORDER, watch=False) as engine:
        first = asyncio.create_task(engine.call("x"))
        await until(lambda: engine.unsettled)
        with pytest.raises(LogUnavailable, match="1 request under way, as many as the log's buffer holds"):
            await engine.call("x")
        held.set()
        assert (await first).provider == "a"
        assert (await engine.call("x")).provider == "a"


def test_a_command_waits_while_the_inbox_cannot_be_read(stage: Any) -> None:
    async def act() -> None:
        log = stage.file()
        async with stage.engine(Told("a"), log=log) as engine:
            put_command(log.path, FORCE_OPEN)
            with closing(sqlite3.connect(log.path, isolation_level=None)) as stranger:
                stranger.execute("ALTER TABLE inbox RENAME TO elsewhere")
                await asyncio.sleep(60)
                assert engine.health()[0].verdict == "eligible"
                stranger.execute("ALTER TABLE elsewhere RENAME TO inbox")
            await asyncio.sleep(60)
            assert engine.health()[0].verdict == "forced_open"

    stage.play(act)


def test_a_ping_that_keeps_its_cancellation_to_itself_is_not_followed_by_another(stage: Any) -> None:
    class Deaf(Pingable):
        async def ping(self) -> None:
            self.pings += 1
            if self.pings == 2:
                try:
                    await asyncio.sleep(3_600)
                except asyncio.CancelledError:
                    await asyncio.sleep(3)

    async def act() -> None:
        alpha = Deaf("a", [Transient("down")])
        policy = Policy(retry_attempts=0, max_failures=1, recovery_time_ms=1_000, request_timeout_ms=100_000)
        async with stage.engine(alpha, policy=policy) as engine:
            await asyncio.sleep(30)
            assert alpha.pings == 2
            with pytest.raises(AllProvidersFailed):
                await engine.call("x")  # Its circuit opens; when the ping under way has ended, another one is due.
            await engine.stop()
        assert alpha.pings == 2

    stage.play(act)
