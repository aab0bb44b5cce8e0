"""Who may be asked at all: every veto has a name, and an end where it has one."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from understudy.engine.patience import is_late, needed_us, usual_us
from understudy.engine.quote_vetoes import NOBODY, of_the_quotes
from understudy.engine.wares import of_the_wares
from understudy.events.policy import Policy, ProviderSettings
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import ForcedState, Strategy
from understudy.projections import lane_step as lane
from understudy.projections.provider_record import ProviderRecord
from understudy.projections.standing import Standing, call_context

ELIGIBLE: Final = "eligible"
PROBE: Final = "probe"
"""Eligible as the one probe of a half-open circuit."""
LAST_RESORT: Final = "last_resort"
"""Eligible although its circuit is open, because nobody else is: one at a time, with a pause in between."""

ALREADY_TRIED: Final = "already_tried"
BOUND_ELSEWHERE: Final = "bound_elsewhere"
"""The request is about something that another provider has given."""
FORCED_OPEN: Final = "forced_open"
DRAINED: Final = "drained"
MISCONFIGURED: Final = "misconfigured"
UNFUNDED: Final = "insufficient_funds"
CIRCUIT_OPEN: Final = "circuit_open"
NEEDS_PING: Final = "circuit_half_open_awaits_ping"
PROBING: Final = "circuit_half_open_probe_under_way"
PINGS_FAIL: Final = "pings_fail"
TOO_LATE: Final = "too_late"
"""Less of the request's time is left than a call there needs, as a rule."""
THROTTLED: Final = "throttled"
SLOW_START: Final = "slow_start"
"""Its throttle has ended, and as many requests as may go out for now have gone."""
RATE_LIMIT: Final = "rate_limit"
IN_FLIGHT: Final = "max_in_flight"
GLOBAL_RATE_LIMIT: Final = "global_rate_limit"
GLOBAL_IN_FLIGHT: Final = "global_max_in_flight"

PASSING: Final = frozenset({THROTTLED, SLOW_START, RATE_LIMIT, IN_FLIGHT, GLOBAL_RATE_LIMIT, GLOBAL_IN_FLIGHT})
"""Vetoes about load: when nobody else is left, a request waits for their end, if its deadline allows."""
OUR_LIMITS: Final = PASSING - {THROTTLED, SLOW_START}
"""Those of them that we have set ourselves, and keep to."""
OPEN_ENDED: Final = frozenset({IN_FLIGHT, GLOBAL_IN_FLIGHT})
"""Vetoes that end with some call: what stands as their end is when to look again at the latest."""
QUOTED_BURST: Final = 3
"""Calls that may go at once to whoever gives quotes, unless it is set: a quote, and a conversion in two parts."""
_NO_CONTEXT: Final[Mapping[str, str | None]] = {}
ASK_AGAIN_US: Final = 100_000
"""When to look again after a veto whose end is not known: calls under way at their limit. An end wakes who waits."""


Verdict = tuple[str, int | None]
"""The name of a verdict, and when a veto ends, if that is known."""

_ELIGIBLE: Final[Verdict] = (ELIGIBLE, None)

# An enum's member costs several times a global to look up.
_LEAST_USED: Final = Strategy.LEAST_USED


def is_eligible(verdict_name: str) -> bool:
    """Whether a provider with that verdict may be asked, be it as a probe or for want of others."""
    return verdict_name == ELIGIBLE or verdict_name == PROBE or verdict_name == LAST_RESORT  # noqa: PLR1714 - often asked.


class Asking(NamedTuple):
    """The part of a request that eligibility looks at, with what is the same for every provider."""

    accepted: RequestAccepted
    context: Mapping[str, str | None]
    tried: tuple[str, ...]
    heard: frozenset[str]
    """Those whose quarantine is no veto."""
    now_us: int
    common: Verdict | None
    """A veto of the engine as a whole."""
    late: tuple[int, int] | None
    """How much of its time a late request has left, and how much it had; None for a fresh one."""
    plain: bool
    """Whether nothing but a provider's own record matters: what was made of a lane before may be used again."""


