"""A number is rented from the best shop, and everything about it goes to that shop."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from conversions_for_tests import events
from shops import Shop

from understudy.adapters import MemoryLog
from understudy.adapters.rental import RENTALS, Rental, rent_number_with_failover
from understudy.engine import (
    AllProvidersFailed,
    Ambiguous,
    Engine,
    EngineClosed,
    InvalidRequest,
    NoProviderAvailable,
    Policy,
    ProviderSettings,
    Strategy,
    Transient,
)
from understudy.events.calls import CallStarted
from understudy.events.operations import AlertRaised
from understudy.events.requests import RequestAccepted


def played(stage: Any, *shops: Shop, act: Callable[[Engine], Awaitable[Any]], log: Any = None, **policy: Any) -> Any:
    async def run() -> Any:
        async with stage.engine(*shops, policy=Policy(**policy), operations=RENTALS, log=log) as engine:
            return await act(engine)

    return stage.play(run)


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


@pytest.mark.parametrize("wrong", [0, -1, "0.0", 0.5, "much"])
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
