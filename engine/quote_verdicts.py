"""What may be said of a quote: each verdict has a name, like each veto against a provider."""

from typing import Final

from understudy.projections.quote_book import DISHONEST, QUARANTINED, QUOTE_STUCK, RATE_OUTLIER

__all__ = [
    "ABOVE_MAXIMUM",
    "ALL_FEES",
    "BELOW_MINIMUM",
    "DISHONEST",
    "FEES_TOO_HIGH",
    "NOTHING_TO_COMPARE",
    "NOT_ASKED",
    "NO_QUOTE",
    "NO_VOICE",
    "QUARANTINED",
    "QUOTE_EXPIRED",
    "QUOTE_STUCK",
    "RATE_OUTLIER",
]

NOT_ASKED: Final = "not_asked"
"""Eligible, and not among those who were asked for a quote."""
NO_QUOTE: Final = "no_quote"
"""It was asked and gave none."""
QUOTE_EXPIRED: Final = "quote_expired"
BELOW_MINIMUM: Final = "amount_below_minimum"
ABOVE_MAXIMUM: Final = "amount_above_maximum"
ALL_FEES: Final = "fees_exceed_amount"
FEES_TOO_HIGH: Final = "fees_too_high"
"""Less than half of what its own rate makes of the amount would be paid out."""
NOTHING_TO_COMPARE: Final = "nothing_to_compare"
"""A quote alone without history, or two that contradict each other: neither is taken blindly."""

NO_VOICE: Final = DISHONEST | {NOTHING_TO_COMPARE}
"""Verdicts on a rate itself; others speak against the amount, and the rate may be true all the same."""
