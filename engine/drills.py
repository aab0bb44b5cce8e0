"""What a drill does to calls: pure, derived from the drill's seed and the call, so that replay comes to the same.

A drill never touches what is under way already: look-ups, the second of two parts, whatever a request asks of the one
provider where it began (cancels, codes, undoing), and a try after one that may have been executed. And it never makes a
success up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from understudy.engine.dice import FULL
from understudy.engine.errors import ProviderError, RateLimited, Transient
from understudy.engine.request_state import LOOKUP, Turn
from understudy.events.calls import CallStarted
from understudy.events.drills import DrillForm, DrillStarted
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import TENDING
from understudy.projections.standing import Standing

_WHOLE_BP: Final = 10_000
_UNTOUCHED: Final = TENDING | {LOOKUP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """What a drill does to a call: it fails at once with `error`, or is held back for `delay_us` and then sent."""

    error: ProviderError | None = None
    delay_us: int = 0


def in_turn(
    standing: Standing, accepted: RequestAccepted, turn: Turn, call: CallStarted, *, now_us: int
) -> CallStarted:
    """A call of a request that begins now, with the drill that touches it, if there is one."""
    begun = turn.created or turn.open_end is not None or accepted.only is not None or accepted.undoes is not None
    return call if begun else touched(standing, call, now_us=now_us)


def touched(standing: Standing, call: CallStarted, *, now_us: int) -> CallStarted:
    """A call that begins now (a ping, a quote, a list), with the drill that touches it, if there is one."""
    drill = standing.drills.get(call.provider)
    if drill is None or call.operation in _UNTOUCHED or touch(drill, call, at_us=now_us) is None:
        return call
    return replace(call, drill=drill.drill)


def touch(drill: DrillStarted, call: CallStarted, *, at_us: int) -> Touch | None:
    """What a drill does to a call that begins at an instant; None if it lets it pass."""
    if at_us >= drill.until_us or _is_back(drill, at_us):
        return None
    if _number(drill, call, at_us) < drill.share_bp:
        return Touch(error=_error(drill))
    # At most half of the time that is left: what is held back is sent, and has time to be answered.
    delay_us = min(drill.delay_us, max(0, call.deadline_at_us - at_us) // 2)
    return Touch(delay_us=delay_us) if delay_us else None


def _is_back(drill: DrillStarted, at_us: int) -> bool:
    since_us = at_us - (drill.until_us - drill.for_us)
    return drill.form is DrillForm.FLAP and since_us // drill.every_us % 2 == 1


def _number(drill: DrillStarted, call: CallStarted, at_us: int) -> int:
    """A number from 0 below 10,000 that only this call has in this drill."""
    whose = (call.request_id, call.attempt) if call.request_id else at_us
    told = f"{drill.seed}|{call.provider}|{call.operation}|{whose}"
    return int.from_bytes(sha256(told.encode()).digest()[:4]) * _WHOLE_BP >> 32


def _error(drill: DrillStarted) -> ProviderError:
    told = f"drill {drill.drill}: {drill.form}; nothing was sent"
    if drill.form is DrillForm.THROTTLE:
        return RateLimited(told, retry_after_ms=drill.retry_after_us // 1000)
    return Transient(told, network=drill.form is not DrillForm.BROWNOUT)


def running(standing: Standing) -> Iterator[DrillStarted]:
    """Every drill that runs, chaos and load first: whoever ends them all ends these before their parts."""
    yield from list(standing.courses.values())
    yield from list(standing.drills.values())


def seed_of(seed: int, place: int) -> int:
    """The seed of the part of a drill at a place."""
    return int.from_bytes(sha256(f"{seed}|{place}".encode()).digest()[:4]) % FULL
