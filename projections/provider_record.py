"""What is known of a provider beyond its lanes: limits, forced states, reachability, and beliefs about stock."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from understudy.events.calls import CallFailed
from understudy.events.exact import EXACT
from understudy.events.operations import OverrideSet
from understudy.events.policy import Policy, ProviderSettings
from understudy.events.vocabulary import SIDE_OPERATIONS, FailureKind, ForcedState
from understudy.projections.slow_start import SlowStart

_SECOND_US: Final = 1_000_000


def rate_interval_us(calls_per_second: Decimal | None) -> int:
    """How much of a rate limit's time one call uses up, in microseconds; 0 for no limit."""
    return 0 if calls_per_second is None else int(EXACT.divide(_SECOND_US, calls_per_second))


@dataclass(slots=True)
class ProviderRecord:
    """One provider. Instants are microseconds, 0 for never."""

    in_flight: int = 0
    """Serving calls under way."""
    throttled_until_us: int = 0
    """It asked us to wait until then."""
    slow_start: SlowStart | None = None
    """How calls go out since then; None if there was no throttle, or a long time ago."""
    misconfigured_us: int = 0
    """Since when our key or account there is wrong; 0 when it is not."""
    unfunded_us: int = 0
    """Since when our account there lacks funds; 0 when it does not."""
    unreachable_us: int = 0
    """When a call last failed on the network."""
    cut_off_us: int = 0
    """When the first call failed on the network that no answer has followed since."""
    answered_us: int = 0
    """When it last answered anything at all."""
    unheard: int = 0
    """How many calls have run out of a late request's time since the last that was answered."""
    rate_used_us: int = 0
    """Up to which instant our own rate limit is used up, a call taking `rate_interval_us` of it."""
    rate_interval_us: int = 0
    override: OverrideSet | None = None
    synced_us: int = 0
    """When the latest list of all that it has on offer was asked for: what that leaves out is not known."""
    sync_asked_us: int = 0
    """When an operator last asked for such a list."""

    def adopt(self, settings: ProviderSettings) -> None:
        """Take the settings' own rate limit over."""
        self.rate_interval_us = rate_interval_us(settings.max_calls_per_second)

    def spend(self, at_us: int) -> None:
        """A call goes out: it uses up its share of the rate limit."""
        self.rate_used_us = max(self.rate_used_us, at_us) + self.rate_interval_us

    def throttle(self, until_us: int) -> None:
        """It asks us to wait; what begins after that begins slowly."""
        if until_us >= self.throttled_until_us:
            self.throttled_until_us = until_us
            self.slow_start = SlowStart(until_us)

    def begins_slowly(self, at_us: int) -> None:
        """A serving call begins after a throttle, until that is long ago."""
        if self.slow_start is not None and self.slow_start.over(at_us):
            self.slow_start = None
        elif self.slow_start is not None:
            self.slow_start.begin(at_us)

    def answers(self, at_us: int, started_us: int, *, serving: bool) -> None:
        """A call that began at `started_us` has succeeded."""
        self.answered_us = at_us
        if serving:
            self.unheard = 0
            if self.slow_start is not None:
                self.slow_start.end(started_us, gained=1)

    def hears_of(self, event: CallFailed, at_us: int, *, throttle_us: int) -> None:
        """A call has failed: on the way, or by an answer, which may ask for patience (`throttle_us` unless it says)."""
        kind = event.outcome
        if event.network or kind is FailureKind.TIMED_OUT:
            self.unreachable_us = at_us
            if self.cut_off_us <= self.answered_us:
                self.cut_off_us = at_us
        else:
            self.answered_us = at_us
            if event.operation not in SIDE_OPERATIONS:
                self.unheard = 0
        if kind is FailureKind.RATE_LIMITED:
            self.throttle(at_us + (throttle_us if event.retry_after_us is None else event.retry_after_us))

    def ends_in_vain(self, started_us: int, *, refused: bool) -> None:
        """A serving call that began at `started_us` has not succeeded."""
        if self.slow_start is not None:  # A refusal is an answer: whoever refuses has not counted our calls.
            self.slow_start.end(started_us, gained=int(refused))

    def forced(self, now_us: int) -> ForcedState | None:
        """What an operator forces on the provider at an instant."""
        override = self.override
        if override is None or (override.until_us is not None and now_us >= override.until_us):
            return None
        return override.state


@dataclass(frozen=True, slots=True, kw_only=True)
class StockBelief:
    """What we believe a provider has on offer, and at which price.

    Shape:  `units` None where only the price is known. `revealed` by a refused call rather than told by the provider.
            `refusals` counts how often in a row it has refused what it said it had, the last time at `refused_us`.
    Units:  `at_us` is when the stock was told or revealed, `priced_us` when the price was; `price` is in its own unit.
    """

    units: int | None
    at_us: int
    revealed: bool
    price: Decimal | None = None
    priced_us: int = 0
    refusals: int = 0
    refused_us: int = 0


_UNKNOWN: Final = StockBelief(units=None, at_us=0, revealed=False)


def told(before: StockBelief | None, *, units: int | None, price: Decimal | None, at_us: int) -> StockBelief:
    """The belief after a provider has said what it has, and what that costs, as far as it said so."""
    found = before or _UNKNOWN
    if price is not None:
        found = replace(found, price=price, priced_us=at_us)
    if units is None:
        return found
    if units == 0:  # It says itself that there is nothing: no phantom.
        return replace(found, units=0, at_us=at_us, revealed=False, refusals=0, refused_us=0)
    return replace(found, units=units, at_us=at_us, revealed=False)


def refused(before: StockBelief | None, policy: Policy, *, at_us: int) -> StockBelief:
    """The belief after a provider has said that it is sold out, to somebody who asked."""
    found = before or _UNKNOWN
    if found.revealed and at_us < zero_until_us(found, policy):
        return replace(found, at_us=at_us)  # Asked at once by several, it has refused once.
    claimed = found.refusals > 0 or (not found.revealed and found.units is not None and found.units > 0)
    refusals, refused_us = (found.refusals + 1, at_us) if claimed else (0, 0)
    return replace(found, units=0, at_us=at_us, revealed=True, refusals=refusals, refused_us=refused_us)


def delivered(before: StockBelief) -> StockBelief:
    """The belief after a provider has delivered: what it says it has is there, after all."""
    return replace(before, refusals=0, refused_us=0)


def is_phantom(belief: StockBelief, policy: Policy) -> bool:
    """Whether a provider says again and again that it has what it then refuses."""
    return belief.refusals >= policy.phantom_after


def zero_until_us(belief: StockBelief, policy: Policy) -> int:
    """Until when a refusal is believed: for a phantom twice as long with each refusal, whatever it says meanwhile."""
    if is_phantom(belief, policy):
        ttl_ms = policy.sold_out_ttl_ms << min(belief.refusals - policy.phantom_after + 1, 30)
        return belief.refused_us + min(ttl_ms, policy.stock_ttl_ms) * 1000
    return belief.at_us + policy.sold_out_ttl_ms * 1000 if belief.revealed else 0


def stock_key(provider: str, service: str | None, country: str | None) -> str:
    """The name under which a stock belief is kept."""
    return f"{provider}|{country or ''}|{service or ''}"
