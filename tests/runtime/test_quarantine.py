"""Who is persistently off has no say for a while, and is heard again once it is honest."""

import asyncio
from decimal import Decimal
from itertools import count as count_up
from typing import Any

import pytest
from conversions_for_tests import POLICY, convert, events, played, timed, verdicts
from quoters import ETH_BTC, Quoter

from understudy.engine import AllProvidersFailed, Engine, InvalidRequest, NoHonestQuote, NotOffered, Transient
from understudy.events.decisions import DecisionMade
from understudy.events.operations import AlertRaised
from understudy.events.quotes import QuarantineReleased, QuarantineSet, Quote


def test_a_crowd_that_is_lied_to_at_once_is_no_evidence_of_persistence(stage: Any) -> None:
    liar = Quoter("liar", "0.06")

    async def act(engine: Engine) -> None:
        await asyncio.gather(*(convert(engine) for _ in range(20)))
        assert engine.standing.quotes.offers["liar|ETH/BTC"].bad == 1
        assert engine.standing.quotes.quarantines == {}

    played(stage, liar, Quoter("alpha", "0.0500"), Quoter("beta", "0.0501"), act=act)


def test_who_is_persistently_off_goes_into_quarantine_and_comes_out_when_its_time_is_over(stage: Any) -> None:
    liar = Quoter("liar", "0.06")

    async def act(engine: Engine) -> None:
        for _ in range(7):
            await convert(engine)
            await asyncio.sleep(1)
        assert verdicts(stage.logs[0])["liar"] == "quarantined"
        assert liar.asked == 5
        liar.rate = "0.0502"
        await asyncio.sleep(1_801)
        assert (await convert(engine)).provider == "liar"

    unheard = POLICY.model_copy(update={"release_after": 0})
    played(stage, liar, Quoter("alpha", "0.0500"), Quoter("beta", "0.0501"), policy=unheard, act=act)
    log = stage.logs[0]
    (put,) = events(log, QuarantineSet)
    assert (put.provider, put.pair, put.actor, len(put.evidence)) == ("liar", "ETH/BTC", "rules", 5)
    assert put.evidence[0] == "rate_outlier: quoted 0.06, reference 0.0501"
    assert [one.reason for one in events(log, QuarantineReleased)] == ["its time is over"]
    assert ("quarantine", "liar ETH/BTC") in {(one.alert, one.subject) for one in events(log, AlertRaised)}


async def confined(engine: Engine) -> None:
    """Convert until somebody is in quarantine."""
    while not engine.standing.quotes.quarantines:
        await convert(engine)
        await asyncio.sleep(1)


def test_in_quarantine_it_is_asked_without_a_voice_and_comes_out_once_it_is_honest_again_twice(stage: Any) -> None:
    liar = Quoter("liar", "0.06")

    async def act(engine: Engine) -> None:
        await confined(engine)
        await convert(engine)
        assert liar.asked == 6
        liar.rate = "0.0504"
        for expected in ("beta", "liar"):
            await asyncio.sleep(1)
            assert (await convert(engine)).provider == expected
        assert engine.standing.alerts == {}
        assert (await convert(engine)).provider == "liar"

    played(stage, liar, Quoter("alpha", "0.0500"), Quoter("beta", "0.0501"), act=act)
    log = stage.logs[0]
    told = [(one.consensus.confined, one.consensus.reference) for one in events(log, DecisionMade)[5:]]
    # Two voices, and what they agreed on before; with the liar's own the median is another.
    assert told == [
        ({"liar": "rate_outlier"}, Decimal("0.05005")),
        ({"liar": "quarantined"}, Decimal("0.05005")),
        (None, Decimal("0.05005")),
        (None, Decimal("0.0501")),
    ]
    assert [one.reason for one in events(log, QuarantineReleased)] == ["its quotes are honest again"]


def test_a_crowd_that_is_told_the_truth_at_once_ends_no_quarantine(stage: Any) -> None:
    liar = Quoter("liar", "0.06")

    async def act(engine: Engine) -> None:
        await confined(engine)
        liar.rate = "0.0502"
        assert {one.provider for one in await asyncio.gather(*(convert(engine) for _ in range(20)))} == {"beta"}
        assert engine.standing.quotes.offers["liar|ETH/BTC"].good == 1

    played(stage, liar, Quoter("alpha", "0.0500"), Quoter("beta", "0.0501"), act=act)


def test_one_lie_in_between_and_the_honest_quotes_are_counted_anew(stage: Any) -> None:
    liar = Quoter("liar", "0.06")

    async def act(engine: Engine) -> None:
        await confined(engine)
        for rate in ("0.0502", "0.06", "0.0502"):
            liar.rate = rate
            assert (await convert(engine)).provider == "beta"
            await asyncio.sleep(1)
        assert (await convert(engine)).provider == "liar"

    played(stage, liar, Quoter("alpha", "0.0500"), Quoter("beta", "0.0501"), act=act)


