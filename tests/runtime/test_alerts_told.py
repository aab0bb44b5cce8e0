"""How people are told of alerts while an engine runs: logging, signals, channels; silences, restarts, dead channels."""

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from cli.command_line import run
from hearing import Ear
from moving_clock import MovingClock
from providers_for_tests import Told as TellingProvider
from runtime.conftest import Stage

from understudy.adapters import MemoryLog
from understudy.adapters.alerts import AlertDelivery, Digest, NotDelivered, Notice
from understudy.adapters.alerts.webhook import body_of
from understudy.engine import Engine, InvalidRequest, Policy, RequestError, Strategy, Transient
from understudy.engine.alert_channels import DAY_US, MINUTE_US
from understudy.events.alerts import AlertDelivered, AlertDeliveryFailed, AlertSilenced, DigestDue
from understudy.events.codec import decode
from understudy.events.errors import LogUnavailable
from understudy.events.fact import Fact
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.replay.virtual_system import VirtualSystem

BAD = Policy(
    strategy=Strategy.IN_ORDER,
    retry_attempts=0,
    max_failures=1_000,
    alert_min_calls=4,
    alert_fallback_share=Decimal(1),
)
OPEN = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, max_failures=1, alert_min_calls=100)
ANN = {"actor": "ann", "reason": "they migrate"}


@dataclass
class Pager:
    """A channel that takes what it is told, or does as a test says first."""

    name: str = "pager"
    acts: list[Callable[[], Any]] = field(default_factory=list)
    got: list[Notice] = field(default_factory=list)
    tried: list[tuple[float, str]] = field(default_factory=list)

    async def deliver(self, notice: Notice, /) -> None:
        self.tried.append((asyncio.get_running_loop().time(), notice.delivery_id))
        if self.acts:
            outcome = self.acts.pop(0)()
            if asyncio.iscoroutine(outcome):
                await outcome
        self.got.append(notice)

    @property
    def told(self) -> list[str]:
        return [f"{one.told} {one.alert} {one.subject}".rstrip() for one in self.got]


def refuses() -> None:
    raise NotDelivered("it answered 503")


def cancels_itself() -> None:
    raise asyncio.CancelledError


def engine(
    stage: Stage,
    pager: Pager,
    *,
    failures: int = 4,
    log: Any = None,
    policy: Policy = BAD,
    watch: bool = True,
    **delivery: Any,
) -> Engine:
    alpha = TellingProvider("a", [Transient("down")] * failures)
    log = log or MemoryLog()
    if log not in stage.logs:
        stage.logs.append(log)
    return Engine(
        providers=[alpha, TellingProvider("b")],
        log=log,
        policy=policy,
        system=VirtualSystem(seed=1),
        watch=watch,
        alerts=AlertDelivery(channels=[pager], **delivery),
    )


async def calls(engine: Engine, count: int) -> None:
    for _ in range(count):
        await engine.call("x")
    await asyncio.sleep(0.1)


def facts(log: Any, *kinds: type[Fact]) -> list[Any]:
    with log.reader() as reader:
        return [event for row in reader.rows() if isinstance(event := decode(row), kinds)]


