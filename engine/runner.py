"""The one file that awaits providers: it carries out steps, and tells the journal how they ended."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final

from understudy.engine import reports, steps
from understudy.engine.errors import OutcomeUnknown, ProviderError, TimedOut
from understudy.engine.journal import Journal
from understudy.engine.limit import Limits
from understudy.engine.line import Line
from understudy.engine.next_step import next_step
from understudy.engine.operation import Answer
from understudy.engine.outcome import answer_of, error_of, unknown_of
from understudy.engine.provider import Deadline, Found, Provider, Reply
from understudy.engine.request_state import LOOKUP
from understudy.engine.ticket import Ticket
from understudy.events.calls import CallStarted
from understudy.events.errors import LogUnavailable
from understudy.events.log import StoreSensitive
from understudy.events.requests import RequestCancelled
from understudy.events.row import Recorded
from understudy.events.vocabulary import AbandonReason, Effect, EndReason

_ANSWERS: Final = (Reply, Found)


class Runner:
    """Drives requests to their end. Holds every task that it starts, until `close`."""

    def __init__(self, journal: Journal, providers: Mapping[str, Provider]) -> None:
        self.journal = journal
        self.providers = providers
        self._tasks: set[asyncio.Task[Any]] = set()
        self._wakes: dict[str, asyncio.Event] = {}
        self._line = Line(self.wake)
        self._limits = Limits(asyncio.get_running_loop())
        self._closing = False

    def spawn(self, work: Coroutine[Any, Any, Any], *, name: str) -> "asyncio.Task[Any]":
        """A task that outlives its caller; it ends with the engine at the latest."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def outliving(self, ticket: Ticket) -> Answer:
        """Serve a request in a task of its own, so that a cancelled caller does not take it along."""
        return await self.follow(self.spawn(self.serve(ticket), name=f"serve {ticket.request_id}"))

    async def follow(self, task: "asyncio.Task[Answer]") -> Answer:
        """Await a task that goes on when this caller is cancelled."""
        task.add_done_callback(_look_at_its_error)
        return await asyncio.shield(task)

    def wake(self, request_id: str) -> None:
        """Something about a waiting request has changed: let it look again."""
        if request_id in self._wakes:
            self._wakes[request_id].set()

    async def close(self, *, grace_s: float) -> None:
        """Let requests end for a while, then cancel every task and wait for it."""
        self._closing = True
        serving = [task for task in self._tasks if task.get_name().startswith("serve ")]
        if serving and grace_s > 0:
            await asyncio.wait(serving, timeout=grace_s)
        while self._tasks:
            for task in tuple(self._tasks):
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._limits.close()

    async def serve(self, ticket: Ticket) -> Answer:
        """Drive a request until its caller can be told.

        Errors: RequestError and its kinds; LogUnavailable if its intent could not be made durable.
        """
        try:
            while True:
                step, now_us = self._next(ticket)
                match step:
                    case steps.Call(event=call):
                        await self._call(self.journal.note(call, at_us=now_us), call, ticket)
                    case steps.Finish(event=done):
                        recorded = self.journal.note(done, at_us=now_us)
                        if ticket.request.effect is Effect.ONCE:
                            await self._conclude(ticket, recorded)
                        return answer_of(done, reply=ticket.answer.value, reference=ticket.answer.reference)
                    case steps.Fail(event=failed):
                        await self._conclude(ticket, self.journal.note(failed, at_us=now_us))
                        raise error_of(failed, ticket.vetoes())
                    case steps.Suspend(event=held):
                        recorded = self.journal.note(held, at_us=now_us)
                        self.spawn(self.settle(ticket), name=f"settle {ticket.request_id}")
                        await self._conclude(ticket, recorded)
                        raise unknown_of(held)
                    case _:
                        await self._carry_out(step, ticket, now_us)
        except asyncio.CancelledError:
            self._give_up(ticket, EndReason.INTERRUPTED if self._closing else EndReason.CANCELLED)
            raise
        except LogUnavailable:
            self._give_up(ticket, EndReason.INTERRUPTED)
            raise
        finally:
            self._line.leave(ticket.request_id, served=False)

    async def settle(self, ticket: Ticket) -> None:
        """Drive a request that nobody waits for to its end, however long that takes."""
        try:
            while ticket.request_id in self.journal.ledger.requests:
                step, now_us = self._next(ticket)
                match step:
                    case steps.Finish() | steps.Fail() | steps.Suspend():
                        self.journal.note(step.event, at_us=now_us)
                    case _:
                        await self._carry_out(step, ticket, now_us)
        finally:
            self._line.leave(ticket.request_id, served=False)

    async def side_call(self, event: CallStarted, ticket: Ticket, ask: Callable[[], Awaitable[Any]]) -> None:
        """Make a call outside any request (a ping, a stock query); raises the ProviderError that it ended in."""
        started = self.journal.note(event)
        error = await self._listen(started, ask, ticket, since_us=started.at_us)
        if error is not None:
            raise error

    def _next(self, ticket: Ticket) -> tuple[steps.Step, int]:
        """The next step that is more than a decision, and its instant, which is to be the time of its event."""
        journal = self.journal
        ledger, request_id = journal.ledger, ticket.request_id
        now_us, draw = journal.now_us(), journal.system.draw()
        while True:
            step = next_step(ledger.requests[request_id], ledger.standing, now_us=now_us, draw=draw)
            if not isinstance(step, steps.Decide):
                return step, now_us
            journal.note(step.event, at_us=now_us)
            ticket.decision = step.event  # No other one follows at once: it names somebody, or nobody.

    async def _carry_out(self, step: steps.Step, ticket: Ticket, now_us: int) -> None:
        match step:
            case steps.Call(event=call):
                await self._call(self.journal.note(call, at_us=now_us), call, ticket)
            case steps.LookUp(event=call):
                await self._look_up(self.journal.note(call, at_us=now_us), call, ticket)
            case steps.Wait(event=wait):
                self.journal.note(wait, at_us=now_us)
                await self._pause(ticket.request_id, wait.until_us, in_line=wait.provider is None)
            case steps.Sleep(until_us=until_us, in_line=in_line):
                await self._pause(ticket.request_id, until_us, in_line=in_line)
            case steps.Hold():
                await self._pause(ticket.request_id, None)
            case _:
                raise AssertionError(f"{step} is not carried out here")

    async def _call(self, started: Recorded, event: CallStarted, ticket: Ticket) -> None:
        self._line.leave(ticket.request_id, served=True)
        now_us = started.at_us
        try:
            if ticket.request.effect is Effect.ONCE:
                await self._intend(started)
                now_us = self.journal.now_us()
                if now_us >= event.deadline_at_us:
                    self.journal.note(reports.abandoned(started, AbandonReason.NOT_SENT, at_us=now_us), at_us=now_us)
                    return
            deadline = Deadline(event.deadline_at_us, self.journal.now_us)
            call = self.providers[event.provider].call
            await self._listen(
                started,
                lambda: call(event.operation, ticket.request, key=event.key, deadline=deadline),
                ticket,
                since_us=now_us,
            )
        finally:
            self._line.advance()

    async def _look_up(self, started: Recorded, event: CallStarted, ticket: Ticket) -> None:
        deadline = Deadline(event.deadline_at_us, self.journal.now_us)
        lookup = self.providers[event.provider].lookup  # type: ignore[attr-defined]
        operation = ticket.request.operation
        await self._listen(
            started,
            lambda: lookup(operation, ticket.request, key=event.key, deadline=deadline),
            ticket,
            since_us=started.at_us,
        )

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
        ours = False
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine is always awaited in a task.
        limit = self._limits.set(task, seconds=(event.deadline_at_us - since_us) / 1_000_000)
        try:
            try:
                value = await ask()
            finally:
                ours = limit.lift()
            answer = value if isinstance(value, _ANSWERS) else Reply(value=value)
            now_us = journal.now_us()
            told, taken = reports.succeeded(started, answer, at_us=now_us, discretion=ticket.discretion)
        except asyncio.CancelledError as cancelled:
            if not ours and _is_cancelled():
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
            return None
        return self._note_failure(started, foreign, ticket, expired=limit.passed)

    def _note_failure(
        self, started: Recorded, foreign: BaseException, ticket: Ticket, *, expired: bool
    ) -> ProviderError:
        """Put on record that a call failed, in our words."""
        event: CallStarted = started.event  # type: ignore[assignment]
        error_type: str | None = None
        error: ProviderError
        if expired:  # Whatever an adapter makes of our own cancellation: it may have been executed.
            error = TimedOut(f"no answer within {(event.deadline_at_us - started.at_us) // 1000} ms")
        elif isinstance(foreign, ProviderError) and hasattr(foreign, "kind"):
            error = foreign
        else:
            effect = Effect.READ if event.operation == LOOKUP else ticket.request.effect
            error_type = type(foreign).__name__
            error = reports.of_foreign(f"{error_type}: {_text_of(foreign)}", effect)
        now_us = self.journal.now_us()
        failed = reports.failed(started, error, at_us=now_us, discretion=ticket.discretion, error_type=error_type)
        self.journal.note(failed, at_us=now_us)
        return error

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
            self._line.join(request_id)
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

    def _give_up(self, ticket: Ticket, reason: EndReason) -> None:
        """The caller is gone: end the request if nothing is in doubt, else settle it in the background."""
        if ticket.request_id not in self.journal.ledger.requests:
            return
        self.journal.note(RequestCancelled(request_id=ticket.request_id, reason=reason))
        step, now_us = self._next(ticket)
        if isinstance(step, steps.Fail | steps.Finish):
            self.journal.note(step.event, at_us=now_us)
        elif not self._closing:
            self.spawn(self.settle(ticket), name=f"settle {ticket.request_id}")


def _is_cancelled() -> bool:
    """Whether somebody cancelled us; a provider may also let the cancellation of a task of its own escape."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _text_of(foreign: BaseException) -> str:
    try:
        return str(foreign)
    except Exception:  # noqa: BLE001 - not even its text can be relied on
        return "no text"


def _look_at_its_error(task: "asyncio.Task[Answer]") -> None:
    """Nobody may be left to hear how a task ended; its story is in the log."""
    if not task.cancelled():
        task.exception()
