"""The decision: from the standing, the request, one clock reading and one draw to a plan with all its reasons."""

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Final

from understudy.engine.assess import Assessed, assess_all
from understudy.engine.consensus import Judgement, judge
from understudy.engine.eligibility import asking
from understudy.engine.quote_verdicts import NOT_ASKED
from understudy.engine.request_state import Progress
from understudy.engine.strategies import MILLION, Chances, Order, order, order_by_quotes
from understudy.events.decisions import Decision
from understudy.events.quotes import Consensus
from understudy.projections.standing import Standing

RULES_VERSION: Final = 4
"""Changes when a rule does: golden decision digests force it. Decisions of another version are not recomputed."""


def decide(standing: Standing, progress: Progress, *, tried: tuple[str, ...], now_us: int, draw: int) -> Decision:
    """Who is asked next for a request, and in which order the others would be."""
    policy, accepted = standing.policy, progress.accepted
    asked = asking(standing, accepted, tried=tried, since_us=progress.since_us, now_us=now_us)
    candidates = assess_all(standing, asked)
    consensus, judged = None, _UNQUOTED
    if accepted.quoted:
        consensus, judged = _weigh(standing, progress, candidates, now_us=now_us)
    tier: int | None = None
    contenders: list[Assessed] = []
    for one in candidates:
        if one.eligible:
            if tier is None or one.tier < tier:
                tier, contenders = one.tier, [one]
            elif one.tier == tier:
                contenders.append(one)
    arranged, pinned = _NOBODY, False
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
    return Decision(
        request_id=accepted.request_id,
        strategy=policy.strategy,
        draw=draw,
        tier=tier,
        explored=arranged.explored,
        pinned=pinned,
        order=arranged.ids,
        tell=partial(_tell, candidates, arranged),
        consensus=consensus,
    )


def _weigh(
    standing: Standing, progress: Progress, candidates: list[Assessed], *, now_us: int
) -> tuple[Consensus | None, Mapping[str, Judgement]]:
    """Compare the quotes of a request, and take out of the candidates whose is not honest."""
    consensus, judged = judge(standing, progress.accepted, progress.quotes, now_us=now_us)
    for one in candidates:
        quoted = judged.get(one.provider)
        one.weigh(NOT_ASKED if quoted is None else quoted.verdict, None if quoted is None else quoted.quote)
    return consensus if progress.quotes else None, judged


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


_NOBODY: Final = Order([], ())
_UNQUOTED: Final[Mapping[str, Judgement]] = {}


def _pin(arranged: Order, candidates: list[Assessed], preferred: str) -> tuple[Order, bool]:
    """The preferred provider goes first whenever it is eligible, whatever its tier."""
    chosen = next((one for one in candidates if one.provider == preferred and one.eligible), None)
    if chosen is None:
        return arranged, False
    rest = [one for one in arranged.ranked if one is not chosen]
    return Order([chosen, *rest], ((preferred, MILLION),)), True
