"""When a provider is pinged: idle ones regularly, failing ones soon again, ill ones when their rest is over."""

from understudy.events.policy import ProviderSettings
from understudy.events.vocabulary import ForcedState
from understudy.projections import lane_step as lane
from understudy.projections.lanes import CIRCUITS
from understudy.projections.standing import Standing


def next_ping_us(standing: Standing, settings: ProviderSettings, now_us: int) -> int:
    """The instant at which a ping is due, which may have passed; traffic makes pings needless."""
    policy, lanes = standing.policy, standing.lanes
    record = standing.providers.get(settings.id)
    if record is not None and record.forced(now_us) is ForcedState.OPEN:
        return now_us + policy.ping_interval_ms * 1000
    latest_us = rest_over_us = 0
    pinged_us, ping_streak = 0, 0
    for key, index in lanes.of(settings.id):
        base = lanes.base(index)
        if key[1] in CIRCUITS:
            latest_us = max(latest_us, lanes.state[base + lane.LAST_ENDED_US])
            if lanes.state[base + lane.OPENED_US]:
                rest_over_us = max(rest_over_us, lanes.state[base + lane.OPEN_UNTIL_US])
        elif key[1] == "ping":
            pinged_us = lanes.state[base + lane.LAST_STARTED_US]
            ping_streak = lanes.state[base + lane.STREAK]
            latest_us = max(latest_us, lanes.state[base + lane.LAST_ENDED_US])
    if ping_streak:
        return max(latest_us + policy.ping_retry_ms * 1000, rest_over_us)
    if rest_over_us and pinged_us < rest_over_us:
        return rest_over_us
    # A ping that was refused (throttled, a wrong key) says nothing, but it was asked.
    return max(latest_us, pinged_us) + policy.ping_interval_ms * 1000
