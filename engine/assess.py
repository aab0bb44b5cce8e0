"""What a decision knows of one provider: its verdict, its score term by term, and what the strategy compares."""

from understudy.engine import score
from understudy.engine.eligibility import Asking, known_stock, verdict
from understudy.events.decisions import Candidate
from understudy.events.policy import ProviderSettings
from understudy.events.vocabulary import Strategy
from understudy.projections import lane_step as lane
from understudy.projections.standing import Standing

SUCCESS_RATE = "success_rate"
RESPONSE_TIME = "response_time"

_MISSED = {lane.NOT_DEGRADED: None, lane.BY_SUCCESS_RATE: SUCCESS_RATE, lane.BY_RESPONSE_TIME: RESPONSE_TIME}

_FULL = 100 * score.POINT
_FAST = 10 * score.POINT
_RECENT = 5 * score.POINT


def assess(standing: Standing, settings: ProviderSettings, asked: Asking) -> Candidate:
    """Look a provider up in the standing; rank and propensity are left for the order to fill in."""
    index = standing.serving_lane(settings.id, asked.context)
    name, until_us = verdict(standing, settings, asked, index)
    stock = known_stock(standing, settings, asked) if standing.stock else None
    stock_points = score.stock_points(stock)
    found = Candidate(
        provider=settings.id,
        tier=int(settings.priority),
        verdict=name,
        until_us=until_us,
        score=_FULL + _FAST + _RECENT + stock_points,
        rate_points=_FULL,
        speed_points=_FAST,
        stock_points=stock_points,
        recency_points=_RECENT,
        stock=stock,
    )
    if index is not None:
        _read_lane(standing, found, index, asked.now_us)
    return found


def _read_lane(standing: Standing, found: Candidate, index: int, now_us: int) -> None:
    """Fill in what the record says, as far as it still says anything."""
    policy, lanes = standing.policy, standing.lanes
    state, base = lanes.state, lanes.base(index)
    if policy.strategy is Strategy.LEAST_USED:
        found.used_60s = lane.recent(state, base + lane.USED, now_us)
    if not lane.known(state, base, lanes.params[index], now_us):
        return
    found.success_bp = score.success_bp(state, base)
    found.average_us = average_us = score.average_us(state, base)
    if policy.strategy is Strategy.FASTEST:
        found.expected_us = score.expected_us(state, base)
    found.rate_points = rate = score.rate_points(state, base)
    found.speed_points = speed = score.speed_points(average_us)
    found.recency_points = recency = score.recency_points(state[base + lane.LAST_SUCCESS_US], now_us)
    found.score = rate + speed + recency + found.stock_points
    if not lane.rested(state, base, lanes.params[index], now_us):
        found.degraded = _MISSED[lane.degraded(state, base, lanes.params[index])]
