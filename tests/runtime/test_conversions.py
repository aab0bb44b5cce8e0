"""A conversion as its caller and the log see it, beside the question whose quote it takes."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from conversions_for_tests import POLICY, convert, events, played
from quoters import ETH_BTC, Quoter

from understudy.engine import Answer, Engine, EngineClosed, Misconfigured, Transient
from understudy.events.calls import CallAbandoned, CallSucceeded
from understudy.events.decisions import DecisionMade
from understudy.events.quotes import Quote


def test_a_caller_who_goes_away_leaves_no_quote_open(stage: Any) -> None:
    alpha, beta = Quoter("alpha", quote_s=3), Quoter("beta", quote_s=3)

    async def act(engine: Engine) -> None:
        task = asyncio.create_task(convert(engine))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(10)
        assert engine.unsettled == ()

    played(stage, alpha, beta, act=act)


def test_an_engine_that_stops_gives_up_quotes(stage: Any) -> None:
    alpha = Quoter("alpha", quote_s=30)
    policy = POLICY.model_copy(update={"request_timeout_ms": 60_000})

    async def act(engine: Engine) -> None:
        task = asyncio.create_task(convert(engine))
        await asyncio.sleep(1)
        await engine.stop(grace_ms=0)
        with pytest.raises(EngineClosed):
            await task

    played(stage, alpha, policy=policy, act=act)
    (abandoned,) = events(stage.logs[0], CallAbandoned)
    assert abandoned.operation == "quote"


def test_a_repeated_key_gets_the_first_answer_with_its_quote(stage: Any) -> None:
    alpha = Quoter("alpha")

    async def act(engine: Engine) -> tuple[Answer, Answer]:
        first = await convert(engine, idempotency_key="k")
        return first, await convert(engine, idempotency_key="k")

    first, again = played(stage, alpha, act=act)
    assert again.joined
    assert (again.quote, again.amount_out, again.reference) == (first.quote, first.amount_out, first.reference)
    assert len(alpha.calls) == 1


def test_quotes_are_on_record_with_their_calls(stage: Any) -> None:
    played(stage, Quoter("alpha"), Quoter("beta", quote_s=0.2))
    quotes = [one for one in events(stage.logs[0], CallSucceeded) if one.operation == "quote"]
    assert [(one.provider, one.pair, one.quote) for one in quotes] == [
        ("alpha", "ETH/BTC", Quote(rate=Decimal("0.05"))),
        ("beta", "ETH/BTC", Quote(rate=Decimal("0.05"))),
    ]


def test_quotes_can_be_looked_at_without_converting(stage: Any) -> None:
    alpha, liar = Quoter("alpha", "0.0500"), Quoter("liar", "0.07")
    down = Quoter("down", Transient("out of order"), priority=2)
    beta = Quoter("beta", "0.0501")

    async def act(engine: Engine) -> Any:
        return await engine.quotes("convert", context=ETH_BTC, amount=2)

    found = {one.provider: one for one in played(stage, alpha, liar, beta, down, act=act)}
    assert {name: one.verdict for name, one in found.items()} == {
        "alpha": "eligible",
        "liar": "rate_outlier",
        "beta": "eligible",
        "down": "no_quote",
    }
    assert (found["beta"].net, found["down"].message) == (Decimal("0.1002"), "out of order")
    assert alpha.calls == beta.calls == []
    assert events(stage.logs[0], DecisionMade) == []


def test_a_quote_says_nothing_of_an_account_that_is_out(stage: Any) -> None:
    alpha = Quoter("alpha", "0.0501", quote_s=1, acts=[Misconfigured("no key")])
    gate = Quoter("beta", quote_s=1)

    async def act(engine: Engine) -> None:
        first = asyncio.create_task(convert(engine))
        await asyncio.sleep(0.5)
        second = asyncio.create_task(convert(engine))  # Its quotes come after the first one has been turned away.
        await asyncio.gather(first, second)
        assert engine.standing.alerts.keys() == {"misconfigured|alpha"}

    played(stage, alpha, gate, act=act)
    assert len(alpha.calls) == 1
