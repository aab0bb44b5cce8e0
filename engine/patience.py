"""How much time a call needs to be worth making, and how much it must have had before its provider is blamed.

A request that has waited in line, or was let down by others, comes late. Sent with a moment left, it would take a slot,
run out of time, and be held against a provider that is well: so an overload would open the circuits of those who could
still serve a part of it. The usual time is the average of the window's successes; unknown, it forbids nothing.
"""

from typing import Final

from understudy.events.policy import ProviderSettings
from understudy.projections import lane_step as lane
from understudy.projections.standing import Standing

_FRESH_PARTS: Final = 10
"""A request is fresh for one part in so many of its time."""
_USUAL_TIMES: Final = 4
"""So many times its usual time is enough for anybody."""


def is_late(left_us: int, total_us: int) -> bool:
    """Whether so much of a request's time has gone that what is left may be too little.

    A fresh one goes out whatever the record says: else nobody would ever learn that a provider is faster again.
    """
    return (total_us - left_us) * _FRESH_PARTS > total_us


def usual_us(standing: Standing, index: int, now_us: int) -> int | None:
    """How long a provider's successes take on average, by the lane at this index; None without enough of them."""
    lanes = standing.lanes
    base = lanes.base(index)
    successes = lanes.state[base + lane.SUCCESSES]
    if successes < lane.EVIDENCE or not lane.known(lanes.state, base, lanes.params[index], now_us):
        return None
    return lanes.state[base + lane.SUCCESS_LATENCY_US] // successes


def needed_us(usual_us: int, total_us: int, *, tried: bool) -> int:
    """What must be left for a call that takes a slot, while others may wait for it.

    Who comes first after a wait has a whole line behind it: half as long again as usual is needed, or half of what
    there is beyond that. Who was let down by others goes if the usual time is left. Nothing is needed if a fresh
    request has less than the usual time: then lateness is not what is wrong.
    """
    if usual_us >= total_us:
        return 0
    return usual_us if tried else usual_us + min(usual_us, total_us - usual_us) // 2


def blames(
    standing: Standing, index: int, settings: ProviderSettings, *, given_us: int, fresh_us: int, now_us: int
) -> bool:
    """Whether a call that ran out of time tells against its provider.

    It does if it had what a fresh one has and no less than usual, or plenty; if it was a probe; and if enough others to
    open a circuit have run out of time before it, while nobody was served: of one that hangs nothing else may be known.
    """
    lanes = standing.lanes
    base = lanes.base(index)
    if lanes.state[base + lane.OPENED_US]:
        return True
    had_its_time = not is_late(given_us, fresh_us)
    most = settings.max_failures or standing.policy.max_failures
    usual = usual_us(standing, index, now_us)
    if usual is None:
        return had_its_time or standing.provider(settings.id).unheard >= most
    plenty_us = _USUAL_TIMES * usual
    if given_us >= plenty_us or (had_its_time and given_us >= usual):
        return True
    served_us = now_us - lanes.state[base + lane.LAST_SUCCESS_US]
    return standing.provider(settings.id).unheard >= most and served_us >= plenty_us
