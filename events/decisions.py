"""What was decided, and all that it was decided on."""

from dataclasses import dataclass
from typing import ClassVar

from understudy.events.fact import Fact
from understudy.events.vocabulary import Strategy


@dataclass(slots=True, kw_only=True)
class Candidate:  # Not frozen: five of these are made at every decision, and freezing would triple their cost.
    """One provider as a decision saw it; nobody changes it once the decision is made.

    Shape:  in configured order within `DecisionMade.candidates`. `verdict` is `eligible`, `probe` (half-open, may
            take one request), or the name of the veto; `until_us` tells when a veto with an end will end. `degraded`
            names the missed threshold (`success_rate`, `response_time`), None for a healthy one. `rank` is the place
            in the chosen order from 1, None when not in it. `expected_us` and `used_60s` are there for the strategies
            that read them.
    Units:  score and its terms are thousandths of a point, `propensity_ppm` the chance of having been the first
            choice in parts per million, `success_bp` basis points, `expected_us` the expected time to success in
            microseconds, `stock` units (None: not known), `used_60s` calls started in the last minute.
    """

    provider: str
    tier: int
    verdict: str
    until_us: int | None = None
    degraded: str | None = None
    score: int
    rate_points: int
    speed_points: int
    stock_points: int
    recency_points: int
    success_bp: int | None = None
    average_us: int | None = None
    expected_us: int | None = None
    stock: int | None = None
    used_60s: int | None = None
    propensity_ppm: int = 0
    rank: int | None = None


class DecisionMade(Fact):
    """Who is asked, in which order, and why: a pure function of the standing, the policy, the request, now and `draw`.

    Shape:  `order` is the plan, `provider` its first (None when nobody is eligible). `explored` tells that the first
            was drawn for exploration. The event's own `at_us` is the `now` of the decision, its seq tells what it
            knew.
    Units:  `draw` is an integer below 2^31.
    """

    kind: ClassVar[str] = "decision_made.v1"
    request_id: str
    provider: str | None = None
    strategy: Strategy
    draw: int
    tier: int | None = None
    explored: bool = False
    pinned: bool = False
    order: tuple[str, ...]
    candidates: tuple[Candidate, ...]
