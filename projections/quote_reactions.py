"""What quotes, conversions and quarantines do to the standing."""

from typing import TYPE_CHECKING

from understudy.events.calls import CallStarted, CallSucceeded
from understudy.events.quotes import QuarantineReleased, QuarantineSet
from understudy.events.row import Recorded

if TYPE_CHECKING:
    from understudy.projections.standing import Standing


def read_quotes(standing: "Standing", started: CallStarted, event: CallSucceeded, at_us: int) -> None:
    """A quote, or what a conversion paid out of what had been promised."""
    pair = event.pair or ""
    if event.quote is not None:
        standing.quotes.quoted(event.provider, pair, event.quote, at_us)
    if started.amount_due is not None and event.amount_out is not None:
        standing.quotes.paid_out(event.provider, pair, promised=started.amount_due, paid=event.amount_out)


def quarantine_set(standing: "Standing", _: Recorded, event: QuarantineSet) -> None:
    """A provider goes into quarantine for a pair."""
    standing.quotes.confine(event)


def quarantine_released(standing: "Standing", _: Recorded, event: QuarantineReleased) -> None:
    """A provider comes out of quarantine."""
    standing.quotes.release(event.provider, event.pair)
