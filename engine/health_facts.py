"""What a standing says of a provider's health, as plain facts: what it takes to tell at any later instant how it is.

Instants and counts, and no judgement that time alone could change: whoever reads them (`provider_health` in SQL, by
another process, on an idle system) asks what they mean now. It must come to what `engine.health` says at that instant.
"""

from collections.abc import Collection, Iterable
from json import dumps
from typing import Any, Final

from understudy.engine import score
from understudy.engine.assess import MISSED
from understudy.engine.eligibility import pings_fail
from understudy.events.policy import ProviderSettings
from understudy.projections import lane_step as lane
from understudy.projections.standing import Standing

Facts = dict[str, Any]

_NO_LANE: Final[tuple[int | None, ...]] = (None,)
_UNTRIED: Final[Facts] = {"opened_us": 0, "open_until_us": 0, "permit_until_us": 0}


def tell(standing: Standing, providers: Collection[str] | None) -> str:
    """The facts of these providers, or of all of the policy, as a JSON list."""
    told = [
        _facts(standing, settings, place)
        for place, settings in enumerate(standing.policy.providers)
        if providers is None or settings.id in providers
    ]
    return dumps(told, separators=(",", ":"))


def _facts(standing: Standing, settings: ProviderSettings, place: int) -> Facts:
    """One provider, `place` in configured order.

    Shape:  `lanes` has its serving lanes, an empty record if there is none yet, and mere counts of those that the
            policy splits no more; `quotes` the circuit of its quotes.
            `pinged_us` is when a ping last succeeded, None if it cannot be pinged. `unfunded_until_us` and
            `throttled_until_us` are when requests may go there again, as far as funds and its own word go.
    """
    lanes, record = standing.lanes, standing.providers[settings.id]
    serving = [index for key, index in lanes.of(settings.id) if key[1] == "serve"]
    judged = [index for _, index in lanes.serving(settings.id)]
    quoting, pings = lanes.find((settings.id, "quote")), lanes.find((settings.id, "ping"))
    told: Facts = {
        "provider": settings.id,
        "place": place,
        "pinged_us": _word(standing, pings, lane.LAST_SUCCESS_US) if settings.has_ping else None,
        "checked_us": _latest(standing, (pings, quoting, *serving), lane.LAST_ENDED_US),
        "success_us": _latest(standing, serving, lane.LAST_SUCCESS_US),
        "failure_us": _latest(standing, serving, lane.LAST_FAILURE_US),
        "trust_ping": standing.policy.trust_ping if settings.trust_ping is None else settings.trust_ping,
        "misconfigured": record.misconfigured_us > 0,
        "unfunded_until_us": record.unfunded_us and record.unfunded_us + standing.policy.recovery_time_ms * 1000,
        "throttled_until_us": record.throttled_until_us,
        "pings_fail": any(pings_fail(standing, settings, index) for index in judged or _NO_LANE),
        "quotes": _UNTRIED if quoting is None else _circuit(standing, quoting),
        "lanes": [_lane(standing, one) if one in judged else _counts(standing, one) for one in serving] or [_UNKNOWN],
    }
    if record.override is not None:
        told["forced"], told["forced_until_us"] = record.override.state.value, record.override.until_us
    return told


def _word(standing: Standing, index: int | None, word: int) -> int:
    return 0 if index is None else standing.lanes.state[standing.lanes.base(index) + word]


def _latest(standing: Standing, indexes: Iterable[int | None], word: int) -> int:
    return max([_word(standing, index, word) for index in indexes], default=0)


def _circuit(standing: Standing, index: int) -> Facts:
    state, base, params = standing.lanes.state, standing.lanes.base(index), standing.lanes.params[index]
    probe_us = state[base + lane.PROBE_US]
    return {
        "opened_us": state[base + lane.OPENED_US],
        "open_until_us": state[base + lane.OPEN_UNTIL_US],
        "permit_until_us": probe_us + params[lane.P_PERMIT_US] if probe_us else 0,
    }


def _lane(standing: Standing, index: int) -> Facts:
    state, base, params = standing.lanes.state, standing.lanes.base(index), standing.lanes.params[index]
    told = {name: state[base + word] for name, word in _WORDS.items()}
    told |= _circuit(standing, index)
    told |= {"stale_us": params[lane.P_STALE_US], "recovery_us": params[lane.P_RECOVERY_US]}
    if state[base + lane.COUNT]:
        # What of these is due to the instant, is asked of the instant: recency, and whether any of it still counts.
        success_bp, average_us, rate_points, speed_points, _ = score.terms(state, base, 0)
        told |= {
            "success_bp": success_bp,
            "average_us": average_us,
            "rate_points": rate_points,
            "speed_points": speed_points,
            "degraded": MISSED[lane.degraded(state, base, params)] is not None,
        }
    return told


def _counts(standing: Standing, index: int) -> Facts:
    base = standing.lanes.base(index)
    return {**_UNKNOWN, **{name: standing.lanes.state[base + word] for name, word in _COUNTS.items()}}


_COUNTS: Final = {
    "succeeded": lane.SUCCEEDED,
    "failed": lane.FAILED,
    "throttled": lane.THROTTLED,
    "declined": lane.DECLINED,
    "abandoned": lane.ABANDONED,
    "retried": lane.RETRIED,
}
_WORDS: Final = {
    **_COUNTS,
    "ended_us": lane.LAST_ENDED_US,
    "success_us": lane.LAST_SUCCESS_US,
    "failure_us": lane.LAST_FAILURE_US,
    "count": lane.COUNT,
    "timed": lane.TIMED,
}
_UNKNOWN: Final[Facts] = {**dict.fromkeys(_WORDS, 0), **_UNTRIED, "stale_us": 0, "recovery_us": 0}
