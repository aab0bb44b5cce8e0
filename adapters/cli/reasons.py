"""Why a provider is not simply healthy, in words, and until when."""

from collections.abc import Mapping, Sequence
from typing import Final

from understudy.adapters.cli.instants import iso, span
from understudy.adapters.cli.output import plain
from understudy.engine import assess, eligibility, wares
from understudy.engine.health import ProviderHealth
from understudy.events.policy import Policy
from understudy.projections import lane_step as lane
from understudy.projections.standing import Standing
from understudy.projections.views import LaneView, ProviderView

_VETOES: Final[Mapping[str, str]] = {
    eligibility.PROBE: "its circuit lets one request probe",
    eligibility.NEEDS_PING: "its circuit waits for a successful ping",
    eligibility.PROBING: "its circuit waits for a probe under way",
    eligibility.PINGS_FAIL: "its pings fail",
    eligibility.MISCONFIGURED: "our key or account there is wrong",
    eligibility.UNFUNDED: "our account there lacks funds",
    eligibility.THROTTLED: "it asked us to wait",
    eligibility.SLOW_START: "it has asked us to wait, and is asked more again step by step",
    eligibility.RATE_LIMIT: "our rate limit for it is used up",
    eligibility.IN_FLIGHT: "as many calls as allowed are under way there",
    eligibility.GLOBAL_RATE_LIMIT: "our global rate limit is used up",
    eligibility.GLOBAL_IN_FLIGHT: "as many calls as allowed are under way",
    wares.FREE_PRICE_OFF: "it sells to the highest bid, which is not enabled",
    wares.NO_BID: "it sells to the highest bid, and is asked where a caller names one",
    wares.TOO_EXPENSIVE: "it costs more than the caller pays",
    wares.OUT_OF_STOCK: "it has nothing in stock",
    eligibility.BOUND_ELSEWHERE: "the request is about something that another one has given",
}


def reason(judged: ProviderHealth, seen: ProviderView, standing: Standing, *, now_us: int) -> str:
    """The reason with its end, nothing for a healthy provider that may be asked about every pair."""
    told = [_missed(judged.degraded, standing.policy)] if judged.degraded else []
    if not told and (missed := rested(standing, judged.provider, now_us=now_us)):
        told = [f"{_missed(missed, standing.policy)} until it rested, and no longer counted as degraded"]
    told += _vetoed(judged, seen)
    if told and judged.verdict not in eligibility.OPEN_ENDED:
        told[-1] += _end(judged.until_us, now_us)
    return "; ".join([*told, *_confined(seen, now_us)])


def _end(until_us: int | None, now_us: int) -> str:
    return (
        f", until {iso(until_us)} (in {span(until_us - now_us)})" if until_us is not None and until_us > now_us else ""
    )


def _confined(seen: ProviderView, now_us: int) -> list[str]:
    """For which pairs it is in quarantine; for all others it may be as healthy as can be."""
    return [
        f"in quarantine for {plain(one.pair)}" + (_end(one.until_us, now_us) or ", until it is released")
        for one in seen.quarantines
    ]


def circuit_of(judged: ProviderHealth, lanes: Sequence[LaneView]) -> str:
    """The state of a provider's circuit; with several lanes, how many are not closed."""
    if judged.verdict in {eligibility.FORCED_OPEN, eligibility.DRAINED}:
        return "forced open" if judged.verdict == eligibility.FORCED_OPEN else "drained"
    states = [lane.circuit for lane in lanes] or ["closed"]
    if len(set(states)) == 1:
        return states[0].replace("_", " ")
    return f"{sum(state != 'closed' for state in states)} of {len(states)} not closed"


def rested(standing: Standing, provider: str, *, now_us: int) -> str | None:
    """The threshold that a provider misses by its figures, while decisions overlook that: it was left alone meanwhile.

    A degraded provider gets its turn again after as long a rest as an open circuit's; its next outcome begins anew.
    """
    lanes = standing.lanes
    for _, index in lanes.serving(provider):
        state, base, params = lanes.state, lanes.base(index), lanes.params[index]
        if lane.known(state, base, params, now_us) and lane.rested(state, base, params, now_us):
            missed = lane.degraded(state, base, params)
            if missed != lane.NOT_DEGRADED:
                return assess.SUCCESS_RATE if missed == lane.BY_SUCCESS_RATE else assess.RESPONSE_TIME
    return None


def _missed(threshold: str, policy: Policy) -> str:
    match threshold:
        case assess.SUCCESS_RATE:
            return f"success rate below {policy.min_success_rate} %"
        case assess.RESPONSE_TIME:
            return f"average response above {policy.max_response_time_ms:,} ms"
        case other:
            return other.replace("_", " ")


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
