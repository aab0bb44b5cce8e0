"""Whom a conversion asks for quotes, how often, and how long it waits for them."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from conversions_for_tests import POLICY, convert, events, played, throttled_once, timed, verdicts
from providers_for_tests import Told
from quoters import CONVERT, ETH_BTC, Quoter

from understudy.engine import (
    Engine,
    InvalidRequest,
    NoProviderAvailable,
    NotOffered,
    Operation,
    Policy,
    RequestError,
    Strategy,
    Transient,
)
from understudy.events.calls import CallAbandoned, CallFailed
from understudy.events.quotes import Quote, QuotesRequested


def test_quotes_are_asked_for_at_once_and_a_slow_one_delays_nothing_past_its_time(stage: Any) -> None:
    slow = Quoter("slow", quote_s=60)
    answer = played(stage, slow, Quoter("alpha"), Quoter("beta"), act=timed)
    assert answer == (pytest.approx(5.1), "alpha")
    assert verdicts(stage.logs[0]) == {"slow": "no_quote", "alpha": "eligible", "beta": "eligible"}


def test_after_two_quotes_the_others_have_their_grace_and_are_then_abandoned(stage: Any) -> None:
    policy = POLICY.model_copy(update={"quote_grace_ms": 300})
    slow = Quoter("slow", quote_s=2)
    assert played(stage, slow, Quoter("alpha"), Quoter("beta", quote_s=0.5), policy=policy, act=timed) == (
        pytest.approx(0.9),
        "alpha",
    )
    (abandoned,) = events(stage.logs[0], CallAbandoned)
    assert (abandoned.provider, abandoned.operation, abandoned.reason) == ("slow", "quote", "cancelled")
    assert events(stage.logs[0], CallFailed) == []


def test_one_after_another_they_are_asked_where_that_is_wanted(stage: Any) -> None:
    policy = POLICY.model_copy(update={"parallel_queries": False})
    providers = [Quoter(name, quote_s=1) for name in ("alpha", "beta", "gamma")]
    assert played(stage, *providers, policy=policy, act=timed)[0] == pytest.approx(3.1)


def test_no_more_are_asked_than_may_be_and_the_others_are_named(stage: Any) -> None:
    providers = [Quoter(name) for name in ("alpha", "beta", "gamma", "delta")]
    played(stage, *providers, policy=Policy(strategy=Strategy.IN_ORDER, retry_attempts=0))
    assert [one.asked for one in providers] == [1, 1, 1, 0]
    assert verdicts(stage.logs[0])["delta"] == "not_asked"


def test_an_old_quote_is_asked_for_again(stage: Any) -> None:
    alpha = Quoter("alpha", lambda: Quote(rate=Decimal("0.05"), expires_at_us=stage_us() + 200_000))
    beta = Quoter("beta", "0.0501", call_s=1, acts=[Transient("no")])

    def stage_us() -> int:
        return int(engine_of[0]._system.now_us())

    engine_of: list[Engine] = []

    async def act(engine: Engine) -> str:
        engine_of.append(engine)
        return (await convert(engine)).provider

    assert played(stage, alpha, beta, act=act) == "alpha"
    assert alpha.asked == 2


def test_quotes_that_fail_open_a_circuit_of_their_own_and_hooks_hear_of_it(stage: Any) -> None:
    alpha, down = Quoter("alpha"), Quoter("down", Transient("down"))
    heard: list[tuple[str, int]] = []

    async def act(engine: Engine) -> None:
        engine.on("service:failure", lambda _, service_id, failures, **__: heard.append((service_id, failures)))
        for _ in range(4):
            await convert(engine)
        assert {one.provider: one.status.value for one in engine.health()}["down"] == "unavailable"

    played(stage, alpha, down, policy=POLICY.model_copy(update={"trust_lone_quote": True}), act=act)
    assert down.asked == 3
    assert verdicts(stage.logs[0])["down"] == "quotes_fail"
    assert heard == [("down", 1), ("down", 2), ("down", 3)]


def test_who_gives_no_quote_is_asked_once_for_each_request(stage: Any) -> None:
    down, second = Quoter("down", Transient("down")), Quoter("second", priority=2)
    policy = POLICY.model_copy(update={"trust_lone_quote": True, "max_parallel_requests": 1})

    async def act(engine: Engine) -> list[tuple[str, int]]:
        return [((await convert(engine)).provider, down.asked) for _ in range(5)]

    assert played(stage, down, second, policy=policy, act=act) == [
        ("second", 1),
        ("second", 2),
        ("second", 3),  # Three failed requests, and its circuit is open.
        ("second", 3),
        ("second", 3),
    ]


def test_who_could_not_be_asked_waits_for_a_ping_and_then_for_one_probe(stage: Any) -> None:
    policy = POLICY.model_copy(update={"trust_lone_quote": True, "max_failures": 1, "recovery_time_ms": 1_000})
    alpha, down = Quoter("alpha"), Quoter("down", Transient("down"), quote_s=0.5)

    async def act(engine: Engine) -> list[str]:
        await convert(engine)
        await asyncio.sleep(2)
        down.rate = "0.0501"
        first, second = await asyncio.gather(convert(engine), convert(engine))
        return sorted([first.provider, second.provider])

    assert played(stage, alpha, down, policy=policy, act=act) == ["alpha", "down"]
    assert down.asked == 2


def test_where_nobody_can_quote_that_is_said_at_once(stage: Any) -> None:
    async def act(engine: Engine) -> None:
        with pytest.raises(InvalidRequest, match="none of the providers has `quote`"):
            await convert(engine)
        with pytest.raises(InvalidRequest, match="pay is not declared as quoted"):
            await engine.quotes("pay", context=ETH_BTC, amount=1)

    async def play() -> None:
        engine = stage.engine(Told("alpha"), operations=(CONVERT, Operation(name="pay")))
        async with engine:
            await act(engine)

    stage.play(play)


@pytest.mark.parametrize("rate", [NotOffered("no such pair"), Quote(rate=Decimal("0.05"), expires_at_us=1)])
def test_who_has_no_quote_that_can_be_used_is_asked_once_however_fast_it_answers(stage: Any, rate: Any) -> None:
    nobody = [Quoter(name, rate, quote_s=0) for name in ("alpha", "beta")]
    with pytest.raises(NoProviderAvailable):
        played(stage, *nobody)
    assert [one.asked for one in nobody] == [1, 1]


def test_rounds_end_though_every_quote_is_old_before_it_can_be_taken(stage: Any) -> None:
    at_once = POLICY.model_copy(update={"quote_max_age_ms": 1})
    alpha, beta = Quoter("alpha", quote_s=0), Quoter("beta", quote_s=0.01)
    with pytest.raises(RequestError):
        played(stage, alpha, beta, Quoter("slow", quote_s=0.02), policy=at_once)
    assert len(events(stage.logs[0], QuotesRequested)) == 6  # One for each provider, and three more.


def test_a_tier_that_hangs_costs_one_round_and_not_its_circuits(stage: Any) -> None:
    hung = [Quoter(name, quote_s=60) for name in ("alpha", "beta")]
    answer = played(stage, *hung, Quoter("gamma", priority=2), Quoter("delta", priority=2), act=timed)
    assert answer == (pytest.approx(5.2), "delta")
    assert [one.asked for one in hung] == [1, 1]


def test_the_only_one_who_asks_for_patience_is_asked_again_when_its_time_has_come(stage: Any) -> None:
    assert played(stage, Quoter("alpha", throttled_once(for_ms=500)), act=timed) == (pytest.approx(0.8), "alpha")


def test_nobody_waits_in_line_behind_a_smaller_one_that_fewer_can_serve(stage: Any) -> None:
    large_only = Quote(rate=Decimal("0.05"), min_amount=Decimal(5))
    providers = Quoter("alpha", throttled_once(for_ms=16_000)), Quoter("beta", large_only), Quoter("gamma", large_only)

    async def act(engine: Engine) -> tuple[float, float]:
        began_s = asyncio.get_running_loop().time()
        small = asyncio.create_task(convert(engine, "1"))
        await asyncio.sleep(1)
        await convert(engine, "10")
        large_s = asyncio.get_running_loop().time() - began_s
        await small
        return large_s, asyncio.get_running_loop().time() - began_s

    assert played(stage, *providers, act=act) == (pytest.approx(1.2), pytest.approx(16.3))
