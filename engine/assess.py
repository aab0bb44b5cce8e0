"""What a decision knows of one provider: its verdict, its score term by term, and what strategies compare."""

from dataclasses import dataclass
from decimal import Decimal

from understudy.engine import score
from understudy.engine.eligibility import Asking, Verdict, known_stock, verdict
from understudy.events.policy import Policy, ProviderSettings
from understudy.projections import lane_step as lane
from understudy.projections.standing import Standing

SUCCESS_RATE = "success_rate"
RESPONSE_TIME = "response_time"


@dataclass(frozen=True, slots=True)
class Assessment:
    """One provider at the instant of a decision. Units as in `events.decisions.Candidate`; `place` is its configured order."""

    settings: ProviderSettings
    place: int
    verdict: Verdict
    degraded: str | None
    rate_points: int
    speed_points: int
    stock_points: int
    recency_points: int
    success_bp: int | None
    average_us: int | None
    expected_us: int | None
    stock: int | None
    used_60s: int

    @property
    def score(self) -> int:
        """The sum of the terms, unclamped."""
        return self.rate_points + self.speed_points + self.stock_points + self.recency_points

    @property
    def price(self) -> Decimal:
        """The usual price; unknown counts as favourable."""
        return self.settings.price or Decimal(0)


def assess(standing: Standing, settings: ProviderSettings, asked: Asking, place: int) -> Assessment:
    """Look a provider up in the standing."""
    index = standing.serving_lane(settings.id, asked.context)
    judged = verdict(standing, settings, asked, index)
    stock = known_stock(standing, settings, asked) if standing.stock else None
    rate_points, speed_points = 100 * score.POINT, 10 * score.POINT
    recency = 5 * score.POINT
    success_bp = average_us = expected_us = degraded = None
    used = 0
    if index is not None:
        state, base, params = standing.lanes.state, standing.lanes.base(index), standing.lanes.params[index]
        used = lane.recent(state, base + lane.USED, asked.now_us)
        if lane.known(state, base, params, asked.now_us):
            success_bp = score.success_bp(state, base)
            average_us = score.average_us(state, base)
            expected_us = score.expected_us(state, base)
            rate_points = score.rate_points(state, base)
            recency = score.recency_points(state[base + lane.LAST_SUCCESS_US], asked.now_us)
            speed_points = score.speed_points(average_us)
            degraded = missed_threshold(standing.policy, success_bp=success_bp, average_us=average_us)
    return Assessment(
        settings,
        place,
        judged,
        degraded,
        rate_points,
        speed_points,
        score.stock_points(stock),
        recency,
        success_bp,
        average_us,
        expected_us,
        stock,
        used,
    )


def missed_threshold(policy: Policy, *, success_bp: int, average_us: int) -> str | None:
    """The threshold that makes a provider degraded; None for a healthy one."""
    if success_bp < policy.min_success_rate * 100:
        return SUCCESS_RATE
    return RESPONSE_TIME if average_us > policy.max_response_time_ms * 1000 else None
