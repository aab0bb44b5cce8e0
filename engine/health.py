"""How providers stand, in three words and a score: the same rules as decisions use, for people."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from understudy.engine import eligibility, score
from understudy.engine.assess import assess
from understudy.engine.quote_vetoes import QUOTES_FAIL, of_the_circuit
from understudy.events.policy import ProviderSettings
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import Effect
from understudy.projections import lane_step as lane
from understudy.projections.standing import Standing

_UNAVAILABLE = frozenset(
    {
        eligibility.CIRCUIT_OPEN,
        eligibility.NEEDS_PING,
        eligibility.PROBE,
        eligibility.PROBING,
        eligibility.FORCED_OPEN,
        eligibility.DRAINED,
        eligibility.MISCONFIGURED,
        eligibility.PINGS_FAIL,
        QUOTES_FAIL,
    }
)


class Status(StrEnum):
    """A provider's health in one word."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderHealth:
    """One provider at an instant.

    Shape:  `verdict` is what a decision would say of it now (`eligible`, or the veto); `until_us` when that ends.
    Units:  `score` is thousandths of a point, 0 to 100,000; `success_bp` basis points, None without recent calls.
            `cost_per_success` is in the provider's own unit, over the whole log; None if it has told no costs.
    """

    provider: str
    tier: int
    status: Status
    verdict: str
    until_us: int | None
    degraded: str | None
    score: int
    success_bp: int | None
    average_us: int | None
    in_flight: int
    cost_per_success: Decimal | None = None


def health(standing: Standing, now_us: int) -> list[ProviderHealth]:
    """Every provider of the policy, in configured order; where its record is split by context, as its worst lane is."""
    anybody = RequestAccepted(request_id="", operation="", effect=Effect.READ, deadline_at_us=now_us)
    asked = eligibility.asking(standing, anybody, tried=(), since_us=now_us, now_us=now_us)
    found = []
    for settings in standing.policy.providers:
        views = [
            _viewed(standing, settings, asked._replace(context=context, plain=False))
            for context in _contexts(standing, settings.id)
        ]
        found.append(max(views, key=lambda one: (_SEVERITY.index(one.status), -one.score, one.success_bp is not None)))
    return found


def _contexts(standing: Standing, provider: str) -> list[Mapping[str, str | None]]:
    """The contexts that the provider's serving lanes stand for; an empty one if it has none yet."""
    split = standing.policy.lane_by
    return [dict(zip(split, key[3:], strict=True)) for key, _ in standing.lanes.serving(provider)] or [{}]


def _viewed(standing: Standing, settings: ProviderSettings, asked: eligibility.Asking) -> ProviderHealth:
    one = assess(standing, settings, asked)
    quotes_fail = of_the_circuit(standing, settings.id, asked.now_us) if one.eligible else None
    if quotes_fail is not None:
        one.verdict, one.until_us = quotes_fail
    record = standing.providers.get(settings.id)
    status = Status.DEGRADED if one.degraded else Status.HEALTHY
    return ProviderHealth(
        provider=settings.id,
        tier=int(settings.priority),
        status=Status.UNAVAILABLE if one.verdict in _UNAVAILABLE or _is_resting(standing, settings, asked) else status,
        verdict=one.verdict,
        until_us=one.until_us,
        degraded=one.degraded,
        score=score.shown(one.score),
        success_bp=one.success_bp,
        average_us=one.average_us,
        in_flight=record.in_flight if record else 0,
        cost_per_success=standing.totals.cost_per_success(settings.id),
    )


def _is_resting(standing: Standing, settings: ProviderSettings, asked: eligibility.Asking) -> bool:
    """Whether its circuit is not closed, or its pings fail, whichever other veto is named first."""
    index, record = standing.serving_lane(settings.id, asked.context), standing.providers.get(settings.id)
    if record is not None and record.forced(asked.now_us) is not None:
        return False  # What is forced has been told already.
    if eligibility.pings_fail(standing, settings, index):
        return True
    if index is None:
        return False
    lanes = standing.lanes
    return lane.circuit(lanes.state, lanes.base(index), lanes.params[index], asked.now_us) != lane.IS_CLOSED


_SEVERITY = (Status.HEALTHY, Status.DEGRADED, Status.UNAVAILABLE)
