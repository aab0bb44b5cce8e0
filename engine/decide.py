"""The decision: from the standing, the request, one clock reading and one draw to a plan with all its reasons."""

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Final

from understudy.engine.assess import Assessed, assess_all
from understudy.engine.consensus import Judgement, judge
from understudy.engine.eligibility import asking
from understudy.engine.quote_verdicts import NOT_ASKED
from understudy.engine.quote_vetoes import NOBODY
from understudy.engine.request_state import Progress
from understudy.engine.strategies import MILLION, Chances, Order, order, order_by_quotes
from understudy.events.decisions import Decision
from understudy.projections.standing import Standing

RULES_VERSION: Final = 12
"""Changes when a rule does: golden decision digests force it. Decisions of another version are not recomputed."""


def decide(standing: Standing, progress: Progress, *, tried: tuple[str, ...], now_us: int, draw: int) -> Decision:
    """Who is asked next for a request, and in which order the others would be."""
    policy, accepted = standing.policy, progress.accepted
    consensus, judged, heard = None, _UNQUOTED, NOBODY
    if accepted.quoted:
        consensus, judged = judge(standing, accepted, progress.quotes, now_us=now_us)
        heard = frozenset(consensus.honest)  # One that has been honest often enough comes out of quarantine by this.
    asked = asking(standing, accepted, tried=tried, since_us=progress.since_us, now_us=now_us, heard=heard)
    candidates = assess_all(standing, asked)
    if accepted.quoted:
        _weigh(candidates, judged)
    bidden = _bidden(candidates) if policy.free_price_enabled else []
    tier, contenders = _best_tier([one for one in candidates if one not in bidden] if bidden else candidates)
    arranged, pinned = _NO_ORDER, False
    if tier is not None:
        if accepted.quoted:
            arranged = order_by_quotes(contenders, policy, judged)
        else:
            last_first = standing.last_first.get(tier)
            effect, is_first = accepted.effect, not tried
            arranged = order(contenders, policy, draw=draw, effect=effect, last_first=last_first, first_try=is_first)
        preferred = accepted.preferred or policy.preferred_provider
        if preferred is not None:
            arranged, pinned = _pin(arranged, candidates, preferred)
        if not policy.fallback_enabled:
            arranged = Order(arranged.ranked[:1], arranged.chances, explored=arranged.explored)
    if bidden:
        tier, arranged = tier or bidden[0].tier, _bid_first(bidden, arranged)
    return Decision(
        request_id=accepted.request_id,
        strategy=policy.strategy,
        draw=draw,
        tier=tier,
        explored=arranged.explored,
        pinned=pinned,
        order=arranged.ids,
        tell=partial(_tell, candidates, arranged),
        consensus=consensus if progress.quotes else None,
    )


def _bidden(candidates: list[Assessed]) -> list[Assessed]:
    """Those who sell to the highest bid, and may be asked: a step of its own, outside of tiers and strategies."""
    return [one for one in candidates if one.free_price and one.eligible]


def _bid_first(bidden: list[Assessed], arranged: Order) -> Order:
    """Bids come ahead of the normal evaluation; where they have done badly of late, after it."""
    well = [one for one in bidden if one.degraded is None]
    poorly = [one for one in bidden if one.degraded is not None]
    ranked = [*well, *arranged.ranked, *poorly]
    if ranked[0] in arranged.ranked:
        return Order(ranked, arranged.chances, explored=arranged.explored)
    return Order(ranked, ((ranked[0].provider, MILLION),))


def _best_tier(candidates: list[Assessed]) -> tuple[int | None, list[Assessed]]:
    """The best tier of which anybody may be asked, and who may; None if nobody may at all."""
    tier: int | None = None
    contenders: list[Assessed] = []
    for one in candidates:
        if one.eligible:
            if tier is None or one.tier < tier:
                tier, contenders = one.tier, [one]
            elif one.tier == tier:
                contenders.append(one)
    return tier, contenders


def _weigh(candidates: list[Assessed], judged: Mapping[str, Judgement]) -> None:
    """Take out of the candidates whose quote is not honest."""
    for one in candidates:
        quoted = judged.get(one.provider)
        one.weigh(NOT_ASKED if quoted is None else quoted.verdict, None if quoted is None else quoted.quote)


def _tell(candidates: list[Assessed], arranged: Order) -> str:
    """The candidates in words, each with its chance of having come first, and its rank where it has one."""
    ending = _endings(arranged.ids, arranged.chances).get
    return ",".join([(one.words or one.tell()) + ending(one.provider, "0}") for one in candidates])


@lru_cache(maxsize=1024)
def _endings(ids: tuple[str, ...], chances: Chances) -> dict[str, str]:
    """The last words on whom an order or its chances name. The same few orders come up again and again."""
    rank = {provider: f',"rank":{place}' for place, provider in enumerate(ids, start=1)}
    chance = dict(chances)
    return {one: f"{chance.get(one, 0)}{rank.get(one, '')}}}" for one in {**rank, **chance}}


_NO_ORDER: Final = Order([], ())
_UNQUOTED: Final[Mapping[str, Judgement]] = {}


def _pin(arranged: Order, candidates: list[Assessed], preferred: str) -> tuple[Order, bool]:
    """The preferred provider goes first whenever it is eligible, whatever its tier."""
    chosen = next((one for one in candidates if one.provider == preferred and one.eligible), None)
    if chosen is None:
        return arranged, False
    rest = [one for one in arranged.ranked if one is not chosen]
    return Order([chosen, *rest], ((preferred, MILLION),)), True
