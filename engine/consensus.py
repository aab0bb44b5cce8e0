"""Whose quotes are honest: what the quotes of a round, and a pair's history, say of each.

A reference is the median, which one liar among three cannot move. Of two quotes neither can speak against the other, so
the pair's history has a vote where their number is even, and stands alone beside a single one. Without history two
quotes must agree. Who is beyond bounds at first sight has no say in who is stuck: beside a liar, one that is quiet and
true would be away from "the others". Rates are compared before fees, because a fee is no lie; what is paid out is
compared after them. Whoever is in quarantine has no say in anything: what it quotes is only measured by the others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from understudy.engine.in_doubt import provider_settings
from understudy.engine.quote_verdicts import (
    ABOVE_MAXIMUM,
    ALL_FEES,
    BELOW_MINIMUM,
    FEES_TOO_HIGH,
    NO_QUOTE,
    NO_VOICE,
    NOTHING_TO_COMPARE,
    QUARANTINED,
    QUOTE_EXPIRED,
    QUOTE_STUCK,
    RATE_OUTLIER,
)
from understudy.engine.request_state import TakenQuote
from understudy.events.exact import EXACT, basis_points, median, share_off
from understudy.events.policy import Fees, Policy
from understudy.events.quotes import Consensus, JudgedQuote, Quote
from understudy.events.requests import RequestAccepted
from understudy.projections.quote_book import quote_key
from understudy.projections.standing import Standing

_ONE: Final = Decimal(1)
_TWO: Final = Decimal(2)
_HUNDRED: Final = Decimal(100)
_MILLION: Final = Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What is said of one provider's quote: the name of the verdict, None for an honest one."""

    verdict: str | None
    quote: JudgedQuote | None = None
    worth: Decimal = Decimal(0)
    """What would be paid out, as this provider has kept its promises of late."""
    fees: Decimal = Decimal(0)
    """The share of the amount that it would take."""


def judge(
    standing: Standing, accepted: RequestAccepted, taken: Sequence[TakenQuote], *, now_us: int
) -> tuple[Consensus, Mapping[str, Judgement]]:
    """The consensus of the quotes that a request was given, and what it says of each, by provider."""
    policy, pair = standing.policy, accepted.pair or ""
    fresh = {one.provider: one.quote for one in taken if one.quote is not None and now_us < one.good_until_us}
    past = standing.quotes.history(pair, since_us=now_us - policy.rate_history_ms * 1000)
    confined = standing.quotes.confined(pair, now_us=now_us)
    rates = {provider: quote.rate for provider, quote in fresh.items()}
    voices = {provider: rate for provider, rate in rates.items() if provider not in confined}
    stuck = _stuck(standing, pair, rates, among=_plausible(voices, past, policy.max_rate_difference), now_us=now_us)
    live = [rate for provider, rate in voices.items() if provider not in stuck]
    basis, reference = _reference(live, past, policy.max_rate_difference)
    lone = reference is None and len(live) == 1 and _is_trusted_alone(policy)
    found = {}
    for one in taken:
        quote = fresh.get(one.provider)
        if quote is None:
            found[one.provider] = Judgement(verdict=NO_QUOTE if one.quote is None else QUOTE_EXPIRED)
            continue
        verdict = QUOTE_STUCK if one.provider in stuck else None
        if verdict is None and (not lone or one.provider in confined):
            verdict = _against(quote.rate, reference, policy.max_rate_difference)
        if verdict is None and one.provider in confined and not _has_made_good(standing, one, pair):
            verdict = QUARANTINED
        found[one.provider] = _judged(standing, accepted, one, quote, verdict=verdict, reference=reference)
    honest = [one.provider for one in taken if found[one.provider].verdict is None]
    credible = [rate for provider, rate in voices.items() if found[provider].verdict not in NO_VOICE]
    consensus = Consensus(
        pair=pair,
        basis=basis,
        reference=reference,
        agreed=median(credible) if credible else None,
        honest=tuple(honest),
        excluded={name: one.verdict for name, one in found.items() if one.verdict and name not in confined},
        confined={name: one.verdict for name, one in found.items() if one.verdict and name in confined} or None,
    )
    return consensus, found


def net_of(quote: Quote, fees: Fees, *, amount: Decimal, coin: str) -> Decimal:
    """What a quote pays out of an amount, in the coin bought: as it promises, else by the fees that are configured."""
    if quote.amount_out is not None:
        return quote.amount_out
    kept = EXACT.multiply(_less(fees.percent), _less(fees.spread))
    bought = EXACT.multiply(EXACT.multiply(EXACT.subtract(amount, fees.flat), quote.rate), kept)
    return EXACT.subtract(bought, fees.withdrawal.get(coin, Decimal(0)))


def _less(percent: Decimal) -> Decimal:
    return EXACT.subtract(_ONE, EXACT.divide(percent, _HUNDRED))