def test_what_was_stuck_and_moves_again_comes_out_at_once(stage: Any) -> None:
    rates = (Decimal(500 + count % 2) / 10_000 for count in count_up())
    stuck = Quoter("stuck", "0.0505")
    policy = POLICY.model_copy(update={"stuck_after_ms": 2_000})

    async def act(engine: Engine) -> None:
        await confined(engine)
        assert (await convert(engine)).provider != "stuck"
        stuck.rate = "0.0506"
        assert (await convert(engine)).provider == "stuck"

    others = [Quoter(name, lambda: Quote(rate=next(rates))) for name in ("alpha", "beta")]
    played(stage, stuck, *others, policy=policy, act=act)
    assert {one[0].partition(":")[0] for one in [events(stage.logs[0], QuarantineSet)[0].evidence]} == {"quote_stuck"}
    assert [one.reason for one in events(stage.logs[0], QuarantineReleased)] == ["its quotes are honest again"]


@pytest.mark.parametrize(
    "settings",
    [{"parallel_queries": False}, {"max_parallel_requests": 2}],
    ids=["one after another", "no place left"],
)
def test_it_is_not_asked_where_that_would_cost_others_something(stage: Any, settings: dict[str, Any]) -> None:
    liar = Quoter("liar", "0.06")

    async def act(engine: Engine) -> None:
        await confined(engine)
        before = liar.asked
        await convert(engine)
        assert liar.asked == before

    policy = POLICY.model_copy(update={"quarantine_after": 1, **settings})
    played(stage, liar, Quoter("alpha", "0.0500"), Quoter("beta", "0.0501"), policy=policy, act=act)


def test_the_emergency_tier_is_asked_in_an_emergency_alone_also_when_it_is_in_quarantine(stage: Any) -> None:
    liar, alpha = Quoter("liar", "0.06", priority=4), Quoter("alpha", "0.0500")

    async def act(engine: Engine) -> None:
        await convert(engine)
        alpha.rate = NotOffered("not now")
        assert (await convert(engine)).provider == "calm"
        assert list(engine.standing.quotes.quarantines) == ["liar|ETH/BTC"]
        alpha.rate = "0.0500"
        await convert(engine)
        assert liar.asked == 1

    policy = POLICY.model_copy(update={"quarantine_after": 1, "trust_lone_quote": True})
    played(stage, liar, alpha, Quoter("calm", "0.0500", priority=4), policy=policy, act=act)


def test_the_emergency_tier_is_not_asked_where_somebody_makes_good(stage: Any) -> None:
    liar, alpha, last = Quoter("liar", "0.06"), Quoter("alpha", "0.0500"), Quoter("last", "0.0490", priority=4)
    beta = Quoter("beta", "0.0501")

    async def act(engine: Engine) -> None:
        await confined(engine)
        liar.rate, alpha.rate, beta.rate = "0.0502", "0.07", NotOffered("not now")
        assert (await convert(engine)).provider == "liar"
        assert last.asked == 0

    policy = POLICY.model_copy(update={"quarantine_after": 1, "release_after": 1})
    played(stage, liar, alpha, beta, last, policy=policy, act=act)


def test_whoever_is_in_quarantine_keeps_no_last_resort_out(stage: Any) -> None:
    liar, alpha, beta = Quoter("liar", "0.06"), Quoter("alpha", "0.0500"), Quoter("beta", "0.0501")

    async def act(engine: Engine) -> None:
        await confined(engine)
        alpha.acts, beta.acts = [Transient("down")], [Transient("down")]
        with pytest.raises(AllProvidersFailed):
            await convert(engine)
        await asyncio.sleep(5)
        offers = await engine.quotes("convert", context=ETH_BTC, amount="2")
        assert {one.provider: one.verdict for one in offers if one.verdict != "rate_outlier"} == {
            "alpha": "last_resort",
            "beta": "last_resort",
        }
        assert (await convert(engine)).provider == "beta"
        assert verdicts(stage.logs[0])["liar"] == "quarantined"

    policy = POLICY.model_copy(update={"quarantine_after": 1, "max_failures": 1, "last_resort_ms": 500})
    played(stage, liar, alpha, beta, policy=policy, act=act)


def test_one_honest_quote_counts_once_even_if_another_was_given_since(stage: Any) -> None:
    liar, alpha, beta = Quoter("liar", "0.06"), Quoter("alpha", "0.0500"), Quoter("beta", "0.0501")

    async def act(engine: Engine) -> None:
        await confined(engine)
        liar.rate, beta.call_s = "0.0502", 3
        beta.acts, alpha.acts = [Transient("down")], [Transient("down")]
        under_way = asyncio.create_task(convert(engine))
        await asyncio.sleep(2)
        liar.rate = "0.06"
        await engine.quotes("convert", context=ETH_BTC, amount="2")
        with pytest.raises(AllProvidersFailed):
            await under_way
        assert list(engine.standing.quotes.quarantines) == ["liar|ETH/BTC"]

    played(stage, liar, alpha, beta, policy=POLICY.model_copy(update={"quarantine_after": 1}), act=act)