def asking(
    standing: Standing,
    accepted: RequestAccepted,
    *,
    tried: tuple[str, ...],
    since_us: int,
    now_us: int,
    heard: frozenset[str] = NOBODY,
) -> Asking:
    """Everything about the request, accepted at `since_us`, that does not depend on the provider."""
    policy = standing.policy
    context = call_context(accepted) if policy.lane_by else _NO_CONTEXT
    common = None
    if policy.max_calls_per_second is not None or policy.max_in_flight is not None:
        common = _of_the_engine(standing, now_us)
    left_us, total_us = accepted.deadline_at_us - now_us, accepted.deadline_at_us - since_us
    late = (left_us, total_us) if is_late(left_us, total_us) else None
    plain = not (
        policy.lane_by
        or standing.stock
        or common
        or late
        or policy.strategy is _LEAST_USED
        or accepted.quoted
        or accepted.only
        or accepted.max_price is not None
    )
    # Straight to `tuple`: a NamedTuple's own constructor takes twice as long.
    return tuple.__new__(Asking, (accepted, context, tried, heard, now_us, common, late, plain))


def verdict(standing: Standing, settings: ProviderSettings, asked: Asking, index: int | None) -> Verdict:
    """Whether a provider may be asked now, and by which veto not. `index` is its serving lane, None if it has none yet.

    The order of the vetoes is the order in which a person would want to hear them; each costs next to nothing where it
    does not apply, because this is asked of every provider at every decision.
    """
    if settings.id in asked.tried:
        return ALREADY_TRIED, None
    record = standing.providers.get(settings.id)
    if asked.accepted.only is not None:
        return _of_the_bound(standing, record, settings, asked)
    if record is None:
        veto = _of_the_quotes(standing, settings, asked) if asked.accepted.quoted else None
        veto = veto or of_the_wares(standing, settings, asked.accepted, asked.now_us)
        return veto or asked.common or _ELIGIBLE
    forced = None if record.override is None else record.forced(asked.now_us)
    if forced is ForcedState.OPEN or forced is ForcedState.DRAIN:
        name = FORCED_OPEN if forced is ForcedState.OPEN else DRAINED
        return name, record.override.until_us if record.override else None
    veto = None
    if record.misconfigured_us or record.unfunded_us:
        veto = _of_the_account(record, standing.policy, asked.now_us)
    if veto is None and settings.has_ping and forced is None:
        veto = (PINGS_FAIL, None) if pings_fail(standing, settings, index) else None
    if veto is None and asked.accepted.quoted:
        veto = _of_the_quotes(standing, settings, asked)
    if veto is None and asked.late is not None and index is not None:
        veto = _of_the_time(standing, settings, asked, index)
    if veto is None and (
        record.slow_start is not None or record.rate_interval_us or settings.max_in_flight is not None
    ):
        veto = _of_the_load(standing, record, settings, asked.now_us)
    if veto is None and (standing.stock or asked.accepted.max_price is not None or settings.free_price):
        veto = of_the_wares(standing, settings, asked.accepted, asked.now_us)
    if veto is None:
        veto = asked.common
    if veto is not None or forced is ForcedState.CLOSED or index is None:
        return veto or _ELIGIBLE
    lanes = standing.lanes
    base = lane.GLOBAL_WORDS + index * lanes.words
    if not lanes.state[base + lane.OPENED_US]:
        return _ELIGIBLE
    return _of_the_circuit(standing, index, asked.now_us)


def _of_the_bound(
    standing: Standing, record: ProviderRecord | None, settings: ProviderSettings, asked: Asking
) -> Verdict:
    """What is asked about something that a provider has given goes there, and nowhere else.

    It goes whatever speaks against new requests (stock, funds, a circuit, a drain), if it is not in vain.
    """
    if settings.id != asked.accepted.only:
        return BOUND_ELSEWHERE, None
    if record is None:
        return asked.common or _ELIGIBLE
    if record.forced(asked.now_us) is ForcedState.OPEN:
        return FORCED_OPEN, record.override.until_us if record.override else None
    if record.misconfigured_us:
        return MISCONFIGURED, None
    # What has begun there must not wait for a pause that a drill has made up.
    heard = standing.undrilled.get(settings.id, record)
    return _of_the_pace(standing, heard, settings, asked.now_us) or asked.common or _ELIGIBLE


def too_late_for(
    standing: Standing, accepted: RequestAccepted, *, tried: tuple[str, ...], since_us: int, now_us: int
) -> tuple[str, ...]:
    """The providers that a request has too little time left for."""
    asked = asking(standing, accepted, tried=tried, since_us=since_us, now_us=now_us)
    if asked.late is None:
        return ()
    late = []
    for one in standing.policy.providers:
        index = standing.serving_lane(one.id, asked.context)
        if index is not None and _of_the_time(standing, one, asked, index):
            late.append(one.id)
    return tuple(late)


