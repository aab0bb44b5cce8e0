"""In which order the eligible providers of a tier are asked. Ties end in the configured order."""

from bisect import bisect_right
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from operator import attrgetter
from typing import Final

from understudy.engine import dice
from understudy.engine.assess import Assessed
from understudy.engine.consensus import Judgement
from understudy.engine.eligibility import PROBE
from understudy.events.policy import Policy
from understudy.events.vocabulary import Effect, Strategy

MILLION: Final = 1_000_000
"""Propensities are parts per million."""

# An enum's member costs several times a global to look up, and this is asked at every decision.
_SCORE: Final = Strategy.SCORE
_FASTEST: Final = Strategy.FASTEST
_WEIGHTED: Final = Strategy.WEIGHTED
_ROUND_ROBIN: Final = Strategy.ROUND_ROBIN
_LEAST_USED: Final = Strategy.LEAST_USED
_IN_ORDER: Final = Strategy.IN_ORDER
_BEST_RATE: Final = Strategy.BEST_RATE
_CHEAPEST: Final = Strategy.CHEAPEST
_ONCE: Final = Effect.ONCE

EXPLORING: Final = (_SCORE, _FASTEST, _LEAST_USED, _BEST_RATE, _CHEAPEST)
"""The strategies that rank. A tuple: an enum's member has a slow hash."""

_NOTHING: Final = Decimal(0)
_KEPT: Final = 1024
"""Orders whose chances are kept: the same few come up again and again."""

_BY_SCORE: Final = attrgetter("by_score")
"""The higher score, then the shorter average."""


Chances = tuple[tuple[str, int], ...]
"""The chance in ppm that a candidate had of coming first, by provider; whom it does not name had none."""


class Order:
    """An order of candidates, with the chance in ppm that each had of coming first."""

    __slots__ = ("chances", "explored", "ids", "ranked")

    def __init__(self, ranked: list[Assessed], chances: Chances, *, explored: bool = False) -> None:
        self.ranked = ranked
        self.ids = tuple([one.provider for one in ranked])
        self.chances = chances
        self.explored = explored


@lru_cache(maxsize=_KEPT)
def _led(ids: tuple[str, ...], leader: str, each: int) -> Chances:
    """The chances where one was to lead, but each of the others had an equal chance instead."""
    return tuple([(one, MILLION - each * (len(ids) - 1) if one == leader else each) for one in ids])


def order(
    tier: list[Assessed], policy: Policy, *, draw: int, effect: Effect, last_first: str | None, first_try: bool
) -> Order:
    """The order within a tier: the one probe that is due, then healthy providers, then degraded ones.

    `last_first` is who came first the last time (for `round_robin`). A probe leads only on the first try of a request
    that may fall back; exploration applies only there, too.
    """
    # `in_order` keeps to the configured order, come what may; `fastest` weighs failures and slowness itself, as time,
    # but once a try was lost, it is safety that counts.
    strategy = policy.strategy
    blind = strategy is _IN_ORDER or (strategy is _FASTEST and first_try)
    well: list[Assessed] = []
    poorly: list[Assessed] = []
    unweighted: list[Assessed] = []
    probes: list[Assessed] = []
    for one in tier:
        if one.verdict == PROBE:
            probes.append(one)
        elif strategy is _WEIGHTED and not policy.weights_ppm[one.provider]:
            unweighted.append(one)  # Never by weight, not even before a degraded one that has some.
        elif one.degraded is None or blind:
            well.append(one)
        else:
            poorly.append(one)
    if len(well) == len(tier):  # As a rule.
        ranked, chances = _arrange(well, policy, draw=draw, last_first=last_first, rolled=0)
    else:
        ranked, chances = [], ()
        for group in (well, poorly, unweighted, probes):
            if group:
                arranged, its_chances = _arrange(group, policy, draw=draw, last_first=last_first, rolled=len(ranked))
                ranked = ranked + arranged
                chances = chances or its_chances
    if not first_try:
        return Order(ranked, chances)
    if 0 < len(probes) < len(ranked) and policy.fallback_enabled and policy.max_providers != 1:
        due = ranked.pop(-len(probes))
        return Order([due, *ranked], ((due.provider, MILLION),))
    if len(ranked) == 1 or strategy not in EXPLORING:
        return Order(ranked, chances)
    return _explore(ranked, chances, policy, draw=draw, effect=effect)


