"""The plan of a chaos: a pure function of its seed, the providers and its length, whatever comes of it."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from understudy.engine.dice import below, derive
from understudy.events.drills import FAULTS, DrillForm

SHORTEST_MS: Final = 5_000
LONGEST_MS: Final = 60_000
_PAUSE_MS: Final = 20_000
"""The longest pause between the end of one drill and the beginning of the next in its place."""
LEAST_MS: Final = SHORTEST_MS + _PAUSE_MS
"""A chaos shorter than this might be over before its first drill."""
_SHARES: Final = (25, 50, 75)
_DELAYS_MS: Final = (500, 1_000, 2_000)
_PERIODS_MS: Final = (2_000, 5_000, 10_000)
_RETRIES_MS: Final = (1_000, 3_000, 10_000)


class Planned(NamedTuple):
    """A drill of a plan: `at_ms` after the beginning of the chaos, for `for_ms`; what is None is as usual."""

    at_ms: int
    for_ms: int
    form: DrillForm
    provider: str
    seed: int
    share: int | None = None
    delay_ms: int | None = None
    every_ms: int | None = None
    retry_after_ms: int | None = None


def plan(seed: int, providers: Sequence[str], *, for_ms: int, at_once: int) -> tuple[Planned, ...]:
    """The drills in the order in which they begin: never more than `at_once`, never two at one provider."""
    found: list[Planned] = []
    places = [0] * min(at_once, len(providers))
    """When each place is free."""
    busy = dict.fromkeys(providers, 0)
    while places:
        number = len(found)
        dice = derive(seed, number)
        first = min(range(len(places)), key=lambda place: (places[place], place))
        at_ms = places[first] + below(dice, 0, _PAUSE_MS)
        if at_ms + SHORTEST_MS > for_ms:
            break
        free = [provider for provider in providers if busy[provider] <= at_ms] or [min(providers, key=busy.__getitem__)]
        provider = free[below(dice, 1, len(free))]
        at_ms = max(at_ms, busy[provider])
        length_ms = min(SHORTEST_MS + below(dice, 2, LONGEST_MS - SHORTEST_MS), for_ms - at_ms)
        places[first] = busy[provider] = at_ms + length_ms
        if length_ms > 0:
            found.append(_planned(dice, at_ms, length_ms, provider))
    return tuple(sorted(found))


def _planned(dice: int, at_ms: int, for_ms: int, provider: str) -> Planned:
    form = FAULTS[below(dice, 3, len(FAULTS))]
    seed = derive(dice, 4)
    match form:
        case DrillForm.BROWNOUT:
            share, delay_ms = _SHARES[below(dice, 5, len(_SHARES))], _DELAYS_MS[below(dice, 6, len(_DELAYS_MS))]
            return Planned(at_ms, for_ms, form, provider, seed, share=share, delay_ms=delay_ms)
        case DrillForm.FLAP:
            return Planned(at_ms, for_ms, form, provider, seed, every_ms=_PERIODS_MS[below(dice, 5, len(_PERIODS_MS))])
        case DrillForm.THROTTLE:
            pause_ms = _RETRIES_MS[below(dice, 5, len(_RETRIES_MS))]
            return Planned(at_ms, for_ms, form, provider, seed, retry_after_ms=pause_ms)
        case _:
            return Planned(at_ms, for_ms, form, provider, seed)
