"""What quotes add up to: each provider's latest rate of a pair, whom not to trust, what a pair was worth of late."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Self

from understudy.events.exact import EXACT
from understudy.events.quotes import Consensus, QuarantineSet, Quote

RATE_OUTLIER: Final = "rate_outlier"
"""Further from the reference than `max_rate_difference`, on whichever side."""
QUOTE_STUCK: Final = "quote_stuck"
"""Unchanged for long, and away from the others."""
QUARANTINED: Final = "quarantined"
"""Honest in itself, of a provider in quarantine: one of those that end it."""
DISHONEST: Final = frozenset({RATE_OUTLIER, QUOTE_STUCK})
"""Verdicts on a quote that speak against the provider itself, and lead to quarantine."""

HISTORY: Final = 3
"""Agreed rates that make up a pair's history: the market moves, and what was true long ago is no measure."""
_EVIDENCE: Final = 10
_APART_US: Final = 1_000_000
"""Bad quotes closer together count as one, and good ones in quarantine: a hundred callers at once prove nothing."""
_MILLION: Final = 1_000_000
_FADE_SHARE: Final = 8
"""One conversion moves what is known of a provider's fade by an eighth of the way."""
_FADE_LIMIT: Final = 10**9
_MOST_TIMES: Final = Decimal(1_000)
_NOBODY: Final = frozenset[str]()


@dataclass(slots=True)
class Offer:
    """A provider's quotes of one pair.

    Units:  `rate` was quoted last at `at_us`, and for the first time in a row at `since_us`. `bad` counts quotes in a
            row that were not to be trusted, the latest of them given at `bad_us`, of which `fault` was said; `evidence`
            tells of them. `good` counts those in a row that were honest in quarantine, the latest given at `good_us`.
            `fade_ppm` is how much less than quoted was paid out of late, in parts per million; None before the first
            conversion.
    """

    rate: Decimal
    since_us: int
    at_us: int
    bad: int = 0
    bad_us: int = 0
    fault: str = ""
    good: int = 0
    good_us: int = 0
    evidence: tuple[str, ...] = ()
    fade_ppm: int | None = None

    def has_made_good(self, needed: int, *, at_us: int) -> bool:
        """Whether the quote given at `at_us`, honest in itself, is the last of so many that end a quarantine.

        It need not be the latest: others may have been given one since. What was stuck and moves again is stuck no
        longer: that needs no other proof.
        """
        moves = self.fault == QUOTE_STUCK and self.since_us == self.at_us <= at_us
        return moves or (self.good + 1 >= needed and at_us >= self.good_us + _APART_US)

    def _is_another(self, since_us: int) -> bool:
        return self.at_us >= since_us + _APART_US

    def was_excluded(self, verdict: str, reference: Decimal | None) -> None:
        """A decision has left its latest quote out."""
        if verdict == QUARANTINED and self._is_another(self.good_us):
            self.good, self.good_us = self.good + 1, self.at_us
        elif verdict in DISHONEST:
            self.good, self.fault = 0, verdict
            if self._is_another(self.bad_us):
                self.bad, self.bad_us = self.bad + 1, self.at_us
                told = f"{verdict}: quoted {self.rate}, reference {reference}"
                self.evidence = (*self.evidence, told)[-_EVIDENCE:]

    def forgive(self) -> None:
        """Its record is clean again."""
        self.bad, self.good, self.fault, self.evidence = 0, 0, "", ()


