"""The quotes of a scripted service: the market's rate as the phase of the moment has it, and what is paid out of it."""

from decimal import Decimal
from random import Random
from typing import NamedTuple

from understudy.engine.consensus import net_of
from understudy.engine.provider import Deadline, Request
from understudy.events.exact import EXACT
from understudy.events.policy import Fees
from understudy.events.quotes import Quote
from understudy.replay import rolls
from understudy.replay.market import Market, QuoteScript, less, moved, scaled
from understudy.replay.scenario import Phase


class Offer(NamedTuple):
    """What a service is about to quote, and after which time."""

    latency_us: int
    rate: Decimal
    roll: Decimal
    """By which it may fail instead."""


class ScriptedQuotes:
    """The quotes of one service. Their dice are their own, so that calls change no quote, and quotes no call."""

    def __init__(self, script: QuoteScript, market: Market, *, provider: str, fees: Fees, seed: int) -> None:
        self._script = script
        self._market = market
        self._fees = fees
        self._dice = Random(f"{seed}/{provider}/quotes")  # noqa: S311 - repeatable, not unguessable

    def offer(self, phase: Phase, now_s: Decimal) -> Offer:
        """Roll everything about a quote, before anything is awaited."""
        script = self._script
        latency_us = rolls.latency_us(self._dice, median_ms=script.latency_ms, p95_ms=script.p95_ms)
        noise_bp = EXACT.multiply(script.noise_bp, rolls.normal(self._dice))
        roll = rolls.share(self._dice)
        if phase.rate_stuck:
            return Offer(latency_us, moved(self._market.rate_at(phase.from_s), bp=script.off_bp), roll)
        rate = moved(self._market.rate_at(now_s), bp=EXACT.add(script.off_bp, noise_bp))
        return Offer(latency_us, scaled(rate, phase.rate_factor), roll)

    def quote(self, rate: Decimal, request: Request, deadline: Deadline) -> Quote:
        """A quote of this rate, given now."""
        script, amount = self._script, request.amount or Decimal(0)
        promised = None if script.takes_bp is None else less(EXACT.multiply(amount, rate), bp=script.takes_bp)
        now_us = deadline.at_us - round(deadline.remaining_s() * 1_000_000)
        return Quote(
            rate=rate,
            amount_out=promised,
            min_amount=script.min_amount,
            max_amount=script.max_amount,
            expires_at_us=None if script.valid_ms is None else now_us + script.valid_ms * 1_000,
        )

    def paid_out(self, request: Request) -> Decimal | None:
        """What a conversion pays in the end; None for a request that is none."""
        if request.quote is None or request.amount is None:
            return None
        coin = self._market.conversion.bought
        return less(net_of(request.quote, self._fees, amount=request.amount, coin=coin), bp=self._script.fade_bp)
