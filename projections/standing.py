"""The standing: all that the log adds up to, as far as decisions read it. A record, no opinion.

This is the one fold that is mutated in place, for speed; `fold` is called at every append, in order, by the engine and
by every replay alike. What each kind of event does is said in `reactions`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from understudy.events.calls import CallAbandoned, CallFailed
from understudy.events.drills import DrillStarted
from understudy.events.exact import EXACT
from understudy.events.fact import Json
from understudy.events.policy import Policy
from understudy.events.row import Recorded
from understudy.events.vocabulary import SIDE_OPERATIONS, Mode
from understudy.projections import lane_step as lane
from understudy.projections.alerting import Alerting
from understudy.projections.lanes import LaneKey, Lanes
from understudy.projections.leftovers import Leftovers
from understudy.projections.notes import Notes
from understudy.projections.open_call import OpenCall, call_context
from understudy.projections.provider_record import ProviderRecord, StockBelief
from understudy.projections.quote_book import QuoteBook
from understudy.projections.reactions import REACTIONS
from understudy.projections.unused import Unused

__all__ = ["FOLD_VERSION", "OpenCall", "Standing", "Totals", "call_context"]

FOLD_VERSION: Final = 12
"""Changes whenever the fold or its layout does; snapshots and sealed blocks of another version are not used."""

_NOTHING: Final = Decimal(0)
_PLACES: Final = Decimal("1e-8")
_MOST_DIGITS: Final = 30


@dataclass(slots=True)
class Totals:
    """Counts over the whole log."""

    accepted: int = 0
    completed: int = 0
    failed: int = 0
    suspended: int = 0
    failovers: int = 0
    """Requests that were completed by another provider than the first."""
    decisions: int = 0
    chosen: dict[str, int] = field(default_factory=dict)
    """Decisions by who was chosen: a request counts once for each provider that it is handed to."""
    served: dict[str, int] = field(default_factory=dict)
    """Completed requests by who served them."""
    paid: dict[str, Decimal] = field(default_factory=dict)
    """What each provider has charged for its successes that told their cost, in its own unit."""
    priced: dict[str, int] = field(default_factory=dict)
    """How many successes that was."""

    def charged(self, provider: str, cost: Decimal) -> None:
        """A provider has delivered, and told what that costs; what is no sum of money is left out."""
        if abs(cost.adjusted()) > _MOST_DIGITS:
            return
        self.paid[provider] = EXACT.add(self.paid.get(provider, _NOTHING), cost)
        self.priced[provider] = self.priced.get(provider, 0) + 1

    def cost_per_success(self, provider: str) -> Decimal | None:
        """What one success has cost there on average, to eight places; None if nobody told."""
        count = self.priced.get(provider)
        return EXACT.quantize(EXACT.divide(self.paid[provider], count), _PLACES).normalize() if count else None

    def decided(self, provider: str | None) -> None:
        """A decision has chosen a provider, or nobody."""
        self.decisions += 1
        if provider is not None:
            self.chosen[provider] = self.chosen.get(provider, 0) + 1


@dataclass(slots=True)
class Standing:
    """What is known at a place in the log."""

    seq: int = 0
    at_us: int = 0
    rules_version: int = 0
    policy: Policy = field(default_factory=Policy)
    policy_hash: str = ""
    lanes: Lanes = field(default_factory=lambda: Lanes(Policy()))
    providers: dict[str, ProviderRecord] = field(default_factory=dict)
    calls: dict[int, OpenCall] = field(default_factory=dict)
    """Open calls by the seq of their start."""
    spared: dict[str, set[str]] = field(default_factory=dict)
    """Providers whose earlier tries of an open request counted in no streak, by request: a later try still may."""
    spoken: dict[str, bool] = field(default_factory=dict)
    """Whether a request was executed, as an operator has said of one that was held and has not ended yet."""
    stock: dict[str, StockBelief] = field(default_factory=dict)
    quotes: QuoteBook = field(default_factory=QuoteBook)
    leftovers: Leftovers = field(default_factory=Leftovers)
    unused: Unused = field(default_factory=Unused)
    notes: Notes = field(default_factory=Notes)
    preferences: dict[str, Json] = field(default_factory=dict)
    """What operators have set while engines ran, by name: it stands above what is configured."""
    last_first: dict[int, str] = field(default_factory=dict)
    """Who was the first choice of the latest round-robin decision, by tier."""
    alerts: dict[str, int] = field(default_factory=dict)
    """When each alert that stands was raised, by `alert|subject`."""
    alerting: Alerting = field(default_factory=Alerting)
    mode: Mode = Mode.NORMAL
    drills: dict[str, DrillStarted] = field(default_factory=dict)
    """The drills that make faults up, by provider."""
    courses: dict[str, DrillStarted] = field(default_factory=dict)
    """Chaos and load that are under way, by the drill's id."""
    undrilled: dict[str, ProviderRecord] = field(default_factory=dict)
    """What the records of `drills` would be without them; `lanes.undrilled` is the same of lanes."""
    drill_lines: dict[str, int] = field(default_factory=dict)
    """When each line of the schedule was last due, as far as that is on record."""
    rate_used_us: int = 0
    """The global rate limit's virtual clock (see `ProviderRecord.rate_used_us`)."""
    rate_interval_us: int = 0
    totals: Totals = field(default_factory=Totals)

    def fold(self, recorded: Recorded) -> int:
        """Take one more event in; tells by `lane_step`'s bits what changed in the lane that it concerned."""
        self.seq, self.at_us, event = recorded
        react = REACTIONS.get(type(event))
        return 0 if react is None else react(self, recorded, event) or 0

    def provider(self, provider_id: str) -> ProviderRecord:
        """A provider's own record, which is made if it is new."""
        found = self.providers.get(provider_id)
        if found is None:
            found = self.providers[provider_id] = ProviderRecord()
        return found

    def serving_lane(self, provider_id: str, context: Mapping[str, str | None]) -> int | None:
        """The index of the lane that a request with this context reads, None if it has no record yet."""
        if self.policy.lane_by:
            return self.lanes.find(self.lane_key(provider_id, "serve", context))
        return self.lanes.places.get((provider_id, "serve"))

    def lane_key(self, provider_id: str, kind: str, context: Mapping[str, str | None]) -> LaneKey:
        """The name of the lane for a provider, a class and a context."""
        if kind != "serve" or not self.policy.lane_by:
            return (provider_id, kind)
        return (provider_id, kind, *self.lanes.split, *(context.get(name) or "" for name in self.policy.lane_by))

    def tries_that_count(self, event: CallFailed | CallAbandoned) -> int:
        """How many earlier tries may have counted in the streak: 0 if all before this one were spared."""
        spared = () if event.operation in SIDE_OPERATIONS else self.spared.get(event.request_id or "", ())
        return 0 if event.provider in spared else event.retry

    @property
    def shielded(self) -> bool:
        """Whether a local fault is suspected."""
        return self.lanes.state[lane.SHIELD] != 0
