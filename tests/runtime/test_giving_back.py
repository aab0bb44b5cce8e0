"""A number that its caller has no use for is given back: when its shop takes it, and whatever comes between."""

import asyncio
from typing import Any

import pytest
from conversions_for_tests import events
from shops import Shop, played

from understudy.adapters import MemoryLog
from understudy.adapters.rental import rent_number_with_failover
from understudy.engine import (
    AllProvidersFailed,
    Engine,
    InvalidRequest,
    Transient,
)
from understudy.events.operations import AlertRaised
from understudy.events.requests import RequestAccepted


def test_a_cancel_that_is_refused_is_an_error_and_the_engine_goes_on_until_it_is_done(stage: Any) -> None:
    alpha = Shop("alpha", cancels=[Transient("busy")] * 6)

    async def act(engine: Engine) -> None:
        rental = await rent_number_with_failover("us", "wa", engine=engine)
        with pytest.raises(AllProvidersFailed, match="busy"):
            await rental.cancel()
        await asyncio.sleep(155)
        assert (alpha.books, len(alpha.cancels)) == ({"alpha-1": "open"}, 0)
        assert list(engine.standing.alerts) == [f"unclaimed|{rental.request_id}"]
        await asyncio.sleep(610)
        assert (alpha.books, engine.standing.alerts) == ({"alpha-1": "cancelled"}, {})

    played(stage, alpha, act=act)
    (raised,) = events(stage.logs[0], AlertRaised)
    assert raised.message.endswith("(reference alpha-1), and nobody has a use for it; it is undone there by cancel")


def test_numbers_that_are_too_young_are_given_back_when_their_shop_says_so_and_nobody_is_alarmed(stage: Any) -> None:
    alpha = Shop("alpha", cancels=[Transient("too early", retry_after_ms=90_000)] * 30, codes=["7"])

    async def act(engine: Engine) -> None:
        rentals = [await rent_number_with_failover("us", "wa", engine=engine) for _ in range(31)]
        began_s = asyncio.get_running_loop().time()
        cancelling = [asyncio.create_task(one.cancel()) for one in rentals[1:]]
        await asyncio.sleep(30)
        assert await rentals[0].code() == "7"  # Whatever else ends meanwhile.
        await asyncio.gather(*cancelling)
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(90, abs=1)
        assert list(alpha.books.values()) == ["open", *["cancelled"] * 30]
        assert engine.standing.unused.owed == {}

    played(stage, alpha, act=act, retry_attempts=0)
    assert events(stage.logs[0], AlertRaised) == []
    assert len([one for one in events(stage.logs[0], RequestAccepted) if one.undoes]) == 30


def test_a_shop_that_always_names_another_time_is_not_asked_for_ever(stage: Any) -> None:
    alpha = Shop("alpha", cancels=[Transient("too early", retry_after_ms=1)] * 99)

    async def act(engine: Engine) -> None:
        rental = await rent_number_with_failover("us", "wa", engine=engine)
        with pytest.raises(AllProvidersFailed, match="too early"):
            await rental.cancel()

    played(stage, alpha, act=act)
    assert len([operation for operation, _ in alpha.calls if operation == "cancel"]) <= 6


def test_only_what_takes_something_back_waits_for_the_time_that_a_shop_names(stage: Any) -> None:
    alpha, beta = Shop("alpha", acts=[Transient("later", retry_after_ms=20_000)] * 3), Shop("beta")

    async def act(engine: Engine) -> None:
        began_s = asyncio.get_running_loop().time()
        assert (await rent_number_with_failover("us", "wa", engine=engine, preferred="alpha")).provider == "beta"
        assert asyncio.get_running_loop().time() - began_s < 5

    played(stage, alpha, beta, act=act)


def test_a_caller_who_goes_while_a_number_is_too_young_leaves_it_to_the_engine(stage: Any) -> None:
    alpha = Shop("alpha", cancels=[Transient("too early", retry_after_ms=90_000)])

    async def act(engine: Engine) -> None:
        rental = await rent_number_with_failover("us", "wa", engine=engine)
        cancelling = asyncio.create_task(rental.cancel())
        await asyncio.sleep(5)
        cancelling.cancel()
        await asyncio.sleep(1)
        assert list(engine.standing.alerts) == [f"unclaimed|{rental.request_id}"]
        await asyncio.sleep(160)
        assert (alpha.books, engine.standing.alerts) == ({"alpha-1": "cancelled"}, {})

    played(stage, alpha, act=act)


@pytest.mark.parametrize("kept", ["memory", "file"])
def test_a_cancel_that_a_stop_cuts_short_is_done_after_the_restart(stage: Any, kept: str) -> None:
    alpha = Shop("alpha", cancels=[Transient("too early", retry_after_ms=90_000)])
    log: Any = MemoryLog() if kept == "memory" else stage.file()

    async def act(engine: Engine) -> None:
        rental = await rent_number_with_failover("us", "wa", engine=engine)
        cancelling = asyncio.create_task(rental.cancel())
        await asyncio.sleep(5)
        await engine.stop(grace_ms=1)
        await asyncio.gather(cancelling, return_exceptions=True)

    async def again(engine: Engine) -> None:
        assert [one.partition("|")[0] for one in engine.standing.alerts] == ["unclaimed"]
        await asyncio.sleep(1)
        assert (alpha.books, engine.standing.alerts) == ({"alpha-1": "cancelled"}, {})

    played(stage, alpha, act=act, log=log)
    assert alpha.books == {"alpha-1": "open"}
    played(stage, alpha, act=again, log=log if kept == "memory" else stage.file())


@pytest.mark.parametrize("wrong", [{}, {"only": None}, {"effect": "read"}, {"undoes": ""}])
def test_what_undoes_a_request_is_idempotent_and_asked_of_its_provider(stage: Any, wrong: dict[str, Any]) -> None:
    class Desk(Shop):
        async def call(self, operation: str, request: Any, **more: Any) -> Any:
            return operation

    async def act(engine: Engine) -> None:
        usual = {"effect": "idempotent", "only": "alpha", "undoes": "r", "context": {"rental_id": "alpha-1"}, **wrong}
        if wrong:
            with pytest.raises(InvalidRequest, match="undoes"):
                await engine.call("release", **usual)
        else:
            assert (await engine.call("release", **usual)).reply == "release"
        assert engine.standing.unused.owed == {}

    played(stage, Desk("alpha"), act=act)
