"""Which quote is taken: the best of the best tier after fees, within its limits, unless one is preferred."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from conversions_for_tests import POLICY, convert, events, played, verdicts
from quoters import Quoter

from understudy.engine import Answer, Engine, Fees, NoProviderAvailable, ProviderSettings, Transient
from understudy.events.decisions import DecisionMade
from understudy.events.quotes import Quote


def test_the_best_rate_is_taken_and_told(stage: Any) -> None:
    alpha, beta, gamma = Quoter("alpha", "0.0500"), Quoter("beta", "0.0502"), Quoter("gamma", "0.0501")
    answer = played(stage, alpha, beta, gamma)
    assert (answer.provider, answer.amount_out, answer.failovers) == ("beta", Decimal("0.1004"), 0)
    assert answer.quote == Quote(rate=Decimal("0.0502"))
    assert (answer.attempts, answer.reference) == (1, "tx-beta")
    decision = events(stage.logs[0], DecisionMade)[-1]
    assert decision.order == ("beta", "gamma", "alpha")
    assert decision.consensus.reference == Decimal("0.0501")
    assert [one.quote.net for one in decision.candidates] == [Decimal("0.1000"), Decimal("0.1004"), Decimal("0.1002")]


def test_what_fees_leave_is_compared_not_the_rate(stage: Any) -> None:
    dear = ProviderSettings(id="dear", fees=Fees(percent=Decimal(1), withdrawal={"BTC": Decimal("0.0001")}))
    answer = played(stage, Quoter("dear", "0.0503", settings=dear), Quoter("plain", "0.0500"))
    assert answer.provider == "plain"
    dear_quote = events(stage.logs[0], DecisionMade)[-1].candidates[0].quote
    assert dear_quote.net == Decimal(2) * Decimal("0.0503") * Decimal("0.99") - Decimal("0.0001")


def test_tiers_come_first_and_the_next_one_only_witnesses(stage: Any) -> None:
    first, second = Quoter("first", "0.0500"), Quoter("second", "0.0505", priority=2)
    last = Quoter("last", "0.0505", priority=4)
    assert played(stage, first, second, last).provider == "first"
    assert (second.asked, last.asked) == (1, 0)


def test_a_failed_conversion_goes_to_the_next_best_quote_of_the_same_round(stage: Any) -> None:
    alpha, beta = Quoter("alpha", "0.0501", acts=[Transient("no")]), Quoter("beta", "0.0500")
    answer = played(stage, alpha, beta)
    assert (answer.provider, answer.failovers) == ("beta", 1)
    assert (alpha.asked, beta.asked) == (1, 1)


def test_what_was_paid_out_short_of_the_quote_counts_against_the_next_one(stage: Any) -> None:
    fades, honest = Quoter("fades", "0.0501", pays=Decimal("0.0990")), Quoter("honest", "0.0500")

    async def act(engine: Engine) -> list[str]:
        return [(await convert(engine)).provider for _ in range(2)]

    assert played(stage, fades, honest, act=act) == ["fades", "honest"]
    assert events(stage.logs[0], DecisionMade)[-1].candidates[0].quote.fade_ppm == 11_976


@pytest.mark.parametrize(
    ("quote", "verdict"),
    [
        (Quote(rate=Decimal("0.05"), min_amount=Decimal(3)), "amount_below_minimum"),
        (Quote(rate=Decimal("0.05"), max_amount=Decimal(1)), "amount_above_maximum"),
        (Quote(rate=Decimal("0.05"), amount_out=Decimal("0.0499")), "fees_too_high"),
    ],
)
def test_limits_and_fees_keep_a_true_rate_from_being_taken(stage: Any, quote: Quote, verdict: str) -> None:
    alpha, beta = Quoter("alpha", quote), Quoter("beta", "0.0499")
    assert played(stage, alpha, beta).provider == "beta"
    assert verdicts(stage.logs[0])["alpha"] == verdict
    assert events(stage.logs[0], DecisionMade)[-1].consensus.agreed == Decimal("0.04995")


def test_fees_that_eat_the_amount_up_leave_nobody(stage: Any) -> None:
    dear = ProviderSettings(id="dear", fees=Fees(withdrawal={"BTC": Decimal(1)}))
    with pytest.raises(NoProviderAvailable, match="dear: fees_exceed_amount"):
        played(stage, Quoter("dear", settings=dear))


def test_the_preferred_one_is_asked_for_a_quote_whatever_its_tier(stage: Any) -> None:
    others = [Quoter(name) for name in ("alpha", "beta", "gamma")]
    preferred = Quoter("preferred", priority=2)
    answer = played(stage, *others, preferred, act=partial(convert, preferred="preferred"))
    assert answer.provider == "preferred"
    assert sum(one.asked for one in others) == 2


@pytest.mark.parametrize("priority", [1, 2])
def test_the_preferred_service_is_asked_and_taken_whatever_its_rate_and_tier(stage: Any, priority: int) -> None:
    others = [Quoter(name, "0.0502") for name in ("alpha", "beta", "gamma")]
    favourite = Quoter("favourite", "0.0500", priority=priority)

    async def act(engine: Engine) -> Answer:
        return await convert(engine, preferred="favourite")

    assert played(stage, *others, favourite, act=act).provider == "favourite"
    assert sum(one.asked for one in others) == 2
    decision = events(stage.logs[0], DecisionMade)[-1]
    assert (decision.pinned, decision.consensus.reference) == (True, Decimal("0.0502"))


def test_a_preferred_service_that_lies_is_not_taken(stage: Any) -> None:
    policy = POLICY.model_copy(update={"preferred_provider": "favourite"})
    others = [Quoter("alpha", "0.0500"), Quoter("beta", "0.0501")]
    assert played(stage, *others, Quoter("favourite", "0.06"), policy=policy).provider == "beta"
