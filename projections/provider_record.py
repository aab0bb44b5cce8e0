"""What is known of a provider beyond its lanes: limits, forced states, reachability, and beliefs about stock."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from understudy.events.exact import EXACT
from understudy.events.operations import OverrideSet
from understudy.events.policy import ProviderSettings
from understudy.events.vocabulary import ForcedState
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

    def forced(self, now_us: int) -> ForcedState | None:
        """What an operator forces on the provider at an instant."""
        override = self.override
        if override is None or (override.until_us is not None and now_us >= override.until_us):
            return None
        return override.state


@dataclass(frozen=True, slots=True, kw_only=True)
class StockBelief:
    """What we believe a provider has on offer. `revealed` by a refused call rather than told by a stock call."""

    units: int
    at_us: int
    revealed: bool


def stock_key(provider: str, service: str | None, country: str | None) -> str:
    """The name under which a stock belief is kept."""
    return f"{provider}|{country or ''}|{service or ''}"
