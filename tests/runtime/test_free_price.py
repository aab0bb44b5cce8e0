"""Where a shop sells to the highest bid, that is a first step, ahead of tiers and strategies, with its own record."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from conversions_for_tests import events
from shops import Shop

from understudy.adapters.rental import RENTALS, FreePrice, Rental, rent_number_with_failover
from understudy.engine import Engine, Policy, ProviderSettings, ServicePriority, Strategy, TooExpensive, Transient
from understudy.events.decisions import DecisionMade

BID = "beta:free_price"


def played(stage: Any, *shops: Any, act: Callable[[Engine], Awaitable[Any]], **policy: Any) -> Any:
    settings = {"free_price_enabled": True, "retry_attempts": 0, "exploration": 0, **policy}

    async def run() -> Any:
        async with stage.engine(*shops, policy=Policy(**settings), operations=RENTALS) as engine:
            return await act(engine)

    return stage.play(run)


async def rent(engine: Engine, **more: Any) -> Rental:
    return await rent_number_with_failover("us", "wa", engine=engine, **more)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_a_bid_comes_first_whatever_the_strategy_and_the_tier(stage: Any, strategy: Strategy) -> None:
    alpha, beta = Shop("alpha"), Shop("beta")

    async def act(engine: Engine) -> Rental:
        return await rent(engine, max_price="0.25", preferred="alpha")

    low = ProviderSettings(id=BID, priority=ServicePriority.BACKUP)
    rental = played(stage, alpha, beta, FreePrice(beta), act=act, strategy=strategy, providers=(low,))
    assert (rental.provider, rental.price, alpha.calls) == (BID, Decimal("0.25"), [])


def test_who_is_outbid_rents_at_a_fixed_price(stage: Any) -> None:
    alpha, beta = Shop("alpha", acts=[Transient("busy")]), Shop("beta", bids=[TooExpensive("outbid")])

    async def act(engine: Engine) -> Rental:
        return await rent(engine, max_price=1)

    rental = played(stage, alpha, beta, FreePrice(beta), act=act, strategy=Strategy.IN_ORDER)
    assert (rental.provider, rental.price, rental.failovers) == ("beta", Decimal("0.50"), 2)


def test_bids_that_fail_open_their_own_circuit_and_not_the_shops(stage: Any) -> None:
    beta = Shop("beta", bids=[Transient("down")] * 3)

    async def act(engine: Engine) -> None:
        for _ in range(3):
            assert (await rent(engine, max_price=1)).failovers == 1
        assert (await rent(engine, max_price=1)).failovers == 0
        assert [one.success_bp for one in engine.health()] == [10_000, 0]

    played(stage, beta, FreePrice(beta), act=act, min_success_rate=0)
    last = events(stage.logs[0], DecisionMade)[-1]
    assert [(one.provider, one.verdict) for one in last.candidates] == [("beta", "eligible"), (BID, "circuit_open")]


def test_bids_that_have_done_badly_of_late_come_last(stage: Any) -> None:
    beta = Shop("beta", bids=[Transient("down"), Transient("down")])

    async def act(engine: Engine) -> str:
        for _ in range(2):
            await rent(engine, max_price=1)
        return (await rent(engine, max_price=1)).provider

    assert played(stage, beta, FreePrice(beta), act=act, max_failures=9) == "beta"
    assert events(stage.logs[0], DecisionMade)[-1].order == ("beta", BID)


@pytest.mark.parametrize(
    ("policy", "limit", "verdict"),
    [
        ({"free_price_enabled": False}, "1", "free_price_off"),
        ({"fallback_enabled": False}, "1", "free_price_off"),
        ({"max_providers": 1}, "1", "free_price_off"),
        ({}, None, "no_bid"),
    ],
)
def test_nobody_bids_where_that_makes_no_sense(
    stage: Any, policy: dict[str, Any], limit: str | None, verdict: str
) -> None:
    beta = Shop("beta")

    async def act(engine: Engine) -> Rental:
        return await rent(engine, max_price=limit)

    assert played(stage, beta, FreePrice(beta), act=act, **policy).provider == "beta"
    (decision,) = events(stage.logs[0], DecisionMade)
    assert decision.candidates[1].verdict == verdict


def test_the_policys_limit_is_the_bid_of_callers_who_name_none(stage: Any) -> None:
    beta = Shop("beta")

    async def act(engine: Engine) -> tuple[Decimal | None, Decimal | None]:
        return (await rent(engine)).price, (await rent(engine, max_price="0.7")).price

    found = played(stage, beta, FreePrice(beta), act=act, max_price=Decimal("0.31"))
    assert found == (Decimal("0.31"), Decimal("0.7"))


def test_a_number_that_was_won_is_looked_after_at_its_shop(stage: Any) -> None:
    alpha, beta = Shop("alpha"), Shop("beta", codes=["55"])

    async def act(engine: Engine) -> None:
        rental = await rent(engine, max_price=1)
        assert (rental.provider, await rental.code()) == (BID, "55")
        await rental.cancel()

    played(stage, alpha, beta, FreePrice(beta), act=act)
    assert (alpha.calls, beta.books) == ([], {"beta-1": "cancelled"})


def test_when_nobody_else_may_be_asked_a_bid_is_made_all_the_same(stage: Any) -> None:
    beta = Shop("beta")

    async def act(engine: Engine) -> Rental:
        engine.override("beta", "open", actor="ann", reason="too dear")
        return await rent(engine, max_price=1)

    assert played(stage, beta, FreePrice(beta), act=act).provider == BID


def test_a_shop_that_takes_no_bids_is_refused() -> None:
    with pytest.raises(TypeError, match="takes no bids: it needs `async def bid"):
        FreePrice(object())
