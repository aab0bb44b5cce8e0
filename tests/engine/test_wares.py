"""What is believed of stock and prices: told, revealed by refusals, grown old; and what decisions make of it."""

from decimal import Decimal
from typing import Any

import hypothesis
import pytest
from given import MS, Story, fails, given, policy_for, succeeds
from hypothesis import strategies as st

from understudy.events.decisions import Candidate
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.events.policy import Policy, ProviderSettings
from understudy.events.stock import OffersListed
from understudy.events.vocabulary import FailureKind, Strategy
from understudy.projections.provider_record import StockBelief, refused, told, zero_until_us

US_WA: dict[str, Any] = {"country": "us", "service": "wa"}
SOLD_OUT = fails(FailureKind.OUT_OF_STOCK, after_ms=1)
TTL_MS = 43_200_000


def lists(story: Story, provider: str, offers: dict[str, dict[str, tuple[int | None, Decimal | None]]]) -> Story:
    """A provider lists what it has on offer."""
    started = story.starts(provider, "sync")
    story.note(OffersListed(provider=provider, offers=offers))
    return story.ends(started, succeeds(after_ms=0))


def has(units: int | None, price: str | None = None) -> dict[str, dict[str, tuple[int | None, Decimal | None]]]:
    return {"us": {"wa": (units, None if price is None else Decimal(price))}}


def rents(story: Story, provider: str, *endings: Any) -> Story:
    for ending in endings:
        story.ends(story.starts(provider, **US_WA), ending)
    return story


def seen(story: Story, provider: str = "a") -> Candidate:
    return story.sees(provider, **US_WA)


def test_a_list_is_believed_with_its_age_and_forgotten_when_it_is_old() -> None:
    story = lists(given(policy_for("a")), "a", has(120, "0.42")).later(ms=60_000)
    one = seen(story)
    assert (one.stock, one.stock_points, one.price) == (120, 10_000, Decimal("0.42"))
    assert (one.stock_age_us, one.price_age_us) == (60_000 * MS, 60_000 * MS)
    story.later(ms=TTL_MS - 60_001)
    assert (seen(story).stock, seen(story).price) == (120, Decimal("0.42"))
    story.later(ms=1)
    one = seen(story)
    assert (one.stock, one.price, one.stock_age_us, one.price_age_us) == (None, None, None, None)


def test_what_the_latest_list_leaves_out_is_not_known() -> None:
    story = lists(given(policy_for("a")), "a", has(120, "0.42")).later(ms=1)
    lists(story, "a", {"de": {"wa": (5, None)}})
    assert (seen(story).stock, seen(story).price) == (None, None)
    assert story.sees("a", country="de", service="wa").stock == 5


def test_a_list_that_failed_takes_nothing_back() -> None:
    story = lists(given(policy_for("a")), "a", has(120)).later(ms=1)
    story.ends(story.starts("a", "sync"), fails(FailureKind.TRANSIENT))
    assert seen(story).stock == 120


def test_a_price_that_is_not_known_is_that_of_the_settings() -> None:
    story = given(policy_for(ProviderSettings(id="a", price=Decimal(3))))
    assert (seen(story).price, seen(story).price_age_us) == (Decimal(3), None)
    lists(story, "a", has(1, "2"))
    assert seen(story).price == 2
    assert seen(story.later(ms=TTL_MS)).price == 3


def test_a_refusal_is_believed_for_a_while_and_leaves_the_stock_unknown() -> None:
    story = rents(lists(given(policy_for("a", sold_out_ttl_ms=60_000)), "a", has(120, "0.42")), "a", SOLD_OUT)
    assert (seen(story).verdict, seen(story).stock, seen(story).price) == ("out_of_stock", 0, Decimal("0.42"))
    story.later(ms=60_000)
    assert (seen(story).verdict, seen(story).stock) == ("eligible", None)


def phantom(refusals: int) -> Story:
    """One that has listed stock and refused so often."""
    story = given(policy_for("a", "b", sold_out_ttl_ms=60_000, phantom_after=3, max_failures=99))
    for _ in range(refusals):
        rents(lists(story, "a", has(120)), "a", SOLD_OUT).later(ms=600_000)
    return story


@pytest.mark.parametrize(("refusals", "rest_ms"), [(1, 60_000), (2, 60_000), (3, 120_000), (4, 240_000), (20, TTL_MS)])
def test_a_phantom_is_asked_less_and_less_often_whatever_it_lists(refusals: int, rest_ms: int) -> None:
    story = phantom(refusals - 1)
    if refusals > 6:
        story.later(ms=TTL_MS)
    rents(lists(story, "a", has(120)), "a", SOLD_OUT)
    if refusals >= 3:
        lists(story, "a", has(120))
    assert seen(story.later(ms=rest_ms - 1)).verdict == "out_of_stock"
    assert seen(story.later(ms=1)).verdict == "eligible"


def test_a_phantom_is_an_alert_that_ends_when_it_delivers() -> None:
    story = phantom(2)
    assert story.all(AlertRaised) == []
    rents(lists(story, "a", has(120)), "a", SOLD_OUT)
    (alert,) = story.all(AlertRaised)
    assert (alert.alert, alert.subject) == ("phantom_stock", "a|us|wa")
    assert alert.message.startswith("a says that it has us wa, and has refused 3 times in a row")
    rents(story.later(ms=600_000), "a", succeeds())
    assert [one.alert for one in story.all(AlertCleared)] == ["phantom_stock"]


