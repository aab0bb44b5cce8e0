"""Rounds of quotes: who is asked, when the next one is, and when there is enough to decide on.

Tier first: only where nobody of a tier has an honest quote, and nobody of it is left to be asked, is the next tier's
turn. Places of a round that a tier does not fill go to those after it, as witnesses: a quote alone proves nothing. The
emergency tier is no witness; it is asked when nobody else is left. Whoever is in quarantine is asked along in a place
that its tier leaves: that is how it comes out again once it is honest.
"""

from collections.abc import Sequence
from typing import Final

from understudy.engine.assess import Assessed, assess_all, assess_observed
from understudy.engine.columns import columns_of
from understudy.engine.consensus import judge
from understudy.engine.drills import touched
from understudy.engine.eligibility import OUR_LIMITS, asking
from understudy.engine.endings import fail
from understudy.engine.request_state import QUOTE, Progress, Quoting
from understudy.engine.steps import AwaitQuotes, Step, TakeQuote
from understudy.engine.strategies import order
from understudy.events.calls import CallStarted
from understudy.events.policy import Policy
from understudy.events.quotes import QuotesRequested
from understudy.events.vocabulary import EndReason, ServicePriority
from understudy.projections.standing import Standing

_MORE_ROUNDS: Final = 3
_ENOUGH: Final = 2
"""Quotes of the tier itself beside which whoever is in quarantine comes before witnesses of later tiers."""


def most_rounds(policy: Policy) -> int:
    """Rounds within one request: each provider may need one of its own, and quotes that grow old a few more."""
    return len(policy.providers) + _MORE_ROUNDS


def next_round(
    standing: Standing, progress: Progress, *, tried: tuple[str, ...], now_us: int, draw: int
) -> QuotesRequested | None:
    """The round that is due before a decision can be made; None if it can be made on what is there."""
    accepted, policy = progress.accepted, standing.policy
    if progress.rounds >= most_rounds(policy):
        return None
    own, witnesses, aside = _places(standing, progress, tried=tried, now_us=now_us, draw=draw)
    if not own:
        return None
    # Two and the pair's history can tell who is honest: a witness more is worth less than who may come back.
    further = [*aside, *witnesses] if len(own) >= _ENOUGH else [*witnesses, *aside]
    providers = tuple([*own, *further][: policy.max_parallel_requests])
    return QuotesRequested(
        request_id=accepted.request_id,
        providers=providers,
        parallel=policy.parallel_queries,
        max_age_us=policy.quote_max_age_ms * 1000,
        grace_us=None if policy.quote_grace_ms is None else policy.quote_grace_ms * 1000,
        observed=tuple([one for one in providers if one in aside]) or None,
        draw=draw,
    )


def _places(
    standing: Standing, progress: Progress, *, tried: tuple[str, ...], now_us: int, draw: int
) -> tuple[Sequence[str], Sequence[str], Sequence[str]]:
    """Everybody whose turn it is to be asked, the most wanted first; witnesses; and who is asked without a voice."""
    accepted = progress.accepted
    _, judged = judge(standing, accepted, progress.quotes, now_us=now_us)
    honest = frozenset(provider for provider, one in judged.items() if one.verdict is None)
    asked = asking(standing, accepted, tried=tried, since_us=progress.since_us, now_us=now_us, heard=honest)
    every = assess_all(standing, asked)  # As a decision on these quotes would.
    eligible = [one for one in every if one.eligible]
    done = _done(progress, now_us=now_us)
    left = [one for one in eligible if one.provider not in done and one.provider not in progress.spent]
    preferred = accepted.preferred or standing.policy.preferred_provider
    places = [one.provider for one in left if one.provider == preferred]  # It goes first, whatever its tier.
    own = 0
    for tier in sorted({one.tier for one in eligible}):
        if not places and any(one.provider in honest for one in eligible if one.tier == tier):
            return (), (), ()
        if tier == ServicePriority.EMERGENCY and (places or _somebody_is_only_busy(every, progress)):
            break
        members = [one for one in left if one.tier == tier and one.provider != preferred]
        places += _picked(standing, progress, members, tried=tried, draw=draw)
        if places:  # Somebody else is asked: who could not be compared, or not be trusted, is heard once more.
            again = [one for one in eligible if one.tier == tier and one.provider in progress.spent]
            again = [one for one in again if one.provider not in done]
            places += _picked(standing, progress, again, tried=tried, draw=draw)
        own = own or len(places)
    aside: list[str] = []
    if places and standing.policy.parallel_queries:
        aside = [one.provider for one in assess_observed(standing, asked) if _may_be_observed(one, progress, done)]
    return places[:own], places[own:], aside


def _done(progress: Progress, *, now_us: int) -> set[str]:
    """Who is not asked again: whose quote is still good, and who gave none, or a single one would open a circuit.

    A quote that had grown old when it came is none: the next one would come too late again.
    """
    return {
        one.provider
        for one in progress.quotes
        if one.quote is None or now_us < one.good_until_us or one.good_until_us <= one.at_us
    }


def _may_be_observed(one: Assessed, progress: Progress, done: set[str]) -> bool:
    """Whether somebody in quarantine may be asked for a quote; the emergency tier is asked in an emergency alone."""
    known = one.provider in done or one.provider in progress.spent
    return one.eligible and not known and one.tier < ServicePriority.EMERGENCY


def _somebody_is_only_busy(every: Sequence[Assessed], progress: Progress) -> bool:
    """Whether anybody above the emergency tier is only at a limit of ours that ends in time: it is waited for.

    The limit may have been used up by having asked for this very quote.
    """
    deadline_us = progress.accepted.deadline_at_us
    return any(
        one.verdict in OUR_LIMITS
        and one.tier < ServicePriority.EMERGENCY
        and one.provider not in progress.spent
        and (one.until_us or 0) < deadline_us
        for one in every
    )


def _picked(
    standing: Standing, progress: Progress, tier: Sequence[Assessed], *, tried: tuple[str, ...], draw: int
) -> tuple[str, ...]:
    """Those of a tier who may be asked, in the strategy's order."""
    if not tier:
        return ()
    arranged = order(
        list(tier),
        standing.policy,
        draw=draw,
        effect=progress.accepted.effect,
        last_first=standing.last_first.get(tier[0].tier),
        first_try=not tried,
    )
    return arranged.ids


def ask_on(state: Quoting, standing: Standing, *, now_us: int) -> Step | None:
    """What is next in a round; None if it is over, and a decision is due."""
    progress = state.progress
    accepted = progress.accepted
    ended = progress.given_up or (EndReason.DEADLINE if now_us >= accepted.deadline_at_us else None)
    if ended is not None and not state.open:
        return fail(progress, ended)
    if ended is not None:
        return AwaitQuotes(now_us)
    if state.to_ask and (state.asked.parallel or not state.open):
        return TakeQuote(_call(state, standing, now_us))
    if state.open:
        grace_us = state.asked.grace_us
        return AwaitQuotes(state.enough_us + grace_us if grace_us is not None and state.enough_us else None)
    return None


def _call(state: Quoting, standing: Standing, now_us: int) -> CallStarted:
    accepted, provider = state.progress.accepted, state.to_ask[0]
    call = CallStarted(
        request_id=accepted.request_id,
        provider=provider,
        operation=QUOTE,
        **columns_of(accepted),
        key="",
        deadline_at_us=min(accepted.deadline_at_us, now_us + standing.policy.timeout_us(provider)),
    )
    return touched(standing, call, now_us=now_us) if standing.drills else call
