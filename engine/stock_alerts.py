"""The alert that a provider has little left of something: what it says is held against a mark."""

from collections.abc import Iterator
from typing import Final

from understudy.events.alerts import LOW_STOCK
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.events.policy import Policy
from understudy.events.stock import OffersListed
from understudy.projections.provider_record import stock_key
from understudy.projections.standing import Standing

MOST_WARES: Final = 20
"""Wares of one provider of which it is told that there is little left: a list may name thousands."""


def of_offers(standing: Standing, event: OffersListed) -> Iterator[AlertRaised | AlertCleared]:
    """What a part of a list gives reason for."""
    for country, services in event.offers.items():
        for service in services:
            found = of_ware(standing, stock_key(event.provider, service, country))
            if found is not None:
                yield found


def of_ware(standing: Standing, key: str) -> AlertRaised | AlertCleared | None:
    """Whether a provider has little left of something, or enough again. What is not known says nothing."""
    policy, belief = standing.policy, standing.stock.get(key)
    least = policy.alert_min_stock
    if least is None or belief is None or belief.units is None:
        return None
    subject = subject_of(key)
    provider, country, service = key.split("|", 2)
    stands = f"{LOW_STOCK}|{subject}" in standing.alerts
    if stands and belief.units >= least + policy.alert_stock_margin:
        return AlertCleared(alert=LOW_STOCK, subject=subject, message=f"{provider} has {belief.units:,} again")
    if stands or belief.units >= least or not _is_watched(policy, country, service):
        return None
    if sum(1 for _ in _told_of(standing, provider)) >= MOST_WARES:
        return None
    message = f"{provider} has {belief.units:,} left for {country or 'any country'}, {service or 'any service'}"
    return AlertRaised(alert=LOW_STOCK, subject=subject, message=f"{message}: less than {least:,}")


def listed_no_more(standing: Standing, provider: str) -> AlertCleared | None:
    """Something of which there was little is not in the list any more."""
    since_us = standing.providers[provider].synced_us
    known = {subject_of(key): belief for key, belief in standing.stock.items() if key.partition("|")[0] == provider}
    for subject in _told_of(standing, provider):
        belief = known.get(subject)
        if belief is None or belief.at_us < since_us:
            return AlertCleared(alert=LOW_STOCK, subject=subject, message=f"{provider} does not list it any more")
    return None


def subject_of(key: str) -> str:
    """What a ware is called in an alert, by the key of its stock."""
    provider, country, service = key.split("|", 2)
    return f"{provider} {country or 'any'}:{service or 'any'}"


def _told_of(standing: Standing, provider: str) -> Iterator[str]:
    """The wares of a provider of which it has been told that there is little left."""
    for name in standing.alerts:
        alert, _, subject = name.partition("|")
        if alert == LOW_STOCK and subject.partition(" ")[0] == provider:
            yield subject


def _is_watched(policy: Policy, country: str, service: str) -> bool:
    return not policy.alert_stock_of or f"{country}:{service}" in policy.alert_stock_of
