"""Drives requests: asks the rules for the next step, carries it out, and asks again until the caller can be told."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Final, assert_never

from understudy.engine import steps
from understudy.engine.aftercare import look_after
from understudy.engine.calling import Caller
from understudy.engine.errors import EngineClosed, OutcomeUnknown
from understudy.engine.journal import Journal
from understudy.engine.line import Line, waited_for
from understudy.engine.next_step import next_step
from understudy.engine.operation import Answer, Operation
from understudy.engine.outcome import answer_of, error_of, stopped, unknown_of
from understudy.engine.provider import Provider
from understudy.engine.quote_round import take_quotes
from understudy.engine.recovery import is_held
from understudy.engine.tasks import Tasks, is_cancelled
from understudy.engine.ticket import Ticket
from understudy.engine.undoing import Undoings
from understudy.events.calls import CallStarted
from understudy.events.errors import LogUnavailable
from understudy.events.requests import RequestCancelled, RequestCompleted, RequestFailed
from understudy.events.row import Recorded
from understudy.events.vocabulary import Effect, EndReason

_LINE_AGAIN_US: Final = 5_000_000
"""How often the first in line looks again at the latest: other vetoes may have ended than the one it waits for."""
_LOG_AGAIN_US: Final = 1_000_000
"""How long look-ups rest before the log is asked again whether it can be written."""


class Runner:
    """Drives requests to their end. Holds every task that it starts, until `close`."""

    def __init__(
        self, journal: Journal, providers: Mapping[str, Provider], operations: Mapping[str, Operation]
    ) -> None:
        self.journal = journal
        self._tasks = Tasks()
        self._wakes: dict[str, asyncio.Event] = {}
        self.line = Line(self.wake)
        self.undoings = Undoings(self, operations)
        self.caller = Caller(journal, providers, operations)

    def spawn(self, work: Coroutine[Any, Any, Any], *, name: str) -> "asyncio.Task[Any]":
        """A task that outlives its caller; it ends with the engine at the latest."""
        return self._tasks.spawn(work, name=name)

    async def outliving(self, ticket: Ticket) -> Answer:
        """Serve a request in a task of its own, so that a cancelled caller does not take it along."""
        task = self.spawn(self.serve(ticket), name=f"serve {ticket.request_id}")
        try:
            return await self.follow(task)
        except asyncio.CancelledError:
            self.undoings.leave(ticket, task)
            raise

    def undo(self) -> None:
        """See to what was executed for nobody."""
        if self.journal.ledger.standing.unused.owed and not self._tasks.closing:
            self.undoings.begin()

    async def follow(self, task: "asyncio.Task[Answer]") -> Answer:
        """Await a task that goes on when this caller is cancelled."""
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        task.add_done_callback(partial(_pass_on, answer))  # As `asyncio.shield` does, with half of the callbacks.
        try:
            return await answer
        except asyncio.CancelledError:
            if self._tasks.closing and not is_cancelled():
                raise EngineClosed(
                    "the engine was stopped before the request had ended; the log tells its end"
                ) from None
            raise

    def wake(self, request_id: str) -> None:
        """Something about a waiting request has changed: let it look again."""
        if request_id in self._wakes:
            self._wakes[request_id].set()

    def look_again(self) -> None:
        """Something about a provider has changed: let those look again who wait until anybody may be asked."""
        self.line.look()

    async def close(self, *, grace_s: float) -> None:
        """Let requests end for a while, then interrupt the rest and wait for every task."""
        try:
            await self._tasks.close(grace_s=grace_s)
        finally:
            self.caller.limits.close()

    async def serve(self, ticket: Ticket) -> Answer:
        """Drive a request until its caller can be told.

        Errors: RequestError and its kinds; LogUnavailable if its intent could not be made durable.
        """
        whom = self._tasks.begin_serving()
        try:
            if self.line.waiting:
                await self._stand_behind(ticket.request_id)
            while True:
                step, now_us = self._next(ticket)
                match step:
                    case steps.Finish(event=done):
                        recorded = self._end(ticket, done, now_us)
                        if ticket.request.effect is Effect.ONCE:
                            await self._conclude(ticket, recorded)
                        return answer_of(done, answer=ticket.answer, quote=ticket.quote)
                    case steps.Fail(event=failed):
                        await self._conclude(ticket, self._end(ticket, failed, now_us))
                        raise error_of(failed, ticket.candidates())
                    case steps.Suspend(event=held):
                        recorded = self.journal.note(held, at_us=now_us)
                        self.spawn(self.settle(ticket), name=f"settle {ticket.request_id}")
                        await self._conclude(ticket, recorded)
                        raise unknown_of(held, file=self.journal.log.file)
                    case steps.Call(event=call) if self._tasks.closing and _moves_on(call, ticket):
                        self._give_up(ticket, EndReason.INTERRUPTED)
                        raise stopped(ticket.request_id)
                    case _:
                        await self._carry_out(step, ticket, now_us)
        except asyncio.CancelledError:
            self._give_up(ticket, EndReason.INTERRUPTED if self._tasks.closing else EndReason.CANCELLED)
            if self._tasks.interrupts(whom):
                raise stopped(ticket.request_id) from None
            raise
        except LogUnavailable:
            self._give_up(ticket, EndReason.INTERRUPTED)
            raise
        finally:
            self.line.leave(ticket.request_id, served=False)
            self._tasks.end_serving(whom)

    async def settle(self, ticket: Ticket) -> None:
        """Drive a request that nobody waits for to its end, however long that takes."""
        try:
            while ticket.request_id in self.journal.ledger.requests:
                step, now_us = self._next(ticket)
                match step:
                    case steps.Finish() | steps.Fail():
                        self._end(ticket, step.event, now_us)
                    case steps.Suspend(event=held):
                        self.journal.note(held, at_us=now_us)
                    case steps.LookUp() if not self._on_record():
                        await self._pause(ticket.request_id, now_us + _LOG_AGAIN_US)
                    case _:
                        await self._carry_out(step, ticket, now_us)
        finally:
            self.line.leave(ticket.request_id, served=False)

    def _end(self, ticket: Ticket, event: RequestCompleted | RequestFailed, now_us: int) -> Recorded:
        """Put the end of a request on record, and look after what it has left behind."""
        recorded = self.journal.note(event, at_us=now_us)
        if self.journal.ledger.standing.leftovers.watched:
            self.watch(ticket)
        self.undo()
        return recorded

    def watch(self, ticket: Ticket) -> None:
        """Look after a request that has ended, if it has left anything behind."""
        if ticket.request_id in self.journal.ledger.standing.leftovers.watched and not self._tasks.closing:
            self.spawn(look_after(self.caller, ticket, self.undo), name=f"look after {ticket.request_id}")

    def _on_record(self) -> bool:
        """Whether what is asked now can be put on record: nothing is asked behind the log's back."""
        try:
            self.journal.log.check()
        except LogUnavailable:
            return False
        return True

    async def side_call(self, event: CallStarted, ticket: Ticket, ask: Callable[[], Awaitable[Any]]) -> None:
        """Make a call outside any request (a ping, a stock query); raises the ProviderError that it ended in."""
        whom = self._tasks.begin_serving()
        try:
            await self.caller.side_call(event, ticket, ask)
        except asyncio.CancelledError:
            if self._tasks.interrupts(whom):
                raise EngineClosed(f"the engine was stopped before {event.provider} answered") from None
            raise
        finally:
            self._tasks.end_serving(whom)
            self.look_again()

    def _next(self, ticket: Ticket) -> tuple[steps.Deed | steps.End, int]:
        """The next step that is more than a decision, and its instant, which is to be the time of its event."""
        journal = self.journal
        ledger, request_id = journal.ledger, ticket.request_id
        now_us, draw = journal.now_us(), journal.system.draw()
        while True:
            step = next_step(ledger.requests[request_id], ledger.standing, now_us=now_us, draw=draw)
            if not isinstance(step, steps.Decide | steps.AskQuotes):
                return step, now_us
            journal.note(step.event, at_us=now_us)
            if isinstance(step, steps.Decide):
                ticket.decision = step.event  # No other one follows at once: it names somebody, or nobody.

    async def _carry_out(self, step: steps.Deed, ticket: Ticket, now_us: int) -> None:
        match step:
            case steps.Call(event=call):
                await self._call(call, ticket, now_us)
            case steps.LookUp(event=call):
                await self.caller.look_up(call, ticket, now_us)
            case steps.TakeQuote() | steps.AwaitQuotes():
                await take_quotes(self.caller, ticket)
                self.look_again()
            case steps.Wait(event=wait):
                self.journal.note(wait, at_us=now_us)
                await self._pause(ticket.request_id, wait.until_us, in_line=wait.provider is None)
            case steps.Sleep(until_us=until_us, in_line=in_line):
                await self._pause(ticket.request_id, until_us, in_line=in_line)
            case steps.Hold():
                await self._pause(ticket.request_id, None)
            case _:
                assert_never(step)

    async def _call(self, call: CallStarted, ticket: Ticket, now_us: int) -> None:
        """Make a call; its end may be what somebody waits for."""
        self.line.leave(ticket.request_id, served=True)
        try:
            await self.caller.call(call, ticket, now_us)
        finally:
            self.line.advance()

    async def _conclude(self, ticket: Ticket, recorded: Recorded) -> None:
        """Make the end of a `once` request durable before its caller hears of it."""
        if ticket.request.effect is not Effect.ONCE:
            return
        try:
            await self.journal.durable(recorded)
        except LogUnavailable as error:
            message = f"request {ticket.request_id} has ended, but the log cannot be written: {error}"
            raise OutcomeUnknown(message, request_id=ticket.request_id) from error

    async def _pause(self, request_id: str, until_us: int | None, *, in_line: bool = False) -> None:
        """Sleep until an instant, or until the request is woken."""
        if in_line:
            until_us = self._stand_in_line(request_id, until_us)
        wake = self._wakes.setdefault(request_id, asyncio.Event())
        wake.clear()
        seconds = None if until_us is None else max(0, until_us - self.journal.now_us()) / 1_000_000
        try:
            async with asyncio.timeout(seconds):
                await wake.wait()
        except TimeoutError:
            pass
        finally:
            self._wakes.pop(request_id, None)

    async def _stand_behind(self, request_id: str) -> None:
        """Let those go first who wait for the same: what is free now is theirs, even if they have not looked yet."""
        ledger = self.journal.ledger
        if self.line.has(waited_for(ledger.requests[request_id], ledger.standing, now_us=self.journal.now_us())):
            await self._pause(request_id, None, in_line=True)
        else:
            await asyncio.sleep(0)  # Whoever has just been called from the line looks first.

    def _stand_in_line(self, request_id: str, until_us: int | None) -> int:
        """Take, or keep, a place in line; tells how long to sleep there, if nobody is called before."""
        ledger = self.journal.ledger
        state = ledger.requests[request_id]
        now_us = self.journal.now_us()
        self.line.join(request_id, waited_for(state, ledger.standing, now_us=now_us))
        deadline_us = state.progress.accepted.deadline_at_us
        if until_us is None or not self.line.is_first(request_id):
            return deadline_us
        return min(until_us, deadline_us, now_us + _LINE_AGAIN_US)

    def _give_up(self, ticket: Ticket, reason: EndReason) -> None:
        """The caller is gone: end the request if nothing is in doubt, else settle it in the background."""
        if ticket.request_id not in self.journal.ledger.requests or is_held(self.journal.ledger, ticket.request_id):
            return  # It has ended, or its caller was about to hear that it is being settled.
        self.journal.note(RequestCancelled(request_id=ticket.request_id, reason=reason))
        step, now_us = self._next(ticket)
        if isinstance(step, steps.Fail | steps.Finish):
            self._end(ticket, step.event, now_us)
        elif not self._tasks.closing:
            self.spawn(self.settle(ticket), name=f"settle {ticket.request_id}")


def _moves_on(call: CallStarted, ticket: Ticket) -> bool:
    """Whether a call would move something after others in vain: not once a stop is wanted, which might cut it off."""
    return ticket.request.effect is Effect.ONCE and call.attempt > 1


def _pass_on(answer: "asyncio.Future[Answer]", task: "asyncio.Task[Answer]") -> None:
    """Tell a caller how the task ended; if nobody is left to hear it, its story is in the log."""
    error = None if task.cancelled() else task.exception()
    if answer.done():
        return
    if task.cancelled():
        answer.cancel()
    elif error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(task.result())
