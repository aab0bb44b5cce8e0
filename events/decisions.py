"""What was decided, and all that it was decided on."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import ClassVar

from pydantic_core import from_json, to_json

from understudy.events.fact import Fact
from understudy.events.quotes import Consensus, JudgedQuote
from understudy.events.record import record
from understudy.events.vocabulary import Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One provider as a decision saw it.

    Shape:  in configured order within `DecisionMade.candidates`. `verdict` is `eligible`, `probe` (half-open, may
            take one request), or the name of the veto; `until_us` tells when a veto with an end will end. `degraded`
            names the missed threshold (`success_rate`, `response_time`), None for a healthy one. `rank` is the place
            in the chosen order from 1, None when not in it. `expected_us` and `used_60s` are there for the strategies
            that read them, `quote` where quotes are compared.
    Units:  score and its terms are thousandths of a point, `propensity_ppm` the chance of having been the first
            choice in parts per million, `success_bp` basis points, `expected_us` the expected time to success in
            microseconds, `stock` units (None: not known), `used_60s` calls started in the last minute. `price` is what
            one costs, in the provider's own unit. `stock_age_us` and `price_age_us` tell how long ago each was heard of
            (None: not known; a price without an age is that of the settings).
    """

    provider: str
    tier: int
    verdict: str
    until_us: int | None = None
    degraded: str | None = None
    score: int
    rate_points: int
    speed_points: int
    stock_points: int
    recency_points: int
    success_bp: int | None = None
    average_us: int | None = None
    expected_us: int | None = None
    stock: int | None = None
    stock_age_us: int | None = None
    price: Decimal | None = None
    price_age_us: int | None = None
    used_60s: int | None = None
    quote: JudgedQuote | None = None
    propensity_ppm: int = 0
    rank: int | None = None


@record(kw_only=True)
class DecisionMade(Fact):
    """Who is asked, in which order, and why: a pure function of the standing, the policy, the request, now and `draw`.

    Shape:  `order` is the plan, `provider` its first (None when nobody is eligible). `explored` tells that the first
            was drawn for exploration. The event's own `at_us` is the `now` of the decision, its seq tells what it
            knew. `consensus` is there where quotes are compared.
    Units:  `draw` is an integer below 2^31.
    """

    kind: ClassVar[str] = "decision_made.v1"
    request_id: str
    provider: str | None = None
    strategy: Strategy
    draw: int
    tier: int | None = None
    explored: bool = False
    pinned: bool = False
    order: tuple[str, ...]
    candidates: tuple[Candidate, ...]
    consensus: Consensus | None = None


@lru_cache(maxsize=1024)
def _in_words(order: tuple[str, ...]) -> str:
    """An order as a JSON array. The same few come up again and again."""
    return "[" + ",".join([f'"{provider}"' for provider in order]) + "]"


class Decision:
    """A decision as the rules make it: `DecisionMade`, with candidates that are put into words on demand.

    The rules decide many thousand times a second, and what they say of a provider seldom changes from one decision
    to the next. So they keep the words, and build no objects that nobody looks at.
    What is stored is the same to the byte as for the `DecisionMade` that is read back.
    """

    __slots__ = (
        "consensus",
        "draw",
        "explored",
        "order",
        "pinned",
        "provider",
        "request_id",
        "strategy",
        "tell",
        "tier",
    )

    kind: ClassVar[str] = DecisionMade.kind

    def __init__(
        self,
        *,
        request_id: str,
        strategy: Strategy,
        draw: int,
        tier: int | None,
        explored: bool,
        pinned: bool,
        order: tuple[str, ...],
        tell: Callable[[], str],
        consensus: Consensus | None = None,
    ) -> None:
        """A decision; `tell` gives the candidates as JSON objects, separated by commas, whenever it is asked."""
        self.request_id = request_id
        self.provider = order[0] if order else None
        self.strategy = strategy
        self.draw = draw
        self.tier = tier
        self.explored = explored
        self.pinned = pinned
        self.order = order
        self.tell = tell
        self.consensus = consensus

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Every candidate, those with a veto included, in configured order."""
        return self.made().candidates

    def made(self) -> DecisionMade:
        """The same as the event that is read back."""
        columns = {"request_id": self.request_id, "provider": self.provider}
        return DecisionMade.of({**from_json(self.payload()), **columns})

    def payload(self) -> str:
        """All that is no column, as JSON in the order of `DecisionMade`'s fields. Ids and verdicts need no escaping."""
        tier = "" if self.tier is None else f'"tier":{self.tier},'
        explored, pinned = "true" if self.explored else "false", "true" if self.pinned else "false"
        agreed = "" if self.consensus is None else f',"consensus":{to_json(self.consensus, exclude_none=True).decode()}'
        return (
            f'{{"strategy":"{self.strategy}","draw":{self.draw},{tier}"explored":{explored},"pinned":{pinned},'
            f'"order":{_in_words(self.order)},"candidates":[{self.tell()}]{agreed}}}'
        )

    def __eq__(self, other: object) -> bool:
        """Equal to what says the same, be it read back or just made."""
        if isinstance(other, Decision):
            return self.made() == other.made()
        return self.made() == other if isinstance(other, DecisionMade) else NotImplemented

    __hash__ = None  # type: ignore[assignment]


Decided = DecisionMade | Decision
"""A decision, read back or just made."""

Event = Fact | Decision
"""Whatever a log takes."""
