"""The decision: from the standing, the request, one clock reading and one draw to a plan with all its reasons."""

from typing import Final

from understudy.engine.assess import Assessment, assess
from understudy.engine.eligibility import asking
from understudy.engine.strategies import MILLION, Order, order
from understudy.events.decisions import Candidate, DecisionMade
from understudy.events.requests import RequestAccepted
from understudy.projections.standing import Standing

RULES_VERSION: Final = 1
"""Changes when a rule does: golden decision digests force it. Decisions of another version are not recomputed."""


def decide(
    standing: Standing, accepted: RequestAccepted, *, tried: tuple[str, ...], now_us: int, draw: int
) -> DecisionMade:
    """Who is asked next, and in which order the others would be."""
    policy = standing.policy
    asked = asking(standing, accepted, tried=tried, now_us=now_us)
    assessed = [assess(standing, settings, asked, place) for place, settings in enumerate(policy.providers)]
    eligible = [one for one in assessed if one.verdict.eligible]
    if not eligible:
        return _decision(standing, accepted, assessed, Order([], {}), draw=draw, tier=None, pinned=False)
    tier = min(one.settings.priority for one in eligible)
    arranged = order(
        [one for one in eligible if one.settings.priority == tier],
        policy,
        draw=draw,
        effect=accepted.effect,
        last_first=standing.last_first.get(tier),
        first_try=not tried,
    )
    arranged, pinned = _pin(arranged, eligible, accepted.preferred or policy.preferred_provider)
    if not policy.fallback_enabled:
        arranged = Order(arranged.ranked[:1], arranged.propensities_ppm, explored=arranged.explored)
    return _decision(standing, accepted, assessed, arranged, draw=draw, tier=int(tier), pinned=pinned)


def _pin(arranged: Order, eligible: list[Assessment], preferred: str | None) -> tuple[Order, bool]:
    """The preferred provider goes first whenever it is eligible, whatever its tier."""
    chosen = next((one for one in eligible if one.settings.id == preferred), None)
    if chosen is None:
        return arranged, False
    rest = [one for one in arranged.ranked if one is not chosen]
    return Order([chosen, *rest], {chosen.settings.id: MILLION}), True


def _decision(
    standing: Standing,
    accepted: RequestAccepted,
    assessed: list[Assessment],
    arranged: Order,
    *,
    draw: int,
    tier: int | None,
    pinned: bool,
) -> DecisionMade:
    ids = tuple(one.settings.id for one in arranged.ranked)
    ranks = {provider: rank for rank, provider in enumerate(ids, start=1)}
    chances = arranged.propensities_ppm
    return DecisionMade(
        request_id=accepted.request_id,
        provider=ids[0] if ids else None,
        strategy=standing.policy.strategy,
        draw=draw,
        tier=tier,
        explored=arranged.explored,
        pinned=pinned,
        order=ids,
        candidates=tuple(
            Candidate(
                provider=one.settings.id,
                tier=int(one.settings.priority),
                verdict=one.verdict.name,
                until_us=one.verdict.until_us,
                degraded=one.degraded,
                score=one.score,
                rate_points=one.rate_points,
                speed_points=one.speed_points,
                stock_points=one.stock_points,
                recency_points=one.recency_points,
                success_bp=one.success_bp,
                average_us=one.average_us,
                expected_us=one.expected_us,
                stock=one.stock,
                used_60s=one.used_60s,
                propensity_ppm=chances.get(one.settings.id, 0),
                rank=ranks.get(one.settings.id),
            )
            for one in assessed
        ),
    )
