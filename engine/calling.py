"""Calls, from the intent to the ending that is put on record: the boundary to providers, who may do anything."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Final

from understudy.engine import reports
from understudy.engine.drills import touched
from understudy.engine.edge import Edge
from understudy.engine.errors import InvalidReply, ProviderError, TimedOut
from understudy.engine.in_doubt import provider_settings
from understudy.engine.journal import Journal
from understudy.engine.limit import Limits
from understudy.engine.operation import Operation
from understudy.engine.parts import moves
from understudy.engine.patience import blames
from understudy.engine.provider import Deadline, Found, Provider, Reply
from understudy.engine.quote_reply import checked_quote
from understudy.engine.request_state import LOOKUP, QUOTE, Calling, Quoting
from understudy.engine.tasks import is_cancelled
from understudy.engine.ticket import Ticket
from understudy.events.calls import CallStarted
from understudy.events.errors import LogUnavailable
from understudy.events.log import StoreSensitive
from understudy.events.quotes import Quote
from understudy.events.row import Recorded
from understudy.events.vocabulary import AbandonReason, Effect, FailureKind

logger = logging.getLogger("understudy.calls")

_ANSWERS: Final = (Reply, Found)
_EARLY_US: Final = 100_000
"""So long before its deadline an adapter may say itself that the time was over."""


class Caller:
    """Makes calls, each under its deadline, and tells the journal how each ended, whatever the ending."""

    def __init__(
        self, journal: Journal, providers: Mapping[str, Provider], operations: Mapping[str, Operation]
    ) -> None:
        self.journal = journal
        self.providers = providers
        self._flaws = {name: one.flaw for name, one in operations.items() if one.flaw is not None}
        self.limits = Limits(asyncio.get_running_loop())
        self.edge = Edge(journal)

    async def call(self, event: CallStarted, ticket: Ticket, now_us: int) -> None:
        """Have a request carried out, once its intent is as durable as its effect asks for."""
        started = self.journal.note(event, at_us=now_us)
        state = self.journal.ledger.requests[ticket.request_id]
        assert isinstance(state, Calling)  # noqa: S101 - that is what the start of a call makes of a request.
        turn, is_move = state.turn, moves(state.progress.accepted, event)
        if ticket.request.effect is Effect.ONCE and is_move:
            await self._intend(started)
            now_us = self.journal.now_us()
            if now_us >= event.deadline_at_us or (not turn.created and turn.is_stale(now_us)):
                self.journal.note(reports.abandoned(started, AbandonReason.NOT_SENT, at_us=now_us), at_us=now_us)
                return
        request, deadline = ticket.request, Deadline(event.deadline_at_us, self.journal.now_us)
        if turn.taken is not None or turn.created:
            ticket.quote = None if turn.taken is None else turn.taken.quote
            request = replace(request, quote=ticket.quote, created=ticket.created if turn.created else None)
        call = partial(self.providers[event.provider].call, event.operation, request, key=event.key, deadline=deadline)
        flaw = self._flaws.get(event.operation)
        ask = call if flaw is None else partial(_flawless, call, flaw)
        error = await self._listen(started, ask, ticket, since_us=now_us)
        if error is None and not is_move and isinstance(ticket.answer, Reply):
            ticket.created = ticket.answer

    def quote(self, event: CallStarted, ticket: Ticket, now_us: int) -> Coroutine[Any, Any, object]:
        """Put on record that a provider is asked for a quote; what is returned asks it, and notes what it answers."""
        started = self.journal.note(event, at_us=now_us)
        deadline = Deadline(event.deadline_at_us, self.journal.now_us)
        quote = self.providers[event.provider].quote  # type: ignore[attr-defined]
        own = Ticket(ticket.request, ticket.discretion, ticket.subject)
        return self._listen(started, lambda: quote(ticket.request, deadline=deadline), own, since_us=now_us)

    async def look_up(self, event: CallStarted, ticket: Ticket, now_us: int) -> None:
        """Ask what became of an earlier call."""
        started = self.journal.note(event, at_us=now_us)
        deadline = Deadline(event.deadline_at_us, self.journal.now_us)
        lookup = self.providers[event.provider].lookup  # type: ignore[attr-defined]
        operation = ticket.request.operation
        await self._listen(
            started,
            lambda: lookup(operation, ticket.request, key=event.key, deadline=deadline),
            ticket,
            since_us=now_us,
        )

    async def side_call(self, event: CallStarted, ticket: Ticket, ask: Callable[[], Awaitable[Any]]) -> None:
        """Make a call outside any request (a ping, a stock query); raises the ProviderError that it ended in."""
        now_us = self.journal.now_us()
        standing = self.journal.ledger.standing
        event = touched(standing, event, now_us=now_us) if standing.drills else event
        started = self.journal.note(event, at_us=now_us)
        error = await self._listen(started, ask, ticket, since_us=now_us)
        if error is not None:
            raise error

    async def _intend(self, started: Recorded) -> None:
        """Make the intent durable before anything moves; if that cannot be, say that nothing was sent."""
        try:
            await self.journal.durable(started)
        except (LogUnavailable, asyncio.CancelledError):
            self.journal.note(reports.abandoned(started, AbandonReason.NOT_SENT, at_us=self.journal.now_us()))
            raise

    async def _listen(
        self, started: Recorded, ask: Callable[[], Awaitable[Any]], ticket: Ticket, *, since_us: int
    ) -> ProviderError | None:
        """Ask a provider under the call's deadline, and put on record how it ended, whatever the ending.

        `since_us` is the instant at which the provider is asked.
        """
        event: CallStarted = started.event  # type: ignore[assignment]
        journal = self.journal
        if event.drill is not None:
            ask = partial(self.edge.ask, started, ask)
        ours = False
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine is always awaited in a task.
        limit = self.limits.set(task, seconds=(event.deadline_at_us - since_us) / 1_000_000)
        try:
            try:
                value = await ask()
            finally:
                ours = limit.lift()
            answer = _answer(value, event)
            now_us = journal.now_us()
            told, taken = reports.succeeded(started, answer, at_us=now_us, discretion=ticket.discretion)
        except asyncio.CancelledError as cancelled:
            if not ours and is_cancelled():
                now_us = journal.now_us()
                journal.note(reports.abandoned(started, AbandonReason.CANCELLED, at_us=now_us), at_us=now_us)
                raise
            foreign: BaseException = cancelled
        except Exception as error:  # noqa: BLE001 - the boundary to providers: whatever they raise is put on record
            foreign = error
        else:
            side = [StoreSensitive(token=token, subject=ticket.subject, value=text) for token, text in taken.items()]
            journal.note(told, at_us=now_us, side=side)
            ticket.learn(answer)
            if taken:
                ticket.discretion = ticket.discretion.knowing(taken.values())
            return None
        return self._note_failure(started, foreign, ticket, expired=limit.passed, since_us=since_us)

    def _note_failure(
        self, started: Recorded, foreign: BaseException, ticket: Ticket, *, expired: bool, since_us: int
    ) -> ProviderError:
        """Put on record that a call failed, in our words."""
        event: CallStarted = started.event  # type: ignore[assignment]
        error_type: str | None = None
        error: ProviderError
        if expired:  # Whatever an adapter makes of our own cancellation: it may have been executed.
            error = TimedOut(f"no answer within {(event.deadline_at_us - started.at_us) // 1000} ms")
        elif (known := _known(foreign)) is not None:
            error = known
        else:
            effect = Effect.READ if event.operation in {LOOKUP, QUOTE} else ticket.request.effect
            error_type = type(foreign).__name__
            # Where, but not with what: messages and values may be anybody's, and have not been redacted.
            where = "".join(traceback.format_tb(foreign.__traceback__))
            logger.debug(
                "%s raised %s in %s, call %d\n%s", event.provider, error_type, event.operation, started.seq, where
            )
            error = reports.of_foreign(f"{error_type}: {_text_of(foreign)}", effect)
        now_us = self.journal.now_us()
        over = error.kind is FailureKind.TIMED_OUT and (expired or now_us + _EARLY_US >= event.deadline_at_us)
        if over and not self._blames(started, since_us=since_us, now_us=now_us):
            self.journal.note(reports.abandoned(started, AbandonReason.OUT_OF_TIME, at_us=now_us), at_us=now_us)
            return error
        failed = reports.failed(started, error, at_us=now_us, discretion=ticket.discretion, error_type=error_type)
        self.journal.note(failed, at_us=now_us)
        return error

    def _blames(self, started: Recorded, *, since_us: int, now_us: int) -> bool:
        """Whether a call that ran out of time is held against its provider, which was asked at `since_us`."""
        ledger = self.journal.ledger
        event: CallStarted = started.event  # type: ignore[assignment]
        state = ledger.requests.get(event.request_id or "")
        call = ledger.standing.calls.get(started.seq)
        if isinstance(state, Quoting):
            return event.deadline_at_us - since_us >= ledger.standing.policy.timeout_us(event.provider)
        if not isinstance(state, Calling) or call is None:
            return True  # A look-up, or a call outside any request: it has its full time.
        progress, timeout_us = state.progress, ledger.standing.policy.timeout_us(state.turn.provider)
        return blames(
            ledger.standing,
            call.lane,
            provider_settings(ledger.standing.policy, event.provider),
            given_us=state.started.deadline_at_us - since_us,
            fresh_us=min(progress.accepted.deadline_at_us - progress.since_us, timeout_us),
            now_us=now_us,
        )


def _answer(value: Any, event: CallStarted) -> Reply | Found:
    """What a provider has returned, as an answer.

    Errors: InvalidReply if a quote was asked for, and that is none.
    """
    if isinstance(value, Quote):
        value = Reply(quote=value)
    answer = value if isinstance(value, _ANSWERS) else Reply(value=value)
    if event.operation == QUOTE and isinstance(answer, Reply):
        return checked_quote(answer, wanted=event.request_id is not None)
    return answer


async def _flawless(ask: Callable[[], Awaitable[Any]], flaw: Callable[[Reply], str | None]) -> Any:
    """What a provider answers, if that is an answer to what it was asked.

    Errors: InvalidReply if it is none.
    """
    value = await ask()
    told = flaw(value if isinstance(value, Reply) else Reply(value=value))
    if told is not None:
        raise InvalidReply(told)
    return value


def _known(foreign: BaseException) -> ProviderError | None:
    """An error of ours, if it is one that can be relied on."""
    if not isinstance(foreign, ProviderError):
        return None
    try:
        return reports.made_sure(foreign)
    except Exception:  # noqa: BLE001 - what an adapter has put into it may do anything when it is looked at
        return None


def _text_of(foreign: BaseException) -> str:
    try:
        return str(foreign)
    except Exception:  # noqa: BLE001 - not even its text can be relied on
        return "no text"
