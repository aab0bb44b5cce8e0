"""What a pair is worth in a scenario, and what services make of it: conversions, quotes, and a market that moves."""

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Context, Decimal
from random import Random
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from understudy.events.exact import EXACT
from understudy.events.policy import Settings
from understudy.replay import rolls

MOVES_AT_MOST: Final = 1_000_000
"""The most moves of a market in one run: each is held in memory."""
_RATE: Final = Context(prec=8, rounding=ROUND_HALF_EVEN)
"""Rates have eight digits, as exchanges quote them."""
_ONE: Final = Decimal(1)
_TEN_THOUSAND: Final = Decimal(10_000)


class Conversion(Settings):
    """What a scenario about conversions converts, and how the market moves meanwhile.

    Shape:  requests take the `amounts` in turn. Every `step_s` the market's rate moves by so much as a normal
            distribution says whose standard deviation is `volatility_bp`.
    Units:  `amounts` in the coin sold; `rate` is units of the coin bought for one of the coin sold.
    """

    pair: str = Field(pattern=r"^[A-Z0-9]{1,10}/[A-Z0-9]{1,10}$")
    amounts: tuple[Annotated[Decimal, Field(gt=0)], ...] = Field(min_length=1)
    rate: Decimal = Field(gt=0, description="What the market pays when the scenario begins.")
    volatility_bp: Decimal = Field(default=Decimal(0), ge=0, le=1_000)
    step_s: Decimal = Field(default=Decimal(10), gt=0)

    @property
    def bought(self) -> str:
        """The coin that is bought."""
        return self.pair.partition("/")[2]


class QuoteScript(Settings):
    """How a scripted service quotes.

    Shape:  a quote is the market's rate, `off_bp` away from it, and by `noise_bp` (a standard deviation) anywhere
            around that. With `takes_bp` it promises what it pays out, all fees taken; without it, the fees of its
            settings are taken. It pays `fade_bp` less than it has promised.
    Units:  `valid_ms` is how long a quote holds; None: as long as the engine believes it. Limits in the coin sold.
    """

    latency_ms: int = Field(default=100, ge=0, le=10**7)
    p95_ms: int | None = Field(default=None, ge=0, le=10**7)
    off_bp: Decimal = Field(default=Decimal(0), gt=-10_000, le=10**6)
    noise_bp: Decimal = Field(default=Decimal(0), ge=0, le=1_000)
    takes_bp: Decimal | None = Field(default=None, ge=0, lt=10_000)
    fade_bp: Decimal = Field(default=Decimal(0), ge=0, lt=10_000)
    valid_ms: int | None = Field(default=None, ge=1)
    min_amount: Decimal | None = Field(default=None, gt=0)
    max_amount: Decimal | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.p95_ms is not None and (self.p95_ms < self.latency_ms or self.latency_ms == 0):
            raise ValueError(f"p95_ms {self.p95_ms} must not be below latency_ms {self.latency_ms}, and that not 0")
        return self


class Market:
    """What a pair is really worth, from the beginning of a run."""

    def __init__(self, conversion: Conversion, *, seed: int) -> None:
        self.conversion = conversion
        self._moves = _walk(conversion, Random(f"{seed}/market"))  # noqa: S311 - repeatable, not unguessable
        self._rates: list[Decimal] = []

    def rate_at(self, second: Decimal) -> Decimal:
        """The rate in a second since the start."""
        step = int(second // self.conversion.step_s)
        while len(self._rates) <= step:
            self._rates.append(next(self._moves))
        return self._rates[step]


def moved(rate: Decimal, *, bp: Decimal) -> Decimal:
    """A rate that is so many basis points higher."""
    return scaled(rate, EXACT.add(_ONE, EXACT.divide(bp, _TEN_THOUSAND)))


def scaled(rate: Decimal, factor: Decimal) -> Decimal:
    """A multiple of a rate, in eight digits."""
    return _RATE.plus(EXACT.multiply(rate, factor))


def less(amount: Decimal, *, bp: Decimal) -> Decimal:
    """What is left of an amount of which so many basis points are taken."""
    return EXACT.multiply(amount, EXACT.subtract(_ONE, EXACT.divide(bp, _TEN_THOUSAND)))


def _walk(conversion: Conversion, dice: Random) -> Iterator[Decimal]:
    rate = _RATE.plus(conversion.rate)
    while True:
        yield rate
        rate = moved(rate, bp=EXACT.multiply(conversion.volatility_bp, rolls.normal(dice)))