def test_what_is_raised_and_cleared_is_logged_signalled_and_brought_once_it_is_durable(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    pager = Pager()
    caplog.set_level(logging.INFO, logger="understudy.alerts")

    async def act() -> None:
        async with engine(stage, pager) as running:
            ear = Ear(running, "alert:raised", "alert:cleared")
            await calls(running, 4)
            assert pager.told == ["raised success_rate a"]
            await calls(running, 60)
            assert ear.of("alert:raised", "alert", "subject") == [("success_rate", "a")]
            assert ear.of("alert:cleared", "alert", "subject") == [("success_rate", "a")]

    stage.play(act)
    assert pager.told == ["raised success_rate a", "cleared success_rate a"]
    assert [(one.levelname, one.getMessage().partition(":")[0]) for one in caplog.records] == [
        ("ERROR", "success_rate a"),
        ("INFO", "success_rate a is over"),
    ]
    delivered = facts(stage.logs[0], AlertDelivered)
    assert [(one.channel, one.told, one.attempts) for one in delivered] == [
        ("pager", "raised", 1),
        ("pager", "cleared", 1),
    ]
    assert [one.delivery_id for one in delivered] == [one.delivery_id for one in pager.got]
    assert [one.notice_seq for one in delivered] == [one.seq for one in pager.got]


def test_a_circuit_that_stays_open_on_an_idle_engine_is_told_at_the_very_instant(stage: Stage) -> None:
    pager = Pager()

    async def act() -> None:
        async with engine(stage, pager, failures=1, policy=OPEN) as running:
            await calls(running, 1)
            opened_s = stage.now_s - 0.1
            await asyncio.sleep(899.8)
            assert pager.told == []
            await asyncio.sleep(0.2)
            assert pager.told == ["raised circuit_open a"]
            assert pager.tried[0][0] == pytest.approx(opened_s + 900, abs=0.001)
            await calls(running, 1)
            assert pager.told[1:] == ["cleared circuit_open a"]

    stage.play(act)


def test_a_channel_that_refuses_is_tried_with_growing_pauses_under_the_same_id(stage: Stage) -> None:
    pager = Pager(acts=[refuses, refuses, lambda: asyncio.sleep(60), lambda: 1 / 0])

    async def act() -> None:
        async with engine(stage, pager) as running:
            await calls(running, 4)
            await asyncio.sleep(100)

    stage.play(act)
    pauses = [later - earlier for (earlier, _), (later, _) in zip(pager.tried, pager.tried[1:], strict=False)]
    assert pauses == pytest.approx([1, 2, 4 + 10, 8], abs=0.001), "the third one hung until its time was over"
    assert len({delivery for _, delivery in pager.tried}) == 1
    assert [one.attempts for one in facts(stage.logs[0], AlertDelivered)] == [5]


def test_a_dead_channel_is_given_up_after_so_many_attempts_and_nobody_waits_for_it(stage: Stage) -> None:
    pager = Pager(acts=[lambda: asyncio.sleep(10**6)] * 3)

    async def act() -> None:
        async with engine(stage, pager, attempts=3) as running:
            began_s = stage.now_s
            await calls(running, 60)
            assert stage.now_s - began_s == pytest.approx(0.1)
            await asyncio.sleep(60)

    stage.play(act)
    failed, cleared = facts(stage.logs[0], AlertDeliveryFailed, AlertDelivered)
    assert (failed.told, failed.attempts, failed.error) == ("raised", 3, "no answer within 10,000 ms")
    assert cleared.told == "cleared"


def test_an_engine_stops_in_bounded_time_with_a_channel_that_hangs_and_tells_after_the_next_start(
    stage: Stage,
) -> None:
    async def stubborn() -> None:
        for _ in range(2):
            try:
                await asyncio.sleep(10**6)
            except asyncio.CancelledError:
                continue

    pager, log, again = Pager(acts=[stubborn]), MemoryLog(), Pager()

    async def act() -> None:
        running = engine(stage, pager, log=log, attempt_ms=10**8)
        await running.start()
        await calls(running, 4)
        began_s = stage.now_s
        await running.stop()
        assert stage.now_s - began_s <= 3.01
        async with engine(stage, again, log=log, failures=0):
            await asyncio.sleep(1)
        async with engine(stage, again, log=log, failures=0):
            await asyncio.sleep(1)

    stage.play(act)
    assert again.told == ["raised success_rate a"], "once, over two starts"
    assert again.got[0].delivery_id == pager.tried[0][1]


def test_what_a_crash_has_kept_from_being_told_is_told_after_the_next_start(stage: Stage) -> None:
    pager, again = Pager(acts=[lambda: asyncio.sleep(10**6)]), Pager()

    async def act() -> None:
        log = MemoryLog()
        running = engine(stage, pager, log=log)
        await running.start()
        await calls(running, 60)
        assert pager.got == []
        tasks = [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
        for one in tasks:  # As a crash does: nothing more is said.
            one.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await log.close()
        async with engine(stage, again, log=log, failures=0):
            await asyncio.sleep(1)

    stage.play(act)
    assert again.told == ["raised success_rate a", "cleared success_rate a"]


def test_a_new_channel_is_told_what_stands_and_one_that_is_gone_is_owed_nothing(stage: Stage) -> None:
    first, second = Pager(name="first"), Pager(name="second")
    log = MemoryLog()

    async def act() -> None:
        async with engine(stage, first, log=log) as running:
            await calls(running, 4)
        async with engine(stage, second, log=log, failures=0) as running:
            await asyncio.sleep(1)
            assert list(running.standing.alerting.owed) == ["second"]

    stage.play(act)
    assert second.told == ["raised success_rate a"]


def test_what_is_silenced_is_on_record_and_told_to_nobody(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    pager = Pager()

    async def act() -> None:
        async with engine(stage, pager) as running:
            ear = Ear(running, "alert:raised", "alert:cleared")
            running.silence("success_rate", for_ms=3_600_000, **ANN)
            await calls(running, 60)
            await asyncio.sleep(4_000)
            assert ear.heard == []

    stage.play(act)
    assert pager.told == []
    assert "success_rate" not in caplog.text
    assert len(facts(stage.logs[0], AlertRaised, AlertCleared)) == 2


@pytest.mark.parametrize("how", ["by time", "by hand", "by time, after a restart"])
def test_what_still_stands_when_the_silence_ends_is_told_then(
    stage: Stage, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    pager, log = Pager(), MemoryLog()

    async def act() -> None:
        async with engine(stage, pager, log=log) as running:
            running.silence("success_rate", "a", for_ms=3_600_000, **ANN)
            ear = Ear(running, "alert:raised")
            await calls(running, 4)
            await asyncio.sleep(3_599.8)
            assert (pager.told, ear.heard) == ([], [])
            if how == "by hand":
                running.lift_silence("success_rate", "a", **ANN)
            if not how.endswith("restart"):
                await asyncio.sleep(0.5)
                assert ear.of("alert:raised", "subject") == [("a",)]
                assert caplog.text.count("success_rate a") == 1
        if how.endswith("restart"):
            assert pager.told == []
            async with engine(stage, pager, log=log, failures=0):
                await asyncio.sleep(1)
                assert caplog.text.count("success_rate a") == 1
        assert pager.told == ["raised success_rate a"]

    stage.play(act)


def test_a_silence_renewed_while_no_engine_runs_only_puts_off_what_nobody_has_heard(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    log = stage.file()

    async def silenced() -> None:
        async with engine(stage, Pager(), log=log) as running:
            running.silence("success_rate", for_ms=5_000, **ANN)
            await calls(running, 4)

    stage.play(silenced)
    run("silence", str(log.file), "success_rate", "--for", "1h", "--reason", "more")  # Long after the first was over.
    again = stage.file()

    async def heard() -> None:
        async with engine(stage, Pager(), log=again, failures=0) as running:
            ear = Ear(running, "alert:raised")
            await asyncio.sleep(3_000)
            assert (ear.heard, "success_rate a" in caplog.text) == ([], False)
            await asyncio.sleep(1_000)
            assert ear.of("alert:raised", "subject") == [("a",)]
            assert "success_rate a" in caplog.text

    stage.play(heard)


def test_a_silence_stops_what_is_being_tried_and_what_was_told_is_ended_all_the_same(stage: Stage) -> None:
    pager = Pager()

    async def act() -> None:
        async with engine(stage, pager, failures=8) as running:
            await calls(running, 4)
            running.silence("success_rate", for_ms=3_600_000, **ANN)
            await calls(running, 100)
            assert pager.told == ["raised success_rate a", "cleared success_rate a"], "who was told must hear the end"
            assert len(pager.tried) == 2
        with pytest.raises(InvalidRequest, match="no provider 'aa'; did you mean 'a'"):
            async with engine(stage, pager, log=stage.logs[0]) as running:
                running.silence("circuit_open", "aa", for_ms=1, **ANN)
        with pytest.raises(InvalidRequest, match="such as 'a us:wa'; 'a us wa' is not of that form"):
            async with engine(stage, pager, log=stage.logs[0]) as running:
                running.silence("low_stock", "a us wa", for_ms=1, **ANN)
        with pytest.raises(InvalidRequest, match="no operation 'xx'; did you mean 'x'"):
            async with engine(stage, pager, log=stage.logs[0]) as running:
                running.silence("fallback_share", "xx", for_ms=1, **ANN)
        with pytest.raises(InvalidRequest, match="did you mean 'success_rate'"):
            async with engine(stage, pager, log=stage.logs[0]) as running:
                running.silence("sucess_rate", for_ms=1, **ANN)

    stage.play(act)
    (silenced,) = facts(stage.logs[0], AlertSilenced)
    assert (silenced.actor, silenced.subject) == ("ann", None)


def test_a_silence_ends_the_trying_and_its_end_begins_it_again(stage: Stage) -> None:
    pager = Pager(acts=[refuses, cancels_itself])

    async def act() -> None:
        async with engine(stage, pager) as running:
            await calls(running, 4)
            await asyncio.sleep(0.5)
            running.silence("success_rate", for_ms=600_000, **ANN)
            await asyncio.sleep(599)
            assert len(pager.tried) == 1
            await asyncio.sleep(20)
            assert pager.told == ["raised success_rate a"]

    stage.play(act)
    assert [one.attempts for one in facts(stage.logs[0], AlertDelivered)] == [2]


def test_what_was_over_before_anybody_heard_of_it_is_not_told_once_it_is_silenced(stage: Stage) -> None:
    pager = Pager(acts=[refuses])

    async def act() -> None:
        async with engine(stage, pager, failures=4, retry_ms=60_000) as running:
            await calls(running, 100)
            assert len(pager.tried) == 1
            assert len(running.standing.alerting.owed["pager"]) == 2
            running.silence("success_rate", for_ms=1_000, **ANN)
            await asyncio.sleep(200)
            assert not running.standing.alerting.owed["pager"]

    stage.play(act)
    assert pager.told == []


def test_a_page_that_cannot_be_made_is_told_on_record(stage: Stage) -> None:
    pager = Pager()

    async def page(_: int) -> Digest:
        raise LogUnavailable("the disk is gone")

    async def act() -> None:
        async with engine(stage, pager, failures=0, daily_at_min=1, digest=page, watch=False):
            await asyncio.sleep(100)

    stage.play(act)
    (failed,) = facts(stage.logs[0], AlertDeliveryFailed)
    assert (failed.told, failed.subject, failed.error) == ("digest", "2026-01-01", "the disk is gone")
    assert pager.got == []


@pytest.mark.parametrize("error", [RuntimeError("a bug"), asyncio.CancelledError()], ids=["fails", "is cancelled"])
def test_a_page_with_a_bug_ends_no_channel(stage: Stage, error: BaseException) -> None:
    pager = Pager()

    async def page(_: int) -> Digest:
        raise error

    async def act() -> None:
        async with engine(stage, pager, failures=4, daily_at_min=1, digest=page, watch=False) as running:
            await asyncio.sleep(100)
            await calls(running, 4)

    stage.play(act)
    (failed,) = facts(stage.logs[0], AlertDeliveryFailed)
    assert failed.told == "digest"
    assert "a bug" not in failed.error
    assert pager.told == ["raised success_rate a"]


def test_who_heard_of_it_between_two_silences_hears_of_its_end(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="understudy.alerts")
    pager = Pager()

    async def act() -> None:
        async with engine(stage, pager) as running:
            running.silence("success_rate", for_ms=5_000, **ANN)
            await calls(running, 4)
            assert pager.told == []
            await asyncio.sleep(10)
            assert pager.told == ["raised success_rate a"]
            running.silence("success_rate", for_ms=60_000, **ANN)
            await calls(running, 60)
            assert not running.standing.alerts

    stage.play(act)
    assert [one.levelname for one in caplog.records if one.name == "understudy.alerts"] == ["ERROR", "INFO"]
    assert pager.told == ["raised success_rate a", "cleared success_rate a"]


def test_an_alert_that_a_drill_may_have_brought_about_names_it(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    pager, log = Pager(), MemoryLog()

    async def act() -> None:
        async with engine(stage, pager, log=log, failures=0) as running:
            drill = running.drill("outage", "a", for_ms=60_000, **ANN)
            await calls(running, 5)
            assert f"(drill {drill})" in caplog.text
            running.stop_drill(**ANN)
            await asyncio.sleep(1)
            assert [(one.told, one.drill) for one in pager.got] == [("raised", drill), ("cleared", drill)]
            assert f"(drill {drill})" in pager.got[0].message
            assert json.loads(body_of(pager.got[0]))["drill"] == drill

    stage.play(act)


def test_an_alert_of_a_provider_in_no_drill_names_none(stage: Stage) -> None:
    pager = Pager()

    async def act() -> None:
        async with engine(stage, pager) as running:
            running.drill("outage", "b", for_ms=60_000, **ANN)
            for _ in range(4):
                with suppress(RequestError):
                    await running.call("x")
            await asyncio.sleep(1)

    stage.play(act)
    assert [one.drill for one in pager.got if one.subject == "a"] == [None]
    assert all("drill" not in json.loads(body_of(one)) for one in pager.got if one.subject == "a")


def test_nothing_can_be_lifted_that_is_not_silenced(stage: Stage) -> None:
    async def act() -> None:
        async with engine(stage, Pager()) as running:
            running.silence("circuit_open", "a", for_ms=1_000, **ANN)
            with pytest.raises(InvalidRequest, match="circuit_open b is not silenced"):
                running.lift_silence("circuit_open", "b", **ANN)
            await asyncio.sleep(2)
            with pytest.raises(InvalidRequest, match="circuit_open a is not silenced"):
                running.lift_silence("circuit_open", "a", **ANN)

    stage.play(act)


def test_the_page_of_the_day_is_brought_once_a_day_over_restarts_and_late_rather_than_never(stage: Stage) -> None:
    pager, log = Pager(), MemoryLog()
    asked: list[int] = []

    async def page(since_us: int) -> Digest:
        asked.append(since_us)
        return Digest(text="all is well", tables={"cost": []})

    def run() -> Engine:
        return engine(stage, pager, log=log, failures=0, daily_at_min=7 * 60, digest=page, watch=False)

    async def act() -> None:
        async with run():  # From midnight on.
            await asyncio.sleep(7 * 3600 - 1)
            assert pager.got == []
            await asyncio.sleep(2)
            assert pager.told == ["digest digest 2026-01-01"]
            assert pager.got[0].severity == "info", "nobody is to be woken by it"
        async with run():
            await asyncio.sleep(3600)
        assert len(pager.got) == 1
        await asyncio.sleep(24 * 3600)
        async with run():  # It is the next day, an hour too late.
            await asyncio.sleep(1)
            assert pager.told[1:] == ["digest digest 2026-01-02"]
            await asyncio.sleep(24 * 3600)
        assert pager.told[2:] == ["digest digest 2026-01-03"]

    stage.play(act)
    assert [one.since_us for one in facts(log, DigestDue)] == asked
    assert pager.got[0].message == "all is well"
    assert pager.got[0].details == {"cost": []}


def test_the_first_page_of_all_waits_for_its_hour(stage: Stage) -> None:
    pager = Pager()

    async def page(_: int) -> Digest:
        return Digest(text="all is well")

    async def act() -> None:
        await asyncio.sleep(8 * 3600)
        async with engine(stage, pager, failures=0, daily_at_min=7 * 60, digest=page, watch=False):
            await asyncio.sleep(22 * 3600)
            assert pager.got == []

    stage.play(act)


async def test_the_first_page_of_all_comes_on_a_clock_that_wakes_too_late() -> None:
    arrived, clock = asyncio.Event(), MovingClock()
    pager = Pager(acts=[arrived.set])
    hour_us = (clock.now_us() // MINUTE_US + 2) * MINUTE_US

    async def page(_: int) -> Digest:
        return Digest(text="all is well")

    delivery = AlertDelivery(channels=[pager], daily_at_min=hour_us % DAY_US // MINUTE_US, digest=page)
    running = Engine(providers=[TellingProvider("a")], log=MemoryLog(), system=clock, watch=False, alerts=delivery)
    async with running, asyncio.timeout(20):
        running.silence("circuit_open", for_ms=1, **ANN)
        await asyncio.sleep(0)
        clock.start_after(hour_us + 3_000)  # No timer ever wakes at the very microsecond.
        running.silence("circuit_open", for_ms=1, **ANN)
        await arrived.wait()
    assert [one.told for one in pager.got] == ["digest"]


def test_delivery_that_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="same name"):
        AlertDelivery(channels=[Pager(), Pager()])
    with pytest.raises(TypeError, match="object is no alert channel: it needs a name, and `async def deliver"):
        AlertDelivery(channels=[object()])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="belong together"):
        AlertDelivery(daily_at_min=0)
    with pytest.raises(ValueError, match="from 0 to 1439"):
        AlertDelivery(daily_at_min=1_440)
    with pytest.raises(ValueError, match="attempts must be at least 1"):
        AlertDelivery(attempts=0)
