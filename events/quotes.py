"""Quotes: what providers offer for a conversion, who was asked for one, and whose are not to be trusted."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import ClassVar

from understudy.events.fact import Fact
from understudy.events.record import record


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a provider offers.

    Shape:  `amount_out` is what it promises to pay out, net of all that it takes; without it, the fees of its settings
            are taken off what `rate` makes of the amount. `reference` is its own id of the offer.
    Units:  `rate` is units of the coin bought for one of the coin sold, before fees; `min_amount` and `max_amount` are
            in the coin sold; `expires_at_us` is an instant.
    """

    rate: Decimal
    amount_out: Decimal | None = None
    min_amount: Decimal | None = None
    max_amount: Decimal | None = None
    expires_at_us: int | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedQuote:
    """A quote as a decision saw it.

    Units:  `net` is what would be paid out for the request's amount after every fee; `off_bp` how far the rate is
            from the reference, in basis points, None without one; `fade_ppm` how much less than quoted this provider
            has paid out of late, in parts per million (negative: more).
    """

    rate: Decimal
    net: Decimal
    off_bp: int | None = None
    fade_ppm: int | None = None
    quoted_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Consensus:
    """What the quotes of a decision add up to.

    Shape:  `basis` tells what the reference is made of: `round` (the quotes alone), `round_and_history`, `history`, or
            `nothing` (then there is no reference). `honest` are those within bounds, `excluded` the verdict on each
            whose quote was not to be trusted. `confined` is the verdict on each that was asked in quarantine, without a
            voice, and stays there: `quarantined` if its quote was honest in itself. None: nobody was.
    Units:  `reference` is a rate; `agreed` the rate that goes into the pair's history, None if there is none to trust.
    """

    pair: str
    basis: str
    reference: Decimal | None = None
    agreed: Decimal | None = None
    honest: tuple[str, ...] = ()
    excluded: dict[str, str] = field(default_factory=dict)
    confined: dict[str, str] | None = None


@record(kw_only=True)
class QuotesRequested(Fact):
    """A round of quotes begins: these providers are asked, all at once or one after another.

    Shape:  `observed` are those of them who are in quarantine, and asked without a voice. None: nobody is.
    Units:  a quote is good for at most `max_age_us`, a length, from its arrival. Once two quotes are there, or all that
            have a voice, the others are waited for no longer than `grace_us`; None: until each has answered or run out
            of time.
    """

    kind: ClassVar[str] = "quotes_requested.v1"
    request_id: str
    draw: int
    providers: tuple[str, ...]
    parallel: bool
    max_age_us: int
    grace_us: int | None = None
    observed: tuple[str, ...] | None = None


@record(kw_only=True)
class QuarantineSet(Fact):
    """A provider's quotes of a pair count no more: too many in a row were not to be trusted.

    Shape:  `evidence` are the latest verdicts, oldest first, each with what was quoted and the reference.
            `actor` is `rules`, or the operator who set it.
    Units:  `until_us` is an instant; None: until it is released.
    """

    kind: ClassVar[str] = "quarantine_set.v1"
    provider: str
    pair: str
    until_us: int | None = None
    evidence: tuple[str, ...] = ()
    actor: str = "rules"
    reason: str


@record(kw_only=True)
class QuarantineReleased(Fact):
    """A provider's quotes of a pair count again: they are honest, its time is over, or an operator says so."""

    kind: ClassVar[str] = "quarantine_released.v1"
    provider: str
    pair: str
    actor: str = "rules"
    reason: str
