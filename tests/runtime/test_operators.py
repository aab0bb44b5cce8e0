"""What operators want of a running engine, by its methods or by its inbox: probes, and commands that make no sense."""

import asyncio
import json
from typing import Any

import pytest
from providers_for_tests import Pingable, Searchable, Told

from understudy.adapters import SqliteLog, put_command
from understudy.engine import (
    Ambiguous,
    Deadline,
    Engine,
    Finding,
    Found,
    InvalidRequest,
    OutcomeUnknown,
    Policy,
    Request,
    Strategy,
    Transient,
)
from understudy.replay.verify import verify

ONE_FAILURE_OPENS = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, max_failures=1)
TWO_FAILURES_OPEN = ONE_FAILURE_OPENS.model_copy(update={"max_failures": 2})
ANN = {"actor": "ann", "reason": "they say it is over"}


def wish(log: SqliteLog, command: str, **fields: Any) -> int:
    return put_command(log.path, json.dumps({"command": command, **ANN, **fields}))


def test_a_probe_lets_the_next_request_find_out_and_spares_the_rest(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("a", [Transient("down")])
        async with stage.engine(alpha, Told("b"), policy=ONE_FAILURE_OPENS) as engine:
            assert (await engine.call("x")).provider == "b"
            assert engine.health()[0].verdict == "circuit_open"
            engine.probe("a", **ANN)
            assert engine.health()[0].verdict == "probe"
            assert (await engine.call("x")).provider == "a"
            assert engine.health()[0].verdict == "eligible"
        assert "probe_requested" in stage.kinds()

    stage.play(act)


def test_a_probe_from_the_inbox_pings_at_once_whoever_can_be_pinged(stage: Any) -> None:
    async def act() -> None:
        log, alpha = stage.file(), Pingable("a", [Transient("down")])
        async with stage.engine(alpha, Told("b"), policy=ONE_FAILURE_OPENS, log=log) as engine:
            assert (await engine.call("x")).provider == "b"
            pings = alpha.pings
            wish(log, "probe", provider="a")
            await asyncio.sleep(1)
            assert alpha.pings == pings + 1
            assert engine.health()[0].verdict == "probe"

    stage.play(act)


def test_the_ping_of_a_probe_that_fails_leaves_the_circuit_waiting_for_one(stage: Any) -> None:
    async def act() -> None:
        alpha = Pingable("a", [Transient("down")] * 2)
        async with stage.engine(alpha, Told("b"), policy=TWO_FAILURES_OPEN) as engine:
            for _ in range(2):
                await engine.call("x")
            await asyncio.sleep(1)
            alpha.down = True
            engine.probe("a", **ANN)
            await asyncio.sleep(0.1)
            assert engine.health()[0].verdict == "circuit_half_open_awaits_ping"
            alpha.down = False
            await asyncio.sleep(10)
            assert engine.health()[0].verdict == "probe"

    stage.play(act)


def test_a_probe_that_can_lead_to_nothing_is_refused(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a"), Pingable("b")) as engine:
            with pytest.raises(InvalidRequest, match="the circuit of 'a' is closed, and it cannot be pinged"):
                engine.probe("a", **ANN)
            for state, how in (("open", "forced open"), ("drain", "drained")):
                engine.override("b", state, actor="bob", reason="invoice", for_ms=1_000)
                with pytest.raises(InvalidRequest, match=f"'b' is {how} by bob, so that no request may probe it"):
                    engine.probe("b", **ANN)
            await asyncio.sleep(1)
            engine.probe("b", **ANN)
            with pytest.raises(InvalidRequest, match="provider 'z' is unknown; known: a, b"):
                engine.probe("z", **ANN)

    stage.play(act)


def test_a_command_that_makes_no_sense_is_an_alert_until_the_next_that_does(stage: Any) -> None:
    async def act() -> None:
        log = stage.file()
        async with stage.engine(Told("a"), log=log) as engine:
            number = put_command(log.path, '{"command":"dance"}')
            again = wish(log, "clear_override", provider="z")
            await asyncio.sleep(1)
            assert list(engine.standing.alerts) == [f"command_refused|{number}", f"command_refused|{again}"]
            wish(log, "clear_override", provider="a")
            await asyncio.sleep(1)
            assert engine.standing.alerts == {}
        with log.reader() as reader:
            messages = [json.loads(row.payload)["message"] for row in reader.operations("alert_raised.v1")]
        assert messages[0].startswith("a command that makes no sense: Input tag 'dance' found using 'command' does not")
        assert messages[1] == "provider 'z' is unknown; known: a"

    stage.play(act)


def test_a_refusal_is_an_alert_only_if_nobody_waits_for_it(stage: Any) -> None:
    async def act() -> None:
        log = stage.file()
        async with stage.engine(Told("a"), log=log) as engine:
            now_us = engine.standing.at_us
            waiting = wish(log, "clear_override", provider="z", awaited_until_us=now_us + 1_000_000)
            gone = wish(log, "clear_override", provider="y", awaited_until_us=now_us)
            await asyncio.sleep(0.9)
            assert list(engine.standing.alerts) == [f"command_refused|{gone}"]
        with log.reader() as reader:
            (told,) = [json.loads(row.payload) for row in reader.operations("command_refused.v1")]
            assert (told["command_id"], told["actor"]) == (waiting, "ann")
            assert verify(reader).ok

    stage.play(act)


def test_a_command_with_a_field_that_does_not_fit_is_told_which(stage: Any) -> None:
    async def act() -> None:
        log = stage.file()
        async with stage.engine(Told("a"), log=log):
            wish(log, "set_override", provider="a", state="ajar")
            await asyncio.sleep(1)
        with log.reader() as reader:
            (row,) = reader.operations("alert_raised.v1")
        assert json.loads(row.payload)["message"] == (
            "set_override.state: Input should be 'open', 'closed' or 'drain', not 'ajar'"
        )

    stage.play(act)


def test_a_look_up_that_contradicts_an_operator_alerts_and_the_operator_has_the_last_word(stage: Any) -> None:
    """The provider takes a second to find the payment; meanwhile somebody has said that it was never made."""

    async def act() -> None:
        log = stage.file()
        alpha = Slow("a", [Ambiguous("reset")], findings=[Found(finding=Finding.SUCCEEDED, reference="order-9")])
        async with stage.engine(alpha, policy=Policy(deadline_ms=500), log=log, watch=False) as engine:
            heard: list[str] = []

            async def hear(_: Engine, *, message: str, **__: Any) -> None:
                heard.append(message)

            engine.on("alert:raised", hear)
            with pytest.raises(OutcomeUnknown):
                await engine.call("pay", effect="once")
            (held,) = engine.unsettled
            await asyncio.sleep(2)
            engine.resolve(held, executed=False, **ANN)
            await asyncio.sleep(20)
            assert engine.unsettled == ()
            assert list(engine.standing.alerts) == [f"contradiction|{held}"]
            said = f"an operator says that request {held} was not executed, but a has executed it (reference order-9)"
            assert heard[-1] == said
            engine.resolve(held, executed=True, reference="order-9", **ANN)
            assert engine.standing.alerts == {}
            with pytest.raises(InvalidRequest, match="is not held"):
                engine.resolve(held, executed=True, **ANN)

    stage.play(act)
    assert stage.kinds()[-2:] == ["alert_cleared", "engine_stopped"]


class Slow(Searchable):
    """One that takes its time to look up."""

    async def lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:
        await asyncio.sleep(4)
        return await super().lookup(operation, request, key=key, deadline=deadline)
