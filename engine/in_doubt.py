"""Calls that may have been executed: look-ups until it is known, and what is told meanwhile."""

from understudy.engine.columns import columns_of
from understudy.engine.request import doubt_of
from understudy.engine.request_state import LOOKUP, Chosen, Doubtful, LetDown
from understudy.engine.steps import LookUp, Step, Suspend
from understudy.events.calls import CallStarted
from understudy.events.policy import Policy, ProviderSettings
from understudy.events.requests import RequestSuspended
from understudy.events.vocabulary import Finding, SuspendReason
from understudy.projections.standing import Standing


def settle(state: Chosen | LetDown, standing: Standing, *, now_us: int) -> Step:
    """A call may have been executed: look it up at once, or hold the request if that cannot be done."""
    doubt = doubt_of(state)
    if provider_settings(standing.policy, state.turn.provider).has_lookup:
        return look_up(doubt, standing, now_us)
    return suspend(doubt, SuspendReason.NO_LOOKUP)


def surely_absent(state: Doubtful, settings: ProviderSettings) -> bool:
    """Whether the look-ups have proven that the call had no effect; an absence counts if asked for late enough."""
    if state.finding is Finding.FAILED:
        return True
    if not settings.has_lookup:
        return False  # What the provider needed to settle is not known any more.
    return state.finding is Finding.ABSENT and state.looked_us >= state.ended_us + settings.settle_ms * 1000


def next_lookup_us(state: Doubtful, policy: Policy, settings: ProviderSettings) -> int:
    """When to look up (again): at once, then with pauses that double; an absence not before it can be believed."""
    if state.lookups == 0:
        return state.ended_us
    pause_ms = min(policy.lookup_interval_ms << min(state.lookups - 1, 30), policy.lookup_interval_cap_ms)
    due_us = state.found_us + pause_ms * 1000
    if state.finding is Finding.ABSENT:
        return max(state.ended_us + settings.settle_ms * 1000, due_us)
    return due_us


def look_up(state: Doubtful, standing: Standing, now_us: int) -> Step:
    """Ask the provider of the doubtful call, under the key that the call had; but no caller waits past the deadline."""
    accepted, started = state.progress.accepted, state.started
    limit_us = now_us + standing.policy.timeout_us(state.turn.provider)
    if not state.held and state.progress.given_up is None:
        if now_us >= accepted.deadline_at_us:
            return suspend(state, SuspendReason.UNDECIDED)
        limit_us = min(limit_us, accepted.deadline_at_us)
    event = CallStarted(
        request_id=accepted.request_id,
        provider=started.provider,
        operation=LOOKUP,
        attempt=started.attempt,
        **columns_of(accepted),
        key=started.key,
        deadline_at_us=limit_us,
    )
    return LookUp(event)


def suspend(state: Doubtful, reason: SuspendReason) -> Step:
    """Hold the request: nobody else may be asked, and the caller must not wait for ever."""
    accepted, started = state.progress.accepted, state.started
    return Suspend(
        RequestSuspended(
            request_id=accepted.request_id,
            operation=accepted.operation,
            provider=started.provider,
            attempt=started.attempt,
            key=started.key,
            reason=reason,
        )
    )


def provider_settings(policy: Policy, provider: str) -> ProviderSettings:
    """The settings of a provider; defaults for one that the policy no longer names."""
    return policy.by_id.get(provider) or ProviderSettings(id=provider)
