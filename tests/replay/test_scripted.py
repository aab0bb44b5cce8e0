"""Scripted providers keep to their scripts, roll dice of their own, and keep honest books."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from understudy.engine.errors import Ambiguous, OutOfStock, ProviderError, RateLimited, Transient
from understudy.engine.provider import Deadline, Request
from understudy.events.vocabulary import Effect, Finding
from understudy.replay.scenario import Phase, Script
from understudy.replay.scripted import ScriptedProvider
from understudy.replay.virtual_time import run_virtual, virtually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

REQUEST = Request(request_id="r", operation="order", effect=Effect.ONCE)
NEVER = Deadline(1 << 60, lambda: 0)


def scripted(*phases: dict[str, Any], seed: int = 1, **fields: Any) -> ScriptedProvider:
    return ScriptedProvider(Script(id="p", phases=tuple(Phase(**phase) for phase in phases), **fields), seed=seed)


async def ending(provider: ScriptedProvider, key: str = "k") -> str:
    try:
        await provider.call("order", REQUEST, key=key, deadline=NEVER)
    except ProviderError as error:
        return str(error.kind)
    return "success"


def latencies(provider: ScriptedProvider, count: int) -> list[float]:
    async def main() -> list[float]:
        loop, found = asyncio.get_running_loop(), []
        for _ in range(count):
            began = loop.time()
            await ending(provider)
            found.append(loop.time() - began)
        return found

    return run_virtual(main())


def test_latencies_have_the_median_and_the_95th_percentile_of_the_script() -> None:
    found = sorted(latencies(scripted({"latency_ms": 100, "p95_ms": 400}), 4000))
    assert found[2000] == pytest.approx(0.1, rel=0.06)
    assert found[3800] == pytest.approx(0.4, rel=0.1)


def test_a_providers_dice_are_its_own() -> None:
    phase = {"latency_ms": 100, "p95_ms": 400}
    assert latencies(scripted(phase), 20) == latencies(scripted(phase), 20)
    assert latencies(scripted(phase), 20) != latencies(scripted(phase, seed=2), 20)


@virtually
async def test_failures_come_with_the_shares_of_the_script() -> None:
    provider = scripted({"failures": {"transient": 0.3, "rejected": 0.1}})
    for _ in range(2000):
        await ending(provider)
    assert provider.books.endings["transient"] == pytest.approx(600, rel=0.15)
    assert provider.books.endings["rejected"] == pytest.approx(200, rel=0.25)


@virtually
async def test_the_later_phase_counts_and_only_in_its_time() -> None:
    provider = scripted({}, {"from_s": 10, "until_s": 20, "state": "refuses"})
    found = []
    for _ in range(3):
        found.append(await ending(provider))
        await asyncio.sleep(10.1)
    assert found == ["success", "transient", "success"]


@virtually
async def test_more_calls_a_second_than_allowed_are_sent_away_with_a_time() -> None:
    provider = scripted({"latency_ms": 0, "max_calls_per_second": 2, "retry_after_ms": 700})
    assert [await ending(provider) for _ in range(3)] == ["success", "success", "rate_limited"]
    with pytest.raises(RateLimited) as error:
        await provider.call("order", REQUEST, key="k", deadline=NEVER)
    assert error.value.retry_after_ms == 700
    await asyncio.sleep(1)
    assert await ending(provider) == "success"


@virtually
async def test_capacity_and_load_depend_on_what_is_under_way() -> None:
    provider = scripted({"latency_ms": 100, "slower_by_ms": 50, "capacity": 2})
    loop = asyncio.get_running_loop()

    async def timed() -> tuple[str, float]:
        return await ending(provider), loop.time()

    assert list(await asyncio.gather(timed(), timed(), timed())) == [
        ("success", 0.1),
        ("success", 0.15),
        ("transient", 0),
    ]
    assert provider.books.most_under_way == 3


@virtually
async def test_an_ambiguous_call_is_found_by_look_ups_once_it_has_settled() -> None:
    provider = scripted({"failures": {"ambiguous": 1}, "executed_share": 1}, lookup=True, settle_ms=5000)
    with pytest.raises(Ambiguous):
        await provider.call("order", REQUEST, key="k", deadline=NEVER)
    assert (await provider.lookup("order", REQUEST, key="k", deadline=NEVER)).finding is Finding.ABSENT
    await asyncio.sleep(5)
    assert (await provider.lookup("order", REQUEST, key="k", deadline=NEVER)).finding is Finding.SUCCEEDED
    assert (await provider.lookup("order", REQUEST, key="other", deadline=NEVER)).finding is Finding.ABSENT


@virtually
async def test_the_books_know_of_repeats_and_stock_runs_out() -> None:
    provider = scripted({}, units=2, listed_units=9)
    assert [await ending(provider, key) for key in ("a", "a", "b")] == ["success", "success", "out_of_stock"]
    assert (provider.books.executed_twice, provider.books.executed_for["r"]) == (["a"], 2)
    assert (await provider.stock(REQUEST, deadline=NEVER)).stock == 9
    with pytest.raises(OutOfStock):
        await provider.call("order", REQUEST, key="c", deadline=NEVER)


@virtually
async def test_it_lists_what_is_on_offer_charges_that_price_and_lists_nothing_while_it_is_sold_out() -> None:
    offers = [{"country": "us", "service": "wa", "stock": 7, "price": "0.20"}, {"country": "uk", "service": "tg"}]
    provider = scripted(
        {}, {"from_s": 10, "until_s": 20, "sold_out": True}, {"from_s": 20, "state": "refuses"}, offers=offers
    )
    renting = replace(REQUEST, context={"country": "us", "service": "wa"})
    assert (await provider.call("rent", renting, key="a", deadline=NEVER)).cost == Decimal("0.20")
    assert (await provider.call("rent", REQUEST, key="b", deadline=NEVER)).cost is None
    assert [one.stock for one in await provider.sync(deadline=NEVER)] == [7, None]
    await asyncio.sleep(10)
    assert await ending(provider, "c") == "out_of_stock"
    assert [(one.country, one.stock) for one in await provider.sync(deadline=NEVER)] == [("us", 0), ("uk", 0)]
    await asyncio.sleep(10)
    with pytest.raises(Transient):
        await provider.sync(deadline=NEVER)
    assert provider.books.lists == 3


@pytest.mark.parametrize(
    ("phase", "answers"),
    [
        ({}, True),
        ({"state": "refuses"}, False),
        ({"state": "refuses", "pings": "fine"}, True),
        ({"pings": "fail"}, False),
    ],
)
def test_a_ping_tells_of_the_calls_or_lies_as_scripted(phase: dict[str, Any], answers: bool) -> None:
    async def main() -> bool:
        ping: Callable[[], Awaitable[str]] = scripted(phase, ping=True).ping
        try:
            return await ping() == "pong"
        except Transient:
            return False

    assert run_virtual(main()) is answers


def test_abilities_that_are_not_scripted_are_not_there() -> None:
    provider = scripted({})
    assert not any(hasattr(provider, ability) for ability in ("ping", "lookup", "stock", "sync"))
