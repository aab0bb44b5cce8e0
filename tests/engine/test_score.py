"""The score: term by term, at every boundary, and how ties are broken."""

import pytest
from given import MS, Story, fails, given, policy_for, succeeds
from hypothesis import given as for_all
from hypothesis import strategies as st

from understudy.engine import score
from understudy.events.decisions import Candidate
from understudy.events.policy import ProviderSettings
from understudy.events.vocabulary import FailureKind

TRANSIENT = fails(FailureKind.TRANSIENT)
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def terms(one: Candidate) -> tuple[int, int, int, int]:
    """Rate, speed, stock and recency in whole points."""
    return tuple(  # type: ignore[return-value]
        points // 1_000 for points in (one.rate_points, one.speed_points, one.stock_points, one.recency_points)
    )


def alone(**settings: object) -> Story:
    """One provider whose circuit stays closed."""
    return given(policy_for("a", max_failures=1_000, **settings))


def test_what_is_unknown_is_favourable() -> None:
    one = given(policy_for("a")).sees("a")
    assert terms(one) == (100, 10, 0, 5)
    assert (one.score, one.success_bp, one.average_us, one.stock) == (115_000, None, None, None)


@pytest.mark.parametrize(("good", "bad", "points"), [(1, 0, 100), (0, 1, 0), (19, 1, 95), (2, 1, 66), (1, 199, 0)])
def test_the_first_term_is_the_success_rate(good: int, bad: int, points: int) -> None:
    story = alone().serves("a", succeeds(), times=good).serves("a", TRANSIENT, times=bad)
    shown = min(100, good + bad)
    if good + bad <= 100:
        assert story.sees("a").success_bp == good * 10_000 // shown
    assert terms(story.sees("a"))[0] == points


def test_the_rate_looks_at_the_last_hundred_calls_only() -> None:
    story = alone().serves("a", TRANSIENT, times=50).serves("a", succeeds(), times=100)
    assert terms(story.sees("a"))[0] == 100


def test_the_rate_is_kept_to_a_thousandth_of_a_point() -> None:
    assert alone().serves("a", succeeds(), succeeds(), TRANSIENT).sees("a").rate_points == 66_666


@pytest.mark.parametrize(("average_ms", "points"), [(1_999, 10), (2_000, 0), (5_000, 0), (5_001, -10)])
def test_the_second_term_is_the_average_response(average_ms: int, points: int) -> None:
    story = alone(request_timeout_ms=9_000)
    call = story.starts("a", deadline_at_us=story.now_us + 9_000 * MS)
    assert terms(story.ends(call, succeeds(after_ms=average_ms)).sees("a"))[1] == points


@pytest.mark.parametrize(("average_us", "points"), [(1_999_999, 10), (2_000_000, 0), (5_000_000, 0), (5_000_001, -10)])
def test_the_second_term_turns_at_the_microsecond(average_us: int, points: int) -> None:
    assert score.speed_points(average_us) == points * score.POINT


def test_the_average_counts_successes_and_time_outs_at_their_limit() -> None:
    story = alone().serves("a", succeeds(after_ms=1_000), TRANSIENT, fails(FailureKind.TIMED_OUT))
    assert story.sees("a").average_us == 3_000_000


@pytest.mark.parametrize(("units", "points"), [(1, -10), (9, -10), (10, 0), (100, 0), (101, 10)])
def test_the_third_term_is_the_stock(units: int, points: int) -> None:
    one = alone().serves("a", succeeds(stock=units), operation="stock").sees("a")
    assert (terms(one)[2], one.stock) == (points, units)


def test_a_stock_too_old_to_say_anything_counts_as_unknown() -> None:
    story = alone(stock_ttl_ms=1_000).serves("a", succeeds(stock=5), operation="stock").later(ms=1_000)
    assert (terms(story.sees("a"))[2], story.sees("a").stock) == (0, None)


@pytest.mark.parametrize(("age_ms", "points"), [(0, 5), (HOUR_MS - 1, 5), (HOUR_MS, 0), (DAY_MS, 0), (DAY_MS + 1, -10)])
def test_the_fourth_term_is_the_age_of_the_last_success(age_ms: int, points: int) -> None:
    story = alone(stale_after_ms=10 * DAY_MS).serves("a", succeeds()).later(ms=age_ms)
    assert terms(story.sees("a"))[3] == points


def test_a_provider_never_successful_has_no_old_success() -> None:
    assert terms(alone().serves("a", TRANSIENT).sees("a")) == (0, 10, 0, 5)


def test_a_lane_unused_for_a_day_is_unknown_again() -> None:
    story = alone().serves("a", fails(FailureKind.TIMED_OUT), times=3).later(ms=DAY_MS - 1)
    assert terms(story.sees("a"))[0] == 0
    assert terms(story.later(ms=1).sees("a")) == (100, 10, 0, 5)
    assert story.sees("a").degraded is None


def test_the_score_is_the_sum_of_its_terms_unclamped() -> None:
    story = alone().serves("a", succeeds(stock=500), operation="stock").serves("a", succeeds())
    one = story.sees("a")
    assert one.score == one.rate_points + one.speed_points + one.stock_points + one.recency_points == 125_000


@for_all(st.integers(min_value=-40_000, max_value=140_000))
def test_people_see_a_score_from_nothing_to_a_hundred_points(points: int) -> None:
    assert 0 <= score.shown(points) <= 100_000
    assert score.shown(points) == points or not 0 <= points <= 100_000


# --- by score


def test_the_better_score_comes_first() -> None:
    story = given(policy_for("a", "b")).serves("a", *[succeeds()] * 39, TRANSIENT).serves("b", succeeds())
    assert story.decides().order == ("b", "a")


def test_scores_above_a_hundred_still_differ_in_rank() -> None:
    story = given(policy_for("a", "b")).serves("b", succeeds(stock=101), operation="stock")
    assert story.decides().order == ("b", "a")
    assert min(story.sees("a").score, story.sees("b").score) > 100_000


def priced(**prices: object) -> list[ProviderSettings]:
    return [ProviderSettings.model_validate({"id": name, "price": price}) for name, price in prices.items()]


def test_equal_scores_are_ordered_by_price() -> None:
    assert given(policy_for(*priced(a=3, b=1, c=2))).decides().order == ("b", "c", "a")


def test_an_unknown_price_counts_as_favourable() -> None:
    assert given(policy_for(*priced(a=1, b=None, c="0.5"))).decides().order == ("b", "c", "a")


def test_equal_prices_are_ordered_by_average_response() -> None:
    story = given(policy_for(*priced(a=1, b=1))).serves("a", succeeds(after_ms=300)).serves("b", succeeds(after_ms=200))
    assert story.decides().order == ("b", "a")


def test_price_goes_before_average_response_and_score_before_price() -> None:
    story = given(policy_for(*priced(a=1, b=2, c=9))).serves("a", succeeds(after_ms=900))
    story.serves("b", succeeds(after_ms=100)).serves("c", succeeds(stock=101), operation="stock")
    assert story.decides().order == ("c", "a", "b")


def test_what_is_equal_in_all_keeps_the_configured_order() -> None:
    assert given(policy_for("c", "a", "b")).decides().order == ("c", "a", "b")
