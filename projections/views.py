"""What people look at: frozen pictures of lanes and providers at an instant, made on demand from the standing.

Whether a provider is healthy, and its score, are judgements: they are the engine's. Here are only figures.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from understudy.events.exact import EXACT
from understudy.events.vocabulary import ForcedState
from understudy.projections import lane_step as lane
from understudy.projections.provider_record import ProviderRecord, StockBelief
from understudy.projections.standing import Standing

CIRCUIT_WORDS = {lane.IS_CLOSED: "closed", lane.IS_OPEN: "open"}
"""What people call the states of a circuit; all others are `half_open`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneView:
    """One lane at an instant.

    Shape:  `count` outcomes are in the window; if there are none, or they are too old to say anything, the rate and the
            times are None. Calls that were abandoned, throttled or declined are in no window.
    Units:  `success_rate` is a percentage with two decimals; `…_ms` are whole milliseconds, rounded to the nearest,
            `…_us` instants, 0 for never.
    """

    provider: str
    operation_class: str
    context: Mapping[str, str]
    started: int
    succeeded: int
    failed: int
    throttled: int
    declined: int
    abandoned: int
    retries: int
    in_flight: int
    count: int
    success_rate: Decimal | None
    average_ms: int | None
    p50_ms: int | None
    p95_ms: int | None
    streak: int
    circuit: str
    opened_at_us: int
    open_until_us: int
    last_started_us: int
    last_success_us: int
    last_failure_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForcedView:
    """What an operator forces on a provider; `until_us` None until it is cleared."""

    state: ForcedState
    actor: str
    reason: str
    until_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StockView:
    """What we believe a provider has on offer for a country and a service; empty for any."""

    country: str
    service: str
    belief: StockBelief


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineView:
    """A pair for which a provider's quotes do not count; `until_us` None until it is released."""

    pair: str
    until_us: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderView:
    """One provider at an instant. Instants are microseconds, 0 for never."""

    provider: str
    lanes: tuple[LaneView, ...]
    forced: ForcedView | None
    in_flight: int
    throttled_until_us: int
    misconfigured_us: int
    unfunded_us: int
    stock: tuple[StockView, ...]
    quarantines: tuple[QuarantineView, ...]


def provider_views(standing: Standing, *, now_us: int) -> tuple[ProviderView, ...]:
    """All providers that the standing knows, in the order in which it came to know them."""
    return tuple(provider_view(standing, provider, now_us=now_us) for provider in standing.providers)


def provider_view(standing: Standing, provider: str, *, now_us: int) -> ProviderView:
    """A provider as it stands at an instant; one that nothing is known of has an empty record."""
    record = standing.providers.get(provider) or ProviderRecord()
    forced = None
    if record.override is not None and record.forced(now_us) is not None:
        override = record.override
        forced = ForcedView(
            state=override.state, actor=override.actor, reason=override.reason, until_us=override.until_us
        )
    return ProviderView(
        provider=provider,
        lanes=tuple(lane_view(standing, index, now_us=now_us) for _, index in standing.lanes.of(provider)),
        forced=forced,
        in_flight=record.in_flight,
        throttled_until_us=record.throttled_until_us,
        misconfigured_us=record.misconfigured_us,
        unfunded_us=record.unfunded_us,
        stock=tuple(_stock(standing, provider)),
        quarantines=tuple(_quarantines(standing, provider, now_us)),
    )


def _quarantines(standing: Standing, provider: str, now_us: int) -> Iterator[QuarantineView]:
    """Those that last; one whose time is over ends at the next decision, and keeps nobody out until then."""
    for key, until_us in standing.quotes.quarantines.items():
        name, _, pair = key.partition("|")
        if name == provider and (until_us is None or now_us < until_us):
            yield QuarantineView(pair=pair, until_us=until_us)


def lane_view(standing: Standing, index: int, *, now_us: int) -> LaneView:
    """A lane as it stands at an instant."""
    lanes = standing.lanes
    key, base, params, state = lanes.keys[index], lanes.base(index), lanes.params[index], lanes.state
    count = lane.known(state, base, params, now_us)
    timed_us = sorted(entry >> lane.LATENCY_SHIFT for entry in lanes.window(index)[:count] if entry & lane.TIMED_BIT)
    circuit = lane.circuit(state, base, params, now_us)
    closed = circuit == lane.IS_CLOSED
    return LaneView(
        provider=key[0],
        operation_class=key[1],
        context=dict(zip(" ".join(key[2:3]).split(), key[3:], strict=True)),
        started=state[base + lane.STARTED],
        succeeded=state[base + lane.SUCCEEDED],
        failed=state[base + lane.FAILED],
        throttled=state[base + lane.THROTTLED],
        declined=state[base + lane.DECLINED],
        abandoned=state[base + lane.ABANDONED],
        retries=state[base + lane.RETRIED],
        in_flight=state[base + lane.IN_FLIGHT],
        count=count,
        success_rate=percent(state[base + lane.SUCCESSES], of=count),
        average_ms=whole_ms(sum(timed_us), of=len(timed_us)),
        p50_ms=percentile_ms(timed_us, percent=50),
        p95_ms=percentile_ms(timed_us, percent=95),
        streak=0 if closed and state[base + lane.OPENED_US] else state[base + lane.STREAK],
        circuit=CIRCUIT_WORDS.get(circuit, "half_open"),
        opened_at_us=0 if closed else state[base + lane.OPENED_US],
        open_until_us=0 if closed else state[base + lane.OPEN_UNTIL_US],
        last_started_us=state[base + lane.LAST_STARTED_US],
        last_success_us=state[base + lane.LAST_SUCCESS_US],
        last_failure_us=state[base + lane.LAST_FAILURE_US],
    )


def percent(part: int, *, of: int) -> Decimal | None:
    """A share as a percentage with two decimals, rounded to the nearest; None of nothing."""
    return Decimal((part * 20_000 + of) // (2 * of)).scaleb(-2, EXACT) if of else None


def whole_ms(total_us: int, *, of: int) -> int | None:
    """A mean of microseconds in whole milliseconds, rounded to the nearest; None of nothing."""
    return (2 * total_us + 1000 * of) // (2000 * of) if of else None


def percentile_ms(ordered_us: Sequence[int], *, percent: int) -> int | None:
    """The smallest value that so many percent do not exceed, in whole milliseconds; None of nothing."""
    if not ordered_us:
        return None
    rank = -(-len(ordered_us) * percent // 100)
    return whole_ms(ordered_us[rank - 1], of=1)


def _stock(standing: Standing, provider: str) -> Iterator[StockView]:
    for key, belief in standing.stock.items():
        owner, country, service = key.split("|", 2)
        if owner == provider:
            yield StockView(country=country, service=service, belief=belief)