def _arrange(
    group: list[Assessed], policy: Policy, *, draw: int, last_first: str | None, rolled: int
) -> tuple[list[Assessed], Chances]:
    """One group in its order; sorting is stable, so ties keep the configured order."""
    strategy = policy.strategy
    if strategy is _SCORE or strategy is _BEST_RATE:
        arranged = sorted(group, key=_by_score_and_price if _are_priced(group) else _BY_SCORE)
    elif strategy is _FASTEST:
        arranged = sorted(group, key=lambda one: one.expected_us or 0)
    elif strategy is _CHEAPEST:
        arranged = sorted(group, key=_by_price_and_score)
    elif strategy is _LEAST_USED:
        arranged = sorted(group, key=lambda one: one.used_60s or 0)
    elif strategy is _ROUND_ROBIN:
        arranged = _in_turn(group, policy, last_first)
    elif strategy is _WEIGHTED:
        return _by_weight(group, policy.weights_ppm, draw=draw, rolled=rolled)
    else:
        arranged = group
    return arranged, ((arranged[0].provider, MILLION),)


def _are_priced(group: list[Assessed]) -> bool:
    return bool([one for one in group if one.price])


def _by_score_and_price(one: Assessed) -> tuple[int, Decimal, int]:
    """An unknown price counts as favourable, as everything unknown."""
    return -one.score, one.price or _NOTHING, one.average_us or 0


def _by_price_and_score(one: Assessed) -> tuple[Decimal, tuple[int, int]]:
    return one.price or _NOTHING, one.by_score


def order_by_quotes(tier: list[Assessed], policy: Policy, judged: Mapping[str, Judgement]) -> Order:
    """The order of those of a tier who have an honest quote: healthy ones first, then degraded ones.

    By what each would pay out if the best rate is wanted; else in the order in which the strategy had them asked, but
    for `best_rate` and `cheapest`, which compare quotes. Equals stay in that order, too.
    """
    places = {provider: place for place, provider in enumerate(judged)}
    asked = sorted(tier, key=lambda one: places[one.provider])
    ranked: list[Assessed] = []
    chances: Chances = ()
    for poorly in (False, True):
        group = [one for one in asked if (one.degraded is not None) is poorly]
        if not group:
            continue
        if policy.always_use_best_rate or policy.strategy is _BEST_RATE:
            group.sort(key=lambda one: judged[one.provider].worth, reverse=True)
        elif policy.strategy is _CHEAPEST:
            group.sort(key=lambda one: judged[one.provider].fees)
        elif policy.strategy is _WEIGHTED:
            chances = chances or _shares(group, policy.weights_ppm)
        chances = chances or ((group[0].provider, MILLION),)
        ranked += group
    return Order(ranked, chances)


def _shares(group: list[Assessed], weights_ppm: Mapping[str, int]) -> Chances:
    """The chance that each had of being drawn first: drawn without replacement, it is that of its weight among them."""
    total = sum(weights_ppm[one.provider] for one in group)
    if not total:
        return ((group[0].provider, MILLION),)
    return tuple([(one.provider, weights_ppm[one.provider] * MILLION // total) for one in group])


def _in_turn(group: list[Assessed], policy: Policy, last_first: str | None) -> list[Assessed]:
    """Whoever follows the last first one in the configured order comes first now."""
    ids = list(policy.by_id)
    if last_first not in ids:
        return group
    last = ids.index(last_first)
    return sorted(group, key=lambda one: ids.index(one.provider) <= last)


def _by_weight(
    group: list[Assessed], weights_ppm: Mapping[str, int], *, draw: int, rolled: int
) -> tuple[list[Assessed], Chances]:
    """Drawn without replacement, each with the chance of its weight; weight 0 comes last, in configured order."""
    left = [one for one in group if weights_ppm[one.provider]]
    never = [one for one in group if not weights_ppm[one.provider]]
    total = sum(weights_ppm[one.provider] for one in left)
    chances = tuple([(one.provider, weights_ppm[one.provider] * MILLION // total) for one in left])
    arranged: list[Assessed] = []
    while left:
        ball = dice.below(draw, dice.WEIGHT + rolled + len(arranged), total)
        bounds = [*accumulate(weights_ppm[one.provider] for one in left)]
        one = left.pop(bisect_right(bounds, ball))
        total -= weights_ppm[one.provider]
        arranged.append(one)
    return arranged + never, chances or ((never[0].provider, MILLION),)


def _explore(ranked: list[Assessed], chances: Chances, policy: Policy, *, draw: int, effect: Effect) -> Order:
    """With a small chance another eligible provider starts: without that no log can say what it would have brought."""
    share_ppm = policy.exploration_ppm
    if not share_ppm or (effect is _ONCE and not policy.explore_once):
        return Order(ranked, chances)
    others = len(ranked) - 1
    each = share_ppm // others
    leader = ranked[0]
    explores = dice.below(draw, dice.WHETHER_TO_EXPLORE, MILLION) < each * others
    if explores:
        chosen = ranked[1 + dice.below(draw, dice.WHOM_TO_EXPLORE, others)]
        ranked = [chosen, *[one for one in ranked if one is not chosen]]
    found = Order(ranked, (), explored=explores)
    found.chances = _led(found.ids, leader.provider, each)
    return found
