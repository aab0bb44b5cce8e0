"""What scripted providers and markets roll, of dice that give the same on every version of Python."""

from decimal import Decimal
from random import Random
from statistics import NormalDist
from typing import Final

_NORMAL: Final = NormalDist()
_Z95: Final = _NORMAL.inv_cdf(0.95)
_FULL: Final = 1 << 31
_THOUSAND: Final = 1_000


def share(dice: Random) -> Decimal:
    """A number from 0 below 1."""
    return Decimal(dice.getrandbits(31)) / _FULL


def latency_us(dice: Random, *, median_ms: int, p95_ms: int | None) -> int:
    """A length of the log-normal distribution with this median and 95th percentile; the median without the latter.

    Rolled in any case, so that one phase does not shift the dice of the next.
    """
    deviations = _deviations(dice)
    if p95_ms is None:
        return median_ms * _THOUSAND
    spread = (p95_ms / median_ms) ** (deviations / _Z95)
    rolled: int = round(median_ms * _THOUSAND * spread)
    return rolled


def normal(dice: Random) -> Decimal:
    """A number of the standard normal distribution, to three digits behind the point."""
    return Decimal(round(_deviations(dice) * _THOUSAND)) / _THOUSAND


def _deviations(dice: Random) -> float:
    return _NORMAL.inv_cdf((dice.getrandbits(31) + 0.5) / _FULL)
