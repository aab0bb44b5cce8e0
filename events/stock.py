"""What providers have on offer: stock and prices, as they list them."""

from decimal import Decimal
from typing import ClassVar

from understudy.events.fact import Fact
from understudy.events.record import record


@record(kw_only=True)
class OffersListed(Fact):
    """A provider has listed what it has on offer; a long list is told in several events.

    Shape:  `offers` has units and price by country and service, each None where the provider does not say. They stand
            between the start and the end of the call `sync` that they are the answer to.
    Units:  a price is what one costs, in the provider's own unit.
    """

    kind: ClassVar[str] = "offers_listed.v1"
    provider: str
    offers: dict[str, dict[str, tuple[int | None, Decimal | None]]]