def test_a_phantom_that_admits_to_have_nothing_is_none() -> None:
    story = lists(phantom(3), "a", has(0))
    assert [one.alert for one in story.all(AlertCleared)] == ["phantom_stock"]
    assert seen(lists(story, "a", has(7))).stock == 7


def test_several_refusals_at_once_are_one() -> None:
    story = lists(given(policy_for("a", phantom_after=3)), "a", has(120))
    at_once = [story.starts("a", **US_WA) for _ in range(9)]
    for started in at_once:
        story.ends(started, SOLD_OUT)
    assert story.all(AlertRaised) == []


def test_who_never_said_that_it_has_any_is_no_phantom() -> None:
    story = given(policy_for("a"))
    for _ in range(9):
        rents(story, "a", SOLD_OUT).later(ms=60_000)
    assert (story.all(AlertRaised), seen(story).verdict) == ([], "eligible")


@hypothesis.given(
    st.lists(st.tuples(st.sampled_from(("list", "refuse", "empty")), st.integers(min_value=0, max_value=10**9))),
    st.integers(min_value=1, max_value=5),
)
def test_a_zero_never_outlasts_the_life_of_a_belief(moves: list[tuple[str, int]], after: int) -> None:
    policy = Policy(phantom_after=after)
    belief: StockBelief | None = None
    now_us = 1
    for what, gap_us in moves:
        now_us += gap_us
        if what == "refuse":
            belief = refused(belief, policy, at_us=now_us)
            assert now_us < zero_until_us(belief, policy) <= now_us + policy.stock_ttl_ms * 1000
        else:
            belief = told(belief, units=9 if what == "list" else 0, price=None, at_us=now_us)
            assert belief.refusals == 0 or what == "list"


@pytest.mark.parametrize(
    ("prices", "order"),
    [
        ({"a": "3", "b": "2", "c": "1"}, ("c", "b", "a")),
        ({"a": "1", "b": "1", "c": "1"}, ("a", "b", "c")),
        ({"a": "0.10", "b": "0.1", "c": "0.099"}, ("c", "a", "b")),
    ],
)
def test_the_cheapest_comes_first_by_what_was_listed(prices: dict[str, str], order: tuple[str, ...]) -> None:
    settings = [ProviderSettings(id=name, price=Decimal(place)) for place, name in enumerate(prices)]
    story = given(policy_for(*settings, strategy=Strategy.CHEAPEST))
    for name, price in prices.items():
        lists(story, name, has(50, price))
    assert story.decides(**US_WA).order == order


def test_the_cheapest_comes_last_while_it_is_degraded() -> None:
    settings = [ProviderSettings(id=name, price=Decimal(price)) for name, price in (("a", 1), ("b", 2), ("c", 3))]
    story = given(policy_for(*settings, strategy=Strategy.CHEAPEST))
    story.serves("a", fails(FailureKind.TRANSIENT), succeeds(), times=2)
    assert story.decides(**US_WA).order == ("b", "c", "a")


def test_of_equal_scores_the_lower_listed_price_comes_first() -> None:
    story = given(policy_for("a", "b", strategy=Strategy.SCORE))
    lists(lists(story, "a", has(50, "0.50")), "b", has(50, "0.49"))
    assert story.decides(**US_WA).order == ("b", "a")


@pytest.mark.parametrize(("limit", "verdict"), [("0.42", "eligible"), ("0.41", "price_above_max")])
def test_who_costs_more_than_the_caller_pays_is_not_asked(limit: str, verdict: str) -> None:
    story = lists(given(policy_for(ProviderSettings(id="a", price=Decimal("0.01")))), "a", has(9, "0.42"))
    assert story.sees("a", **US_WA, max_price=Decimal(limit)).verdict == verdict


def test_a_price_that_is_too_old_is_no_veto() -> None:
    story = lists(given(policy_for("a")), "a", has(9, "0.42")).later(ms=TTL_MS)
    assert story.sees("a", **US_WA, max_price=Decimal("0.01")).verdict == "eligible"


@hypothesis.given(
    st.lists(st.none() | st.decimals(min_value=0, max_value=9, places=2), min_size=2, max_size=5),
    st.none() | st.decimals(min_value="0.01", max_value=9, places=2),
    st.sampled_from(Strategy),
)
def test_nobody_is_chosen_who_is_known_to_cost_too_much(
    prices: list[Decimal | None], limit: Decimal | None, strategy: Strategy
) -> None:
    settings = [ProviderSettings(id=f"p{place}", price=price) for place, price in enumerate(prices)]
    story = given(policy_for(*settings, strategy=strategy))
    order = story.decides(**US_WA, max_price=limit).order
    affordable = [one for one in settings if limit is None or one.price is None or one.price <= limit]
    assert set(order) == {one.id for one in affordable}
    if strategy is Strategy.CHEAPEST and order:
        assert (story.standing.policy.by_id[order[0]].price or 0) == min(one.price or 0 for one in affordable)


@pytest.mark.parametrize(
    ("costs", "each"),
    [(["0.10", "0.20"], "0.15"), (["1", "1", "2"], "1.33333333"), ([None, "0.3"], "0.3"), ([None], None)],
)
def test_the_cost_per_success_is_over_those_that_told_it(costs: list[str | None], each: str | None) -> None:
    totals = given(policy_for("a")).standing.totals
    for cost in costs:
        if cost is not None:
            totals.charged("a", Decimal(cost))
    assert totals.cost_per_success("a") == (None if each is None else Decimal(each))


def test_what_is_no_sum_of_money_is_no_cost() -> None:
    totals = given(policy_for("a")).standing.totals
    totals.charged("a", Decimal("1e900"))
    assert totals.cost_per_success("a") is None
