"""What of a context has columns of its own in the log, so that people can query by it without a join.

Read by whoever writes an event of a request or of a call: both repeat the context.
"""

from collections.abc import Mapping
from typing import Final, TypedDict

from understudy.events.calls import CallFact
from understudy.events.requests import RequestAccepted


class Columns(TypedDict):
    """What a request is about; None where it does not say."""

    service: str | None
    country: str | None
    rental_id: str | None
    pair: str | None


CONTEXT_COLUMNS: Final = tuple(Columns.__annotations__)


def columns_in(context: Mapping[str, str]) -> Columns:
    """Those of a context that a caller gave."""
    return {
        "service": context.get("service"),
        "country": context.get("country"),
        "rental_id": context.get("rental_id"),
        "pair": context.get("pair"),
    }


def columns_of(event: RequestAccepted | CallFact) -> Columns:
    """Those of a request or a call that is on record."""
    return {
        "service": event.service,
        "country": event.country,
        "rental_id": event.rental_id,
        "pair": event.pair,
    }


def context_of(accepted: RequestAccepted) -> dict[str, str]:
    """Those of a request as a caller gave them: what it does not say is left out."""
    return {name: value for name in CONTEXT_COLUMNS if (value := getattr(accepted, name)) is not None}
