"""Quotes are measured by each other and by history, and what is off is taken from nobody."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from conversions_for_tests import convert, events, played, throttled_once, timed, verdicts
from quoters import Quoter

from understudy.engine import Engine, NoHonestQuote, NotOffered, RequestError, Transient
from understudy.events.operations import AlertRaised
from understudy.events.quotes import Quote


@pytest.mark.parametrize("lie", ["0.6", "0.0519", "0.0481", "0.0001"])
def test_a_quote_off_the_reference_is_excluded_whichever_side_it_errs_on(stage: Any, lie: str) -> None:
    answer = played(stage, Quoter("alpha", "0.0500"), Quoter("liar", lie), Quoter("beta", "0.0501"))
    assert answer.provider == "beta"
    assert verdicts(stage.logs[0])["liar"] == "rate_outlier"


def test_two_that_contradict_each_other_are_both_refused_and_a_person_is_told(stage: Any) -> None:
    alpha, beta = Quoter("alpha", "0.0500"), Quoter("beta", "0.0550")
    with pytest.raises(NoHonestQuote) as told:
        played(stage, alpha, beta)
    assert "alpha: nothing_to_compare (rate 0.0500, pays out 0.1000)" in str(told.value)
    assert alpha.calls == beta.calls == []
    (alert,) = events(stage.logs[0], AlertRaised)
    assert (alert.alert, alert.subject) == ("no_honest_quote", "ETH/BTC")


def test_of_two_that_contradict_each_other_history_tells_the_honest_one(stage: Any) -> None:
    alpha, beta = Quoter("alpha", "0.0500"), Quoter("beta", "0.0501")

    async def act(engine: Engine) -> str:
        await convert(engine)
        beta.rate = "0.0550"
        return (await convert(engine)).provider

    assert played(stage, alpha, beta, act=act) == "alpha"
    assert verdicts(stage.logs[0])["beta"] == "rate_outlier"


def test_a_quote_alone_is_measured_by_history_as_long_as_that_is_fresh(stage: Any) -> None:
    alpha, beta = Quoter("alpha", "0.0500"), Quoter("beta", "0.0501")

    async def act(engine: Engine) -> None:
        await convert(engine)
        beta.rate = Transient("down")
        assert (await convert(engine)).provider == "alpha"
        alpha.rate = "0.0600"
        with pytest.raises(NoHonestQuote):
            await convert(engine)
        alpha.rate = "0.0505"
        await asyncio.sleep(1_801)
        with pytest.raises(NoHonestQuote, match="nothing_to_compare"):
            await convert(engine)

    played(stage, alpha, beta, act=act)


def test_the_only_provider_there_is_is_trusted(stage: Any) -> None:
    assert played(stage, Quoter("alpha")).provider == "alpha"


def test_a_stuck_quote_is_excluded_once_it_is_away_from_the_others(stage: Any) -> None:
    stuck, alpha, beta = Quoter("stuck", "0.0500"), Quoter("alpha", "0.0500"), Quoter("beta", "0.0500")

    async def act(engine: Engine) -> list[tuple[str, str]]:
        seen = []
        for minute in range(8):
            alpha.rate, beta.rate = f"0.0{500 - minute}", f"0.0{500 - minute}1"
            answer = await convert(engine)
            seen.append((answer.provider, verdicts(stage.logs[0])["stuck"]))
            await asyncio.sleep(60)
        return seen

    seen = played(stage, stuck, alpha, beta, act=act)
    assert [verdict for _, verdict in seen] == ["eligible"] * 3 + ["quote_stuck"] * 5
    assert {who for who, _ in seen[3:]} == {"beta"}


def test_who_gives_no_quote_is_asked_once_and_the_request_refused_when_the_only_quote_is_not_to_be_trusted(
    stage: Any,
) -> None:
    lone, silent = Quoter("lone", "0.0500"), Quoter("silent", NotOffered("no trade"))
    with pytest.raises(NoHonestQuote, match="lone: nothing_to_compare"):
        played(stage, lone, silent)
    assert (lone.asked, silent.asked) == (1, 1)


def test_where_nobody_gives_a_quote_none_is_said_not_to_be_trusted(stage: Any) -> None:
    with pytest.raises(RequestError) as told:
        played(stage, Quoter("alpha", Transient("down")), Quoter("beta", Transient("down")))
    assert not isinstance(told.value, NoHonestQuote)
    assert events(stage.logs[0], AlertRaised) == []


def test_who_could_not_be_compared_is_asked_anew_beside_whom_was_waited_for(stage: Any) -> None:
    alpha, beta = Quoter("alpha"), Quoter("beta", throttled_once(for_ms=16_000))
    assert played(stage, alpha, beta, act=timed)[0] == pytest.approx(16.3)
    assert verdicts(stage.logs[0]) == {"alpha": "eligible", "beta": "eligible"}


def test_more_than_the_rate_can_make_of_the_amount_is_believed_of_nobody(stage: Any) -> None:
    liar = Quoter("liar", Quote(rate=Decimal("0.05"), amount_out=Decimal(10)))
    assert played(stage, liar, Quoter("alpha", "0.0501"), Quoter("beta")).provider == "alpha"
    assert verdicts(stage.logs[0])["liar"] == "rate_outlier"
