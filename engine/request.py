"""The fold of a request: what it becomes by each event.

`evolve` believes every fact; `engine.next_step` does the judging.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from understudy.engine.eligibility import PASSING, TOO_LATE
from understudy.engine.errors import BrokenRule
from understudy.engine.parts import moves
from understudy.engine.quote_verdicts import NO_VOICE, QUOTE_EXPIRED
from understudy.engine.quotes_taken import put_off, took
from understudy.engine.request_state import (
    LOOKUP,
    MAYBE_EXECUTED,
    Answered,
    Calling,
    Chosen,
    Doubtful,
    LetDown,
    LookingUp,
    Nobody,
    NotExecuted,
    OpenEnd,
    Progress,
    Quoting,
    Ready,
    RequestEvent,
    RequestState,
    Settled,
    Turn,
    Waiting,
)
from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.decisions import Decided, Decision, DecisionMade, Event
from understudy.events.quotes import Consensus, QuotesRequested
from understudy.events.requests import (
    RequestAccepted,
    RequestCancelled,
    RequestCompleted,
    RequestFailed,
    RequestResumed,
    RequestSuspended,
    RetryScheduled,
)
from understudy.events.vocabulary import AbandonReason, EndReason, FailureKind, Finding, Via


def accept(accepted: RequestAccepted, at_us: int) -> Ready:
    """A request at the start of its life, which begins at that instant."""
    return Ready(Progress(accepted, at_us))


def evolve(state: RequestState, event: RequestEvent, at_us: int) -> RequestState:
    """What the request has become by an event at that instant."""
    return EVOLUTIONS[type(event)](state, event, at_us)


def done_with(state: RequestState) -> Progress:
    """The progress as the next decision sees it: who let us down has been tried; who throttles has not."""
    match state:
        case Ready(progress=progress) | Quoting(progress=progress):
            return progress
        case LetDown(progress=progress, turn=turn, throttled_us=throttled_us):
            return progress if throttled_us else _tried(progress, turn.provider)
        case Chosen(progress=progress, turn=turn) | Doubtful(progress=progress, turn=turn):
            return _tried(progress, turn.provider)
        case Waiting(then=then):
            return done_with(then)
        case _:
            raise BrokenRule(f"no decision follows from {state}")


def _tried(progress: Progress, provider: str) -> Progress:
    return replace(progress, tried=(*progress.tried, provider))


def _decided(state: RequestState, event: Decided, _: int) -> RequestState:
    progress = done_with(state)
    if event.consensus is not None:
        return _compared(progress, event, event.consensus)
    if event.provider is not None:
        return Chosen(progress, Turn(event.provider, event.draw))
    return _nobody(progress, event)


def _compared(progress: Progress, event: Decided, consensus: Consensus) -> RequestState:
    """A decision on quotes: whose were no good are not asked again, but for those that have only grown old."""
    later = put_off(event, consensus)
    spent = [name for name, verdict in consensus.excluded.items() if verdict != QUOTE_EXPIRED and name not in later]
    quotes = tuple([one for one in progress.quotes if one.provider not in later])
    progress = replace(progress, spent=tuple(dict.fromkeys((*progress.spent, *spent))), quotes=quotes)
    if event.provider is None:
        why = EndReason.NO_HONEST_QUOTE if NO_VOICE.intersection(consensus.excluded.values()) else None
        return replace(_nobody(progress, event), why=why)
    taken = next((one for one in progress.quotes if one.provider == event.provider), None)
    judged = next((one.quote for one in event.candidates if one.provider == event.provider), None)
    return Chosen(progress, Turn(event.provider, event.draw, taken=taken, due=None if judged is None else judged.net))


def _nobody(progress: Progress, event: Decided) -> Nobody:
    left = [one for one in event.candidates if one.provider not in progress.spent]
    ends = [one.until_us for one in left if one.verdict in PASSING and one.until_us is not None]
    over = min(ends, default=progress.accepted.deadline_at_us) >= progress.accepted.deadline_at_us
    if over and any(one.verdict == TOO_LATE for one in event.candidates):
        progress = replace(progress, given_up=EndReason.DEADLINE)
    return Nobody(progress, min(ends, default=None))


def _requested(state: RequestState, event: QuotesRequested, _: int) -> RequestState:
    progress = done_with(state)
    return Quoting(replace(progress, rounds=progress.rounds + 1), event, event.providers)


def _started(state: RequestState, event: CallStarted, _: int) -> RequestState:
    if isinstance(state, Waiting):
        state = state.then
    if event.operation == LOOKUP:
        return LookingUp(doubt_of(state))
    if isinstance(state, Quoting):
        left = tuple([one for one in state.to_ask if one != event.provider])
        return replace(state, to_ask=left, open=(*state.open, event.provider))
    if not isinstance(state, Chosen):
        raise BrokenRule(f"a call cannot start in {state}")
    before = state.progress
    asked = before.asked if before.asked[-1:] == (event.provider,) else (*before.asked, event.provider)
    progress = Progress(
        before.accepted,
        before.since_us,
        event.attempt,
        asked,
        before.tried,
        before.given_up,
        quotes=before.quotes,
        spent=before.spent,
        rounds=before.rounds,
    )
    return Calling(progress, state.turn, event)


def _succeeded(state: RequestState, event: CallSucceeded, at_us: int) -> RequestState:
    match state:
        case Calling(progress=progress, turn=turn, started=started) if not moves(progress.accepted, started):
            return Chosen(progress, replace(turn, created=True))
        case Calling(progress=progress, turn=turn):
            return Answered(progress, turn.provider, event.attempt, Via.CALL)
        case LookingUp(doubt=doubt) if event.finding is Finding.SUCCEEDED:
            return Answered(doubt.progress, doubt.turn.provider, doubt.started.attempt, Via.LOOKUP)
        case LookingUp(doubt=doubt):
            looked_us = at_us - event.latency_us
            lookups = doubt.lookups + 1
            return replace(doubt, lookups=lookups, finding=event.finding, looked_us=looked_us, found_us=at_us)
        case Quoting():
            return took(state, event.provider, at_us, event.quote)
        case _:
            return _as_the_operator_said(state)


def _failed(state: RequestState, event: CallFailed, at_us: int) -> RequestState:
    match state:
        case Calling(progress=before, turn=turn, started=started):
            progress = replace(before, last_outcome=event.outcome, last_message=event.message)
            until_us = at_us + (event.retry_after_us or 0)
            throttled_us = until_us if event.outcome is FailureKind.RATE_LIMITED else 0
            again_us = until_us if event.outcome is FailureKind.TRANSIENT and event.retry_after_us else 0
            return LetDown(progress, turn, started, event.outcome, at_us, throttled_us, again_us)
        case LookingUp(doubt=doubt):
            return replace(doubt, lookups=doubt.lookups + 1, finding=Finding.UNKNOWN, found_us=at_us)
        case Quoting():
            return took(state, event.provider, at_us, None)
        case _:
            return _as_the_operator_said(state)


def _abandoned(state: RequestState, event: CallAbandoned, at_us: int) -> RequestState:
    match state:
        case Quoting():
            return took(state, event.provider, at_us, None)
        case Calling(progress=progress, started=started, turn=turn) if event.reason is AbandonReason.NOT_SENT:
            if turn.is_stale(at_us) and progress.given_up is None:
                return Ready(progress)  # The log was slower than the quote lasts: it is asked for again.
            if at_us < started.deadline_at_us or progress.given_up is not None:
                return NotExecuted(progress)
            if at_us >= progress.accepted.deadline_at_us:
                return NotExecuted(replace(progress, given_up=EndReason.DEADLINE))
            return Ready(progress)  # The log was slower than the call's limit. Nobody was asked, and there is time.
        case Calling(progress=before, turn=turn, started=started) if event.reason is AbandonReason.OUT_OF_TIME:
            progress = replace(before, last_outcome=FailureKind.TIMED_OUT)
            return LetDown(progress, turn, started, FailureKind.TIMED_OUT, at_us)
        case Calling(progress=progress, started=started) if not moves(progress.accepted, started):
            return NotExecuted(progress)
        case Calling(progress=before, turn=turn, started=started):
            progress = replace(before, last_outcome=event.outcome)
            return Doubtful(progress, turn, started, at_us)
        case LookingUp(doubt=doubt):
            return replace(doubt, lookups=doubt.lookups + 1, finding=Finding.UNKNOWN, found_us=at_us)
        case _:
            return _as_the_operator_said(state)


def _as_the_operator_said(state: RequestState) -> RequestState:
    """The end of a look-up that was under way when an operator spoke changes nothing; there is no other late one."""
    match state:
        case Answered(via=Via.OPERATOR) | NotExecuted():
            return state
        case _:
            raise BrokenRule(f"no call is under way in {state}")


def _scheduled(state: RequestState, event: RetryScheduled, _: int) -> RequestState:
    match state:
        case LetDown(progress=progress, turn=turn):
            maybe = state.kind in MAYBE_EXECUTED and moves(progress.accepted, state.started)
            open_end = OpenEnd(state.started, state.ended_us) if maybe else turn.open_end
            again = replace(turn, retry=turn.retry + 1, open_end=open_end)
            return Waiting(event.until_us, Chosen(progress, again))
        case Nobody(progress=progress):
            return Waiting(event.until_us, Ready(progress))
        case Doubtful():
            return Waiting(event.until_us, state)
        case _:
            raise BrokenRule(f"no wait follows from {state}")


def _ended(_: RequestState, event: RequestCompleted | RequestFailed, __: int) -> RequestState:
    return Settled(event)


def _suspended(state: RequestState, _: RequestSuspended, __: int) -> RequestState:
    return replace(doubt_of(state), held=True)


def _given_up(state: RequestState, event: RequestCancelled, _: int) -> RequestState:
    return _cancelled(state, event.reason)


def _cancelled(state: RequestState, reason: EndReason) -> RequestState:
    match state:
        case Waiting(then=then):
            return _cancelled(then, reason)
        case LookingUp(doubt=doubt):
            return LookingUp(replace(doubt, progress=replace(doubt.progress, given_up=reason)))
        case Settled():
            return state
        case _:
            return replace(state, progress=replace(state.progress, given_up=reason))


def _resumed(state: RequestState, event: RequestResumed, _: int) -> RequestState:
    doubt = doubt_of(state)
    if event.executed:
        return Answered(doubt.progress, doubt.turn.provider, doubt.started.attempt, Via.OPERATOR)
    return NotExecuted(doubt.progress)


def doubt_of(state: RequestState) -> Doubtful:
    """What is in doubt: the call that has just ended, or an earlier one of the same turn."""
    match state:
        case Doubtful():
            return state
        case LookingUp(doubt=doubt) | Waiting(then=Doubtful() as doubt):
            return doubt
        case Waiting(then=Chosen() as chosen):
            return doubt_of(chosen)
        case Chosen(turn=Turn(open_end=OpenEnd() as earlier)):
            return Doubtful(state.progress, state.turn, earlier.started, earlier.ended_us)
        case LetDown(turn=Turn(open_end=OpenEnd() as earlier)) if state.kind not in MAYBE_EXECUTED:
            return Doubtful(state.progress, state.turn, earlier.started, earlier.ended_us)
        case LetDown():
            return Doubtful(state.progress, state.turn, state.started, state.ended_us)
        case _:
            raise BrokenRule(f"nothing is in doubt in {state}")


EVOLUTIONS: Final[Mapping[type[Event], Callable[[RequestState, Any, int], RequestState]]] = {
    DecisionMade: _decided,
    Decision: _decided,
    QuotesRequested: _requested,
    CallStarted: _started,
    CallSucceeded: _succeeded,
    CallFailed: _failed,
    CallAbandoned: _abandoned,
    RetryScheduled: _scheduled,
    RequestCancelled: _given_up,
    RequestSuspended: _suspended,
    RequestResumed: _resumed,
    RequestCompleted: _ended,
    RequestFailed: _ended,
}
"""What each kind of event makes of a request; events of other kinds do not concern requests."""
