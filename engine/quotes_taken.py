"""What becomes of a round of quotes when a provider has answered, or will not."""

from dataclasses import replace
from typing import Final

from understudy.engine.eligibility import THROTTLED
from understudy.engine.quote_verdicts import NO_QUOTE
from understudy.engine.request_state import Quoting, TakenQuote
from understudy.events.decisions import Decided
from understudy.events.quotes import Consensus, Quote

_ENOUGH: Final = 2
"""Quotes that can be compared with each other."""


def took(state: Quoting, provider: str, at_us: int, quote: Quote | None) -> Quoting:
    """A provider that was asked for a quote has answered, or will not: what it said before counts no more."""
    ends_us = at_us + state.asked.max_age_us
    if quote is not None and quote.expires_at_us is not None:
        ends_us = min(ends_us, quote.expires_at_us)
    before, asked = state.progress.quotes, state.asked.providers
    known = {one.provider: one for one in (*before, TakenQuote(provider, at_us, quote, ends_us))}
    earlier = [one for one in before if one.provider not in asked]
    quotes = (*earlier, *(known[name] for name in asked if name in known))  # In the order of asking.
    progress = replace(state.progress, quotes=quotes)
    observed = state.asked.observed or ()
    good = state.good + (quote is not None and provider not in observed)
    left = tuple([one for one in state.open if one != provider])
    is_enough = good >= _ENOUGH or all(one in observed for one in (*left, *state.to_ask))
    enough_us = state.enough_us or (at_us if is_enough else 0)
    return replace(state, progress=progress, open=left, good=good, enough_us=enough_us)


def put_off(event: Decided, consensus: Consensus) -> frozenset[str]:
    """Those who gave no quote because we are to wait: they are asked again when their time has come."""
    silent = {name for name, verdict in consensus.excluded.items() if verdict == NO_QUOTE}
    if not silent:
        return frozenset()
    return frozenset(one.provider for one in event.candidates if one.verdict == THROTTLED and one.provider in silent)
