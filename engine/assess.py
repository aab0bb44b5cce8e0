"""What a decision knows of one provider: its verdict, its score term by term, and what the strategy compares."""

from decimal import Decimal
from typing import Final

from pydantic_core import to_json

from understudy.engine import score
from understudy.engine.eligibility import (
    CIRCUIT_OPEN,
    ELIGIBLE,
    LAST_RESORT,
    PASSING,
    Asking,
    is_eligible,
    verdict,
)
from understudy.engine.quote_vetoes import observed
from understudy.engine.wares import belief_of, known_price, known_stock
from understudy.events.policy import ProviderSettings
from understudy.events.quotes import JudgedQuote
from understudy.events.vocabulary import Strategy
from understudy.projections import lane_step as lane
from understudy.projections.standing import Standing

SUCCESS_RATE: Final = "success_rate"
RESPONSE_TIME: Final = "response_time"

MISSED: Final = {lane.NOT_DEGRADED: None, lane.BY_SUCCESS_RATE: SUCCESS_RATE, lane.BY_RESPONSE_TIME: RESPONSE_TIME}
_FOR_EVER: Final = 1 << 62

# What a provider without a record is given.
_FULL_RATE: Final = 100 * score.POINT
_FAST: Final = 10 * score.POINT
_RECENT: Final = 5 * score.POINT

# An enum's member costs several times a global to look up.
_FASTEST: Final = Strategy.FASTEST
_LEAST_USED: Final = Strategy.LEAST_USED


class Assessed:
    """One provider at the instant of a decision; units as in `events.decisions.Candidate`. What is kept stays as it is.

    Unknown counts as favourable: without a record that says anything, the terms are those of a provider that is well,
    fast and recent. What was found at `good_from_us` stays true until `good_until_us`, if no event concerns the
    provider meanwhile.
    """

    # What few have is said here once for all, and costs nothing where it is not the case.
    degraded: str | None = None
    stock_points = 0
    rate_points = _FULL_RATE
    speed_points = _FAST
    recency_points = _RECENT
    success_bp: int | None = None
    average_us: int | None = None
    expected_us: int | None = None
    stock: int | None = None
    stock_age_us: int | None = None
    price: Decimal | None = None
    price_age_us: int | None = None
    used_60s: int | None = None
    quote: JudgedQuote | None = None
    words = ""
    good_from_us = good_until_us = 0
    score: int
    by_score: tuple[int, int]

    def __init__(self, settings: ProviderSettings, name: str, until_us: int | None) -> None:
        self.provider = settings.id
        self.tier = int(settings.priority)
        self.verdict = name
        self.eligible = is_eligible(name)
        self.until_us = until_us
        self.price = settings.price
        self.free_price = settings.free_price

    def complete(self) -> None:
        """Sum the terms up."""
        self.score = self.rate_points + self.speed_points + self.stock_points + self.recency_points
        self.by_score = (-self.score, self.average_us or 0)

    def admit(self) -> None:
        """May be asked for want of others, although its circuit is open."""
        self.verdict, self.eligible, self.until_us = LAST_RESORT, True, None

    def weigh(self, verdict: str | None, quote: JudgedQuote | None) -> None:
        """Take in what is said of its quote: only who has an honest one may be asked."""
        self.quote = quote
        if self.eligible and verdict is not None:
            self.verdict, self.eligible, self.until_us = verdict, False, None

    def tell(self) -> str:
        """The beginning of its JSON object, up to its chance, in the order of `Candidate`'s fields; kept in `words`."""
        until = "" if self.until_us is None else f',"until_us":{self.until_us}'
        degraded = "" if self.degraded is None else f',"degraded":"{self.degraded}"'
        known = ""
        if self.success_bp is not None:
            known = f',"success_bp":{self.success_bp},"average_us":{self.average_us}'
        if self.expected_us is not None:
            known += f',"expected_us":{self.expected_us}'
        if self.stock is not None:
            known += f',"stock":{self.stock}'
        if self.stock_age_us is not None:
            known += f',"stock_age_us":{self.stock_age_us}'
        if self.price is not None:
            known += f',"price":"{self.price}"'
        if self.price_age_us is not None:
            known += f',"price_age_us":{self.price_age_us}'
        if self.used_60s is not None:
            known += f',"used_60s":{self.used_60s}'
        if self.quote is not None:
            known += f',"quote":{to_json(self.quote, exclude_none=True).decode()}'
        self.words = (
            f'{{"provider":"{self.provider}","tier":{self.tier},"verdict":"{self.verdict}"{until}{degraded}'
            f',"score":{self.score},"rate_points":{self.rate_points},"speed_points":{self.speed_points}'
            f',"stock_points":{self.stock_points},"recency_points":{self.recency_points}{known},"propensity_ppm":'
        )
        return self.words


def assess_all(standing: Standing, asked: Asking) -> list[Assessed]:
    """Look every provider of the policy up in the standing, in configured order.

    Of five providers only one had an outcome since the last decision, as a rule: what the others are worth is kept,
    until an event concerns them (`projections.reactions` drops it) or time alone changes something.
    """
    policy = standing.policy
    found = _each(standing, asked) if asked.plain else [assess(standing, one, asked) for one in policy.providers]
    if policy.last_resort_ms is not None:
        _admit_resting(standing, asked, found, pause_us=policy.last_resort_ms * 1000)
    return found


