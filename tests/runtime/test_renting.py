"""A number is rented from the best shop, and everything about it goes to that shop."""

import asyncio
import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from conversions_for_tests import events
from shops import Shop, played

from understudy.adapters.rental import RENTALS, Rental, rent_number_with_failover
from understudy.engine import (
    Ambiguous,
    Engine,
    EngineClosed,
    InvalidRequest,
    NoProviderAvailable,
    ProviderSettings,
    Strategy,
    Transient,
)
from understudy.events.calls import CallStarted
from understudy.events.requests import RequestAccepted


def priced(*prices: tuple[str, str]) -> tuple[ProviderSettings, ...]:
    return tuple(ProviderSettings(id=name, price=Decimal(price)) for name, price in prices)


def test_a_rental_tells_number_provider_price_and_activation(stage: Any) -> None:
    alpha, beta = Shop("alpha", acts=[Transient("busy")] * 3), Shop("beta", price=Decimal("0.42"))

    async def act(engine: Engine) -> Rental:
        return await rent_number_with_failover("us", "wa", engine=engine)

    rental = played(stage, alpha, beta, act=act, strategy=Strategy.IN_ORDER)
    assert (rental.provider, rental.number, rental.price) == ("beta", "+15550101", Decimal("0.42"))
    assert (rental.activation_id, rental.failovers, rental.country, rental.service) == ("beta-1", 1, "us", "wa")
    assert "+1555" not in repr(rental)


def test_a_program_with_one_engine_need_not_hand_it_round(stage: Any) -> None:
    async def act(engine: Engine) -> Rental:
        del engine
        return await rent_number_with_failover("us", "wa")

    assert played(stage, Shop("alpha"), act=act).provider == "alpha"


def test_without_a_running_engine_for_rentals_or_with_two_it_says_so(stage: Any) -> None:
    async def act(engine: Engine) -> None:
        async with stage.engine(Shop("beta"), operations=RENTALS):
            with pytest.raises(ValueError, match=r"2 engines with the operation 'rent' .* pass engine="):
                await rent_number_with_failover("us", "wa")
        assert (await rent_number_with_failover("us", "wa")).provider == "alpha"
        await engine.stop()
        with pytest.raises(EngineClosed, match="no engine with the operation 'rent'"):
            await rent_number_with_failover("us", "wa")

    played(stage, Shop("alpha"), act=act)


def test_code_cancel_and_finish_go_to_the_shop_that_rented_the_number_out(stage: Any) -> None:
    alpha, beta = Shop("alpha"), Shop("beta", codes=["4821"])

    async def act(engine: Engine) -> None:
        first = await rent_number_with_failover("us", "wa", engine=engine, preferred="beta")
        assert await first.code() == "4821"
        await first.finish()
        second = await rent_number_with_failover("us", "wa", engine=engine, preferred="beta")
        await second.cancel()
        await second.cancel()

    played(stage, alpha, beta, act=act)
    assert (alpha.calls, beta.books) == ([], {"beta-1": "finished", "beta-2": "cancelled"})
    tending = [one for one in events(stage.logs[0], CallStarted) if one.operation != "rent"]
    assert {(one.country, one.service) for one in tending} == {("us", "wa")}
    assert [one.rental_id for one in tending] == ["beta-1", "beta-1", "beta-2", "beta-2"]


def test_a_code_is_waited_for_as_long_as_asked_and_every_look_is_on_record(stage: Any) -> None:
    alpha = Shop("alpha", call_s=0, codes=[None, None, "11"])

    async def act(engine: Engine) -> None:
        rental = await rent_number_with_failover("us", "wa", engine=engine)
        began_s = asyncio.get_running_loop().time()
        assert await rental.code(wait_ms=60_000, poll_ms=5_000) == "11"
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(10, abs=0.5)
        assert await rental.code(wait_ms=7_000, poll_ms=5_000) is None
        assert asyncio.get_running_loop().time() - began_s == pytest.approx(17, abs=0.5)

    played(stage, alpha, act=act)
    assert len([one for one in events(stage.logs[0], CallStarted) if one.operation == "code"]) == 6


@pytest.mark.parametrize("kept", ["memory", "file"])
def test_neither_the_number_nor_the_code_is_in_an_event(stage: Any, kept: str) -> None:
    alpha = Shop("alpha", codes=["90125"])

    async def act(engine: Engine) -> None:
        rental = await rent_number_with_failover("us", "wa", engine=engine)
        assert (rental.number, await rental.code()) == ("+15550101", "90125")

    played(stage, alpha, act=act, log=stage.file() if kept == "file" else None)
    with stage.logs[0].reader() as reader:
        written = "\n".join(str(row) for row in reader.rows())
    assert "rental_id='alpha-1'" in written
    assert ("5550101" in written, "90125" in written) == (False, False)


