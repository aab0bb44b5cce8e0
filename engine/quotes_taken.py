"""What a round of quotes becomes when a provider has answered, or will not."""

from dataclasses import replace

from understudy.engine.request_state import Quoting, TakenQuote
from understudy.events.quotes import Quote


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
    good = state.good + (quote is not None)
    second_us = at_us if quote is not None and good == 2 else state.second_us  # noqa: PLR2004 - See its name.
    left = tuple([one for one in state.open if one != provider])
    return replace(state, progress=progress, open=left, good=good, second_us=second_us)
