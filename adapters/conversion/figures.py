"""A converter in figures: how much went through which service, and how every service stands, derived from the log."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from understudy.engine.health import ProviderHealth, Status
from understudy.events.names import did_you_mean_setting, snake_case
from understudy.events.policy import ProviderSettings
from understudy.projections.lanes import CIRCUITS
from understudy.projections.standing import Standing
from understudy.projections.views import LaneView, ProviderView, provider_view

_SERVING = "serve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """What has been done, over the whole log.

    Shape:  `service_usage` counts the conversions that each service has done; `failovers` the conversions that another
            service served than the first who was tried. `healthy_services` are those that may be asked now. Each can be
            read under the documents' key, too: `stats["totalConversions"]`.
    Units:  `average_response_time_ms` is over the calls that services' records remember, each of two parts for itself;
            None without any.
    """

    total_conversions: int
    service_usage: Mapping[str, int]
    failovers: int
    average_response_time_ms: int | None
    healthy_services: int

    def keys(self) -> list[str]:
        """The names of all figures, so that `dict(stats)` has them."""
        return [one.name for one in fields(self)]

    def __getitem__(self, key: str) -> Any:
        """A figure under its own name, or as the documents spell it."""
        known = self.keys()
        name = snake_case(key)
        name = name if name in known else f"{name}_ms"
        if name not in known:
            raise KeyError(f"there is no figure {key!r}{did_you_mean_setting(key, known)}")
        return getattr(self, name)


def stats(standing: Standing, health: list[ProviderHealth], *, now_us: int) -> Stats:
    """The figures at an instant."""
    lanes = {one.provider: _serving(provider_view(standing, one.provider, now_us=now_us)) for one in health}
    return Stats(
        total_conversions=standing.totals.completed,
        service_usage={name: standing.totals.served.get(name, 0) for name in lanes},
        failovers=standing.totals.failovers,
        average_response_time_ms=_average([lane for its in lanes.values() for lane in its]),
        healthy_services=_available(health),
    )


def status(standing: Standing, health: list[ProviderHealth], *, now_us: int) -> dict[str, Any]:
    """The same, service by service, in the shape of the documents' `/api/v1/multi-service/status`.

    Shape:  `totalRequests` counts the conversions that a service was chosen for, be they in two parts; its rate and its
            time are those of calls. `quarantines` tells until when its quotes of a pair do not count; None: until
            an operator releases it.
    Units:  rates are fractions, times milliseconds, instants milliseconds since 1970; None for what is not known.
    """
    settings = standing.policy.by_id
    return {
        "services": {one.provider: _service(one, settings[one.provider], standing, now_us=now_us) for one in health},
        "healthyServices": _available(health),
        "totalConversions": standing.totals.completed,
        "failovers": standing.totals.failovers,
        "loadBalancing": standing.policy.strategy.value.replace("_", "-"),
    }


def _service(judged: ProviderHealth, settings: ProviderSettings, standing: Standing, *, now_us: int) -> dict[str, Any]:
    """One service; that it could not be asked for a quote is a failure of its, too."""
    seen = provider_view(standing, judged.provider, now_us=now_us)
    asked = [lane for lane in seen.lanes if lane.operation_class in CIRCUITS]
    last_failure_us = max((lane.last_failure_us for lane in asked), default=0)
    return {
        "available": judged.status is not Status.UNAVAILABLE,
        "priority": int(settings.priority),
        "weight": float(settings.weight),
        "totalRequests": standing.totals.chosen.get(judged.provider, 0),
        "successRate": None if judged.success_bp is None else judged.success_bp / 10_000,
        "averageResponseTime": _average(_serving(seen)),
        "failures": max((lane.streak for lane in asked), default=0),
        "lastFailure": last_failure_us // 1000 or None,
        "quarantines": {one.pair: one.until_us and one.until_us // 1000 for one in seen.quarantines},
    }


def _serving(seen: ProviderView) -> list[LaneView]:
    """The records of a service's conversions: one, unless the policy splits them."""
    return [lane for lane in seen.lanes if lane.operation_class == _SERVING]


def _average(lanes: list[LaneView]) -> int | None:
    """The mean response time over several records, each as heavy as what it remembers."""
    known = [(lane.average_ms, lane.count) for lane in lanes if lane.average_ms is not None and lane.count]
    calls = sum(count for _, count in known)
    return round(sum(average_ms * count for average_ms, count in known) / calls) if calls else None


def _available(health: list[ProviderHealth]) -> int:
    return sum(one.status is not Status.UNAVAILABLE for one in health)
