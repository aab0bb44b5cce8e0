"""Conversions over the recorded quotes of a crisis: what is false is not taken, and what is true is not refused."""

import gzip
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path

import pytest
from labelled_quotes import Fault, Labelled, left, with_faults
from repository import SHARED_DATA

from understudy.adapters.stores import MemoryLog
from understudy.engine.eligibility import ELIGIBLE
from understudy.events.calls import CallStarted
from understudy.events.codec import decode
from understudy.events.decisions import Candidate, DecisionMade
from understudy.replay.quote_report import HONEST_WITHIN, off_others
from understudy.replay.quotes_file import QuotedMinute, RecordedQuotes
from understudy.replay.simulate import QuoteReport, Side, read_quotes, simulate_quotes
from understudy.replay.verify import verify

FILE = SHARED_DATA / "btc_quotes_2023_03" / "quotes_1min.csv.gz"
PAIRS = ("BTC/USD", "BTC/USDT", "BTC/USDC")
MINUTE_US = 60_000_000

pytestmark = [pytest.mark.shared_data, pytest.mark.long]


@cache
def recorded(pair: str) -> RecordedQuotes:
    return read_quotes(FILE, pair=pair)


def between(begin: str, end: str, *, pair: str, folder: Path, column: str = "close") -> RecordedQuotes:
    """The quotes of some hours: most of three weeks need not be read for them."""
    from_s, until_s = at_us(begin) // 1_000_000, at_us(end) // 1_000_000
    path = folder / f"{column}.csv"
    with gzip.open(FILE, "rt", encoding="utf-8") as whole, path.open("w", encoding="utf-8") as some:
        some.write(next(whole))
        some.writelines(line for line in whole if from_s <= int(line.partition(",")[0]) < until_s)
    return read_quotes(path, pair=pair, column=column)


def at_us(text: str) -> int:
    return int(datetime.fromisoformat(f"2023-03-{text}").replace(tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize("side", Side)
def test_one_false_minute_of_an_exchange_is_never_taken_be_it_sold_or_bought(side: Side, tmp_path: Path) -> None:
    span, spike_us = partial(between, "14 13:30", "14 15:00", pair="BTC/USDC", folder=tmp_path), at_us("14 14:24")
    quotes = span()
    highs = {one.at_us: one.rates["binance_us"] for one in span(column="high").minutes}
    assert highs[spike_us] == 31_000
    minutes = [
        QuotedMinute(one.at_us, {**one.rates, "binance_us": highs[one.at_us]} if one.at_us == spike_us else one.rates)
        for one in quotes.minutes
    ]
    report = simulate_quotes(replace(quotes, minutes=tuple(minutes)), log=MemoryLog(), side=side, verify=verify)
    (excluded,) = report.exclusions
    assert (excluded.at_us, excluded.provider, excluded.reason) == (spike_us, "binance_us", "rate_outlier")
    assert report.taken[[one.at_us for one in minutes].index(spike_us)] == "bybit" or side is Side.BUY
    assert report.taken[[one.at_us for one in minutes].index(spike_us)] != "binance_us"
    assert report.success_rate == 1
    assert report.verify.differs == 0


def test_an_exchange_that_is_silent_for_hours_costs_no_conversion_is_asked_now_and_then_and_soon_heard_again(
    tmp_path: Path,
) -> None:
    quotes = between("04 16:30", "04 22:30", pair="BTC/USD", folder=tmp_path)
    log = MemoryLog()
    report = simulate_quotes(quotes, log=log)
    assert (report.requests, report.success_rate) == (360, 1)
    from_us, back_us = at_us("04 17:00"), at_us("04 21:37")
    assert not any("coinbase" in one.rates for one in quotes.minutes if from_us <= one.at_us < back_us)
    with log.reader() as reader:
        asked = [row.at_us for row in reader.rows() if row.kind == CallStarted.kind and row.provider == "coinbase"]
    # Five minutes of patience, three failures, and then one question a rest of five minutes.
    assert sum(from_us <= one < back_us for one in asked) <= 5 + 3 + 277 / 5
    assert next(one for one in asked if one >= back_us) < back_us + 5 * MINUTE_US


def judged(labelled: Labelled, side: Side) -> tuple[QuoteReport, list[str]]:
    """What came of it, and what was wrongly believed: each spike that was, and each freeze that was for too long."""
    log = MemoryLog()
    report = simulate_quotes(labelled.quotes, log=log, side=side)
    seen = decisions(log)
    wrong = [f"{one} was believed" for one in labelled.spikes if seen[one.minute][one.provider].verdict == ELIGIBLE]
    for freeze in labelled.freezes:
        minutes = left(labelled, freeze)
        if not minutes:
            continue
        tenth = min(minutes) + 10
        believed = [at for at in minutes if seen[at][freeze.provider].verdict == ELIGIBLE]
        if all(at in believed and minutes[at] for at in range(min(minutes), tenth)) and tenth in minutes:
            wrong.append(f"{freeze} was not told within ten minutes")
        wrong += [f"{freeze} was believed at {at}" for at in believed if at >= tenth and is_off(seen[at], freeze)]
    return report, wrong


def decisions(log: MemoryLog) -> list[Mapping[str, Candidate]]:
    """What each conversion was decided on."""
    with log.reader() as reader:
        made = [decode(row) for row in reader.rows() if row.kind == DecisionMade.kind]
    return [{one.provider: one for one in each.candidates} for each in made if isinstance(each, DecisionMade)]


def is_off(candidates: Mapping[str, Candidate], freeze: Fault) -> bool:
    """Whether what is frozen was more than 50 bp off the others that were there to be compared with it."""
    heard = {name: one.quote.rate for name, one in candidates.items() if one.quote is not None}
    off = off_others(heard)[freeze.provider]
    return off is not None and abs(off) > HONEST_WITHIN


def test_what_is_frozen_and_what_is_nonsense_is_excluded(tmp_path: Path) -> None:
    quotes = between("09 12:00", "10 12:00", pair="BTC/USDC", folder=tmp_path)
    labelled = with_faults(quotes, places=12, seed=1)
    assert sum(any(left(labelled, one).values()) for one in labelled.freezes) >= 5
    report, wrong = judged(labelled, Side.SELL)
    assert wrong == []
    assert report.success_rate == 1
    assert all(one.reason for one in report.exclusions)


@pytest.mark.soak
@pytest.mark.parametrize("pair", PAIRS)
def test_three_weeks_of_a_crisis_cost_hardly_a_conversion_and_hardly_an_honest_quote(pair: str) -> None:
    report = simulate_quotes(recorded(pair), log=MemoryLog(), verify=verify)
    assert report.requests == 30_240
    assert report.success_rate == 1
    assert report.false_exclusions < report.honest_quotes / 1000
    assert report.verify.differs == 0
    assert report.bp_to_best_honest is not None
    assert report.bp_to_best_honest > -1


@pytest.mark.soak
@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("pair", PAIRS)
def test_in_three_weeks_two_hundred_freezes_and_two_hundred_spikes_are_excluded(pair: str, side: Side) -> None:
    labelled = with_faults(recorded(pair), places=200, seed=7)
    report, wrong = judged(labelled, side)
    assert wrong == []
    failed = [at for at, served_by in enumerate(report.taken) if served_by is None]
    assert [at for at in failed if len(labelled.quotes.minutes[at].rates) > 1] == [], "nobody else had a quote"
    assert report.false_exclusions < report.honest_quotes / 1000