def assess_observed(standing: Standing, asked: Asking) -> list[Assessed]:
    """Those whose quotes are asked for in quarantine, looked up as if they were in none.

    They are looked up apart from the others: whoever is only observed can serve nobody, and must not keep a last
    resort out.
    """
    heard = observed(standing, asked.accepted, now_us=asked.now_us)
    if not heard:
        return []
    unconfined = asked._replace(heard=heard)
    return [assess(standing, one, unconfined) for one in standing.policy.providers if one.id in heard]


def _each(standing: Standing, asked: Asking) -> list[Assessed]:
    kept: dict[str, Assessed] = standing.lanes.kept
    now_us, tried = asked.now_us, asked.tried
    found = []
    for settings in standing.policy.providers:
        provider = settings.id
        one = kept.get(provider)
        if one is None or not one.good_from_us <= now_us < one.good_until_us or provider in tried:
            one = assess(standing, settings, asked)
        found.append(one)
    return found


def _is_last_resort(standing: Standing, settings: ProviderSettings, asked: Asking, *, pause_us: int) -> bool:
    """Whether a provider whose circuit is open may be asked now, where nobody else may: it was left alone."""
    lanes, index = standing.lanes, standing.serving_lane(settings.id, asked.context)
    if index is None or lanes.state[lanes.base(index) + lane.IN_FLIGHT]:
        return False
    base = lanes.base(index)
    asked_us = max(lanes.state[base + lane.LAST_STARTED_US], lanes.state[base + lane.LAST_ENDED_US])
    return asked.now_us - asked_us >= pause_us


def _admit_resting(standing: Standing, asked: Asking, candidates: list[Assessed], *, pause_us: int) -> None:
    """Where nobody may be asked, and no limit is worth waiting for, let in those whose circuits are open.

    A failure there changes nothing, as the call began during the rest; a success closes the circuit.
    """
    deadline_us = asked.accepted.deadline_at_us
    if any(one.eligible or (one.verdict in PASSING and (one.until_us or 0) < deadline_us) for one in candidates):
        return
    for settings, one in zip(standing.policy.providers, candidates, strict=True):
        if one.verdict == CIRCUIT_OPEN and _is_last_resort(standing, settings, asked, pause_us=pause_us):
            one.admit()


def assess(standing: Standing, settings: ProviderSettings, asked: Asking) -> Assessed:
    """Look one provider up in the standing."""
    index = standing.serving_lane(settings.id, asked.context)
    name, until_us = verdict(standing, settings, asked, index)
    found = Assessed(settings, name, until_us)
    if standing.stock:
        _look_at_the_wares(standing, settings, found, asked)
    if index is None:
        found.complete()
    else:
        _read_lane(standing, found, index, asked.now_us)
    if asked.plain and name == ELIGIBLE and settings.max_in_flight is None:
        _keep(standing, found, index, asked.now_us)
    return found


def _look_at_the_wares(standing: Standing, settings: ProviderSettings, found: Assessed, asked: Asking) -> None:
    """Fill in what we believe of its stock and price, and how old that is."""
    belief = belief_of(standing, settings.id, asked.accepted)
    if belief is None:
        return
    now_us = asked.now_us
    found.stock = known_stock(standing, settings.id, belief, now_us)
    if found.stock is not None:
        found.stock_points = score.stock_points(found.stock)
        found.stock_age_us = now_us - belief.at_us
    found.price = known_price(standing, settings, belief, now_us)
    if found.price is not None and found.price is belief.price:
        found.price_age_us = now_us - belief.priced_us


def _keep(standing: Standing, found: Assessed, index: int | None, now_us: int) -> None:
    """Keep what was found, if nothing but events of the provider itself and the time kept can change it."""
    record = standing.providers.get(found.provider)
    if record is not None and (record.override is not None or record.rate_interval_us or record.slow_start is not None):
        return
    lanes = standing.lanes
    until_us = _FOR_EVER
    if index is not None:
        state, base, params = lanes.state, lane.GLOBAL_WORDS + index * lanes.words, lanes.params[index]
        if state[base + lane.OPENED_US]:
            return
        ended_us, success_us = state[base + lane.LAST_ENDED_US], state[base + lane.LAST_SUCCESS_US]
        for changes_us in (
            ended_us + params[lane.P_STALE_US],
            ended_us + params[lane.P_RECOVERY_US],
            success_us + score.HOUR_US,
            success_us + score.DAY_US + 1,
        ):
            if now_us < changes_us < until_us:
                until_us = changes_us
    found.good_from_us, found.good_until_us = now_us, until_us
    lanes.kept[found.provider] = found


def _read_lane(standing: Standing, found: Assessed, index: int, now_us: int) -> None:
    """Fill in what the record says, as far as it still says anything."""
    lanes = standing.lanes
    state, base, params = lanes.state, lane.GLOBAL_WORDS + index * lanes.words, lanes.params[index]
    strategy = standing.policy.strategy
    if strategy is _LEAST_USED:
        found.used_60s = lane.recent(state, base + lane.USED, now_us)
    if lane.known(state, base, params, now_us):
        (
            found.success_bp,
            found.average_us,
            found.rate_points,
            found.speed_points,
            found.recency_points,
        ) = score.terms(state, base, now_us)
        if strategy is _FASTEST:
            found.expected_us = score.expected_us(state, base)
        if not lane.rested(state, base, params, now_us):
            found.degraded = MISSED[lane.degraded(state, base, params)]
    found.complete()