def test_under_a_key_the_same_number_is_told_again_after_a_restart(stage: Any) -> None:
    alpha = Shop("alpha", price=Decimal("0.30"))

    async def act(engine: Engine) -> Rental:
        return await rent_number_with_failover("us", "wa", engine=engine, idempotency_key="order-17", max_price="0.5")

    first = played(stage, alpha, act=act, log=stage.file())
    again = played(stage, alpha, act=act, log=stage.file())
    assert (
        (first, first.number, first.price)
        == (again, again.number, again.price)
        == (again, "+15550101", Decimal("0.30"))
    )
    assert list(alpha.rented) == ["alpha-1"]


def test_nobody_is_asked_who_is_known_to_cost_more(stage: Any) -> None:
    alpha, beta, gamma = Shop("alpha"), Shop("beta"), Shop("gamma")

    async def act(engine: Engine) -> None:
        rental = await rent_number_with_failover("us", "wa", engine=engine, max_price="0.50")
        assert rental.provider == "beta"
        with pytest.raises(NoProviderAvailable) as refused:
            await rent_number_with_failover("us", "wa", engine=engine, max_price=Decimal("0.49"))
        assert set(refused.value.vetoes.values()) == {"price_above_max"}

    prices = priced(("alpha", "0.51"), ("beta", "0.50"), ("gamma", "2"))
    played(stage, alpha, beta, gamma, act=act, providers=prices)
    assert ([request.max_price for _, request in beta.calls], alpha.calls) == ([Decimal("0.50")], [])


def test_a_shop_whose_price_is_not_known_is_asked_and_told_the_limit(stage: Any) -> None:
    alpha = Shop("alpha")

    async def act(engine: Engine) -> None:
        await rent_number_with_failover("us", "wa", engine=engine, max_price=1)

    played(stage, alpha, act=act)
    assert [request.max_price for _, request in alpha.calls] == [Decimal(1)]
    assert [one.max_price for one in events(stage.logs[0], RequestAccepted)] == [Decimal(1)]


@pytest.mark.parametrize("wrong", [0, -1, "0.0", 0.5, "much", True])
def test_a_limit_that_is_no_sum_of_money_is_refused(stage: Any, wrong: Any) -> None:
    alpha = Shop("alpha")

    async def act(engine: Engine) -> None:
        with pytest.raises(InvalidRequest, match="max_price"):
            await rent_number_with_failover("us", "wa", engine=engine, max_price=wrong)

    played(stage, alpha, act=act)
    assert alpha.calls == []


def test_a_deadline_holds_for_all_shops_together(stage: Any) -> None:
    alpha, beta = Shop("alpha", acts=[Transient("busy")] * 9), Shop("beta", acts=[Transient("busy")] * 9)

    async def act(engine: Engine) -> None:
        began_s = asyncio.get_running_loop().time()
        with pytest.raises(Exception, match="busy"):
            await rent_number_with_failover("us", "wa", engine=engine, deadline_ms=900)
        assert asyncio.get_running_loop().time() - began_s <= 1

    played(stage, alpha, beta, act=act, retry_delay_ms=400)


def test_a_number_found_by_a_look_up_is_a_rental_like_any_other(stage: Any) -> None:
    alpha, beta = Shop("alpha", after=[Ambiguous("reset")], codes=["7"]), Shop("beta")

    async def act(engine: Engine) -> None:
        rental = await rent_number_with_failover("us", "wa", engine=engine, preferred="alpha")
        assert (rental.provider, rental.activation_id, rental.number) == ("alpha", "alpha-1", "+15550100")
        assert (rental.price, await rental.code()) == (None, "7")

    played(stage, alpha, beta, act=act)
    assert beta.calls == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"poll_ms": 0},
        {"poll_ms": -5},
        {"poll_ms": 999},
        {"wait_ms": -1},
        {"wait_ms": "5"},
        {"wait_ms": 1.5},
        {"wait_ms": True},
    ],
)
def test_a_time_to_wait_for_a_code_that_is_none_is_refused_before_the_shop_is_asked(stage: Any, wrong: Any) -> None:
    alpha = Shop("alpha")

    async def act(engine: Engine) -> None:
        rental = await rent_number_with_failover("us", "wa", engine=engine)
        with pytest.raises(InvalidRequest, match=next(iter(wrong))):
            await rental.code(**wrong)

    played(stage, alpha, act=act)
    assert [operation for operation, _ in alpha.calls] == ["rent"]


def test_the_sql_view_of_calls_names_the_rental_of_the_call_that_rented_it(stage: Any) -> None:
    alpha = Shop("alpha", acts=[Transient("busy")])

    async def act(engine: Engine) -> None:
        await (await rent_number_with_failover("us", "wa", engine=engine)).cancel()

    log = stage.file()
    played(stage, alpha, act=act, log=log)
    with closing(sqlite3.connect(log.path)) as connection:
        told = connection.execute("SELECT request_type, success, rental_id FROM provider_requests ORDER BY id")
        assert told.fetchall() == [("rent", 0, None), ("rent", 1, "alpha-1"), ("cancel", 1, "alpha-1")]
