"""In which order the eligible providers of a tier are asked. Ties end in the configured order: nothing is left to chance."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Final

from understudy.engine import dice
from understudy.engine.assess import Assessment
from understudy.engine.eligibility import PROBE
from understudy.events.policy import Policy
from understudy.events.vocabulary import Effect, Strategy

MILLION: Final = 1_000_000
"""Propensities are parts per million."""

Ranking = Callable[[Assessment], tuple[object, ...]]

RANKINGS: Final[Mapping[Strategy, Ranking]] = {
    Strategy.SCORE: lambda one: (-one.score, one.price, one.average_us or 0, one.place),
    Strategy.FASTEST: lambda one: (one.expected_us or 0, one.place),
    Strategy.LEAST_USED: lambda one: (one.used_60s, one.place),
    Strategy.IN_ORDER: lambda one: (one.place,),
}
"""The strategies that compare; the others turn or roll."""

BLIND_TO_DEGRADATION: Final = frozenset({Strategy.FASTEST})
"""`fastest` weighs failures and slowness itself, as time; put behind for them too, they would count twice."""

EXPLORING: Final = frozenset({Strategy.SCORE, Strategy.FASTEST, Strategy.LEAST_USED})


class Order:
    """An order of providers, with the chance that each had of coming first."""

    __slots__ = ("explored", "propensities_ppm", "ranked")

    def __init__(self, ranked: list[Assessment], propensities_ppm: dict[str, int], *, explored: bool = False) -> None:
        self.ranked = ranked
        self.propensities_ppm = propensities_ppm
        self.explored = explored


def order(
    tier: Sequence[Assessment],
    policy: Policy,
    *,
    draw: int,
    effect: Effect,
    last_first: str | None,
    first_try: bool,
) -> Order:
    """The order within a tier: the one probe that is due, then healthy providers, then degraded ones.

    `last_first` is who came first the last time (for `round_robin`). A probe leads only on the first try of a request that
    may fall back; exploration applies only there, too.
    """
    probes = [one for one in tier if one.verdict.name == PROBE]
    steady = [one for one in tier if one.verdict.name != PROBE]
    blind = policy.strategy in BLIND_TO_DEGRADATION
    healthy = [one for one in steady if blind or one.degraded is None]
    degraded = [one for one in steady if not blind and one.degraded is not None]
    ranked: list[Assessment] = []
    chances: dict[str, int] = {}
    for group in (healthy, degraded, probes):
        if group:
            arranged, group_chances = _arrange(
                group, policy.strategy, draw=draw, last_first=last_first, rolled=len(ranked)
            )
            ranked += arranged
            chances = chances or group_chances
    if not first_try:
        return Order(ranked, chances)
    if probes and steady and policy.fallback_enabled:
        due = ranked[len(steady)]
        ranked.remove(due)
        return Order([due, *ranked], {due.settings.id: MILLION})
    return _explore(ranked, chances, policy, draw=draw, effect=effect)


def _arrange(
    group: list[Assessment], strategy: Strategy, *, draw: int, last_first: str | None, rolled: int
) -> tuple[list[Assessment], dict[str, int]]:
    match strategy:
        case Strategy.WEIGHTED:
            return _by_weight(group, draw, rolled)
        case Strategy.ROUND_ROBIN:
            arranged = _in_turn(group, last_first)
        case _:
            arranged = sorted(group, key=RANKINGS[strategy])
    return arranged, {arranged[0].settings.id: MILLION}


def _in_turn(group: list[Assessment], last_first: str | None) -> list[Assessment]:
    """Whoever follows the last first one in the configured order comes first now."""
    last = next((one.place for one in group if one.settings.id == last_first), None)
    if last is None:
        return group
    return [one for one in group if one.place > last] + [one for one in group if one.place <= last]


def _by_weight(group: list[Assessment], draw: int, rolled: int) -> tuple[list[Assessment], dict[str, int]]:
    """Drawn without replacement, each with the chance of its weight; weight 0 comes last, in configured order."""
    left = [one for one in group if one.settings.weight > 0]
    never = [one for one in group if one.settings.weight == 0]
    weights = {one.place: int(one.settings.weight * MILLION) or 1 for one in left}
    total = sum(weights.values())
    chances = {one.settings.id: weights[one.place] * MILLION // total for one in left}
    arranged: list[Assessment] = []
    while left:
        ball = dice.below(draw, dice.WEIGHT + rolled + len(arranged), total)
        for one in left:
            ball -= weights[one.place]
            if ball < 0:
                break
        left.remove(one)
        total -= weights[one.place]
        arranged.append(one)
    return arranged + never, chances or {never[0].settings.id: MILLION}


def _explore(ranked: list[Assessment], chances: dict[str, int], policy: Policy, *, draw: int, effect: Effect) -> Order:
    """With a small chance another eligible provider starts: without that no log can say what it would have brought."""
    share = policy.exploration if effect is not Effect.ONCE or policy.explore_once else Decimal(0)
    others = ranked[1:]
    if policy.strategy not in EXPLORING or not others or share == 0:
        return Order(ranked, chances)
    share_ppm = int(share * MILLION)
    each = share_ppm // len(others)
    told = {one.settings.id: each for one in others} | {ranked[0].settings.id: MILLION - each * len(others)}
    if dice.below(draw, dice.WHETHER_TO_EXPLORE, MILLION) >= each * len(others):
        return Order(ranked, told)
    chosen = others[dice.below(draw, dice.WHOM_TO_EXPLORE, len(others))]
    return Order([chosen, *(one for one in ranked if one is not chosen)], told, explored=True)