def test_a_quote_without_a_voice_begins_no_grace_for_those_who_have_one(stage: Any) -> None:
    liar, alpha, beta = Quoter("liar", "0.06"), Quoter("alpha", "0.0500"), Quoter("beta", "0.0501")

    async def act(engine: Engine) -> None:
        await confined(engine)
        beta.quote_s = 0.3
        await convert(engine)
        assert verdicts(stage.logs[0]) == {"liar": "quarantined", "alpha": "eligible", "beta": "eligible"}

    policy = POLICY.model_copy(update={"quarantine_after": 1, "quote_grace_ms": 50})
    played(stage, liar, alpha, beta, policy=policy, act=act)


@pytest.mark.parametrize(("grace_ms", "takes_s"), [(None, 1.6), (200, 0.4)])
def test_who_is_slow_in_quarantine_is_waited_for_like_anybody_else(
    stage: Any, grace_ms: int | None, takes_s: float
) -> None:
    liar, alpha, beta = Quoter("liar", "0.06"), Quoter("alpha", "0.0500"), Quoter("beta", "0.0501")

    async def act(engine: Engine) -> float:
        await confined(engine)
        beta.rate, liar.quote_s = NotOffered("not now"), 1.5
        took_s, _ = await timed(engine)
        return took_s

    policy = POLICY.model_copy(update={"quarantine_after": 1, "quote_grace_ms": grace_ms})
    assert played(stage, liar, alpha, beta, policy=policy, act=act) == pytest.approx(takes_s)


def test_a_quote_alone_against_history_is_refused_and_no_evidence_the_market_may_have_moved(stage: Any) -> None:
    alpha, beta = Quoter("alpha", "0.0500"), Quoter("beta", "0.0500")

    async def act(engine: Engine) -> None:
        await convert(engine)
        alpha.rate, beta.rate = "0.0520", NotOffered("not now")
        for _ in range(6):
            with pytest.raises(NoHonestQuote):
                await convert(engine)
            await asyncio.sleep(1)
        beta.rate = "0.0520"
        assert (await convert(engine)).provider == "alpha"

    played(stage, alpha, beta, act=act)
    assert events(stage.logs[0], QuarantineSet) == []


def test_beside_two_of_its_tier_it_is_asked_before_witnesses_of_later_tiers(stage: Any) -> None:
    liar, witness = Quoter("liar", "0.06"), Quoter("witness", "0.0499", priority=2)

    async def act(engine: Engine) -> None:
        await confined(engine)
        assert (liar.asked, witness.asked) == (5, 0)
        await convert(engine)
        assert (liar.asked, witness.asked) == (6, 0)

    played(stage, liar, Quoter("alpha", "0.0500"), Quoter("beta", "0.0501"), witness, act=act)


def test_beside_one_of_its_tier_a_witness_is_worth_more(stage: Any) -> None:
    liar, witness = Quoter("liar", "0.06"), Quoter("witness", "0.0499", priority=2)

    async def act(engine: Engine) -> None:
        await confined(engine)
        asked = witness.asked
        await convert(engine)
        assert (liar.asked, witness.asked) == (5, asked + 1)

    policy = POLICY.model_copy(update={"max_parallel_requests": 2, "quarantine_after": 5})
    played(stage, liar, Quoter("alpha", "0.0500"), witness, policy=policy, act=act)


def test_an_operator_takes_a_provider_out_of_quarantine(stage: Any) -> None:
    liar = Quoter("liar", "0.06")

    async def act(engine: Engine) -> None:
        for _ in range(5):
            await convert(engine)
            await asyncio.sleep(1)
        with pytest.raises(InvalidRequest, match="'liar' is not in quarantine for 'ETH/USD'; it is for ETH/BTC"):
            engine.release("liar", "ETH/USD", actor="ann", reason="fixed")
        with pytest.raises(InvalidRequest, match="the engine's own rules go by"):
            engine.release("liar", "ETH/BTC", actor="rules", reason="fixed")
        engine.release("liar", "ETH/BTC", actor="ann", reason="fixed")
        liar.rate = "0.0502"
        assert (await convert(engine)).provider == "liar"
        assert engine.standing.alerts == {}
        assert engine.standing.totals.served == {"beta": 5, "liar": 1}

    played(stage, liar, Quoter("alpha", "0.0500"), Quoter("beta", "0.0501"), act=act)
    (released,) = events(stage.logs[0], QuarantineReleased)
    assert (released.actor, released.reason) == ("ann", "fixed")
