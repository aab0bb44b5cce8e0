"""What calls and lists reveal of a provider's stock and prices."""

from typing import TYPE_CHECKING

from understudy.events.calls import CallFailed, CallSucceeded
from understudy.events.operations import SyncRequested
from understudy.events.row import Recorded
from understudy.events.stock import OffersListed
from understudy.events.vocabulary import SIDE_OPERATIONS, FailureKind
from understudy.projections.provider_record import delivered, refused, stock_key, told

if TYPE_CHECKING:
    from understudy.projections.standing import Standing


def heard(standing: "Standing", event: CallSucceeded, at_us: int, *, since_us: int) -> None:
    """A call that began at `since_us` has told a stock, ended a list, or delivered what was on offer."""
    key = stock_key(event.provider, event.service, event.country)
    if event.operation == "sync":
        standing.provider(event.provider).synced_us = since_us
    elif event.stock is not None:
        price = event.cost if event.operation in SIDE_OPERATIONS else None
        standing.stock[key] = told(standing.stock.get(key), units=event.stock, price=price, at_us=at_us)
    elif event.operation not in SIDE_OPERATIONS:
        belief = standing.stock.get(key)
        if belief is not None and belief.refusals:
            standing.stock[key] = delivered(belief)


def sold_out(standing: "Standing", event: CallFailed, at_us: int) -> None:
    """A provider has refused because it has nothing left, or does not have such a thing at all."""
    key = stock_key(event.provider, event.service, event.country)
    before = standing.stock.get(key)
    if event.outcome is FailureKind.OUT_OF_STOCK:
        standing.stock[key] = refused(before, standing.policy, at_us=at_us)
    elif event.service or event.country:  # That it is not offered is believed for as long as a told stock.
        standing.stock[key] = told(before, units=0, price=None, at_us=at_us)


def listed(standing: "Standing", recorded: Recorded, event: OffersListed) -> None:
    """A part of a provider's list of all that it has on offer."""
    stock = standing.stock
    for country, services in event.offers.items():
        for service, (units, price) in services.items():
            key = stock_key(event.provider, service, country)
            stock[key] = told(stock.get(key), units=units, price=price, at_us=recorded.at_us)
    standing.lanes.kept.clear()


def sync_requested(standing: "Standing", recorded: Recorded, event: SyncRequested) -> None:
    """An operator wants to know what is on offer now."""
    for settings in standing.policy.providers:
        if settings.has_sync and event.provider in {None, settings.id}:
            standing.provider(settings.id).sync_asked_us = recorded.at_us
