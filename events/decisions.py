"""What was decided, and all that it was decided on."""

from dataclasses import dataclass
from typing import ClassVar

from understudy.events.fact import Fact
from understudy.events.vocabulary import Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One provider as a decision saw it. In configured order within `DecisionMade.candidates`.

    Shape:  `verdict` is `eligible`, `probe` (half-open, may take one request), or the name of the veto; `until_us`
            tells when a veto with an end will end. `degraded` names the missed threshold (`success_rate`,
            `response_time`), None for a healthy one. `rank` is the place in the chosen order from 1, None when not in it.
    Units:  score and its terms are thousandths of a point, `propensity_ppm` the chance of having been the first
            choice in parts per million, rates basis points, `in_flight` calls, `expected_us` the expected time to
            success in microseconds, `stock` units (None: not known).
    """

    provider: str
    tier: int
    verdict: str
    until_us: int | None = None
    degraded: str | None = None
    score: int | None = None
    rate_points: int | None = None
    speed_points: int | None = None
    stock_points: int | None = None
    recency_points: int | None = None
    success_bp: int | None = None
    average_us: int | None = None
    expected_us: int | None = None
    stock: int | None = None
    used_60s: int = 0
    propensity_ppm: int = 0
    rank: int | None = None


class DecisionMade(Fact):
    """Who is asked, in which order, and why: a pure function of the standing, the policy, the request, now and `draw`.

    Shape:  `order` is the plan, `provider` its first (None when nobody is eligible). `explored` tells that the first was
            drawn for exploration. The event's own `at_us` is the `now` of the decision, its seq tells what it knew.
    Units:  `draw` is an integer below 2^31.
    """

    kind: ClassVar[str] = "decision_made.v1"
    request_id: str
    provider: str | None
    strategy: Strategy
    draw: int
    tier: int | None
    explored: bool = False
    pinned: bool = False
    order: tuple[str, ...]
    candidates: tuple[Candidate, ...]
