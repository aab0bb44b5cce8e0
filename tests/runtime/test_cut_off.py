"""A crash between an event and the alerts that must follow it: the next start writes them, as if nothing had been."""

import asyncio
from contextlib import suppress
from decimal import Decimal
from typing import Any

from providers_for_tests import Told

from understudy.adapters import MemoryLog, SqliteLog, put_command
from understudy.adapters.caretaker import obey_inbox
from understudy.engine import (
    Ambiguous,
    Engine,
    InsufficientFunds,
    Misconfigured,
    Policy,
    ProviderSettings,
    RequestError,
    Transient,
)
from understudy.engine.decide import RULES_VERSION
from understudy.events.codec import recorded
from understudy.events.operations import EngineStarted
from understudy.events.row import Row
from understudy.replay.verify import Verification, verify
from understudy.replay.virtual_system import VirtualSystem

FOLLOW_UPS = {"alert_raised.v1", "alert_cleared.v1", "mode_changed.v1"}
POLICY = Policy(max_failures=1, recovery_time_ms=1_000, retry_attempts=0, exploration=Decimal(0))


def providers() -> tuple[Told, ...]:
    """Three that fail in all the ways that raise alerts, and a backup; afterwards they answer."""
    no, down = Transient("no"), Transient("down", network=True)
    backup = ProviderSettings.model_validate({"id": "delta", "priority": 3})
    return (
        Told("alpha", acts=[InsufficientFunds("empty"), Ambiguous("reset"), "paid", no, "up", down]),
        Told("beta", acts=[Misconfigured("key"), no, "mended", down]),
        Told("gamma", acts=["served", no, "up", down]),
        Told("delta", acts=["served", down], settings=backup),
    )


async def live(engine: Engine) -> None:
    """A life with every kind of alert, and changes of mode."""

    async def call(preferred: str, effect: str = "read") -> None:
        with suppress(RequestError):
            await engine.call("x", preferred=preferred, effect=effect)
        await asyncio.sleep(1.5)

    await call("alpha")
    await call("alpha", "once")
    (held,) = engine.unsettled
    engine.resolve(held, executed=False, actor="ann", reason="statement")
    await call("alpha")
    for name in ("gamma", "alpha", "delta"):
        engine.override(name, "open", actor="ann", reason="rest")
    for name in ("alpha", "beta", "gamma", "delta"):
        engine.clear_override(name, actor="ann", reason="done")
    await call("alpha")
    for name in ("alpha", "gamma", "beta"):
        await call(name)
    await call("alpha")
    await call("alpha")


def rows_of(stage: Any) -> list[Row]:
    async def act() -> None:
        async with stage.engine(*providers(), log=MemoryLog(), policy=POLICY, watch=False) as engine:
            await live(engine)

    stage.play(act)
    return rows_in(stage.logs[-1])


def rows_in(log: MemoryLog | SqliteLog) -> list[Row]:
    with log.reader() as reader:
        return list(reader.rows())


async def beginning(rows: list[Row]) -> MemoryLog:
    """A log of which a crash has left these events."""
    log = MemoryLog()
    await log.open("crashed")
    for row in rows:
        log.append(recorded(row).event, at_us=row.at_us)
    await log.close()
    return log


def test_wherever_a_crash_comes_the_next_start_writes_what_must_follow_as_it_would_have_been(stage: Any) -> None:
    rows = rows_of(stage)
    assert {"alert_raised.v1", "alert_cleared.v1", "mode_changed.v1"} <= {row.kind for row in rows}
    raised = {row.payload.partition('"alert":"')[2].partition('"')[0] for row in rows if row.kind == "alert_raised.v1"}
    assert raised == {"misconfigured", "insufficient_funds", "suspended", "local_fault"}

    async def act() -> None:
        for end in range(1, len(rows) + 1):
            log = await beginning(rows[:end])
            stage.logs.append(log)
            async with Engine(providers=providers(), log=log, policy=POLICY, system=VirtualSystem(seed=2), watch=False):
                pass
            again = rows_in(log)[end:]
            following = rows[end:]
            must = next((n for n, row in enumerate(following) if row.kind not in FOLLOW_UPS), len(following))
            assert again[:must] == following[:must], f"after event {end}, {rows[end - 1].kind}"
            assert again[must].kind == "engine_started.v1"

    stage.play(act)


def first_cut(rows: list[Row]) -> int:
    """How many events come before the first that must follow another."""
    return next(n for n, row in enumerate(rows) if row.kind in FOLLOW_UPS)


def test_an_operator_who_comes_before_the_next_engine_finds_it_written_too(stage: Any) -> None:
    rows = rows_of(stage)
    end = first_cut(rows)

    async def act() -> list[Row]:
        log = stage.file()
        await log.open("crashed")
        for row in rows[:end]:
            log.append(recorded(row).event, at_us=row.at_us)
        await log.close()
        wish = '{"command": "set_override", "provider": "alpha", "state": "open", "actor": "ann", "reason": "no funds"}'
        await asyncio.to_thread(put_command, log.path, wish)
        await obey_inbox(log.path)
        return rows_in(log)[end:]

    alert, override = stage.play(act)
    assert alert.payload == rows[end].payload
    assert override.kind == "override_set.v1"


def test_a_log_in_which_nobody_has_written_it_does_not_verify(stage: Any) -> None:
    rows = rows_of(stage)

    async def act() -> tuple[Verification, Verification]:
        found = []
        for rules in (RULES_VERSION, RULES_VERSION + 1):
            log = await beginning(rows[: first_cut(rows)])
            await log.open("other")
            started = EngineStarted(version="0", rules_version=rules, python="3", writer="other")
            log.append(started, at_us=rows[-1].at_us)
            await log.close()
            with log.reader() as reader:
                found.append(verify(reader))
        return found[0], found[1]

    ours, theirs = stage.play(act)
    assert (ours.ok, ours.differs) == (False, 1)
    assert theirs.ok, "what other rules find is for them to say"


def test_an_alert_that_a_command_has_raised_calls_for_nothing(stage: Any) -> None:
    """Long before it, an operator's word has run out: that is seen at the next start, and not before."""

    async def act() -> list[str]:
        before = MemoryLog()
        async with stage.engine(*providers(), log=before, policy=POLICY, others=True) as engine:
            for name in ("alpha", "beta", "gamma"):
                engine.override(name, "open", actor="ann", reason="rest", for_ms=100)
            before.put_command("nonsense")
            await asyncio.sleep(1)
            crashed = await beginning(rows_in(before))
        stage.logs.append(crashed)
        async with stage.engine(*providers(), log=crashed, policy=POLICY, seed=2, watch=False):
            return [row.kind for row in rows_in(crashed)[-4:]]

    assert stage.play(act) == ["mode_changed.v1", "alert_raised.v1", "engine_started.v1", "mode_changed.v1"]