def _plausible(rates: Mapping[str, Decimal], past: Sequence[Decimal], limit: Decimal) -> Mapping[str, Decimal]:
    """The rates that are within bounds at first sight, whoever of them may be stuck; all where there is no telling."""
    _, reference = _reference([*rates.values()], past, limit)
    if reference is None:
        return rates
    return {provider: rate for provider, rate in rates.items() if _against(rate, reference, limit) is None}


def _stuck(
    standing: Standing, pair: str, rates: Mapping[str, Decimal], *, among: Mapping[str, Decimal], now_us: int
) -> frozenset[str]:
    """Whose rate has not changed for long and is away from those who have moved since.

    Unchanged alone is normal on a thin pair, and of two that both stand still, it is the older that may be stuck.
    """
    policy = standing.policy
    offers = {provider: standing.quotes.offers.get(quote_key(provider, pair)) for provider in rates}
    since_us = {provider: now_us if offer is None else offer.since_us for provider, offer in offers.items()}
    found = set()
    for provider, rate in rates.items():
        if now_us - since_us[provider] < policy.stuck_after_ms * 1000:
            continue
        others = [other for name, other in among.items() if since_us[name] > since_us[provider]]
        if others and EXACT.abs(share_off(rate, median(others))) > policy.max_stuck_difference:
            found.add(provider)
    return frozenset(found)


def _reference(live: Sequence[Decimal], past: Sequence[Decimal], limit: Decimal) -> tuple[str, Decimal | None]:
    """What quotes are measured by, and what it is made of."""
    if len(live) % 2 and len(live) > 1:
        return "round", median(live)
    if past and live:
        return ("history", median(past)) if len(live) == 1 else ("round_and_history", median([*live, median(past)]))
    if len(live) > 1:
        middle = sorted(live)[len(live) // 2 - 1 : len(live) // 2 + 1]
        if share_off(middle[1], middle[0]) <= limit:
            return "round", median(middle)
    return "nothing", None


def _has_made_good(standing: Standing, taken: TakenQuote, pair: str) -> bool:
    """Whether an honest quote of a provider in quarantine is the last that it takes to come out."""
    offer, needed = standing.quotes.offers.get(quote_key(taken.provider, pair)), standing.policy.release_after
    return offer is not None and needed > 0 and offer.has_made_good(needed, at_us=taken.at_us)


def _is_trusted_alone(policy: Policy) -> bool:
    """Whether a quote is taken that nothing can be compared with: where there is nobody who could give another."""
    return policy.trust_lone_quote or sum(one.has_quote for one in policy.providers) == 1


def _against(rate: Decimal, reference: Decimal | None, limit: Decimal) -> str | None:
    if reference is None:
        return NOTHING_TO_COMPARE
    return RATE_OUTLIER if EXACT.abs(share_off(rate, reference)) > limit else None


def _judged(
    standing: Standing,
    accepted: RequestAccepted,
    taken: TakenQuote,
    quote: Quote,
    *,
    verdict: str | None,
    reference: Decimal | None,
) -> Judgement:
    """One quote in figures, and with what its own limits and fees say against it."""
    amount, pair = accepted.amount or Decimal(0), accepted.pair or ""
    settings, offer = (
        provider_settings(standing.policy, taken.provider),
        standing.quotes.offers.get(quote_key(taken.provider, pair)),
    )
    net = net_of(quote, settings.fees, amount=amount, coin=pair.partition("/")[2])
    fade_ppm = None if offer is None else offer.fade_ppm
    gross = EXACT.multiply(amount, quote.rate)
    if verdict is None:
        verdict = _of_the_amount(quote, amount, net, gross)
    if verdict is None and quote.amount_out is not None and _is_too_good(net, gross, standing.policy):
        verdict = RATE_OUTLIER
    return Judgement(
        verdict=verdict,
        quote=JudgedQuote(
            rate=quote.rate,
            net=net,
            off_bp=None if reference is None else basis_points(share_off(quote.rate, reference)),
            fade_ppm=fade_ppm,
            quoted_at_us=taken.at_us,
        ),
        worth=EXACT.multiply(net, EXACT.subtract(_ONE, EXACT.divide(Decimal(fade_ppm or 0), _MILLION))),
        fees=EXACT.minus(share_off(net, gross)) if gross else Decimal(0),
    )


def _is_too_good(net: Decimal, gross: Decimal, policy: Policy) -> bool:
    """Whether more is promised than the rate can make of the amount: an honest rate beside it proves nothing."""
    return net > EXACT.multiply(gross, EXACT.add(_ONE, policy.max_rate_difference))


def _of_the_amount(quote: Quote, amount: Decimal, net: Decimal, gross: Decimal) -> str | None:
    if quote.min_amount is not None and amount < quote.min_amount:
        return BELOW_MINIMUM
    if quote.max_amount is not None and amount > quote.max_amount:
        return ABOVE_MAXIMUM
    if net <= 0:
        return ALL_FEES
    return FEES_TOO_HIGH if EXACT.multiply(net, _TWO) < gross else None