@dataclass(slots=True)
class QuoteBook:
    """All offers by `provider|pair`, the quarantines among them, and the agreed rates of each pair, oldest first."""

    offers: dict[str, Offer] = field(default_factory=dict)
    quarantines: dict[str, int | None] = field(default_factory=dict)
    """Until when each lasts; None: until it is released."""
    agreed: dict[str, tuple[tuple[int, Decimal], ...]] = field(default_factory=dict)

    def quoted(self, provider: str, pair: str, quote: Quote, at_us: int) -> None:
        """A provider has quoted."""
        key = quote_key(provider, pair)
        offer = self.offers.get(key)
        if offer is None:
            self.offers[key] = Offer(rate=quote.rate, since_us=at_us, at_us=at_us)
            return
        if offer.rate != quote.rate:
            offer.rate, offer.since_us = quote.rate, at_us
        offer.at_us = at_us

    def judged(self, consensus: Consensus, at_us: int) -> None:
        """A decision has compared quotes.

        What speaks against a quote alone is the history, and the market may have moved since: that is no evidence.
        """
        pair = consensus.pair
        excluded = {} if consensus.basis == "history" else consensus.excluded
        for provider in consensus.honest:
            offer = self.offers.get(quote_key(provider, pair))
            if offer is not None and quote_key(provider, pair) not in self.quarantines:
                offer.forgive()
        for provider, verdict in (*excluded.items(), *(consensus.confined or {}).items()):
            offer = self.offers.get(quote_key(provider, pair))
            if offer is not None:
                offer.was_excluded(verdict, consensus.reference)
        if consensus.agreed is not None:
            self.agreed[pair] = (*self.agreed.get(pair, ()), (at_us, consensus.agreed))[-HISTORY:]

    def paid_out(self, provider: str, pair: str, *, promised: Decimal, paid: Decimal) -> None:
        """A conversion has paid out so much, of which so much had been promised."""
        offer = self.offers.get(quote_key(provider, pair))
        if offer is None or promised <= 0:
            return
        most = EXACT.multiply(promised, _MOST_TIMES)  # An adapter may say anything: no sum must break the fold.
        paid = max(EXACT.minus(most), min(paid, most))
        lost = EXACT.divide(EXACT.multiply(EXACT.subtract(promised, paid), Decimal(_MILLION)), promised)
        fade_ppm = max(-_FADE_LIMIT, min(_FADE_LIMIT, int(lost)))
        before = offer.fade_ppm
        offer.fade_ppm = fade_ppm if before is None else before + (fade_ppm - before) // _FADE_SHARE

    def confine(self, event: QuarantineSet) -> None:
        """A provider goes into quarantine for a pair."""
        self.quarantines[quote_key(event.provider, event.pair)] = event.until_us

    def release(self, provider: str, pair: str) -> None:
        """A provider comes out again, with a clean record."""
        key = quote_key(provider, pair)
        self.quarantines.pop(key, None)
        if key in self.offers:
            self.offers[key].forgive()

    def confined(self, pair: str, *, now_us: int) -> frozenset[str]:
        """Whose quotes of a pair are in quarantine."""
        if not self.quarantines:
            return _NOBODY
        standing = [key for key, until_us in self.quarantines.items() if until_us is None or now_us < until_us]
        apart = [key.partition("|") for key in standing]
        return frozenset(provider for provider, _, its_pair in apart if its_pair == pair)

    def history(self, pair: str, *, since_us: int) -> list[Decimal]:
        """The agreed rates of a pair since an instant, in the order of their coming."""
        return [rate for at_us, rate in self.agreed.get(pair, ()) if at_us >= since_us]

    @classmethod
    def restored(cls, told: Mapping[str, Any]) -> Self:
        """A book as it was told in JSON.

        Errors: KeyError, TypeError, ValueError if it is none.
        """
        return cls(
            offers={key: _offer(one) for key, one in told["offers"].items()},
            quarantines=dict(told["quarantines"]),
            agreed={
                pair: tuple([(at_us, Decimal(rate)) for at_us, rate in rates]) for pair, rates in told["agreed"].items()
            },
        )


def _offer(told: Mapping[str, Any]) -> Offer:
    return Offer(**{**told, "rate": Decimal(told["rate"]), "evidence": tuple(told["evidence"])})


def quote_key(provider: str, pair: str) -> str:
    """The name under which a provider's quotes of a pair are kept."""
    return f"{provider}|{pair}"
