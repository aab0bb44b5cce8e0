"""What stands against asking a provider for a quote, and so for a conversion."""

from decimal import Decimal
from typing import Final

from understudy.events.policy import Policy, ProviderSettings
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import ServicePriority
from understudy.projections import lane_step as lane
from understudy.projections.quote_book import QUARANTINED, quote_key
from understudy.projections.standing import Standing

NOBODY: Final = frozenset[str]()
CANNOT_QUOTE: Final = "cannot_quote"
QUOTES_FAIL: Final = "quotes_fail"
"""It could not be asked for quotes, as with an open circuit."""
EMERGENCY_AMOUNT: Final = "emergency_amount"
"""More than may go through the emergency tier."""


def of_the_quotes(
    standing: Standing, settings: ProviderSettings, accepted: RequestAccepted, now_us: int, *, heard: frozenset[str]
) -> tuple[str, int | None] | None:
    """The veto, and when it ends if that is known; None if nothing of the kind stands against it.

    `heard` are those whose quarantine is no veto: they are asked in it, or come out of it.
    """
    if not settings.has_quote:
        return (CANNOT_QUOTE, None)
    key = quote_key(settings.id, accepted.pair or "")
    if key in standing.quotes.quarantines and settings.id not in heard:
        until_us = standing.quotes.quarantines[key]
        if until_us is None or now_us < until_us:
            return (QUARANTINED, until_us)
    limit = emergency_limit(standing.policy, accepted.pair)
    is_last = settings.priority >= ServicePriority.EMERGENCY
    if is_last and limit is not None and accepted.amount is not None and accepted.amount > limit:
        return (EMERGENCY_AMOUNT, None)
    return of_the_circuit(standing, settings.id, now_us)


def observed(standing: Standing, accepted: RequestAccepted, *, now_us: int) -> frozenset[str]:
    """Whose quotes are asked for in quarantine, without a voice, to see whether they are honest again."""
    if not standing.policy.release_after:
        return NOBODY
    return standing.quotes.confined(accepted.pair or "", now_us=now_us)


def emergency_limit(policy: Policy, pair: str | None) -> Decimal | None:
    """How much of the coin sold may go through the emergency tier; None: as much as one likes."""
    limit = policy.max_emergency_amount
    if isinstance(limit, dict):
        return limit.get((pair or "").partition("/")[0])
    return limit


def of_the_circuit(standing: Standing, provider: str, now_us: int) -> tuple[str, int | None] | None:
    """The circuit of its quotes: a probe is a quote like any other, and costs nothing but time."""
    lanes = standing.lanes
    index = lanes.find((provider, "quote"))
    if index is None or not lanes.state[lanes.base(index) + lane.OPENED_US]:
        return None
    base, params = lanes.base(index), lanes.params[index]
    match lane.circuit(lanes.state, base, params, now_us):
        case lane.IS_OPEN:
            return (QUOTES_FAIL, lanes.state[base + lane.OPEN_UNTIL_US])
        case lane.NEEDS_PING:
            return (QUOTES_FAIL, None)
        case lane.PROBING:
            return (QUOTES_FAIL, lanes.state[base + lane.PROBE_US] + params[lane.P_PERMIT_US])
        case _:
            return None
