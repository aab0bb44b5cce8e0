"""The engine's verdicts on quotes, and its answers, in a converter's words."""

from collections.abc import Iterable
from decimal import Decimal

from understudy.adapters.conversion.conversion import Conversion, Offer, withheld
from understudy.adapters.conversion.wish import Wish
from understudy.engine.consensus import net_of
from understudy.engine.eligibility import ELIGIBLE
from understudy.engine.in_doubt import provider_settings
from understudy.engine.operation import Answer
from understudy.engine.quotes import QuoteVerdict
from understudy.events.exact import basis_points, share_off
from understudy.events.policy import Policy
from understudy.replay.amount_bounds import bound


def offers(verdicts: Iterable[QuoteVerdict], asked: Wish, policy: Policy) -> tuple[Offer, ...]:
    """What was quoted, each beside the best that may be taken."""
    every = tuple(verdicts)
    best = max((one.net for one in every if one.verdict == ELIGIBLE and one.net is not None), default=None)
    return tuple(_offer(one, asked, policy, best) for one in every)


def _offer(one: QuoteVerdict, asked: Wish, policy: Policy, best: Decimal | None) -> Offer:
    rate = None if one.quote is None else one.quote.rate
    off_bp = None if best is None or one.net is None else -basis_points(share_off(one.net, best))
    return Offer(
        service=one.provider,
        tier=one.tier,
        verdict=one.verdict,
        rate=rate,
        amount_out=one.net,
        fees=withheld(rate, asked.amount, one.net),
        off_best_bp=off_bp,
        message=one.message or bound(one.verdict, one.quote, amount=asked.amount, pair=asked.pair, policy=policy),
    )


def converted(answer: Answer, asked: Wish, policy: Policy) -> Conversion:
    """What a caller gets of an answer; where nobody says what has arrived, it is what the quote has promised."""
    quote, amount_out = answer.quote, answer.amount_out
    if amount_out is None and quote is not None:
        fees = provider_settings(policy, answer.provider).fees
        amount_out = net_of(quote, fees, amount=asked.amount, coin=asked.to_coin)
    rate = None if quote is None else quote.rate
    return Conversion(
        service=answer.provider,
        from_coin=asked.from_coin,
        to_coin=asked.to_coin,
        amount=asked.amount,
        rate=rate,
        amount_out=amount_out,
        fees=withheld(rate, asked.amount, amount_out),
        failovers=answer.failovers,
        request_id=answer.request_id,
        reference=answer.reference,
        via=answer.via,
        joined=answer.joined,
    )
