"""Where not the best rate decides but the weights, these are shares of the conversions, over many decisions."""

from collections import Counter
from decimal import Decimal
from random import Random
from typing import Final

import pytest
from given import NOON, given, policy_for

from examples import tried_on
from understudy.engine.assess import assess_all
from understudy.engine.decide import decide
from understudy.engine.eligibility import asking
from understudy.engine.quoting import next_round
from understudy.engine.request_state import Progress, TakenQuote
from understudy.engine.strategies import order
from understudy.events.policy import Policy, ProviderSettings
from understudy.events.quotes import Quote
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import Effect
from understudy.projections.standing import Standing

IN_FULL: Final = 500
"""So many of them are made in full, with a round of quotes: the first of the weighted draw is who serves."""
DEVIATIONS: Final = 4.5
"""A share further off than this is no chance: once in some hundred thousand tries of a share. The dice are seeded."""
ACCEPTED: Final = RequestAccepted.of(
    {
        "request_id": "r",
        "operation": "convert",
        "effect": Effect.ONCE,
        "quoted": True,
        "pair": "ETH/BTC",
        "amount": Decimal(1),
        "deadline_at_us": NOON + 30_000_000,
    }
)


def policy(weights: dict[str, str], *, tier_below: str | None = None, **settings: object) -> Policy:
    """Services of one tier with these weights, and perhaps one of the next."""
    tiers = {**dict.fromkeys(weights, 1), **({} if tier_below is None else {tier_below: 2})}
    services = [
        ProviderSettings(id=name, priority=tier, weight=Decimal(weights.get(name, "1")), has_quote=True)  # type: ignore[arg-type]
        for name, tier in tiers.items()
    ]
    return policy_for(*services, strategy="weighted", always_use_best_rate=False, **settings)


def quoted(asked: tuple[str, ...]) -> tuple[TakenQuote, ...]:
    """Everybody asked gives an honest quote, the later ones a better one: it must not matter."""
    return tuple(
        TakenQuote(name, NOON, Quote(rate=Decimal(500 + place) / 10_000), NOON + 15_000_000)
        for place, name in enumerate(asked)
    )


def served(standing: Standing, draw: int) -> tuple[str, tuple[str, ...]]:
    """Who serves a conversion, and who was asked for quotes."""
    fresh = Progress(ACCEPTED, NOON)
    asked = next_round(standing, fresh, tried=(), now_us=NOON, draw=draw)
    assert asked is not None
    progress = Progress(ACCEPTED, NOON, quotes=quoted(asked.providers))
    return decide(standing, progress, tried=(), now_us=NOON, draw=draw).order[0], asked.providers


@tried_on(30_000, soak=100_000)
@pytest.mark.parametrize(
    ("weights", "parallel"),
    [
        ({"btcpay_lightning": "0.4", "simpleswap": "0.3", "changenow": "0.3"}, 3),
        ({"a": "0.5", "b": "0.3", "c": "0.2", "d": "1", "e": "0.02"}, 3),
        ({"a": "60", "b": "40"}, 1),
    ],
)
def test_weights_are_shares_of_the_conversions_also_where_not_everybody_is_asked(
    weights: dict[str, str], parallel: int, examples: int
) -> None:
    chosen = policy(weights, tier_below="below", max_parallel_requests=parallel, trust_lone_quote=parallel == 1)
    standing = given(chosen).standing
    asking_all = asking(standing, ACCEPTED, tried=(), since_us=NOON, now_us=NOON)
    best = [one for one in assess_all(standing, asking_all) if one.tier == 1]
    dice, firsts = Random(20), Counter[str]()
    for number in range(examples):
        draw = dice.getrandbits(31)
        first = order(list(best), chosen, draw=draw, effect=Effect.ONCE, last_first=None, first_try=True).ids[0]
        firsts[first] += 1
        if number < IN_FULL:
            service, asked = served(standing, draw)
            assert (service, len(asked)) == (first, min(parallel, len(weights) + 1))
    total = sum(Decimal(weight) for weight in weights.values())
    for name, weight in weights.items():
        chance = float(Decimal(weight) / total)
        margin = DEVIATIONS * (examples * chance * (1 - chance)) ** 0.5
        assert abs(firsts[name] - examples * chance) <= margin, name
    assert firsts.total() == examples
