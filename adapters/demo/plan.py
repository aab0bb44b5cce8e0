"""What a demonstration provider does, and when: spells of fair and foul weather, and what falls to one request."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from random import Random
from statistics import NormalDist
from typing import Final

from understudy.events.vocabulary import FailureKind
from understudy.replay.scenario import Phase, Script

_Z95: Final = NormalDist().inv_cdf(0.95)


class Line(StrEnum):
    """The server's end of the wire."""

    OPEN = "open"
    REFUSES = "refuses"
    """Nobody listens: connections are refused, those that were open are reset."""
    STALLS = "stalls"
    """Connections are taken and nothing is ever said, as by a TLS endpoint that hangs in its handshake."""


class Fault(StrEnum):
    """What may befall one request."""

    RESET = "reset"
    HANG = "hang"
    LATE = "late"
    """As `hang`; but it is executed when the client has long gone."""
    TWICE = "twice"
    """Delivered twice, as by a proxy that repeats what it got no answer to; one answer comes back."""
    SLOW_BODY = "slow_body"
    """Headers, a first byte, and then nothing."""
    TRUNCATED = "truncated"
    WRONG_TYPE = "wrong_type"
    """A good status, and a page for people."""
    NO_JSON = "no_json"
    NO_HTTP = "no_http"
    OVERSIZED = "oversized"
    REDIRECT = "redirect"
    ERROR_IN_200 = "error_in_200"
    SOLD_OUT = "sold_out"
    """An error in a 200, too: nothing left."""
    NOT_OFFERED = "not_offered"
    TOO_EXPENSIVE = "too_expensive"
    REJECTED = "rejected"
    """400"""
    UNAUTHORIZED = "unauthorized"
    """401"""
    UNFUNDED = "unfunded"
    """402"""
    THROTTLED = "throttled"
    """429 with a Retry-After"""
    BROKEN = "broken"
    """500"""
    UNAVAILABLE = "unavailable"
    """503: not executed, for certain"""


AFTER_EXECUTION: Final = frozenset(
    [
        Fault.TWICE,
        Fault.SLOW_BODY,
        Fault.TRUNCATED,
        Fault.WRONG_TYPE,
        Fault.NO_JSON,
        Fault.NO_HTTP,
        Fault.OVERSIZED,
    ]
)
"""Faults of the answer: what was asked has been done."""
MAYBE: Final = frozenset({Fault.RESET, Fault.HANG, Fault.BROKEN, Fault.REDIRECT})
"""Faults that say nothing about it."""

