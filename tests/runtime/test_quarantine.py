"""Who is persistently off is not asked for a while."""

import asyncio
from typing import Any

import pytest
from conversions_for_tests import convert, events, played, verdicts
from quoters import Quoter

from understudy.engine import Engine, InvalidRequest
from understudy.events.operations import AlertRaised
from understudy.events.quotes import QuarantineReleased, QuarantineSet


def test_a_crowd_that_is_lied_to_at_once_is_no_evidence_of_persistence(stage: Any) -> None:
    liar = Quoter("liar", "0.06")

    async def act(engine: Engine) -> None:
        await asyncio.gather(*(convert(engine) for _ in range(20)))
        assert engine.standing.quotes.offers["liar|ETH/BTC"].bad == 1
        assert engine.standing.quotes.quarantines == {}

    played(stage, liar, Quoter("alpha", "0.0500"), Quoter("beta", "0.0501"), act=act)


def test_who_is_persistently_off_goes_into_quarantine_and_comes_out_again(stage: Any) -> None:
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

    played(stage, liar, Quoter("alpha", "0.0500"), Quoter("beta", "0.0501"), act=act)
    log = stage.logs[0]
    (put,) = events(log, QuarantineSet)
    assert (put.provider, put.pair, put.actor, len(put.evidence)) == ("liar", "ETH/BTC", "rules", 5)
    assert put.evidence[0] == "rate_outlier: quoted 0.06, reference 0.0501"
    assert [one.reason for one in events(log, QuarantineReleased)] == ["its time is over"]
    assert ("quarantine", "liar ETH/BTC") in {(one.alert, one.subject) for one in events(log, AlertRaised)}


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
