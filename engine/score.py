"""What a lane's record is worth at an instant: scalar functions over the flat state, integers only.

Unknown counts as favourable: a provider never called, or not for `stale_after_ms`, is taken to be well, fast and
recent.
"""

from typing import Final

from understudy.projections import lane_step as lane
from understudy.projections.lane_step import Words

POINT: Final = 1_000
"""Scores are thousandths of a point."""
FAST_US: Final = 2_000_000
SLOW_US: Final = 5_000_000
PLENTY: Final = 100
SCARCE: Final = 10
HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US


def terms(state: Words, base: int, now_us: int) -> tuple[int, int, int, int, int]:
    """What the window is worth: success rate in basis points, average in microseconds, points of rate, speed, recency.

    The average is over successes, and timed-out calls at their limit; 0 without any. One function, not five: this is
    asked at every decision.
    """
    count, successes, timed = state[base + lane.COUNT], state[base + lane.SUCCESSES], state[base + lane.TIMED]
    average_us = state[base + lane.TIMED_LATENCY_US] // timed if timed else 0
    return (
        successes * 10_000 // count,
        average_us,
        successes * (100 * POINT) // count,
        speed_points(average_us),
        recency_points(state[base + lane.LAST_SUCCESS_US], now_us),
    )


def expected_us(state: Words, base: int) -> int:
    """The expected time to a success, the failed tries before it included."""
    successes = state[base + lane.SUCCESSES]
    own = state[base + lane.SUCCESS_LATENCY_US] // successes if successes else 0
    return own + state[base + lane.FAILURE_LATENCY_US] // (successes + 1)


def speed_points(average: int) -> int:
    """Ten points up for an average under two seconds, ten down for one over five."""
    if average < FAST_US:
        return 10 * POINT
    return -10 * POINT if average > SLOW_US else 0


def stock_points(units: int) -> int:
    """Ten points up for plenty, ten down for scarce."""
    if units > PLENTY:
        return 10 * POINT
    return -10 * POINT if units < SCARCE else 0


def recency_points(last_success_us: int, now_us: int) -> int:
    """Five points up for a success within the hour, ten down for none within a day; never called counts as recent."""
    if last_success_us == 0 or now_us - last_success_us < HOUR_US:
        return 5 * POINT
    return -10 * POINT if now_us - last_success_us > DAY_US else 0


def shown(score: int) -> int:
    """A score as people see it: 0 to 100 points."""
    return max(0, min(100 * POINT, score))