_FAULTS: Final[Mapping[FailureKind, Fault]] = {
    FailureKind.TRANSIENT: Fault.UNAVAILABLE,
    FailureKind.TIMED_OUT: Fault.HANG,
    FailureKind.AMBIGUOUS: Fault.RESET,
    FailureKind.INVALID_REPLY: Fault.TRUNCATED,
    FailureKind.RATE_LIMITED: Fault.THROTTLED,
    FailureKind.OUT_OF_STOCK: Fault.SOLD_OUT,
    FailureKind.NOT_OFFERED: Fault.NOT_OFFERED,
    FailureKind.TOO_EXPENSIVE: Fault.TOO_EXPENSIVE,
    FailureKind.INSUFFICIENT_FUNDS: Fault.UNFUNDED,
    FailureKind.MISCONFIGURED: Fault.UNAUTHORIZED,
    FailureKind.REJECTED: Fault.REJECTED,
}
"""How a scenario's failures look on the wire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """What the server does with one request.

    Shape:  `executes` tells whether it does what it was asked; None leaves that to the fault's nature: faults of the
            answer come after execution, all others instead of it. `retry_after` is the header as it stands.
    Units:  `wait_ms` is how long it takes before it answers, or fails to.
    """

    fault: Fault | None = None
    executes: bool | None = None
    retry_after: str | None = None
    wait_ms: float = 0

    @property
    def does_it(self) -> bool:
        """Whether the request is executed at once."""
        if self.executes is not None:
            return self.executes
        return self.fault is None or self.fault in AFTER_EXECUTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """How the server behaves for a while. Where spells overlap, the one that stands last counts.

    Shape:  latencies are log-normal with this median and 95th percentile (constant without `p95_ms`). `shares` are
            those of the requests that meet a fault; of the faults that leave it open, `executed_share` come after
            execution. With `up_s` and `down_s` the line is open and refusing by turns. `pings` is "as_calls", "fine"
            or "fail".
    Units:  `from_s` and `until_s` are seconds since the server started; `until_s` None means to the end.
    """

    from_s: float = 0
    until_s: float | None = None
    line: Line = Line.OPEN
    latency_ms: float = 0
    p95_ms: float | None = None
    shares: Mapping[Fault, float] = field(default_factory=dict)
    executed_share: float = 0
    calls_per_second: int | None = None
    retry_after: str | None = None
    capacity: int | None = None
    slower_by_ms: float = 0
    up_s: float | None = None
    down_s: float | None = None
    pings: str = "as_calls"

    def covers(self, second: float) -> bool:
        """Whether it is on at a second since the start."""
        return self.from_s <= second and (self.until_s is None or second < self.until_s)

    def line_at(self, second: float) -> Line:
        """What the line is like at a second."""
        if self.up_s is None or self.down_s is None:
            return self.line
        return Line.OPEN if (second - self.from_s) % (self.up_s + self.down_s) < self.up_s else Line.REFUSES

    def roll(self, dice: Random, *, under_way: int) -> Act:
        """What falls to a request. As many dice are rolled in any case, so that spells do not shift one another's."""
        spread, which, executed = dice.gauss(), dice.random(), dice.random() < self.executed_share
        wait_ms = self.latency_ms
        if self.p95_ms is not None and self.latency_ms > 0:
            wait_ms *= math.exp(math.log(self.p95_ms / self.latency_ms) / _Z95 * spread)
        fault = None
        for one, share in self.shares.items():
            if which < share:
                fault = one
                break
            which -= share
        return Act(
            fault=fault,
            executes=executed if fault in MAYBE else None,
            retry_after=self.retry_after,
            wait_ms=wait_ms + self.slower_by_ms * under_way,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that a server is going to do.

    Shape:  `dedupes` makes it execute once for each key, as a good provider would. Without `admits_pending` its
            look-ups say "absent" of what is only late. `units` is what there is to sell, None for any number.
    """

    spells: Sequence[Spell] = (Spell(),)
    seed: int = 1
    dedupes: bool = False
    admits_pending: bool = True
    units: int | None = None

    def at(self, second: float) -> Spell:
        """The spell of a second since the start."""
        return next((one for one in reversed(self.spells) if one.covers(second)), Spell())


def plan_of(script: Script, *, seed: int = 1) -> Plan:
    """A scripted provider of a scenario, as a server on the wire would behave."""
    return Plan(spells=[_spell_of(phase) for phase in script.phases], seed=seed, units=script.units)


def _spell_of(phase: Phase) -> Spell:
    return Spell(
        from_s=float(phase.from_s),
        until_s=_number(phase.until_s),
        line=Line.REFUSES if phase.state == "refuses" else Line.OPEN,
        latency_ms=phase.latency_ms,
        p95_ms=phase.p95_ms,
        shares=(
            {Fault.HANG: 1.0}
            if phase.state == "hangs"
            else {_FAULTS[kind]: float(share) for kind, share in phase.failures.items()}
        ),
        executed_share=float(phase.executed_share),
        calls_per_second=phase.max_calls_per_second,
        retry_after=None if phase.retry_after_ms is None else f"{phase.retry_after_ms / 1000:g}",
        capacity=phase.capacity,
        slower_by_ms=phase.slower_by_ms,
        up_s=_number(phase.up_s),
        down_s=_number(phase.down_s),
        pings=phase.pings,
    )


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
