"""A conversion told as a story: who was asked, what each offered, why it was taken, and what would have won."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from quoters import CONVERT, ETH_BTC, Quoter

from understudy.adapters import MemoryLog
from understudy.adapters.cli.event_words import told
from understudy.engine import Engine, Fees, NoHonestQuote, Policy, ProviderSettings, Quote, Strategy, Transient
from understudy.replay.explain import explain
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual


def story(*providers: Quoter, fails: bool = False, repeated: int = 1, **rules: Any) -> list[str]:
    """The story of the last of so many conversions."""
    return explained(*providers, fails=fails, repeated=repeated, **rules)[0]


def explained(
    *providers: Quoter, fails: bool = False, repeated: int = 1, **rules: Any
) -> tuple[list[str], dict[str, str], list[str]]:
    """The story of the last of so many conversions, its first flip points, and every event in words."""
    log = MemoryLog()
    policy = Policy(retry_attempts=0, **rules)

    async def act() -> str:
        engine = Engine(
            providers=providers, log=log, policy=policy, operations=[CONVERT], system=VirtualSystem(), watch=False
        )
        async with engine:
            for _ in range(repeated):
                request_id = await one(engine)
                await asyncio.sleep(2)
        return request_id

    async def one(engine: Engine) -> str:
        if not fails:
            return (await engine.call("convert", context=ETH_BTC, amount=2)).request_id
        with pytest.raises(NoHonestQuote) as error:
            await engine.call("convert", context=ETH_BTC, amount=2)
        return error.value.request_id

    request_id = run_virtual(act(), busy=lambda: log.busy)
    with log.reader() as reader:
        found = explain(reader, request_id)
        words = [told(row) for row in reader.rows()]
    flips = next(one["flip_points"] for one in found.to_json()["events"] if "flip_points" in one)
    return found.lines(width=100), flips, words


def test_each_quote_and_the_reference_are_told() -> None:
    lines = story(Quoter("alpha", "0.0500"), Quoter("beta", "0.0502", quote_s=0.2), Quoter("gamma", Transient("down")))
    text = "\n".join(lines)
    assert "asks for quotes, at once: alpha, beta, gamma" in text
    assert "beta quotes 0.0502 after 200 ms" in text
    assert "gamma failed after 100 ms: transient (down)" in text
    assert "decides on quotes: beta, of beta, alpha (reference 0.0501, the median of the round)" in text
    assert "gamma was out: no quote" in text
    assert "calls beta (call 1), which promises 0.1004" in text
    assert "beta answered after 100 ms, pays out 0.1004, reference tx-beta" in text


def test_the_table_has_what_each_would_pay_out_and_what_is_held_against_it() -> None:
    lines = story(Quoter("alpha", "0.0500"), Quoter("beta", "0.0502"), Quoter("liar", "0.06"))
    rows = [" ".join(line.split()) for line in lines]
    assert "# provider tier verdict rate pays out off fade chance" in rows
    assert "1 beta 1 eligible 0.0502 0.1004 +0 bp - 100.00 %" in rows
    assert "- liar 1 rate outlier 0.06 0.12 +1952 bp - 0.00 %" in rows
    assert "liar was out: rate outlier" in rows


def test_the_bounds_that_an_amount_is_beyond_are_told_with_the_amount() -> None:
    least = Quoter("least", Quote(rate=Decimal("0.05"), min_amount=Decimal("2.5")))
    most = Quoter("most", Quote(rate=Decimal("0.05"), max_amount=Decimal("1.50")))
    last = Quoter("last", priority=4)
    text = "\n".join(story(Quoter("alpha"), least, most, last, max_emergency_amount=Decimal(1)))
    assert "least was out: amount below minimum: it takes 2.5 ETH at least, not 2\n" in text
    assert "most was out: amount above maximum: it takes 1.50 ETH at most, not 2\n" in text
    assert "last was out: emergency amount: it is given 1 ETH at most (max_emergency_amount), not 2\n" in text


def test_what_would_have_won_is_what_it_would_have_had_to_pay_out() -> None:
    _, flips, _ = explained(Quoter("alpha", "0.0500"), Quoter("beta", "0.0502"))
    assert flips == {"alpha": "pays out 0.1000; it would have won with more than 0.1004"}


def test_a_fade_is_told_where_it_counted() -> None:
    fades = Quoter("fades", "0.0502", pays=Decimal("0.09"))
    lines, flips, _ = explained(fades, Quoter("honest", "0.0500"), repeated=2)
    assert "less what each has paid out short of its quotes of late" in flips["fades"]
    assert any("+1035.8 bp" in line for line in lines)


def test_where_the_best_rate_does_not_count_the_order_of_asking_or_the_fees_do() -> None:
    rules: dict[str, Any] = {"always_use_best_rate": False}
    _, flips, _ = explained(Quoter("alpha", "0.0500"), Quoter("beta", "0.0502"), strategy=Strategy.IN_ORDER, **rules)
    assert flips == {"beta": "alpha came before it in the order of asking"}
    dear = ProviderSettings(id="dear", fees=Fees(percent=Decimal(1)))
    both = Quoter("dear", "0.0504", settings=dear), Quoter("plain", "0.0500")
    _, flips, _ = explained(*both, strategy=Strategy.CHEAPEST, **rules)
    assert flips == {"dear": "plain takes less in fees"}
    _, flips, _ = explained(*both, strategy=Strategy.BEST_RATE, **rules)
    assert flips == {"dear": "pays out 0.099792; it would have won with more than 0.1000"}


def test_a_request_in_two_parts_says_which_part_is_called() -> None:
    alpha = Quoter("alpha")
    alpha.two_part = True  # type: ignore[attr-defined]
    text = "\n".join(story(alpha))
    assert "calls alpha to create (call 1)" in text
    assert "calls alpha to commit (call 2), which promises 0.10" in text


def test_a_refusal_and_a_quarantine_are_told_among_the_events() -> None:
    lines, _, words = explained(
        Quoter("alpha", "0.05"), Quoter("beta", "0.06"), fails=True, repeated=1, strategy=Strategy.IN_ORDER
    )
    text = "\n".join(lines)
    assert "decides: nobody may be asked" in text
    assert "alpha was out: nothing to compare" in text
    assert "failed: no_honest_quote" in text
    assert "alert no_honest_quote about ETH/BTC: no quote for ETH/BTC can be trusted; conversions are refused" in words
    honest = Quoter("alpha", "0.0500"), Quoter("beta", "0.0501")
    _, _, words = explained(*honest, Quoter("liar", "0.06"), repeated=2, quarantine_after=2)
    assert any(one.startswith("liar is in quarantine for ETH/BTC until ") for one in words)


def test_quotes_one_after_another_are_told_so() -> None:
    assert any("one after another: alpha, beta" in line for line in story(*two(), parallel_queries=False))


def two() -> tuple[Quoter, Quoter]:
    return Quoter("alpha", "0.0500"), Quoter("beta", "0.0501")
