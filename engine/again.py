"""Whether, and when, the same provider is asked again: what is against it, and what a retry may cost.

What has begun at a provider goes on as if no drill were held there: a request that may have been executed, and what is
asked of the one provider where it began. A pause, a circuit or a spent budget that a drill has made up would leave it
in doubt.
"""

from typing import Final

from understudy.engine import eligibility
from understudy.engine.dice import BACK_OFF, below
from understudy.engine.eligibility import Verdict
from understudy.engine.in_doubt import provider_settings
from understudy.engine.parts import moves
from understudy.engine.request_state import MAYBE_EXECUTED, LetDown, Progress
from understudy.events.exact import EXACT
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import Effect, FailureKind
from understudy.projections import lane_step as lane
from understudy.projections.drill_reactions import without_drills
from understudy.projections.standing import Standing

_RETRIED_HERE: Final = frozenset({FailureKind.TRANSIENT, FailureKind.TIMED_OUT, FailureKind.AMBIGUOUS})
"""Endings after which the same provider may be asked again, as far as the effect allows."""


def stays(accepted: RequestAccepted) -> bool:
    """Whether a write that may have been executed at one provider may not be asked of another one."""
    return accepted.effect is Effect.ONCE or (accepted.effect is Effect.IDEMPOTENT and not accepted.free_to_abandon)


def in_doubt_here(state: LetDown) -> bool:
    """Whether any try of this turn may have been executed, and the request must stay for that."""
    maybe = state.kind in MAYBE_EXECUTED and moves(state.progress.accepted, state.started)
    return (maybe or state.turn.open_end is not None) and stays(state.progress.accepted)


def as_begun(standing: Standing, accepted: RequestAccepted, *, in_doubt: bool) -> Standing:
    """The standing by which a further try is judged, where an earlier one may have been executed (`in_doubt`)."""
    begun = accepted.only is not None or (in_doubt and stays(accepted))
    return without_drills(standing) if begun else standing


def out_of_tries(progress: Progress, standing: Standing) -> bool:
    """Whether a request has been tried so often that nothing speaks for another time."""
    policy = standing.policy
    return progress.attempts > 0 and progress.attempts >= len(policy.providers) * (policy.retry_attempts + 2)


def again_us_here(state: LetDown, standing: Standing, now_us: int) -> int | None:
    """The instant of another try at the same provider; None if there is to be none."""
    policy, turn, progress = standing.policy, state.turn, state.progress
    accepted = progress.accepted
    seen = as_begun(standing, accepted, in_doubt=in_doubt_here(state))
    if state.again_us and accepted.undoes is not None and not out_of_tries(progress, standing):
        until_us = state.again_us  # What is owed must be done, and its provider says from when on it does it.
    elif turn.retry >= policy.retry_attempts:
        return None
    elif state.kind is FailureKind.RATE_LIMITED:
        if policy.fallback_enabled and not in_doubt_here(state):
            return None  # Somebody else is asked first; if nobody is left, the request waits for this one's time.
        until_us = seen.provider(turn.provider).throttled_until_us
    elif state.kind in _RETRIED_HERE:
        veto = veto_here(seen, accepted, turn.provider, now_us)
        passes = veto is None or (veto[0] in eligibility.PASSING and not policy.fallback_enabled)
        if not passes or not within_budget(seen, now_us):
            return None
        delay_us = min(policy.retry_delay_ms << turn.retry, policy.retry_delay_cap_ms) * 1000
        until_us = now_us + below(turn.draw, BACK_OFF + turn.retry, delay_us + 1)
    else:
        return None
    return until_us if until_us < accepted.deadline_at_us else None


def within_budget(standing: Standing, now_us: int) -> bool:
    """Whether another retry fits: a share of the calls of the last minute, or a few in any case."""
    policy, state = standing.policy, standing.lanes.state
    retries = lane.recent(state, lane.ALL_RETRIED, now_us)
    calls = lane.recent(state, lane.ALL_USED, now_us)
    return retries < policy.retry_budget_min or retries < EXACT.multiply(policy.retry_budget, calls)


def veto_here(standing: Standing, accepted: RequestAccepted, provider: str, now_us: int) -> Verdict | None:
    """What is against asking a provider again now, if anything is; lateness is not: its last call may be in doubt."""
    asked = eligibility.asking(standing, accepted, tried=(), since_us=now_us, now_us=now_us)
    index = standing.serving_lane(provider, asked.context)
    found = eligibility.verdict(standing, provider_settings(standing.policy, provider), asked, index)
    return None if eligibility.is_eligible(found[0]) else found
