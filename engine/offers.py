"""Lists of all that a provider has on offer: checked, put on record in parts, and asked for when they are due."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Final

from understudy.engine.errors import InvalidReply
from understudy.engine.provider import Offer
from understudy.events.policy import ProviderSettings
from understudy.events.stock import OffersListed
from understudy.events.vocabulary import ForcedState
from understudy.projections import lane_step as lane
from understudy.projections.standing import Standing

SYNC: Final = "sync"
SYNC_US: Final = 30_000_000
"""How long a list may take, if a call there may not take longer anyway: it is long."""
_A_PART: Final = 1_000
"""Offers in one event: some twenty kilobytes."""
_MOST: Final = 100_000
_LONGEST_NAME: Final = 100
_MOST_UNITS: Final = 1 << 53


def checked(listed: Any) -> list[Offer]:
    """What a provider has listed, without repetitions: of two lines for the same, the last one counts.

    Errors: InvalidReply if it is no list of offers, or a wrong one.
    """
    if isinstance(listed, str | bytes) or not isinstance(listed, Iterable):
        raise InvalidReply(f"a list of offers was expected, not {type(listed).__name__}")
    found: dict[tuple[str, str], Offer] = {}
    for one in listed:
        found[one.country, one.service] = _checked(one)
        if len(found) > _MOST:
            raise InvalidReply(f"more than {_MOST:,} offers in one list")
    return list(found.values())


def _checked(one: Any) -> Offer:
    if not isinstance(one, Offer):
        raise InvalidReply(f"a list has {type(one).__name__} in it, which is no offer")
    for name in (one.country, one.service):
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or "|" in name or not name.isprintable():  # type: ignore[redundant-expr]
            raise InvalidReply(f"an offer names {name!r:.120}, which is no country or service")
    if one.stock is not None and (type(one.stock) is not int or not 0 <= one.stock < _MOST_UNITS):
        raise InvalidReply(f"an offer of {one.service} has the stock {one.stock!r:.50}")
    price = one.price
    if price is not None and not (isinstance(price, Decimal) and price.is_finite() and price >= 0):  # type: ignore[redundant-expr]
        raise InvalidReply(f"an offer of {one.service} has the price {price!r:.50}")
    return one


def parts(provider: str, offers: Iterable[Offer]) -> Iterator[OffersListed]:
    """The events that tell a list."""
    listed = list(offers)
    for first in range(0, len(listed), _A_PART):
        by_country: dict[str, dict[str, tuple[int | None, Decimal | None]]] = {}
        for one in listed[first : first + _A_PART]:
            by_country.setdefault(one.country, {})[one.service] = (one.stock, one.price)
        yield OffersListed(provider=provider, offers=by_country)


def next_sync_us(standing: Standing, settings: ProviderSettings, now_us: int) -> int:
    """The instant at which a list is due, which may have passed: at first, every so often, and when asked for.

    A list that failed is asked for again after the rest of an open circuit.
    """
    policy, record = standing.policy, standing.provider(settings.id)
    if record.forced(now_us) is ForcedState.OPEN:
        return now_us + policy.sync_interval_ms * 1000
    index = standing.lanes.find((settings.id, SYNC))
    due_us = 0
    if index is not None:
        state, base = standing.lanes.state, standing.lanes.base(index)
        started_us = state[base + lane.LAST_STARTED_US]
        if record.sync_asked_us <= started_us:
            pause_ms = policy.recovery_time_ms if state[base + lane.STREAK] else policy.sync_interval_ms
            due_us = started_us + min(pause_ms, policy.sync_interval_ms) * 1000
    return max(due_us, record.throttled_until_us)
