"""What was surely executed for nobody is taken back at its provider, on record, also after a restart."""

import asyncio
from typing import Any

import pytest
from conversions_for_tests import events
from shops import US_WA, Shop

from understudy.adapters import MemoryLog
from understudy.adapters.rental import RENT
from understudy.engine import (
    Ambiguous,
    Effect,
    Engine,
    Finding,
    Found,
    InvalidRequest,
    Operation,
    OutcomeUnknown,
    Transient,
)
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.events.requests import RequestAccepted

ABSENT = Found(finding=Finding.ABSENT)


async def rent(engine: Engine, **more: Any) -> Any:
    return await engine.call("rent", context=US_WA, **more)


def late(name: str, **more: Any) -> Shop:
    """A shop that rents a number out, loses the answer, and does not know of it at first."""
    return Shop(name, after=[Ambiguous("reset")], lookups=[ABSENT], **more)


def undoings(log: Any) -> list[RequestAccepted]:
    return [one for one in events(log, RequestAccepted) if one.undoes is not None]


def test_a_late_success_is_cancelled_and_its_alert_ends_with_what_was_done(stage: Any) -> None:
    alpha, beta = late("alpha"), Shop("beta")

    async def act() -> str:
        async with stage.engine(alpha, beta, operations=(RENT,)) as engine:
            answer = await rent(engine, preferred="alpha")
            assert answer.provider == "beta"
            await asyncio.sleep(120)
            assert (engine.standing.alerts, engine.standing.unused.owed) == ({}, {})
            return str(answer.request_id)

    request_id = stage.play(act)
    assert (alpha.books, beta.books) == ({"alpha-1": "cancelled"}, {"beta-1": "open"})
    (asked,) = undoings(stage.logs[0])
    assert (asked.operation, asked.only, asked.undoes, asked.rental_id) == ("cancel", "alpha", request_id, "alpha-1")
    (raised,), (cleared,) = events(stage.logs[0], AlertRaised), events(stage.logs[0], AlertCleared)
    assert raised.message.endswith("; it is undone there by cancel")
    assert cleared.message == (f"alpha has undone it: cancel of reference alpha-1, by request {asked.request_id}")


def test_nothing_is_cancelled_that_has_a_user(stage: Any) -> None:
    alpha, beta = Shop("alpha", after=[Ambiguous("reset")]), Shop("beta")

    async def act() -> None:
        async with stage.engine(alpha, beta, operations=(RENT,)) as engine:
            assert (await rent(engine, preferred="alpha")).via == "lookup"
            await rent(engine, preferred="beta")
            await asyncio.sleep(4_000)

    stage.play(act)
    assert (alpha.books, beta.books, undoings(stage.logs[0])) == ({"alpha-1": "open"}, {"beta-1": "open"}, [])


@pytest.mark.parametrize("after_s", [0.05, 0.1])
def test_a_number_whose_renter_is_gone_is_given_back(stage: Any, after_s: float) -> None:
    alpha = Shop("alpha")

    async def act() -> None:
        async with stage.engine(alpha, operations=(RENT,), log=stage.file()) as engine:
            renting = asyncio.create_task(rent(engine))
            await asyncio.sleep(after_s)
            renting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await renting
            await asyncio.sleep(1)
            assert (engine.standing.alerts, engine.standing.unused.owed) == ({}, {})

    stage.play(act)
    assert alpha.books == {"alpha-1": "cancelled"}


def test_who_is_gone_is_not_served_by_the_next_provider(stage: Any) -> None:
    alpha, beta = Shop("alpha", acts=[Transient("busy")] * 9), Shop("beta")

    async def act() -> None:
        async with stage.engine(alpha, beta, operations=(RENT,)) as engine:
            renting = asyncio.create_task(rent(engine, preferred="alpha"))
            await asyncio.sleep(0.05)
            renting.cancel()
            await asyncio.sleep(60)
            assert engine.unsettled == ()

    stage.play(act)
    assert (len(alpha.calls), beta.calls) == (1, [])


def test_under_a_key_a_number_waits_for_its_renter_to_come_back(stage: Any) -> None:
    alpha = Shop("alpha")

    async def act() -> None:
        async with stage.engine(alpha, operations=(RENT,)) as engine:
            renting = asyncio.create_task(rent(engine, idempotency_key="order-17"))
            await asyncio.sleep(0.05)
            renting.cancel()
            await asyncio.sleep(60)
            assert (await rent(engine, idempotency_key="order-17")).reference == "alpha-1"

    stage.play(act)
    assert alpha.books == {"alpha-1": "open"}


def test_a_held_request_is_undone_when_it_turns_out_to_have_been_executed(stage: Any) -> None:
    alpha = Shop("alpha", after=[Ambiguous("reset")], lookups=[Transient("down")] * 40)

    async def act() -> None:
        async with stage.engine(alpha, operations=(RENT,)) as engine:
            with pytest.raises(OutcomeUnknown):
                await rent(engine)
            await asyncio.sleep(20_000)
            assert engine.standing.alerts == {}

    stage.play(act)
    assert alpha.books == {"alpha-1": "cancelled"}
    assert [one.alert for one in events(stage.logs[0], AlertRaised)] == ["suspended", "unclaimed"]


