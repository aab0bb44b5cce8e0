"""How long a request waits that nobody may serve now, but somebody soon."""

from understudy.engine.eligibility import OUR_LIMITS, PASSING, asking, is_eligible, verdict
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import ServicePriority
from understudy.projections.standing import Standing


def free_at_us(
    standing: Standing, accepted: RequestAccepted, *, tried: tuple[str, ...], since_us: int, now_us: int
) -> int | None:
    """When to look again, while all who are left are at a limit; None if a decision has something to say now.

    Where quotes are asked for, the emergency tier is nobody, as long as somebody else is only at a limit of ours.
    """
    asked = asking(standing, accepted, tried=tried, since_us=since_us, now_us=now_us)
    ends_us: list[int] = []
    last, ours = False, False
    for settings in standing.policy.providers:
        name, until_us = verdict(standing, settings, asked, standing.serving_lane(settings.id, asked.context))
        if is_eligible(name):
            if not accepted.quoted or settings.priority < ServicePriority.EMERGENCY:
                return None
            last = True
        if name in PASSING and until_us is not None:
            ends_us.append(until_us)
            ours = ours or (name in OUR_LIMITS and until_us < accepted.deadline_at_us)
    return None if last and not ours else min(ends_us, default=None)
