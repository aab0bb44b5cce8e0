"""What to do next for a request: pure, one answer for each state.

Every answer that changes something carries the event that puts it on record; the runner appends it and then acts.
Replay asks the same question at the same place and compares.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from understudy.engine import drills, eligibility
from understudy.engine.again import (
    again_us_here,
    as_begun,
    in_doubt_here,
    out_of_tries,
    stays,
    veto_here,
    within_budget,
)
from understudy.engine.columns import columns_of
from understudy.engine.decide import decide
from understudy.engine.eligibility import Verdict
from understudy.engine.endings import fail, scheduled
from understudy.engine.errors import BrokenRule
from understudy.engine.free_at import free_at_us
from understudy.engine.in_doubt import (
    look_up,
    next_lookup_us,
    provider_settings,
    settle,
    surely_absent,
    suspend,
)
from understudy.engine.keys import provider_key
from understudy.engine.parts import CREATE, moves, part_of
from understudy.engine.quoting import ask_on, next_round
from understudy.engine.request import done_with
from understudy.engine.request_state import (
    MAYBE_EXECUTED,
    Answered,
    Chosen,
    Doubtful,
    LetDown,
    Nobody,
    NotExecuted,
    Progress,
    Quoting,
    Ready,
    RequestState,
    Waiting,
)
from understudy.engine.steps import AskQuotes, Call, Decide, Finish, Hold, Sleep, Step, Wait
from understudy.events.calls import CallStarted
from understudy.events.requests import RequestCompleted
from understudy.events.vocabulary import Effect, EndReason, FailureKind, SuspendReason
from understudy.projections.standing import Standing


def next_step(state: RequestState, standing: Standing, *, now_us: int, draw: int = 0) -> Step:
    """The step that follows from a state at an instant. `draw` is used only if a decision is due."""
    follows = _STEPS.get(type(state))
    if follows is None:
        raise BrokenRule(f"no step follows from {state}")
    return follows(state, standing, now_us, draw)


def _waiting(state: Waiting, standing: Standing, now_us: int, draw: int) -> Step:
    then = state.then
    if isinstance(then, Ready):  # For anybody: whoever is free first, be it before the time or after it.
        progress = then.progress
        until_us = free_at_us(
            standing,
            progress.accepted,
            tried=(*progress.tried, *progress.spent),
            since_us=progress.since_us,
            now_us=now_us,
        )
        deadline_us = progress.accepted.deadline_at_us
        if until_us is not None and now_us < deadline_us and progress.given_up is None:
            return Sleep(min(until_us, deadline_us), in_line=True)
    elif now_us < state.until_us:
        return Sleep(state.until_us)
    return next_step(then, standing, now_us=now_us, draw=draw)


def _not_executed(state: NotExecuted, _: Standing, __: int, ___: int) -> Step:
    return fail(state.progress, state.progress.given_up or EndReason.NOT_EXECUTED)


def _answered(state: Answered, _: Standing, __: int, ___: int) -> Step:
    accepted = state.progress.accepted
    return Finish(
        RequestCompleted(
            request_id=accepted.request_id,
            operation=accepted.operation,
            provider=state.provider,
            attempt=state.attempt,
            failovers=state.progress.failovers,
            via=state.via,
        )
    )


def _nobody(state: Nobody, _: Standing, now_us: int, __: int) -> Step:
    progress = state.progress
    if progress.given_up is not None:
        return fail(progress, progress.given_up)
    if state.until_us is not None and state.until_us < progress.accepted.deadline_at_us:
        until_us = max(state.until_us, now_us)
        return Wait(scheduled(progress, until_us=until_us, provider=None, reason="everybody is at a limit"))
    return fail(progress, state.why or (EndReason.EXHAUSTED if progress.attempts else EndReason.NO_PROVIDER))


def _ready(state: Ready, standing: Standing, now_us: int, draw: int) -> Step:
    progress = state.progress
    if progress.given_up is not None:
        return fail(progress, progress.given_up)
    if now_us >= progress.accepted.deadline_at_us:
        return fail(progress, EndReason.DEADLINE)
    if out_of_tries(progress, standing):
        return fail(progress, EndReason.DEADLINE)  # Its intents were on record too late to be sent, again and again.
    return _decide(standing, progress, tried=progress.tried, now_us=now_us, draw=draw)


def _chosen(state: Chosen, standing: Standing, now_us: int, draw: int) -> Step:
    progress, turn = state.progress, state.turn
    accepted = progress.accepted
    if progress.given_up is not None or now_us >= accepted.deadline_at_us:
        return fail(progress, progress.given_up or EndReason.DEADLINE)
    if turn.retry and not turn.created:
        seen = as_begun(standing, accepted, in_doubt=turn.open_end is not None)
        veto = veto_here(seen, accepted, turn.provider, now_us)
        fits = accepted.undoes is not None or within_budget(seen, now_us)
        if veto is not None or turn.is_stale(now_us) or not fits:
            return _not_again(state, veto, standing, now_us=now_us, draw=draw)
    settings = provider_settings(standing.policy, turn.provider)
    operation, part = part_of(accepted, settings, created=turn.created)
    call = CallStarted(
        request_id=accepted.request_id,
        provider=turn.provider,
        operation=operation,
        attempt=progress.attempts + 1,
        retry=turn.retry,
        **columns_of(accepted),
        key=provider_key(accepted.request_id, turn.provider, part),
        deadline_at_us=min(accepted.deadline_at_us, now_us + standing.policy.timeout_us(turn.provider)),
        amount_due=None if operation == CREATE else turn.due,
    )
    return Call(drills.in_turn(standing, accepted, turn, call, now_us=now_us) if standing.drills else call)


def _not_again(state: Chosen, veto: Verdict | None, standing: Standing, *, now_us: int, draw: int) -> Step:
    """A provider may not be asked again now: wait, if a limit is all that is against it and nobody else may be."""
    progress = state.progress
    until_us = veto[1] if veto is not None and veto[0] in eligibility.PASSING else None
    if state.turn.open_end is not None and stays(progress.accepted):
        if until_us is not None and until_us < progress.accepted.deadline_at_us:
            return Sleep(until_us)
        return settle(state, standing, now_us=now_us)
    if until_us is not None and not standing.policy.fallback_enabled:
        return Sleep(min(until_us, progress.accepted.deadline_at_us), in_line=True)
    return _next_provider(state, progress, standing, now_us=now_us, draw=draw)


def _let_down(state: LetDown, standing: Standing, now_us: int, draw: int) -> Step:
    progress, kind = state.progress, state.kind
    effect = progress.accepted.effect
    if kind is FailureKind.REJECTED:
        return fail(progress, EndReason.REJECTED)
    if effect is Effect.ONCE and kind in MAYBE_EXECUTED and moves(progress.accepted, state.started):
        return settle(state, standing, now_us=now_us)
    if progress.given_up is not None or now_us >= progress.accepted.deadline_at_us:
        return fail(progress, progress.given_up or EndReason.DEADLINE)
    again_us = again_us_here(state, standing, now_us)
    if again_us is not None:
        reason = f"again at the same provider after {kind}"
        return Wait(scheduled(progress, until_us=again_us, provider=state.turn.provider, reason=reason))
    if in_doubt_here(state):
        return settle(state, standing, now_us=now_us)
    return _next_provider(state, progress, standing, now_us=now_us, draw=draw)


def _next_provider(
    state: Chosen | LetDown | Doubtful, progress: Progress, standing: Standing, *, now_us: int, draw: int
) -> Step:
    policy = standing.policy
    if not policy.fallback_enabled:
        return fail(progress, EndReason.EXHAUSTED)
    if policy.max_providers is not None and len(set(progress.asked)) >= policy.max_providers:
        return fail(progress, EndReason.EXHAUSTED)
    if out_of_tries(progress, standing):
        return fail(progress, EndReason.EXHAUSTED)  # Those who only throttle would be asked until the deadline.
    return _decide(standing, progress, tried=done_with(state).tried, now_us=now_us, draw=draw)


def _decide(
    standing: Standing, progress: Progress, *, tried: tuple[str, ...], now_us: int, draw: int
) -> Decide | AskQuotes:
    """The decision, or the round of quotes that it takes first."""
    if progress.accepted.quoted:
        asked = next_round(standing, progress, tried=tried, now_us=now_us, draw=draw)
        if asked is not None:
            return AskQuotes(asked)
    return Decide(decide(standing, progress, tried=tried, now_us=now_us, draw=draw))


def _quoting(state: Quoting, standing: Standing, now_us: int, draw: int) -> Step:
    step, progress = ask_on(state, standing, now_us=now_us), state.progress
    return step or _decide(standing, progress, tried=progress.tried, now_us=now_us, draw=draw)


def _doubtful(state: Doubtful, standing: Standing, now_us: int, draw: int) -> Step:
    progress = state.progress
    settings = provider_settings(standing.policy, state.turn.provider)
    if progress.accepted.effect is not Effect.ONCE and progress.given_up is not None and not state.held:
        return fail(progress, progress.given_up)
    if surely_absent(state, settings):
        if state.held or progress.given_up is not None:
            return fail(progress, progress.given_up or EndReason.NOT_EXECUTED)
        if now_us >= progress.accepted.deadline_at_us:
            return fail(progress, EndReason.DEADLINE)
        return _next_provider(state, progress, standing, now_us=now_us, draw=draw)
    if not settings.has_lookup:
        return Hold() if state.held else suspend(state, SuspendReason.NO_LOOKUP)
    due_us = next_lookup_us(state, standing.policy, settings)
    if now_us >= due_us:
        return look_up(state, standing, now_us)
    if not state.held and due_us >= progress.accepted.deadline_at_us:
        return suspend(state, SuspendReason.UNDECIDED)
    reason = "look up again what became of the call"
    return Wait(scheduled(progress, until_us=due_us, provider=state.turn.provider, reason=reason))


# A table, because a chain of patterns tries one after another, and this is asked three times a request.
_STEPS: Final[Mapping[type[RequestState], Callable[[Any, Standing, int, int], Step]]] = {
    Ready: _ready,
    Quoting: _quoting,
    Chosen: _chosen,
    Answered: _answered,
    LetDown: _let_down,
    Nobody: _nobody,
    Doubtful: _doubtful,
    Waiting: _waiting,
    NotExecuted: _not_executed,
}
"""What follows from each state; while a call is under way, nothing does."""
