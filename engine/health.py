"""How providers stand, in three words and a score: the same rules as decisions use, for people."""

from dataclasses import dataclass
from enum import StrEnum

from understudy.engine import eligibility, score
from understudy.engine.assess import assess
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import Effect
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


def health(standing: Standing, now_us: int) -> list[ProviderHealth]:
    """Every provider of the policy, in configured order, as a request without context would find it."""
    anybody = RequestAccepted(request_id="", operation="", effect=Effect.READ, deadline_at_us=now_us)
    asked = eligibility.asking(standing, anybody, tried=(), now_us=now_us)
    found = []
    for settings in standing.policy.providers:
        one = assess(standing, settings, asked)
        record = standing.providers.get(settings.id)
        if one.verdict in _UNAVAILABLE:
            status = Status.UNAVAILABLE
        else:
            status = Status.DEGRADED if one.degraded else Status.HEALTHY
        found.append(
            ProviderHealth(
                provider=settings.id,
                tier=int(settings.priority),
                status=status,
                verdict=one.verdict,
                until_us=one.until_us,
                degraded=one.degraded,
                score=score.shown(one.score),
                success_bp=one.success_bp,
                average_us=one.average_us,
                in_flight=record.in_flight if record else 0,
            )
        )
    return found
