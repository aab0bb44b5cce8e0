"""What shops of one's own may get wrong, and callers too: nothing is rented that could not be used."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from conversions_for_tests import events
from shops import Shop, played

from understudy.adapters.rental import RENTALS, rent_number_with_failover
from understudy.engine import (
    AllProvidersFailed,
    Engine,
    InvalidRequest,
    RateLimited,
    Reply,
    Strategy,
)
from understudy.events.calls import CallFailed
from understudy.events.operations import AlertRaised
from understudy.events.vocabulary import FailureKind


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Reply(value={"phone": "1"}, reference="a-1"), "a number was rented, and not told"),
        (Reply(reference="a-1"), "a number was rented, and not told"),
        ("+15550100", "a number was rented, and not told"),
        (Reply(value={"number": "+15550100"}), "without the shop's own id"),
        (Reply(value={"number": "+15550100"}, reference=7), "without the shop's own id"),  # type: ignore[arg-type]
    ],
)
def test_an_answer_that_is_no_rental_may_have_been_one_and_is_looked_up(stage: Any, answer: Any, told: str) -> None:
    class Sloppy(Shop):
        async def call(self, operation: str, request: Any, **more: Any) -> Any:
            rented = await super().call(operation, request, **more)
            return answer if operation == "rent" else rented

    alpha, beta = Sloppy("alpha"), Shop("beta")

    async def act(engine: Engine) -> None:
        rental = await rent_number_with_failover("us", "wa", engine=engine, preferred="alpha")
        assert (rental.provider, rental.activation_id, rental.number) == ("alpha", "alpha-1", "+15550100")
        await rental.cancel()

    played(stage, alpha, beta, act=act)
    (failed,) = events(stage.logs[0], CallFailed)
    assert (failed.outcome, beta.calls, alpha.books) == (FailureKind.INVALID_REPLY, [], {"alpha-1": "cancelled"})
    assert told in str(failed.message)


@pytest.mark.parametrize(
    ("cost", "price"), [(0.5, Decimal("0.5")), ("0.30", Decimal("0.30")), ("-1", None), ("much", None)]
)
def test_a_price_is_exact_whatever_a_shop_tells_it_in(stage: Any, cost: Any, price: Decimal | None) -> None:
    async def act(engine: Engine) -> None:
        rental = await rent_number_with_failover("us", "wa", engine=engine)
        assert (rental.price, type(rental.price)) == (price, type(price))

    played(stage, Shop("alpha", price=cost), act=act)


def test_an_engine_that_does_not_know_rentals_rents_nothing(stage: Any) -> None:
    alpha = Shop("alpha")

    async def act() -> None:
        async with stage.engine(alpha, operations=RENTALS[:2]) as engine:
            with pytest.raises(InvalidRequest, match="was not given cancel, finish: make it with operations=RENTALS"):
                await rent_number_with_failover("us", "wa", engine=engine)

    stage.play(act)
    assert alpha.calls == []


@pytest.mark.parametrize(("country", "service", "told"), [("us ", "wa", "country"), ("us", "\twa", "service")])
def test_spaces_around_a_name_are_refused_before_a_shop_is_asked(
    stage: Any, country: str, service: str, told: str
) -> None:
    alpha = Shop("alpha")

    async def act(engine: Engine) -> None:
        with pytest.raises(InvalidRequest, match=f"{told} has spaces around it"):
            await rent_number_with_failover(country, service, engine=engine)

    played(stage, alpha, act=act)
    assert alpha.calls == []


def test_a_shop_that_wants_to_be_left_alone_for_long_is_an_alert_until_it_answers_after_that(stage: Any) -> None:
    class Pinged(Shop):
        async def ping(self) -> None:
            pass

    alpha = Pinged("alpha", acts=[RateLimited("BANNED", retry_after_ms=600_000)])
    beta = Shop("beta", acts=[RateLimited("slower", retry_after_ms=299_000), None])

    async def act(engine: Engine) -> None:
        with pytest.raises(AllProvidersFailed):
            await rent_number_with_failover("us", "wa", engine=engine)
        await asyncio.sleep(590)  # It answers pings, and rests all the same.
        assert list(engine.standing.alerts) == ["long_throttle|alpha"]
        await asyncio.sleep(30)
        assert engine.standing.alerts == {}

    played(stage, alpha, beta, act=act, strategy=Strategy.IN_ORDER)
    (raised,) = events(stage.logs[0], AlertRaised)
    assert raised.message == "alpha wants to be left alone for 10 minutes: BANNED"
