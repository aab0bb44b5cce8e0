"""What a provider has on offer, as far as we believe to know: stock and price, by service and country.

Beliefs age. What is older than `stock_ttl_ms`, or was not confirmed by the provider's latest list, counts as unknown.
"""

from decimal import Decimal
from typing import Final

from understudy.events.policy import Policy, ProviderSettings
from understudy.events.requests import RequestAccepted
from understudy.projections.provider_record import StockBelief, stock_key, zero_until_us
from understudy.projections.standing import Standing

OUT_OF_STOCK: Final = "out_of_stock"
TOO_EXPENSIVE: Final = "price_above_max"
"""It is known to cost more than the caller pays."""

FREE_PRICE_OFF: Final = "free_price_off"
"""It sells to the highest bid, and that is not enabled, or there would be nobody to fall back on."""
NO_BID: Final = "no_bid"
"""It sells to the highest bid, and the caller has named no price."""


def belief_of(standing: Standing, provider: str, accepted: RequestAccepted) -> StockBelief | None:
    """What we have been told, however long ago; None if nothing."""
    return standing.stock.get(stock_key(provider, accepted.service, accepted.country))


def known_stock(standing: Standing, provider: str, belief: StockBelief, now_us: int) -> int | None:
    """The stock we believe in, None where we know nothing recent."""
    policy = standing.policy
    if now_us < zero_until_us(belief, policy):
        return 0
    if belief.revealed or not _is_fresh(standing, provider, belief.at_us, now_us, policy):
        return None
    return belief.units


def known_price(
    standing: Standing, settings: ProviderSettings, belief: StockBelief | None, now_us: int
) -> Decimal | None:
    """What one costs there: as it told lately, else as the settings have it; None if nobody knows."""
    if belief is None or belief.price is None:
        return settings.price
    fresh = _is_fresh(standing, settings.id, belief.priced_us, now_us, standing.policy)
    return belief.price if fresh else settings.price


def of_the_wares(
    standing: Standing, settings: ProviderSettings, accepted: RequestAccepted, now_us: int
) -> tuple[str, int | None] | None:
    """The veto against whoever is believed to be sold out, or to cost more than the caller pays, or is not bid at."""
    if settings.free_price and (why_not := _of_the_bid(standing.policy, accepted)):
        return why_not, None
    belief = belief_of(standing, settings.id, accepted)
    if belief is not None and known_stock(standing, settings.id, belief, now_us) == 0:
        return OUT_OF_STOCK, None
    if accepted.max_price is None:
        return None
    price = known_price(standing, settings, belief, now_us)
    return (TOO_EXPENSIVE, None) if price is not None and price > accepted.max_price else None


def _of_the_bid(policy: Policy, accepted: RequestAccepted) -> str | None:
    """The veto against bidding, if there is one: a bid is a first step, after which others are asked."""
    if not policy.free_price_enabled or not policy.fallback_enabled or policy.max_providers == 1:
        return FREE_PRICE_OFF
    return NO_BID if accepted.max_price is None else None


def _is_fresh(standing: Standing, provider: str, told_us: int, now_us: int, policy: Policy) -> bool:
    record = standing.providers.get(provider)
    confirmed = record is None or told_us >= record.synced_us  # What its latest list leaves out is not known.
    return confirmed and now_us < told_us + policy.stock_ttl_ms * 1000
