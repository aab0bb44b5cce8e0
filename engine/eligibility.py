"""Who may be asked at all: every veto has a name, and an end where it has one."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from understudy.events.policy import Policy, ProviderSettings
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import ForcedState
from understudy.projections import lane_step as lane
from understudy.projections.provider_record import ProviderRecord, stock_key
from understudy.projections.standing import Standing, call_context

ELIGIBLE: Final = "eligible"
PROBE: Final = "probe"
"""Eligible as the one probe of a half-open circuit."""

ALREADY_TRIED: Final = "already_tried"
FORCED_OPEN: Final = "forced_open"
DRAINED: Final = "drained"
MISCONFIGURED: Final = "misconfigured"
UNFUNDED: Final = "insufficient_funds"
CIRCUIT_OPEN: Final = "circuit_open"
NEEDS_PING: Final = "circuit_half_open_awaits_ping"
PROBING: Final = "circuit_half_open_probe_under_way"
PINGS_FAIL: Final = "pings_fail"
THROTTLED: Final = "throttled"
RATE_LIMIT: Final = "rate_limit"
IN_FLIGHT: Final = "max_in_flight"
GLOBAL_RATE_LIMIT: Final = "global_rate_limit"
GLOBAL_IN_FLIGHT: Final = "global_max_in_flight"
OUT_OF_STOCK: Final = "out_of_stock"

PASSING: Final = frozenset({THROTTLED, RATE_LIMIT, IN_FLIGHT, GLOBAL_RATE_LIMIT, GLOBAL_IN_FLIGHT})
"""Vetoes about load: when nobody else is left, a request waits for their end, if its deadline allows."""
ASK_AGAIN_US: Final = 100_000
"""When to look again after a veto whose end is not known: calls under way at their limit."""


class Verdict(NamedTuple):
    """Whether a provider may be asked; `until_us` is when a veto ends, if that is known."""

    name: str
    until_us: int | None = None

    @property
    def eligible(self) -> bool:
        """Whether it may be asked, be it as a probe."""
        return self.name in {ELIGIBLE, PROBE}


class Asking(NamedTuple):
    """The part of a request that eligibility looks at, with what is the same for every provider."""

    accepted: RequestAccepted
    context: Mapping[str, str | None]
    tried: tuple[str, ...]
    now_us: int
    common: Verdict | None
    """A veto of the engine as a whole."""


def asking(standing: Standing, accepted: RequestAccepted, *, tried: tuple[str, ...], now_us: int) -> Asking:
    """Everything about the request that does not depend on the provider."""
    return Asking(accepted, call_context(accepted), tried, now_us, _of_the_engine(standing, now_us))


def verdict(standing: Standing, settings: ProviderSettings, asked: Asking, index: int | None) -> Verdict:
    """Whether a provider may be asked now, and by which veto not. `index` is its serving lane, None if it has none yet."""
    if settings.id in asked.tried:
        return Verdict(ALREADY_TRIED)
    record = standing.providers.get(settings.id)
    if record is None:
        return asked.common or Verdict(ELIGIBLE)
    forced = record.forced(asked.now_us)
    if forced is ForcedState.OPEN or forced is ForcedState.DRAIN:
        name = FORCED_OPEN if forced is ForcedState.OPEN else DRAINED
        return Verdict(name, record.override.until_us if record.override else None)
    return (
        _of_the_account(record, standing.policy, asked.now_us)
        or (None if forced is ForcedState.CLOSED else _of_the_pings(standing, settings, index))
        or _of_the_load(record, settings, asked.now_us)
        or _of_the_stock(standing, settings, asked)
        or asked.common
        or (Verdict(ELIGIBLE) if forced is ForcedState.CLOSED else _of_the_circuit(standing, index, asked.now_us))
    )


def known_stock(standing: Standing, settings: ProviderSettings, asked: Asking) -> int | None:
    """The stock we believe in, None where we know nothing recent."""
    belief = standing.stock.get(stock_key(settings.id, asked.accepted.service, asked.accepted.country))
    if belief is None:
        return None
    policy = standing.policy
    ttl_ms = policy.sold_out_ttl_ms if belief.revealed else policy.stock_ttl_ms
    return belief.units if asked.now_us < belief.at_us + ttl_ms * 1000 else None


def _of_the_account(record: ProviderRecord, policy: Policy, now_us: int) -> Verdict | None:
    if record.misconfigured_us:
        return Verdict(MISCONFIGURED)
    if record.unfunded_us:
        until_us = record.unfunded_us + policy.recovery_time_ms * 1000
        if now_us < until_us:
            return Verdict(UNFUNDED, until_us)
    return None


def _of_the_pings(standing: Standing, settings: ProviderSettings, index: int | None) -> Verdict | None:
    """An idle provider whose pings fail is out before a request finds out, until one succeeds."""
    if not settings.has_ping or standing.shielded:
        return None
    lanes = standing.lanes
    pings = lanes.find((settings.id, "ping"))
    if pings is None:
        return None
    base = lanes.base(pings)
    limit = settings.max_failures or standing.policy.max_failures
    if lanes.state[base + lane.STREAK] < limit:
        return None
    served_us = 0 if index is None else lanes.state[lanes.base(index) + lane.LAST_SUCCESS_US]
    return Verdict(PINGS_FAIL) if served_us <= lanes.state[base + lane.LAST_FAILURE_US] else None


def _of_the_load(record: ProviderRecord, settings: ProviderSettings, now_us: int) -> Verdict | None:
    if now_us < record.throttled_until_us:
        return Verdict(THROTTLED, record.throttled_until_us)
    if record.rate_interval_us:
        free_us = record.rate_used_us - ((settings.burst or 1) - 1) * record.rate_interval_us
        if now_us < free_us:
            return Verdict(RATE_LIMIT, free_us)
    if settings.max_in_flight is not None and record.in_flight >= settings.max_in_flight:
        return Verdict(IN_FLIGHT, now_us + ASK_AGAIN_US)
    return None


def _of_the_stock(standing: Standing, settings: ProviderSettings, asked: Asking) -> Verdict | None:
    if not standing.stock or known_stock(standing, settings, asked) != 0:
        return None
    return Verdict(OUT_OF_STOCK)


def _of_the_circuit(standing: Standing, index: int | None, now_us: int) -> Verdict:
    if index is None:
        return Verdict(ELIGIBLE)
    lanes = standing.lanes
    base = lanes.base(index)
    match lane.circuit(lanes.state, base, lanes.params[index], now_us):
        case lane.IS_CLOSED:
            return Verdict(ELIGIBLE)
        case lane.IS_OPEN:
            return Verdict(CIRCUIT_OPEN, lanes.state[base + lane.OPEN_UNTIL_US])
        case lane.NEEDS_PING:
            return Verdict(NEEDS_PING)
        case lane.PROBING:
            return Verdict(PROBING, lanes.state[base + lane.PROBE_US] + lanes.params[index][lane.P_PERMIT_US])
        case _:
            return Verdict(PROBE)


def _of_the_engine(standing: Standing, now_us: int) -> Verdict | None:
    policy = standing.policy
    if policy.max_calls_per_second is not None:
        free_us = standing.rate_used_us - (policy.burst - 1) * int(1_000_000 / policy.max_calls_per_second)
        if now_us < free_us:
            return Verdict(GLOBAL_RATE_LIMIT, free_us)
    if policy.max_in_flight is not None:
        in_flight = sum(record.in_flight for record in standing.providers.values())
        if in_flight >= policy.max_in_flight:
            return Verdict(GLOBAL_IN_FLIGHT, now_us + ASK_AGAIN_US)
    return None