def pings_fail(standing: Standing, settings: ProviderSettings, index: int | None) -> bool:
    """Whether an idle provider is out because its pings fail, before a request finds out, until one succeeds."""
    if standing.shielded or not settings.has_ping:
        return False
    lanes = standing.lanes
    pings = lanes.find((settings.id, "ping"))
    if pings is None:
        return False
    base = lanes.base(pings)
    if lanes.state[base + lane.STREAK] < (settings.max_failures or standing.policy.max_failures):
        return False
    served_us = 0 if index is None else lanes.state[lanes.base(index) + lane.LAST_SUCCESS_US]
    return served_us <= lanes.state[base + lane.LAST_FAILURE_US]


def _of_the_quotes(standing: Standing, settings: ProviderSettings, asked: Asking) -> Verdict | None:
    return of_the_quotes(standing, settings, asked.accepted, asked.now_us, heard=asked.heard)


def _of_the_account(record: ProviderRecord, policy: Policy, now_us: int) -> Verdict | None:
    if record.misconfigured_us:
        return (MISCONFIGURED, None)
    until_us = record.unfunded_us + policy.recovery_time_ms * 1000
    return (UNFUNDED, until_us) if now_us < until_us else None


def _of_the_time(standing: Standing, settings: ProviderSettings, asked: Asking, index: int) -> Verdict | None:
    """Where calls are limited, a slot is for those who may still be served. Elsewhere a late request takes nobody's."""
    policy = standing.policy
    limits = (settings.max_in_flight, settings.max_calls_per_second, policy.max_in_flight, policy.max_calls_per_second)
    if asked.late is None or all(limit is None for limit in limits):
        return None
    left_us, total_us = asked.late
    usual = usual_us(standing, index, asked.now_us)
    needed = 0 if usual is None else needed_us(usual, total_us, tried=bool(asked.tried))
    return (TOO_LATE, None) if left_us < needed else None


def _of_the_load(standing: Standing, record: ProviderRecord, settings: ProviderSettings, now_us: int) -> Verdict | None:
    veto = _of_the_pace(standing, record, settings, now_us)
    if veto is not None or settings.max_in_flight is None:
        return veto
    full = _under_way(standing, record, settings) >= settings.max_in_flight
    return (IN_FLIGHT, now_us + ASK_AGAIN_US) if full else None


def _of_the_pace(standing: Standing, record: ProviderRecord, settings: ProviderSettings, now_us: int) -> Verdict | None:
    if now_us < record.throttled_until_us:
        return (THROTTLED, record.throttled_until_us)
    if record.slow_start is not None:
        # A call whose end nobody sees holds the others back no longer than a probe would.
        next_us = record.slow_start.next_us(now_us, patience_us=standing.policy.probe_permit_ms * 1000)
        if now_us < next_us:
            return (SLOW_START, min(next_us, now_us + ASK_AGAIN_US))
    if record.rate_interval_us:
        burst = settings.burst or (QUOTED_BURST if settings.has_quote else 1)
        free_us = record.rate_used_us - (burst - 1) * record.rate_interval_us
        if now_us < free_us:
            return (RATE_LIMIT, free_us)
    return None


def _under_way(standing: Standing, record: ProviderRecord, settings: ProviderSettings) -> int:
    """Serving calls under way, and quotes: whoever bounds the one means the other, too."""
    quotes = standing.lanes.find((settings.id, "quote")) if settings.has_quote else None
    if quotes is None:
        return record.in_flight
    return record.in_flight + standing.lanes.state[standing.lanes.base(quotes) + lane.IN_FLIGHT]


def _of_the_circuit(standing: Standing, index: int, now_us: int) -> Verdict:
    lanes = standing.lanes
    base = lanes.base(index)
    match lane.circuit(lanes.state, base, lanes.params[index], now_us):
        case lane.IS_CLOSED:
            return _ELIGIBLE
        case lane.IS_OPEN:
            return (CIRCUIT_OPEN, lanes.state[base + lane.OPEN_UNTIL_US])
        case lane.NEEDS_PING:
            return (NEEDS_PING, None)
        case lane.PROBING:
            return (PROBING, lanes.state[base + lane.PROBE_US] + lanes.params[index][lane.P_PERMIT_US])
        case _:
            return (PROBE, None)


def _of_the_engine(standing: Standing, now_us: int) -> Verdict | None:
    policy = standing.policy
    if policy.max_calls_per_second is not None:
        free_us = standing.rate_used_us - (policy.burst - 1) * standing.rate_interval_us
        if now_us < free_us:
            return (GLOBAL_RATE_LIMIT, free_us)
    if policy.max_in_flight is not None:
        in_flight = sum(record.in_flight for record in standing.providers.values())
        if in_flight >= policy.max_in_flight:
            return (GLOBAL_IN_FLIGHT, now_us + ASK_AGAIN_US)
    return None
