"""The bundled scenarios about conversions: the steps of an outage in their order, and lies that are found out.

Judged from the log, from what hooks heard, and from the services' own books.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import pytest
from repository import ROOT
from scenarios_for_tests import Heard, candidate, told

from understudy.events.calls import CallFailed, CallStarted, CallSucceeded
from understudy.events.decisions import DecisionMade
from understudy.events.operations import AlertCleared, AlertRaised, ModeChanged
from understudy.events.quotes import QuarantineReleased, QuarantineSet
from understudy.events.requests import RequestAccepted, RequestCompleted, RequestFailed, RequestSuspended
from understudy.events.vocabulary import EndReason, Mode
from understudy.replay.conversions import conversion_figures

# The worker that plays each scenario once.
pytestmark = pytest.mark.xdist_group("scenarios")

OUTAGE: Final = "cascading-outage"
PRIMARY: Final = {"btcpay_lightning", "simpleswap", "changenow"}
SECONDARY: Final = {"coinpayments", "coingate"}
BACKUP: Final = {"binance", "kraken"}
STEPS: Final = (
    ("circuit:opened", "btcpay_lightning"),
    ("circuit:opened", "simpleswap"),
    ("circuit:opened", "changenow"),
    ("mode:degraded", "normal"),
    ("circuit:opened", "coinpayments"),
    ("circuit:opened", "coingate"),
    ("circuit:opened", "binance"),
    ("circuit:opened", "kraken"),
    ("mode:emergency", "degraded"),
    ("alert:raised", "emergency"),
    ("mode:degraded", "emergency"),
    ("mode:normal", "degraded"),
)
"""What hooks hear of the outage, recoveries apart: those come with the first quote that is wanted again."""


def subject(says: Mapping[str, Any]) -> str:
    return str(next(says[key] for key in ("service_id", "alert", "previous") if key in says))


def heard(*signals: str, without: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    found = [(one.signal, subject(one.says)) for one in told(OUTAGE).heard if one.signal.startswith(signals)]
    return [one for one in found if one[1] not in without]


def test_the_mode_goes_down_tier_by_tier_and_comes_back() -> None:
    modes = [(one.mode, at_s // 60) for at_s, one in told(OUTAGE).of(ModeChanged)]
    assert modes == [(Mode.DEGRADED, 5), (Mode.EMERGENCY, 15), (Mode.DEGRADED, 20), (Mode.NORMAL, 30)]


@pytest.mark.parametrize(
    ("from_s", "until_s", "tier"),
    [
        (0, 300, PRIMARY),
        (360, 600, SECONDARY),
        (620, 900, BACKUP),
        (925, 1_200, {"dex"}),
        (1_225, 1_500, BACKUP),
        (1_515, 1_800, SECONDARY),
        (1_815, 2_400, PRIMARY),
    ],
)
def test_in_each_part_of_the_outage_the_best_tier_that_is_up_serves_all(
    from_s: float, until_s: float, tier: set[str]
) -> None:
    assert told(OUTAGE).served(from_s=from_s, until_s=until_s).keys() == tier


def test_hooks_hear_of_each_step_in_order() -> None:
    assert heard("circuit:opened", "mode:", "alert:raised", without=("suspended", "circuit_open")) == list(STEPS)


def test_every_service_that_was_out_is_told_to_have_recovered() -> None:
    recovered = [name for _, name in heard("service:recovered")]
    assert set(recovered[:2]) == BACKUP
    assert set(recovered[2:4]) == SECONDARY
    assert set(recovered[4:]) == PRIMARY
    assert len(recovered) == 7


def test_conversions_that_fail_where_quotes_still_come_fail_over_and_hooks_hear_of_it() -> None:
    failovers = [one for one in told(OUTAGE).heard if one.signal == "failover:success" and one.at_s < 350]
    assert failovers
    assert {one.says["from_service"] for one in failovers} == {"btcpay_lightning"}
    assert {one.says["to_service"] for one in failovers} <= PRIMARY - {"btcpay_lightning"}
    failures = [one.says["failures"] for one in told(OUTAGE).heard if is_failure_of(one, "btcpay_lightning")]
    assert failures == [1, 2, 3]


def is_failure_of(one: Heard, service: str) -> bool:
    return one.signal == "service:failure" and one.says["service_id"] == service


def test_the_emergency_is_an_alert_as_long_as_it_lasts() -> None:
    run = told(OUTAGE)
    (mode,) = [at_s for at_s, one in run.of(ModeChanged) if one.mode is Mode.EMERGENCY]
    (back,) = [at_s for at_s, one in run.of(ModeChanged) if one.previous is Mode.EMERGENCY]
    assert [at_s for at_s, one in run.of(AlertRaised) if one.alert == "emergency"] == [mode]
    assert [at_s for at_s, one in run.of(AlertCleared) if one.alert == "emergency"] == [back]


def test_no_alert_is_left_standing_and_none_says_what_is_not_so() -> None:
    run = told(OUTAGE)
    raised = {(one.alert, one.subject) for _, one in run.of(AlertRaised)}
    assert raised == {(one.alert, one.subject) for _, one in run.of(AlertCleared)}
    assert {alert for alert, _ in raised} <= {"emergency", "suspended", "circuit_open"}
    assert {subject for alert, subject in raised if alert == "circuit_open"} == {
        "btcpay_lightning",
        *(f"{one} quote" for one in PRIMARY - {"btcpay_lightning"}),
    }, "those who are out for twenty minutes and more"


def test_nobody_of_the_emergency_tier_is_asked_before_everybody_else_is_out() -> None:
    run = told(OUTAGE)
    asked = [one for one in run.of(CallStarted) if one[1].provider == "dex" and one[1].operation != "ping"]
    assert min(at_s for at_s, _ in asked) > 900
    assert max(at_s for at_s, one in asked if one.operation != "lookup") < 1_215
    served = [one for _, one in run.of(DecisionMade) if one.provider == "dex"]
    assert len(served) > 30
    for decision in served:
        verdicts = {candidate(decision, one).verdict for one in (PRIMARY | SECONDARY | BACKUP)}
        assert verdicts <= {"circuit_open", "circuit_half_open_awaits_ping", "quotes_fail", "pings_fail", "no_quote"}


def test_what_is_too_large_for_the_emergency_tier_is_refused_and_nothing_else_is() -> None:
    run = told(OUTAGE)
    amounts = {one.request_id: one.amount for _, one in run.of(RequestAccepted)}
    suspended = {one.request_id for _, one in run.of(RequestSuspended)}
    refused = [(at_s, one) for at_s, one in run.of(RequestFailed) if one.request_id not in suspended]
    assert {amounts[one.request_id] for _, one in refused} == {Decimal(6)}
    assert {one.reason for _, one in refused} <= {EndReason.NO_PROVIDER, EndReason.EXHAUSTED}
    assert all(900 <= at_s < 1_215 for at_s, _ in refused)


def test_no_conversion_is_executed_twice_and_each_that_was_served_was_executed() -> None:
    run = told(OUTAGE)
    assert set(run.executions.values()) == {1}
    assert run.executions.keys() == {one.request_id for _, one in run.of(RequestCompleted)}
    assert [name for name, books in run.books.items() if books.executed_twice] == []


def test_the_figures_say_what_the_log_and_the_books_say() -> None:
    run = told(OUTAGE)
    figures = run.report.conversions
    assert figures is not None
    assert figures.served + figures.refused + figures.suspended == run.report.requests == len(run.of(RequestAccepted))
    assert (figures.executed_twice, figures.settled) == (0, figures.suspended)
    assert sum(figures.shares.values()) == pytest.approx(1)
    assert figures.shares["served"] > 0.96
    assert figures.by_service.keys() == PRIMARY | SECONDARY | BACKUP | {"dex"}
    # Each step that is a signal was heard as one, at that instant and in that order.
    steps = [(round(one.at_s, 6), one.step) for one in figures.steps]
    signals = {one.step for one in figures.steps}
    assert steps == [(round(one.at_s, 6), one.signal) for one in run.heard if one.signal in signals]


def test_the_page_on_conversions_says_how_many_are_served_refused_and_suspended() -> None:
    figures = told(OUTAGE).report.conversions
    assert figures is not None
    page = " ".join((ROOT / "docs" / "conversions.md").read_text(encoding="utf-8").split())
    served, refused, suspended = (f"{share * 100:.1f} %" for share in figures.shares.values())
    assert f"of {told(OUTAGE).report.requests} conversions {served} are served, {refused} refused" in page
    assert f"{suspended} suspended and settled by look-up" in page


def test_what_two_services_have_both_executed_counts_as_executed_twice() -> None:
    figures = conversion_figures([], executed_for=[{"r1": 1, "r2": 1}, {"r1": 1}, {"r3": 2}])
    assert figures.executed_twice == 2


def test_a_dead_service_is_asked_no_more_than_it_takes_to_find_out() -> None:
    run = told(OUTAGE)
    for name, limit in (("btcpay_lightning", 3), ("simpleswap", 5), ("binance", 3)):
        failed = [one for _, one in run.of(CallFailed) if one.provider == name and one.operation != "ping"]
        assert len(failed) <= limit, name


def test_a_lie_is_excluded_at_once_whoever_else_would_have_paid_less() -> None:
    run = told("rate-anomaly")
    assert run.report.success_rate == 1
    assert run.served(from_s=0, until_s=300)["simpleswap"] > 0
    assert run.verdicts("simpleswap", from_s=301, until_s=1_500).keys() == {"rate_outlier", "quarantined"}
    assert run.served(from_s=303, until_s=1_500)["simpleswap"] == 0


def test_a_liar_is_in_quarantine_but_for_a_moment_and_comes_out_as_soon_as_it_is_honest_again() -> None:
    run = told("rate-anomaly")
    confined = [int(at_s) // 60 for at_s, one in run.of(QuarantineSet) if one.provider == "simpleswap"]
    released = [int(at_s) // 60 for at_s, one in run.of(QuarantineReleased) if one.provider == "simpleswap"]
    assert (confined, released) == ([5, 16], [15, 25])
    assert run.served(from_s=345, until_s=1_505)["simpleswap"] == 0
    assert run.served(from_s=1_520)["simpleswap"] > 0
    asked = [at_s for at_s, one in run.of(CallStarted) if one.provider == "simpleswap" and one.operation == "quote"]
    assert len([at_s for at_s in asked if 345 < at_s < 940]) > 50


def test_a_rate_that_does_not_move_is_found_out_once_the_market_has_left_it() -> None:
    run = told("rate-anomaly")
    assert run.verdicts("btcpay_lightning", from_s=1_800, until_s=2_700)["quote_stuck"] > 0
    quoted = [
        (at_s, one.quote.rate)
        for at_s, one in run.of(CallSucceeded)
        if one.provider == "btcpay_lightning" and one.quote is not None
    ]
    assert len({rate for at_s, rate in quoted if 1_801 < at_s < 2_700}) == 1


@pytest.mark.parametrize("name", [OUTAGE, "rate-anomaly"])
def test_the_log_has_every_quote_that_a_service_was_asked_for(name: str) -> None:
    run = told(name)
    quotes = [one for _, one in run.of(CallStarted) if one.operation == "quote"]
    assert len(quotes) == sum(books.quotes for books in run.books.values())