def test_what_an_operator_says_was_executed_is_left_to_the_operator(stage: Any) -> None:
    alpha = Shop("alpha", after=[Ambiguous("reset")], lookups=[Transient("down")] * 40)

    async def act() -> None:
        async with stage.engine(alpha, operations=(RENT,)) as engine:
            with pytest.raises(OutcomeUnknown) as held:
                await rent(engine)
            engine.resolve(held.value.request_id, executed=True, reference="alpha-1", actor="ann", reason="seen")
            await asyncio.sleep(10_000)

    stage.play(act)
    assert alpha.books == {"alpha-1": "open"}


def test_a_cancel_that_comes_too_early_is_tried_again(stage: Any) -> None:
    alpha = late("alpha", cancels=[Transient("EARLY_CANCEL_DENIED")] * 3)
    beta = Shop("beta")

    async def act() -> None:
        async with stage.engine(alpha, beta, operations=(RENT,)) as engine:
            await rent(engine, preferred="alpha")
            await asyncio.sleep(120)
            assert alpha.books == {"alpha-1": "open"}
            assert [name.partition("|")[0] for name in engine.standing.alerts] == ["late_success"]
            await asyncio.sleep(120)
            assert engine.standing.alerts == {}

    stage.play(act)
    assert alpha.books == {"alpha-1": "cancelled"}
    assert len(undoings(stage.logs[0])) == 2


def test_what_cannot_be_cancelled_is_tried_every_hour_until_an_operators_word_ends_it(stage: Any) -> None:
    alpha, beta = (
        late("alpha", cancels=[Transient("no")] * 99),
        Shop("beta"),
    )

    async def act() -> None:
        async with stage.engine(alpha, beta, operations=(RENT,)) as engine:
            answer = await rent(engine, preferred="alpha")
            await asyncio.sleep(8_000)
            assert len(engine.standing.alerts) == 1
            await rent(engine, preferred="beta")
            await asyncio.sleep(5_000)
            engine.resolve(answer.request_id, executed=True, actor="ann", reason="written off")
            assert (engine.standing.alerts, engine.standing.unused.owed) == ({}, {})
            tried.append(len(undoings(stage.logs[0])))
            await asyncio.sleep(4_000)

    tried: list[int] = []
    stage.play(act)
    assert tried == [len(undoings(stage.logs[0]))] == [6]


@pytest.mark.parametrize("kept", ["memory", "file"])
def test_what_is_owed_is_done_after_a_restart(stage: Any, kept: str) -> None:
    alpha, beta = (
        late("alpha", cancels=[Transient("no")] * 99),
        Shop("beta"),
    )
    log: Any = MemoryLog() if kept == "memory" else stage.file()

    async def first() -> None:
        async with stage.engine(alpha, beta, operations=(RENT,), log=log) as engine:
            await rent(engine, preferred="alpha")
            await asyncio.sleep(70)

    async def second() -> None:
        async with stage.engine(alpha, beta, log=log if kept == "memory" else stage.file()) as engine:
            assert len(engine.standing.unused.owed) == 1
            await asyncio.sleep(1)
            assert (engine.standing.alerts, engine.standing.unused.owed) == ({}, {})

    stage.play(first)
    alpha.cancels.clear()
    stage.play(second)
    assert alpha.books == {"alpha-1": "cancelled"}


def test_a_renter_who_did_not_survive_a_crash_gets_no_number(stage: Any) -> None:
    alpha, log = Shop("alpha", call_s=10), MemoryLog()

    async def first() -> None:
        engine = stage.engine(alpha, operations=(RENT,), log=log)
        await engine.start()
        renting = asyncio.create_task(rent(engine))
        await asyncio.sleep(2)
        await engine.stop(grace_ms=1)
        await asyncio.gather(renting, return_exceptions=True)

    async def second() -> None:
        async with stage.engine(alpha, operations=(RENT,), log=log) as engine:
            await asyncio.sleep(10)
            assert (engine.standing.alerts, engine.unsettled) == ({}, ())

    stage.play(first)
    (accepted,) = events(log, RequestAccepted)
    alpha.rented["alpha-1"] = ["", "open"]
    alpha.lookups = [Found(finding=Finding.SUCCEEDED, reference="alpha-1")]
    alpha.call_s = 0.1
    stage.play(second)
    assert (accepted.undone_by, alpha.books) == ("cancel", {"alpha-1": "cancelled"})


@pytest.mark.parametrize("bad", [{"effect": Effect.READ}, {"undone_by": "rent"}])
def test_only_what_moves_something_can_be_undone_and_by_another_operation(bad: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="undone by another operation"):
        Operation(**{"name": "rent", "effect": Effect.ONCE, "undone_by": "cancel", **bad})
