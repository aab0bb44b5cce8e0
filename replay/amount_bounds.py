"""Which bound an amount is beyond, in words: told of a quote, and in the story of a conversion."""

from decimal import Decimal

from understudy.engine.quote_verdicts import ABOVE_MAXIMUM, BELOW_MINIMUM
from understudy.engine.quote_vetoes import EMERGENCY_AMOUNT, emergency_limit
from understudy.events.policy import Policy
from understudy.events.quotes import Quote


def bound(verdict: str, quote: Quote | None, *, amount: Decimal | None, pair: str | None, policy: Policy) -> str | None:
    """The figure that stands against an amount, and the amount; None if it is something else that does.

    Units:  both are in the coin sold.
    """
    least = quote.min_amount if quote is not None and verdict == BELOW_MINIMUM else None
    most = quote.max_amount if quote is not None and verdict == ABOVE_MAXIMUM else None
    given = emergency_limit(policy, pair) if verdict == EMERGENCY_AMOUNT else None
    coin = (pair or "").partition("/")[0]
    if least is not None:
        told = f"takes {least:f} {coin} at least"
    elif most is not None:
        told = f"takes {most:f} {coin} at most"
    elif given is not None:
        told = f"is given {given:f} {coin} at most (max_emergency_amount)"
    else:
        return None
    return told if amount is None else f"{told}, not {amount:f}"
