"""What an answer says of an exchange: a quote, what arrives in the end, and until when a rate is held."""

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final, Self

from pydantic import model_validator

from understudy.adapters.providers.http_fields import ReplyPath
from understudy.events.policy import Settings
from understudy.events.quotes import Quote

_SECONDS_BELOW: Final = Decimal(100_000_000_000)
"""An instant below it is in seconds (until the year 5138), one above it in milliseconds."""
_MILLISECONDS_BELOW: Final = _SECONDS_BELOW * 1000
_LATEST_US: Final = 1 << 60
QUOTED: Final = ("rate", "amount_out", "min_amount", "max_amount", "expires_at", "reference")
"""What can be said of a quote; in a `reply.pattern` these are groups, and a group `rate` makes the answer a quote."""


class QuoteDescription(Settings):
    """Where an answer has a quote.

    Shape:  `rate` is what one unit of the first coin fetches of the second; without it, it is `amount_out` for the
            amount that was asked about. `expires_at` is an instant: ISO 8601, or seconds or milliseconds since 1970.
    """

    rate: ReplyPath | None = None
    amount_out: ReplyPath | None = None
    min_amount: ReplyPath | None = None
    max_amount: ReplyPath | None = None
    expires_at: ReplyPath | None = None
    reference: ReplyPath | None = None

    @model_validator(mode="after")
    def _tells_a_rate(self) -> Self:
        if self.rate is None and self.amount_out is None:
            raise ValueError("tells no rate: give it a place for rate, or for amount_out, or both")
        return self

    @property
    def paths(self) -> tuple[str, ...]:
        """All places that are named."""
        return tuple(path for name in QUOTED if (path := getattr(self, name)) is not None)


def made_quote(
    numbers: dict[str, Decimal | None], *, expires_at_us: int | None, reference: str | None, amount: Decimal | None
) -> Quote:
    """The quote that an answer is; `amount` is what was asked about, for a rate that is not told.

    Errors: ValueError with what is wrong of it, which goes on from "the answer".
    """
    rate, amount_out = numbers["rate"], numbers["amount_out"]
    if rate is None:
        if amount_out is None:
            raise ValueError("has neither a rate nor an amount_out")
        if not amount:
            raise ValueError("has no rate, and none can be worked out without an amount")
        rate = amount_out / amount
    return Quote(
        rate=rate,
        amount_out=amount_out,
        min_amount=numbers["min_amount"],
        max_amount=numbers["max_amount"],
        expires_at_us=expires_at_us,
        reference=reference,
    )


def instant_us(text: str) -> int:
    """An instant as APIs write it, in microseconds since 1970; a time without a zone is in UTC.

    Errors: ValueError if it is none.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        instant = datetime.fromisoformat(text)
        since = (instant if instant.tzinfo else instant.replace(tzinfo=UTC)) - datetime(1970, 1, 1, tzinfo=UTC)
        return round(since.total_seconds() * 1_000_000)
    if not number.is_finite() or number < 0:
        raise ValueError("this is no instant")
    if number < _SECONDS_BELOW:
        number *= 1_000_000
    elif number < _MILLISECONDS_BELOW:
        number *= 1000
    if number > _LATEST_US:
        raise ValueError("this instant is beyond all measure")
    return int(number)
