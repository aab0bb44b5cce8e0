"""What people are shown of lanes and providers."""

from decimal import Context, Decimal, Inexact, Rounded, localcontext

import pytest
from telling import NOON, Telling, policy

from understudy.events.operations import OverrideSet, PolicyActivated
from understudy.events.policy import Policy, ProviderSettings
from understudy.events.vocabulary import ForcedState
from understudy.projections.lanes import basis_points
from understudy.projections.provider_record import rate_interval_us
from understudy.projections.views import LaneView, lane_view, percent, percentile_ms, provider_view, provider_views


def view(telling: Telling, *, at: float) -> LaneView:
    """The lane that alpha serves requests in."""
    index = telling.standing.lanes.find(("alpha", "serve"))
    assert index is not None
    return lane_view(telling.standing, index, now_us=NOON + round(at * 1_000_000))


def test_a_lane_shows_its_counts_and_rates() -> None:
    telling = Telling()
    for number, latency in enumerate((0.1, 0.2, 0.3, 0.4)):
        telling.call("success", at=10 + number, latency=latency)
    telling.call("timed_out", at=20, latency=5)
    telling.call("transient", at=21, latency=0.001, retry=1)
    telling.call("rate_limited", at=22)
    telling.call("rejected", at=22)
    telling.call("abandoned", at=22)
    telling.start(at=23)
    seen = view(telling, at=24)
    assert (seen.provider, seen.operation_class, seen.context) == ("alpha", "serve", {})
    assert (seen.started, seen.succeeded, seen.failed, seen.throttled) == (10, 4, 2, 1)
    assert (seen.declined, seen.abandoned, seen.retries, seen.in_flight) == (1, 1, 1, 1)
    assert (seen.count, seen.success_rate) == (6, Decimal("66.67"))
    assert (seen.average_ms, seen.p50_ms, seen.p95_ms) == (1200, 300, 5000)
    assert (seen.streak, seen.circuit) == (1, "closed")
    assert seen.last_started_us == NOON + 23_000_000
    assert seen.last_success_us == NOON + 13_000_000
    assert seen.last_failure_us == NOON + 21_000_000


def test_a_lane_without_outcomes_has_no_rate_and_no_times() -> None:
    telling = Telling()
    telling.start(at=1)
    seen = view(telling, at=2)
    assert (seen.count, seen.success_rate, seen.average_ms, seen.p50_ms, seen.p95_ms) == (0, None, None, None, None)


def test_outcomes_too_old_to_say_anything_are_not_shown() -> None:
    telling = Telling(policy=policy(stale_after_ms=60_000))
    telling.call("success", at=1)
    assert view(telling, at=60.9).count == 1
    stale = view(telling, at=61)
    assert (stale.count, stale.success_rate, stale.succeeded) == (0, None, 1)


def test_the_circuit_is_told_in_three_words() -> None:
    telling = Telling(policy=policy(recovery_time_ms=10_000))
    telling.fail(3, at=3)
    assert [view(telling, at=at).circuit for at in (3, 12.9, 13)] == ["open", "open", "half_open"]
    assert view(telling, at=5).opened_at_us == NOON + 3_000_000
    assert view(telling, at=5).open_until_us == NOON + 13_000_000
    telling.call("success", at=20)
    assert (view(telling, at=20).circuit, view(telling, at=20).opened_at_us) == ("closed", 0)


def test_a_circuit_that_a_trusted_ping_has_closed_is_shown_closed() -> None:
    telling = Telling(policy=policy(trust_ping=True, alpha={"has_ping": True}))
    telling.fail(3, at=3)
    telling.call("success", at=400, operation="ping")
    seen = view(telling, at=401)
    assert (seen.circuit, seen.streak, seen.opened_at_us, seen.open_until_us) == ("closed", 0, 0, 0)


def test_a_lane_names_its_context_and_keeps_it_when_lanes_are_split_otherwise() -> None:
    telling = Telling(policy=policy(lane_by=("country",)))
    telling.call("success", at=1, country="us")
    serving = telling.standing.lanes.places["alpha", "serve", "country", "us"]
    assert lane_view(telling.standing, serving, now_us=NOON).context == {"country": "us"}
    telling.say(PolicyActivated(policy=policy(), policy_hash=""), at=2)
    assert lane_view(telling.standing, serving, now_us=NOON).context == {"country": "us"}


def test_a_provider_shows_its_lanes_its_stock_and_what_stands_against_it() -> None:
    telling = Telling()
    telling.call("out_of_stock", at=1, country="us", service="wa")
    telling.call("rate_limited", at=3)
    telling.call("misconfigured", at=4)
    telling.call("insufficient_funds", at=5)
    telling.call("out_of_stock", at=5, provider="beta")
    seen = provider_view(telling.standing, "alpha", now_us=NOON)
    assert [one.operation_class for one in seen.lanes] == ["ping", "serve"]
    assert seen.throttled_until_us == NOON + 4_000_000
    assert (seen.misconfigured_us, seen.unfunded_us) == (NOON + 4_000_000, NOON + 5_000_000)
    (stock,) = seen.stock
    assert (stock.country, stock.service, stock.belief.units, stock.belief.revealed) == ("us", "wa", 0, True)
    assert (seen.in_flight, seen.forced) == (0, None)


def test_a_forced_state_is_shown_with_who_and_why_until_it_ends() -> None:
    telling = Telling()
    telling.say(
        OverrideSet(provider="alpha", state=ForcedState.DRAIN, until_us=NOON + 9, actor="ann", reason="bill"), at=0
    )
    forced = provider_view(telling.standing, "alpha", now_us=NOON + 8).forced
    assert forced is not None
    assert (forced.state, forced.actor, forced.reason, forced.until_us) == ("drain", "ann", "bill", NOON + 9)
    assert provider_view(telling.standing, "alpha", now_us=NOON + 9).forced is None


def test_looking_at_a_stranger_changes_nothing() -> None:
    telling = Telling()
    assert provider_view(telling.standing, "stranger", now_us=NOON).lanes == ()
    assert [one.provider for one in provider_views(telling.standing, now_us=NOON)] == ["alpha", "beta"]


@pytest.mark.parametrize(
    ("part", "of", "shown"), [(0, 3, "0.00"), (1, 3, "33.33"), (2, 3, "66.67"), (100, 100, "100.00"), (1, 800, "0.13")]
)
def test_a_percentage_has_two_decimals_rounded_to_the_nearest(part: int, of: int, shown: str) -> None:
    assert str(percent(part, of=of)) == shown


@pytest.mark.parametrize(("share", "shown"), [(50, 3), (95, 5), (100, 5), (20, 1), (21, 2)])
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(share: int, shown: int) -> None:
    assert percentile_ms([1_000, 2_000, 3_000, 4_000, 5_000], percent=share) == shown


def test_no_number_that_decisions_are_made_of_depends_on_the_decimal_context_of_the_caller() -> None:
    providers = (ProviderSettings(id="a", weight=Decimal("0.3333337")), ProviderSettings(id="b", weight=Decimal(123)))
    policy = Policy(providers=providers, exploration=Decimal("0.123456"))
    with localcontext(Context(prec=2, traps=[Inexact, Rounded])):
        assert policy.weights_ppm == {"a": 333_333, "b": 123_000_000}
        assert policy.exploration_ppm == 123_456
        assert basis_points(Decimal("97.53")) == 9_753
        assert rate_interval_us(Decimal("3.5")) == 285_714
        assert percent(1, of=3) == Decimal("33.33")
