"""A shop that sells to the highest bid, as a candidate of its own beside its fixed prices."""

from typing import Any, Final

from understudy.engine.provider import Deadline, Provider, Request

ENDING: Final = ":free_price"
"""What the id of such a candidate ends in, after the shop's own."""


class FreePrice:
    """The bids of a shop: with an id, a record and a circuit of their own, and first in line where they are enabled.

    The shop must take bids itself: an object with `bid(operation, request, *, key, deadline)` for renting, in which
    `request.max_price` is the bid. All else about a number that was rented so is asked of the shop as ever.
    """

    free_price: Final = True

    def __init__(self, shop: Any) -> None:
        """`shop` is a provider with `bid`.

        Errors: TypeError if it takes no bids.
        """
        if not callable(getattr(shop, "bid", None)):
            raise TypeError(f"{shop!r} takes no bids: it needs `async def bid(operation, request, *, key, deadline)`")
        self._shop = shop
        self.id: str = f"{shop.id}{ENDING}"
        self.settle_ms: int = getattr(shop, "settle_ms", 0)
        for name in ("ping", "lookup"):
            function = getattr(shop, name, None)
            if function is not None:
                setattr(self, name, function)

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Any:
        """Bid for a number, or ask the shop about one."""
        inner: Provider = self._shop
        asked = self._shop.bid if request.max_price is not None else inner.call
        return await asked(operation, request, key=key, deadline=deadline)
