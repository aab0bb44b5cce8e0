"""What a decision knows of one provider: its verdict, its score term by term, and what the strategy compares."""

from typing import Final, NamedTuple

from understudy.engine import score
from understudy.engine.eligibility import ELIGIBLE, Asking, known_stock, verdict
from understudy.events.policy import ProviderSettings
from understudy.events.vocabulary import Strategy
from understudy.projections import lane_step as lane
from understudy.projections.lane_step import Words
from understudy.projections.provider_record import ProviderRecord
from understudy.projections.standing import Standing

SUCCESS_RATE: Final = "success_rate"
RESPONSE_TIME: Final = "response_time"

_MISSED: Final = {lane.NOT_DEGRADED: None, lane.BY_SUCCESS_RATE: SUCCESS_RATE, lane.BY_RESPONSE_TIME: RESPONSE_TIME}
_FOR_EVER: Final = 1 << 62


class Assessed:
    """One provider at the instant of a decision; units as in `events.decisions.Candidate`. Nobody changes it once made.

    Unknown counts as favourable: without a record that says anything, the terms are those of a provider that is well,
    fast and recent. `told` is the beginning of its JSON object; the order adds its chance and its rank.
    """

    __slots__ = (
        "average_us",
        "degraded",
        "expected_us",
        "provider",
        "rate_points",
        "recency_points",
        "score",
        "speed_points",
        "stock",
        "stock_points",
        "success_bp",
        "tier",
        "told",
        "until_us",
        "used_60s",
        "verdict",
    )

    def __init__(self, settings: ProviderSettings, name: str, until_us: int | None, stock: int | None) -> None:
        self.provider = settings.id
        self.tier = int(settings.priority)
        self.verdict = name
        self.until_us = until_us
        self.degraded: str | None = None
        self.rate_points = 100 * score.POINT
        self.speed_points = 10 * score.POINT
        self.stock_points = score.stock_points(stock)
        self.recency_points = 5 * score.POINT
        self.success_bp: int | None = None
        self.average_us: int | None = None
        self.expected_us: int | None = None
        self.stock = stock
        self.used_60s: int | None = None
        self.score = 0
        self.told = ""

    def complete(self) -> None:
        """Sum the terms up and put everything into words, in the order of `Candidate`'s fields."""
        self.score = self.rate_points + self.speed_points + self.stock_points + self.recency_points
        until = "" if self.until_us is None else f',"until_us":{self.until_us}'
        degraded = "" if self.degraded is None else f',"degraded":"{self.degraded}"'
        known = ""
        if self.success_bp is not None:
            known = f',"success_bp":{self.success_bp},"average_us":{self.average_us}'
        if self.expected_us is not None:
            known += f',"expected_us":{self.expected_us}'
        if self.stock is not None:
            known += f',"stock":{self.stock}'
        if self.used_60s is not None:
            known += f',"used_60s":{self.used_60s}'
        self.told = (
            f'{{"provider":"{self.provider}","tier":{self.tier},"verdict":"{self.verdict}"{until}{degraded}'
            f',"score":{self.score},"rate_points":{self.rate_points},"speed_points":{self.speed_points}'
            f',"stock_points":{self.stock_points},"recency_points":{self.recency_points}{known}'
        )


class Kept(NamedTuple):
    """What a quiet lane was worth; good as long as it had no other outcome and time alone changes nothing."""

    found: Assessed
    outcomes: int
    from_us: int
    until_us: int
    base: int
    ping_base: int
    record: ProviderRecord


def assess(standing: Standing, settings: ProviderSettings, asked: Asking) -> Assessed:
    """Look a provider up in the standing.

    Of five providers only one had an outcome since the last decision, as a rule: what the others are worth is kept.
    """
    if asked.plain:
        kept: Kept | None = standing.lanes.kept.get(settings.id)
        if kept is not None and _still_good(standing.lanes.state, kept, asked):
            return kept.found
    index = standing.serving_lane(settings.id, asked.context)
    name, until_us = verdict(standing, settings, asked, index)
    stock = known_stock(standing, settings, asked) if standing.stock else None
    found = Assessed(settings, name, until_us, stock)
    if index is None:
        found.complete()
        return found
    _read_lane(standing, found, index, asked.now_us)
    if asked.plain and name == ELIGIBLE and settings.max_in_flight is None:
        _keep(standing, found, index, asked.now_us)
    return found


def _still_good(state: Words, kept: Kept, asked: Asking) -> bool:
    """Whether a verdict now would be the same: nothing stands against the provider, and its record says the same."""
    found, outcomes, from_us, until_us, base, ping_base, record = kept
    return (
        state[base + lane.SUCCEEDED] + state[base + lane.FAILED] == outcomes
        and from_us <= asked.now_us < until_us
        and state[base + lane.OPENED_US] == 0
        and found.provider not in asked.tried
        and record.override is None
        and not record.misconfigured_us
        and not record.unfunded_us
        and not record.rate_interval_us
        and record.throttled_until_us <= asked.now_us
        and (ping_base < 0 or state[ping_base + lane.STREAK] == 0)
    )


def _keep(standing: Standing, found: Assessed, index: int, now_us: int) -> None:
    lanes = standing.lanes
    base, params = lanes.base(index), lanes.params[index]
    ended_us, success_us = lanes.state[base + lane.LAST_ENDED_US], lanes.state[base + lane.LAST_SUCCESS_US]
    changes_us = (
        ended_us + params[lane.P_STALE_US],
        ended_us + params[lane.P_RECOVERY_US],
        success_us + score.HOUR_US,
        success_us + score.DAY_US + 1,
    )
    lanes.kept[found.provider] = Kept(
        found,
        lanes.state[base + lane.SUCCEEDED] + lanes.state[base + lane.FAILED],
        now_us,
        min((instant for instant in changes_us if instant > now_us), default=_FOR_EVER),
        base,
        params[lane.P_PING_BASE],
        standing.provider(found.provider),
    )


def _read_lane(standing: Standing, found: Assessed, index: int, now_us: int) -> None:
    """Fill in what the record says, as far as it still says anything."""
    lanes = standing.lanes
    state, base, params = lanes.state, lanes.base(index), lanes.params[index]
    if standing.policy.strategy is Strategy.LEAST_USED:
        found.used_60s = lane.recent(state, base + lane.USED, now_us)
    if lane.known(state, base, params, now_us):
        found.success_bp = score.success_bp(state, base)
        found.average_us = average_us = score.average_us(state, base)
        if standing.policy.strategy is Strategy.FASTEST:
            found.expected_us = score.expected_us(state, base)
        found.rate_points = score.rate_points(state, base)
        found.speed_points = score.speed_points(average_us)
        found.recency_points = score.recency_points(state[base + lane.LAST_SUCCESS_US], now_us)
        if not lane.rested(state, base, params, now_us):
            found.degraded = _MISSED[lane.degraded(state, base, params)]
    found.complete()
