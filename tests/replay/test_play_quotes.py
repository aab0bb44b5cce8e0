"""Recorded quotes through the real engine: who is asked, what is told of it, and how it is measured."""

from decimal import Decimal
from typing import Any

import pytest

from understudy.adapters.stores import MemoryLog
from understudy.events.calls import CallFailed
from understudy.events.policy import Fees, Policy, ProviderSettings
from understudy.replay.quote_report import off_others
from understudy.replay.quotes_file import QuotedMinute, RecordedQuotes
from understudy.replay.simulate import CONVERTERS, Side, SimulationError, simulate_quotes
from understudy.replay.verify import verify


def recorded(*minutes: dict[str, str]) -> RecordedQuotes:
    """Minutes of quotes, a rate a provider."""
    names = dict.fromkeys(name for minute in minutes for name in minute)
    return RecordedQuotes(
        pair="BTC/USD",
        providers=tuple(names),
        minutes=tuple(
            QuotedMinute(60_000_000 * (place + 1), {name: Decimal(rate) for name, rate in minute.items()})
            for place, minute in enumerate(minutes)
        ),
    )


CALM = {"a": "100.0", "b": "100.1", "c": "100.2"}


def test_the_best_rate_is_obtained_and_held_against_each_provider() -> None:
    report = simulate_quotes(recorded(CALM, {**CALM, "a": "100.3"}), log=MemoryLog(), verify=verify)
    assert report.taken == ("c", "a")
    assert (report.bp_to_best_honest, report.worst_bp_to_best_honest) == (0, 0)
    figures = report.by_provider
    assert figures["b"].bp_obtained_over_it == pytest.approx((9.990 + 19.980) / 2, abs=0.001)
    assert [(one.quotes, one.honest, one.taken) for one in figures.values()] == [(2, 2, 1), (2, 2, 0), (2, 2, 1)]
    assert (report.verify.identical, report.verify.differs) == (2, 0)


def test_a_buyer_converts_the_other_way_at_one_over_the_price() -> None:
    report = simulate_quotes(recorded(CALM), log=MemoryLog(), side=Side.BUY, amount=Decimal(1_000))
    assert (report.pair, report.taken) == ("USD/BTC", ("a",))


def test_what_is_compared_is_what_fees_leave() -> None:
    dear = ProviderSettings(id="c", fees=Fees(percent=Decimal(1)))
    report = simulate_quotes(recorded(CALM), log=MemoryLog(), policy=CONVERTERS.with_providers([dear]))
    assert report.taken == ("b",)
    assert report.bp_to_best_honest == 0
    assert report.by_provider["c"].bp_obtained_over_it == pytest.approx(90.93, abs=0.01)


def test_every_exclusion_is_listed_and_an_honest_quote_in_quarantine_counts_as_falsely_excluded() -> None:
    mad = {**CALM, "c": "200"}
    quotes = recorded(*[mad] * 6, *[CALM] * 4)
    report = simulate_quotes(quotes, log=MemoryLog(), verify=verify)
    assert [one.reason for one in report.exclusions] == ["rate_outlier"] * 5 + ["quarantined"] * 2
    assert {one.provider for one in report.exclusions} == {"c"}
    assert [one.honest for one in report.exclusions] == [False] * 6 + [True]
    assert (report.excluded, report.false_exclusions) == (7, 1)
    assert report.by_reason == report.by_provider["c"].excluded
    assert report.by_provider["c"].false_exclusions == 1
    assert report.taken == ("b",) * 7 + ("c",) * 3
    assert (report.success_rate, report.verify.differs) == (1, 0)
    unheard = simulate_quotes(quotes, log=MemoryLog(), policy=CONVERTERS.model_copy(update={"release_after": 0}))
    assert unheard.by_provider["c"].false_exclusions == 4


def test_a_conversion_without_an_honest_quote_is_counted_as_failed_and_its_exclusions_are_listed() -> None:
    report = simulate_quotes(recorded({"a": "100", "b": "200"}, CALM), log=MemoryLog())
    assert (report.requests, report.success_rate, report.taken) == (2, 0.5, (None, "c"))
    assert [(one.provider, one.reason, one.honest) for one in report.exclusions] == [
        ("a", "nothing_to_compare", False),
        ("b", "nothing_to_compare", False),
    ]


def test_a_quote_that_stands_alone_is_neither_honest_nor_not() -> None:
    assert off_others({"a": Decimal(100)}) == {"a": None}
    report = simulate_quotes(recorded(CALM, {"a": "100"}), log=MemoryLog())
    assert (report.quotes, report.honest_quotes, report.taken_not_honest) == (4, 3, 0)
    assert report.taken == ("c", "a")


def outcomes(quotes: RecordedQuotes, provider: str) -> list[tuple[int, Any]]:
    """At which minute a provider failed to quote, and how."""
    log = MemoryLog()
    simulate_quotes(quotes, log=log)
    with log.reader() as reader:
        return [
            (row.at_us // 60_000_000, row.outcome)
            for row in reader.rows()
            if row.kind == CallFailed.kind and row.provider == provider
        ]


def test_a_minute_without_a_trade_is_held_against_nobody_and_silence_is() -> None:
    without_c = {name: rate for name, rate in CALM.items() if name != "c"}
    silent = outcomes(recorded(CALM, *[without_c] * 20), "c")
    # Five minutes of patience, three failures, then one question a rest, which does not grow.
    assert silent == [
        *[(minute, "not_offered") for minute in range(2, 7)],
        *[(minute, "transient") for minute in (7, 8, 9, 14, 19)],
    ]
    assert len(outcomes(recorded(*[CALM, without_c] * 10), "c")) == 10


def test_a_policy_for_a_provider_without_quotes_is_refused() -> None:
    policy = Policy(providers=(ProviderSettings(id="zeta"),))
    with pytest.raises(SimulationError, match="configures 'zeta', which has no quote of BTC/USD; there are a, b, c"):
        simulate_quotes(recorded(CALM), log=MemoryLog(), policy=policy)


def test_the_same_seed_gives_the_same_log_and_progress_reaches_the_end() -> None:
    def played(seed: int) -> bytes:
        log = MemoryLog(salt=bytes(32))
        told: list[tuple[int, int]] = []
        simulate_quotes(recorded(*[CALM] * 5), log=log, seed=seed, progress=lambda done, of: told.append((done, of)))
        assert told[-1] == (5, 5)
        return log.head.chain

    assert played(1) == played(1) != played(2)
