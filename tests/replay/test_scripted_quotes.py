"""Markets move as they are told to, scripted quotes keep to their scripts, and what was promised is paid out."""

import asyncio
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from understudy.engine.errors import ProviderError, Transient
from understudy.engine.provider import Deadline, Reply, Request
from understudy.events.quotes import Quote
from understudy.events.vocabulary import Effect
from understudy.replay.market import Conversion, Market
from understudy.replay.scenario import Outage, Script
from understudy.replay.scripted import ScriptedProvider
from understudy.replay.virtual_time import virtually

CONVERSION = Conversion(pair="ETH/BTC", amounts=(Decimal(2),), rate=Decimal("0.05"))
NEVER = Deadline(10**18, lambda: 10**18 - 5_000_000)
"""It is five seconds before it, for ever."""


def service(
    *phases: dict[str, Any], conversion: Conversion = CONVERSION, outages: tuple[Outage, ...] = (), **more: Any
) -> Any:
    script = Script.model_validate({"id": "alpha", "quotes": {}, "phases": phases or ({},), **more})
    return ScriptedProvider(script, seed=1, outages=outages, market=Market(conversion, seed=1))


def wish(quote: Quote | None = None) -> Request:
    return Request(
        request_id="r",
        operation="convert",
        effect=Effect.ONCE,
        context={"pair": "ETH/BTC"},
        amount=Decimal(2),
        quote=quote,
    )


async def quoted(one: Any) -> Quote:
    quote = await one.quote(wish(), deadline=NEVER)
    assert isinstance(quote, Quote)
    return quote


def walk(volatility_bp: int, *, seed: int = 1, steps: int = 400) -> list[Decimal]:
    market = Market(CONVERSION.model_copy(update={"volatility_bp": Decimal(volatility_bp)}), seed=seed)
    return [market.rate_at(Decimal(10) * step) for step in range(steps)]


def test_a_market_moves_by_its_seed_alone_and_as_much_as_it_is_told() -> None:
    assert set(walk(0)) == {Decimal("0.05")}
    assert walk(10) == walk(10)
    assert walk(10) != walk(10, seed=2)
    rates = walk(10)
    moves = [float(after / before - 1) * 10_000 for before, after in pairwise(rates)]
    assert 8 < (sum(move * move for move in moves) / len(moves)) ** 0.5 < 12


def test_a_market_may_be_asked_for_any_second_in_any_order() -> None:
    market = Market(CONVERSION.model_copy(update={"volatility_bp": Decimal(10)}), seed=1)
    later, first = market.rate_at(Decimal("3999.9")), market.rate_at(Decimal(0))
    assert [first, later] == [walk(10)[0], walk(10)[399]]


@virtually
async def test_a_quote_is_the_markets_rate_with_what_the_service_makes_of_it() -> None:
    assert (await quoted(service())).rate == Decimal("0.05")
    assert (await quoted(service(quotes={"off_bp": -20}))).rate == Decimal("0.0499")
    assert (await quoted(service({"rate_factor": "1.08"}))).rate == Decimal("0.054")
    promises = await quoted(service(quotes={"takes_bp": 50, "min_amount": 1, "max_amount": 9, "valid_ms": 10_000}))
    assert (promises.amount_out, promises.min_amount) == (Decimal("0.0995"), Decimal(1))
    assert promises.max_amount == Decimal(9)
    assert promises.expires_at_us == 10**18 - 5_000_000 + 10_000_000


@virtually
async def test_noise_is_around_the_rate_and_a_stuck_rate_has_none_and_does_not_move() -> None:
    moving = CONVERSION.model_copy(update={"volatility_bp": Decimal(30)})
    noisy = service(quotes={"noise_bp": 10})
    stuck = service({"latency_ms": 1}, {"from_s": 60, "rate_stuck": True}, quotes={"noise_bp": 10}, conversion=moving)
    rates = [(await quoted(noisy)).rate for _ in range(50)]
    assert len(set(rates)) > 40
    assert all(abs(rate / Decimal("0.05") - 1) < Decimal("0.005") for rate in rates)
    await asyncio.sleep(60)
    held = []
    for _ in range(5):
        held.append((await quoted(stuck)).rate)
        await asyncio.sleep(30)
    assert set(held) == {Market(moving, seed=1).rate_at(Decimal(60))}


@pytest.mark.parametrize(
    ("phase", "quotes", "converts"),
    [
        ({"state": "refuses"}, False, False),
        ({"state": "refuses", "quotes": "fine"}, True, False),
        ({"failures": {"transient": 1}}, False, False),
        ({"failures": {"transient": 1}, "quotes": "fine"}, True, False),
        ({"quotes": "fail"}, False, True),
        ({}, True, True),
    ],
)
def test_in_an_outage_quotes_fail_as_calls_do_unless_the_phase_says_otherwise(
    phase: dict[str, Any], quotes: bool, converts: bool
) -> None:
    async def ends_well(action: Any) -> bool:
        try:
            await action
        except ProviderError:
            return False
        return True

    @virtually
    async def play() -> None:
        one = service(phase)
        assert await ends_well(one.quote(wish(), deadline=NEVER)) is quotes
        assert await ends_well(one.call("convert", wish(), key="k", deadline=NEVER)) is converts
        assert one.books.quotes == 1

    play()


@virtually
async def test_a_fault_of_our_own_takes_the_quotes_too_and_who_hangs_gives_none() -> None:
    with pytest.raises(Transient):
        await quoted(service(outages=(Outage(from_s=Decimal(0), until_s=Decimal(5)),)))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(quoted(service({"state": "hangs"})), 60)


@virtually
async def test_what_is_paid_out_is_the_quote_less_fees_and_what_fades() -> None:
    fees = {"percent": "1", "withdrawal": {"BTC": "0.0001"}}
    for script, paid in (
        ({}, "0.1"),
        ({"settings": {"fees": fees}}, "0.0989"),
        ({"quotes": {"takes_bp": 50}, "settings": {"fees": fees}}, "0.0995"),
        ({"quotes": {"fade_bp": 100}}, "0.099"),
    ):
        one = service(lookup=True, **script)
        reply = await one.call("convert", wish(await quoted(one)), key="k", deadline=NEVER)
        assert reply.amount_out == Decimal(paid)
        found = await one.lookup("convert", wish(), key="k", deadline=NEVER)
        assert (found.reference, found.amount_out) == (reply.reference, reply.amount_out)


@virtually
async def test_the_first_of_two_parts_moves_nothing() -> None:
    one = service(two_part=True)
    quote = await quoted(one)
    created = await one.call("create", wish(quote), key="first", deadline=NEVER)
    assert isinstance(created, Reply)
    assert (created.reference, one.books.executions) == ("alpha-for-r", {})
    await one.call("commit", wish(quote), key="second", deadline=NEVER)
    assert list(one.books.executions) == ["second"]


@virtually
async def test_an_operation_that_is_only_called_create_is_carried_out() -> None:
    one = service()
    await one.call("create", wish(), key="k", deadline=NEVER)
    assert list(one.books.executions) == ["k"]


def test_who_does_not_quote_has_no_quotes() -> None:
    assert not hasattr(ScriptedProvider(Script(id="alpha"), seed=1, market=Market(CONVERSION, seed=1)), "quote")
