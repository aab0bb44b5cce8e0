"""Why a provider is not simply healthy, in words, and until when."""

from collections.abc import Mapping, Sequence
from typing import Final

from understudy.adapters.cli.instants import iso, span
from understudy.adapters.cli.output import plain
from understudy.engine import eligibility
from understudy.engine.health import ProviderHealth
from understudy.events.policy import Policy
from understudy.projections.views import LaneView, ProviderView

_VETOES: Final[Mapping[str, str]] = {
    eligibility.PROBE: "its circuit lets one request probe",
    eligibility.NEEDS_PING: "its circuit waits for a successful ping",
    eligibility.PROBING: "its circuit waits for a probe under way",
    eligibility.PINGS_FAIL: "its pings fail",
    eligibility.MISCONFIGURED: "our key or account there is wrong",
    eligibility.UNFUNDED: "our account there lacks funds",
    eligibility.THROTTLED: "it asked us to wait",
    eligibility.RATE_LIMIT: "our rate limit for it is used up",
    eligibility.IN_FLIGHT: "as many calls as allowed are under way there",
    eligibility.GLOBAL_RATE_LIMIT: "our global rate limit is used up",
    eligibility.GLOBAL_IN_FLIGHT: "as many calls as allowed are under way",
    eligibility.OUT_OF_STOCK: "it has nothing in stock",
}


def reason(judged: ProviderHealth, seen: ProviderView, policy: Policy, *, now_us: int) -> str:
    """The reason with its end, nothing for a healthy provider that may be asked."""
    told = [*_degraded(judged, policy), *_vetoed(judged, seen)]
    if not told:
        return ""
    until = judged.until_us
    end = f", until {iso(until)} (in {span(until - now_us)})" if until is not None and until > now_us else ""
    return "; ".join(told) + end


def circuit_of(judged: ProviderHealth, lanes: Sequence[LaneView]) -> str:
    """The state of a provider's circuit; with several lanes, how many are not closed."""
    if judged.verdict in {eligibility.FORCED_OPEN, eligibility.DRAINED}:
        return "forced open" if judged.verdict == eligibility.FORCED_OPEN else "drained"
    states = [lane.circuit for lane in lanes] or ["closed"]
    if len(set(states)) == 1:
        return states[0].replace("_", " ")
    return f"{sum(state != 'closed' for state in states)} of {len(states)} not closed"


def _degraded(judged: ProviderHealth, policy: Policy) -> list[str]:
    match judged.degraded:
        case None:
            return []
        case "success_rate":
            return [f"success rate below {policy.min_success_rate} %"]
        case "response_time":
            return [f"average response above {policy.max_response_time_ms:,} ms"]
        case other:
            return [other.replace("_", " ")]


def _vetoed(judged: ProviderHealth, seen: ProviderView) -> list[str]:
    if judged.verdict == eligibility.ELIGIBLE:
        return [f"forced closed by {plain(seen.forced.actor)}: {plain(seen.forced.reason)}"] if seen.forced else []
    if judged.verdict == eligibility.CIRCUIT_OPEN:
        streak = max((lane.streak for lane in seen.lanes), default=0)
        return [f"circuit open after {streak} failed requests in a row" if streak > 1 else "circuit open"]
    if seen.forced is not None and judged.verdict in {eligibility.FORCED_OPEN, eligibility.DRAINED}:
        verb = "forced open" if judged.verdict == eligibility.FORCED_OPEN else "drained"
        return [f"{verb} by {plain(seen.forced.actor)}: {plain(seen.forced.reason)}"]
    return [_VETOES.get(judged.verdict, judged.verdict.replace("_", " "))]
