"""What nobody could quote is refused, and a quote that makes no sense is none."""

from decimal import Decimal
from typing import Any

import pytest
from conversions_for_tests import POLICY, events, played, verdicts
from quoters import ETH_BTC, Quoter

from understudy.adapters import MemoryLog
from understudy.engine import Engine, InvalidRequest
from understudy.events.calls import CallFailed
from understudy.events.quotes import Quote


@pytest.mark.parametrize(
    ("context", "amount", "told"),
    [
        ({}, "1", "what is sold and what is bought"),
        ({"pair": "ETHBTC"}, "1", "what is sold and what is bought"),
        (ETH_BTC, None, "needs an amount above 0"),
        (ETH_BTC, "-1", "needs an amount above 0"),
    ],
)
def test_what_nobody_could_quote_is_refused(stage: Any, context: dict[str, str], amount: str | None, told: str) -> None:
    async def act(engine: Engine) -> None:
        with pytest.raises(InvalidRequest, match=told):
            await engine.call("convert", context=context, amount=amount)

    played(stage, Quoter("alpha"), act=act)


FLOAT: Any = 0.05


@pytest.mark.parametrize("rate", [Quote(rate=Decimal("NaN")), Quote(rate=Decimal(0)), Quote(rate=FLOAT), "nonsense"])
def test_a_quote_that_is_none_is_an_invalid_reply(stage: Any, rate: Any) -> None:
    bad = Quoter("bad", (lambda: rate) if isinstance(rate, Quote) else (lambda: {"text": rate}))
    assert played(stage, bad, Quoter("alpha"), policy=POLICY.model_copy(update={"trust_lone_quote": True}))
    assert [one.outcome for one in events(stage.logs[0], CallFailed)] == ["invalid_reply"]


TEXT: Any = "soon"


NUMBER: Any = 7


@pytest.mark.parametrize(
    "quote",
    [
        Quote(rate=Decimal("0.05"), amount_out=Decimal(-1)),
        Quote(rate=Decimal("0.05"), min_amount=Decimal(-1)),
        Quote(rate=Decimal("0.05"), expires_at_us=TEXT),
        Quote(rate=Decimal("1e50")),
    ],
)
def test_a_quote_with_nonsense_in_it_is_an_invalid_reply(stage: Any, quote: Quote) -> None:
    played(stage, Quoter("bad", quote), Quoter("alpha"), policy=POLICY.model_copy(update={"trust_lone_quote": True}))
    assert [one.outcome for one in events(stage.logs[0], CallFailed)] == ["invalid_reply"]


def test_a_reference_that_is_no_text_becomes_one(stage: Any) -> None:
    answer = played(stage, Quoter("alpha", Quote(rate=Decimal("0.05"), reference=NUMBER)))
    assert answer.quote.reference == "7"


@pytest.mark.parametrize("paid", ["9E+999999", "-9E+999999"])
def test_whatever_a_provider_says_to_have_paid_out_the_log_can_be_folded(stage: Any, paid: str) -> None:
    alpha, log = Quoter("alpha", pays=Decimal(paid)), MemoryLog()
    assert played(stage, alpha, log=log).provider == "alpha"
    assert played(stage, alpha, log=log).provider == "alpha"


@pytest.mark.parametrize("reference", ["\ud800", "x" * 501])
def test_an_offer_whose_id_cannot_be_kept_is_no_quote(stage: Any, reference: str) -> None:
    odd = Quoter("odd", Quote(rate=Decimal("0.0501"), reference=reference))
    assert played(stage, odd, Quoter("alpha"), Quoter("beta")).provider == "alpha"
    assert verdicts(stage.logs[0])["odd"] == "no_quote"
