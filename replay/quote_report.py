"""What conversions over recorded quotes came to: read off the log, and held against what was recorded.

An honest quote is one within 50 basis points of the median of the others of its instant; one that stands alone is
neither honest nor not. Providers are compared by what they pay out, net of the fees that are configured.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Final, NamedTuple

from understudy.engine.consensus import net_of
from understudy.engine.quote_verdicts import DISHONEST, NOTHING_TO_COMPARE, QUARANTINED, QUOTE_EXPIRED
from understudy.events.codec import decode
from understudy.events.decisions import DecisionMade
from understudy.events.exact import EXACT, median, share_off
from understudy.events.log import LogReader
from understudy.events.policy import Fees, Policy
from understudy.events.quotes import Quote
from understudy.events.requests import RequestCompleted, RequestFailed
from understudy.replay.quotes_file import QuotedMinute, RecordedQuotes
from understudy.replay.report import VerifiedCounts

HONEST_WITHIN: Final = Decimal("0.005")
EXCLUDING: Final = (*sorted(DISHONEST), NOTHING_TO_COMPARE, QUOTE_EXPIRED, QUARANTINED)
"""The verdicts that leave out somebody who has a quote."""
_NO_FEES: Final = Fees()
_BASIS_POINTS: Final = Decimal(10_000)
_READ: Final = frozenset({DecisionMade.kind, RequestCompleted.kind, RequestFailed.kind})


class Exclusion(NamedTuple):
    """A quote that was not taken into account.

    Units:  `off_bp` is how far it was from the median of the others, in basis points; None, as `honest`, where it was
            the only one of its instant. Whoever is in quarantine may not have been asked: the rate is the file's.
    """

    at_us: int
    provider: str
    reason: str
    rate: Decimal
    off_bp: float | None
    honest: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFigures:
    """One provider in a run.

    Shape:  `quotes` are the instants at which it had one, `honest` those of them that were, `taken` those at which it
            converted. `excluded` counts by verdict, `false_exclusions` those that were honest.
    Units:  `bp_obtained_over_it` is how much more than its own quotes was paid out at the same instants, in basis
            points, on average; `bp_obtained_over_its_honest` the same over its honest quotes alone.
    """

    quotes: int
    honest: int
    taken: int
    excluded: Mapping[str, int]
    false_exclusions: int
    bp_obtained_over_it: float | None
    bp_obtained_over_its_honest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteReport:
    """The figures of a run.

    Units:  `success_rate` is a fraction. `bp_to_best_honest` is how much less than the best honest quote was paid out,
            on average, `worst_bp_to_best_honest` at most, in basis points; above 0 where more was.
    Shape:  `excluded` counts `exclusions`, which `by_reason` counts by verdict; `false_exclusions` are those of honest
            quotes, of `honest_quotes` in all. `taken_not_honest` counts conversions at quotes that were not honest.
    """

    pair: str
    requests: int
    success_rate: float
    quotes: int
    honest_quotes: int
    excluded: int
    false_exclusions: int
    by_reason: Mapping[str, int]
    taken_not_honest: int
    bp_to_best_honest: float | None
    worst_bp_to_best_honest: float | None
    by_provider: Mapping[str, ProviderFigures]
    exclusions: tuple[Exclusion, ...]
    taken: tuple[str | None, ...] = field(repr=False)
    """By whom each conversion was served, in order; None for one that was not."""
    verify: VerifiedCounts = field(default_factory=VerifiedCounts)

    def as_json(self) -> dict[str, object]:
        """The figures as JSON has them, every exclusion with its reason among them."""
        told = asdict(self)
        del told["taken"]
        return {**told, "exclusions": [one._asdict() for one in self.exclusions]}


class _Mean:
    """The mean of differences in basis points, while they come, and the lowest of them."""

    def __init__(self) -> None:
        self._count = 0
        self._total = Decimal(0)
        self._lowest: Decimal | None = None

    def add(self, value: Decimal, *, over: Decimal) -> None:
        """How much a value is over another."""
        difference = share_off(value, over)
        self._count += 1
        self._total = EXACT.add(self._total, difference)
        self._lowest = difference if self._lowest is None else min(self._lowest, difference)

    @property
    def mean_bp(self) -> float | None:
        """None of nothing."""
        return in_bp(EXACT.divide(self._total, Decimal(self._count))) if self._count else None

    @property
    def lowest_bp(self) -> float | None:
        """None of nothing."""
        return None if self._lowest is None else in_bp(self._lowest)


def in_bp(share: Decimal) -> float:
    """A share in basis points, to a thousandth of one."""
    return round(float(EXACT.multiply(share, _BASIS_POINTS)), 3)


def off_others(rates: Mapping[str, Decimal]) -> dict[str, Decimal | None]:
    """How far each rate is from the median of the others, as a share of that; None for one alone."""
    found: dict[str, Decimal | None] = {}
    for provider, rate in rates.items():
        others = [other for name, other in rates.items() if name != provider]
        found[provider] = share_off(rate, median(others)) if others else None
    return found


def report_of(reader: LogReader, quotes: RecordedQuotes, *, policy: Policy, amount: Decimal) -> QuoteReport:
    """The figures of a run whose log this is: one request at each instant, in order."""
    tally = _Tally(quotes, policy=policy, amount=amount)
    for minute, (decision, served_by) in zip(quotes.minutes, _requests(reader), strict=True):
        tally.add(minute, decision, served_by)
    return tally.report()


def _requests(reader: LogReader) -> Iterator[tuple[DecisionMade | None, str | None]]:
    """The last decision of each request, and by whom it was served, as they ended."""
    decision: DecisionMade | None = None
    for row in reader.rows():
        if row.kind not in _READ:
            continue
        match decode(row):
            case DecisionMade() as made:
                decision = made
            case RequestCompleted(provider=provider):
                yield decision, provider
                decision = None
            case _:
                yield decision, None
                decision = None


class _Figures:
    """What is counted of one provider."""

    def __init__(self) -> None:
        self.quotes = self.honest = self.taken = self.false_exclusions = 0
        self.excluded: Counter[str] = Counter()
        self.over_it = _Mean()
        self.over_its_honest = _Mean()

    def told(self) -> ProviderFigures:
        return ProviderFigures(
            quotes=self.quotes,
            honest=self.honest,
            taken=self.taken,
            excluded=dict(sorted(self.excluded.items())),
            false_exclusions=self.false_exclusions,
            bp_obtained_over_it=self.over_it.mean_bp,
            bp_obtained_over_its_honest=self.over_its_honest.mean_bp,
        )


class _Tally:
    """Counts, request by request."""

    def __init__(self, quotes: RecordedQuotes, *, policy: Policy, amount: Decimal) -> None:
        self._pair, self._amount, self._fees = quotes.pair, amount, {one.id: one.fees for one in policy.providers}
        self._coin = quotes.pair.partition("/")[2]
        self._by_provider = {provider: _Figures() for provider in quotes.providers}
        self._exclusions: list[Exclusion] = []
        self._taken: list[str | None] = []
        self._taken_not_honest = 0
        self._to_best = _Mean()

    def add(self, minute: QuotedMinute, decision: DecisionMade | None, served_by: str | None) -> None:
        """One more request has ended."""
        offs = off_others(minute.rates)
        honest = {name for name, off in offs.items() if off is not None and EXACT.abs(off) <= HONEST_WITHIN}
        for provider in minute.rates:
            self._by_provider[provider].quotes += 1
            self._by_provider[provider].honest += provider in honest
        for one in decision.candidates if decision is not None else ():
            if one.verdict in EXCLUDING and one.provider in minute.rates:
                self._exclude(minute, one.provider, one.verdict, off=offs[one.provider], honest=one.provider in honest)
        self._taken.append(served_by)
        if served_by is not None:
            self._by_provider[served_by].taken += 1
            self._taken_not_honest += offs[served_by] is not None and served_by not in honest
            self._compare(minute, served_by, honest)

    def _exclude(self, minute: QuotedMinute, provider: str, reason: str, *, off: Decimal | None, honest: bool) -> None:
        figures = self._by_provider[provider]
        figures.excluded[reason] += 1
        figures.false_exclusions += honest
        self._exclusions.append(
            Exclusion(
                at_us=minute.at_us,
                provider=provider,
                reason=reason,
                rate=minute.rates[provider],
                off_bp=None if off is None else in_bp(off),
                honest=None if off is None else honest,
            )
        )

    def _compare(self, minute: QuotedMinute, served_by: str, honest: set[str]) -> None:
        nets = {name: self._net(name, rate) for name, rate in minute.rates.items()}
        for provider, net in nets.items():
            if net > 0:
                self._by_provider[provider].over_it.add(nets[served_by], over=net)
                if provider in honest:
                    self._by_provider[provider].over_its_honest.add(nets[served_by], over=net)
        best = max((nets[name] for name in honest), default=Decimal(0))
        if best > 0:
            self._to_best.add(nets[served_by], over=best)

    def _net(self, provider: str, rate: Decimal) -> Decimal:
        fees = self._fees.get(provider, _NO_FEES)
        return net_of(Quote(rate=rate), fees, amount=self._amount, coin=self._coin)

    def report(self) -> QuoteReport:
        """The figures so far."""
        figures = self._by_provider.values()
        served = sum(one is not None for one in self._taken)
        return QuoteReport(
            pair=self._pair,
            requests=len(self._taken),
            success_rate=round(served / len(self._taken), 6),
            quotes=sum(one.quotes for one in figures),
            honest_quotes=sum(one.honest for one in figures),
            excluded=len(self._exclusions),
            false_exclusions=sum(one.false_exclusions for one in figures),
            by_reason=dict(sorted(Counter(one.reason for one in self._exclusions).items())),
            taken_not_honest=self._taken_not_honest,
            bp_to_best_honest=self._to_best.mean_bp,
            worst_bp_to_best_honest=self._to_best.lowest_bp,
            by_provider={name: one.told() for name, one in self._by_provider.items()},
            exclusions=tuple(self._exclusions),
            taken=tuple(self._taken),
        )
