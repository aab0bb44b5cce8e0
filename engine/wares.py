"""What a provider has on offer, as far as we believe to know: stock, by service and country."""

from typing import Final

from understudy.events.requests import RequestAccepted
from understudy.projections.provider_record import stock_key
from understudy.projections.standing import Standing

OUT_OF_STOCK: Final = "out_of_stock"


def known_stock(standing: Standing, provider: str, accepted: RequestAccepted, now_us: int) -> int | None:
    """The stock we believe in, None where we know nothing recent."""
    belief = standing.stock.get(stock_key(provider, accepted.service, accepted.country))
    if belief is None:
        return None
    policy = standing.policy
    ttl_ms = policy.sold_out_ttl_ms if belief.revealed else policy.stock_ttl_ms
    return belief.units if now_us < belief.at_us + ttl_ms * 1000 else None


def of_the_stock(
    standing: Standing, provider: str, accepted: RequestAccepted, now_us: int
) -> tuple[str, int | None] | None:
    """The veto against whoever is believed to be sold out."""
    return (OUT_OF_STOCK, None) if known_stock(standing, provider, accepted, now_us) == 0 else None
