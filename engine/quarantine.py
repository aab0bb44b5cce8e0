"""Whose quotes do not count for a while, and what people are told of quotes: what must follow a decision on them."""

from typing import Final

from understudy.engine.quote_verdicts import NO_VOICE
from understudy.events.decisions import Decision, DecisionMade, Event
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.events.quotes import QuarantineReleased, QuarantineSet
from understudy.projections.quote_book import DISHONEST, quote_key
from understudy.projections.standing import Standing

QUARANTINE: Final = "quarantine"
NO_HONEST_QUOTE: Final = "no_honest_quote"
RULES: Final = "rules"
"""The actor of what follows from the rules; no person may go by that name."""

QuoteFollowUp = QuarantineSet | QuarantineReleased | AlertRaised | AlertCleared


def is_about_quotes(event: Event) -> bool:
    """Whether something of the kind may follow an event."""
    if isinstance(event, Decision | DecisionMade):
        return event.consensus is not None
    return isinstance(event, QuarantineSet | QuarantineReleased)


def due(standing: Standing, event: Event) -> QuoteFollowUp | None:
    """The next event that must follow, which has been folded already; asked again until None."""
    if isinstance(event, Decision | DecisionMade) and event.consensus is not None:
        consensus, pair = event.consensus, event.consensus.pair
        set_or_released = (
            _released(standing)
            or _has_made_good(standing, pair, consensus.honest)
            or _confined(standing, pair, consensus.excluded)
        )
        if set_or_released is not None:
            return set_or_released
        distrusted = event.provider is None and bool(NO_VOICE.intersection(consensus.excluded.values()))
        told = _told_of_the_pair(standing, pair, honest=bool(consensus.honest), distrusted=distrusted)
        if told is not None:
            return told
    return _told_of_quarantines(standing) if is_about_quotes(event) else None


def _released(standing: Standing) -> QuarantineReleased | None:
    for key, until_us in standing.quotes.quarantines.items():
        if until_us is not None and until_us <= standing.at_us:
            provider, _, pair = key.partition("|")
            return QuarantineReleased(provider=provider, pair=pair, reason="its time is over")
    return None


def _has_made_good(standing: Standing, pair: str, honest: tuple[str, ...]) -> QuarantineReleased | None:
    """Who has been taken for honest in quarantine comes out of it."""
    for provider in honest:
        if quote_key(provider, pair) in standing.quotes.quarantines:
            return QuarantineReleased(provider=provider, pair=pair, reason="its quotes are honest again")
    return None


def _confined(standing: Standing, pair: str, excluded: dict[str, str]) -> QuarantineSet | None:
    policy, book = standing.policy, standing.quotes
    for provider, verdict in excluded.items():
        key = quote_key(provider, pair)
        offer = book.offers.get(key)
        if verdict not in DISHONEST or offer is None or key in book.quarantines or offer.bad < policy.quarantine_after:
            continue
        return QuarantineSet(
            provider=provider,
            pair=pair,
            until_us=standing.at_us + policy.quarantine_ms * 1000,
            evidence=offer.evidence,
            reason=f"{offer.bad} quotes in a row were not to be trusted",
        )
    return None


def _told_of_the_pair(
    standing: Standing, pair: str, *, honest: bool, distrusted: bool
) -> AlertRaised | AlertCleared | None:
    """That nobody's quote can be trusted needs a person, not that there was none; somebody's honest one ends that."""
    stands = f"{NO_HONEST_QUOTE}|{pair}" in standing.alerts
    if honest and stands:
        return AlertCleared(alert=NO_HONEST_QUOTE, subject=pair)
    if honest or stands or not distrusted:
        return None
    return AlertRaised(
        alert=NO_HONEST_QUOTE, subject=pair, message=f"no quote for {pair} can be trusted; conversions are refused"
    )


def _told_of_quarantines(standing: Standing) -> AlertRaised | AlertCleared | None:
    quarantines = {key.replace("|", " "): key for key in standing.quotes.quarantines}
    for subject, key in quarantines.items():
        if f"{QUARANTINE}|{subject}" not in standing.alerts:
            provider, _, pair = key.partition("|")
            return AlertRaised(
                alert=QUARANTINE, subject=subject, message=f"quotes of {provider} for {pair} do not count any more"
            )
    for standing_alert in standing.alerts:
        alert, _, subject = standing_alert.partition("|")
        if alert == QUARANTINE and subject not in quarantines:
            return AlertCleared(alert=alert, subject=subject)
    return None
