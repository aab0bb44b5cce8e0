"""Recorded quotes with faults put in at known places: frozen for an hour, and one minute of nonsense."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

from understudy.events.exact import median
from understudy.replay.quote_report import HONEST_WITHIN, off_others
from understudy.replay.quotes_file import QuotedMinute, RecordedQuotes

FROZEN = 60
"""Minutes."""
_SLOT = 120
"""Minutes, in which there is a freeze, then a spike: one fault at a time, for two liars of three cannot be told."""


@dataclass(frozen=True)
class Fault:
    """What a provider quotes falsely, from this minute on."""

    provider: str
    minute: int


@dataclass(frozen=True)
class Labelled:
    quotes: RecordedQuotes
    freezes: tuple[Fault, ...]
    spikes: tuple[Fault, ...]


def with_faults(quotes: RecordedQuotes, *, places: int, seed: int) -> Labelled:
    """As many freezes and as many spikes, at random places, of random providers who quote there."""
    dice = Random(seed)
    rates = [dict(minute.rates) for minute in quotes.minutes]
    slots = sorted(dice.sample(range(len(rates) // _SLOT), places))
    freezes = [_freeze(rates, slot * _SLOT + dice.randrange(20), dice) for slot in slots]
    spikes = [_spike(rates, slot * _SLOT + dice.randrange(100, _SLOT), dice) for slot in slots]
    minutes = [QuotedMinute(minute.at_us, one) for minute, one in zip(quotes.minutes, rates, strict=True)]
    return Labelled(replace(quotes, minutes=tuple(minutes)), tuple(freezes), tuple(spikes))


def _freeze(rates: list[dict[str, Decimal]], start: int, dice: Random) -> Fault:
    provider = dice.choice(sorted(rates[start]))
    for minute in rates[start : start + FROZEN]:
        minute[provider] = rates[start][provider]
    return Fault(provider, start)


def _spike(rates: list[dict[str, Decimal]], at: int, dice: Random) -> Fault:
    """From 3 to 50 percent away from what the others quote, on either side."""
    provider = dice.choice(sorted(rates[at]))
    others = [rate for name, rate in rates[at].items() if name != provider] or [rates[at][provider]]
    size = Decimal(dice.randrange(300, 5_001)) / 10_000
    rates[at][provider] = round(median(others) * (1 + dice.choice((size, -size))), 2)
    return Fault(provider, at)


def left(labelled: Labelled, freeze: Fault) -> Mapping[int, bool]:
    """The minutes of a freeze from the one on at which it was more than 50 bp off; whether each still is."""
    found: dict[int, bool] = {}
    for minute in range(freeze.minute, freeze.minute + FROZEN):
        off = off_others(labelled.quotes.minutes[minute].rates)[freeze.provider]
        is_off = off is not None and abs(off) > HONEST_WITHIN
        if is_off or found:
            found[minute] = is_off
    return found
