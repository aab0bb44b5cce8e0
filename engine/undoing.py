"""What was executed for nobody is taken back at its provider, as a request like any other, on record.

What is owed is a fold of the log (`projections.unused`), so that it is done after a restart, too. Doing it twice is
harmless: an operation that undoes must be one that may be repeated. It is tried until it is done, or an operator has
had the last word.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import partial
from itertools import chain, islice, repeat
from typing import TYPE_CHECKING, Final

from understudy.engine.acceptance import Asked, accept, check
from understudy.engine.errors import EngineClosed, InvalidRequest, RequestError
from understudy.engine.operation import Answer, Operation
from understudy.engine.provider import Request
from understudy.engine.ticket import Ticket
from understudy.events.errors import LogUnavailable
from understudy.events.requests import RequestCancelled
from understudy.events.vocabulary import Effect, EndReason
from understudy.projections.unused import Owed, owed_key

if TYPE_CHECKING:
    import asyncio

    from understudy.engine.runner import Runner

PAUSES_US: Final = (0, 150_000_000, 600_000_000, 3_600_000_000)
"""Before each try; the last one before all that follow."""


class Undoings:
    """What is being taken back; what is owed beyond that is in the standing."""

    def __init__(self, runner: "Runner", operations: Mapping[str, Operation]) -> None:
        self._runner = runner
        self._operations = operations
        self._seen_to: set[str] = set()
        """What is under way, or waits for its next try."""
        self._tried: set[str] = set()
        """What a caller has just tried in vain: it is not asked for again at once."""

    def begin(self) -> None:
        """See to all that is owed and not seen to yet."""
        for key, owed in self._runner.journal.ledger.standing.unused.owed.items():
            if owed.done is None and key not in self._seen_to:
                self._see_to(key, None)

    async def serve(self, ticket: Ticket) -> Answer:
        """Serve a caller who takes something back. Should that fail, or the caller go, it is tried again later."""
        unused = self._runner.journal.ledger.standing.unused
        key = unused.undoing[ticket.request_id]
        if key in self._seen_to:
            return await self._runner.serve(ticket)
        self._seen_to.add(key)
        try:
            return await self._runner.serve(ticket)
        finally:
            self._seen_to.discard(key)
            self._tried.add(key)
            self._runner.undo()
            self._tried.discard(key)

    def leave(self, ticket: Ticket, task: "asyncio.Task[Answer]") -> None:
        """The caller of a request is gone, and has no key to ask for it again: what is done for it may be undone."""
        journal = self._runner.journal
        mine = journal.ledger.standing.unused.open.get(ticket.request_id)
        if mine is None:
            task.add_done_callback(partial(self._disown, ticket.request))
        elif not mine.gone:
            journal.note(RequestCancelled(request_id=ticket.request_id, reason=EndReason.CANCELLED))
            self._runner.wake(ticket.request_id)

    def _disown(self, request: Request, task: "asyncio.Task[Answer]") -> None:
        """A caller has gone just when its request was served: what it was given is nobody's."""
        if task.cancelled() or task.exception() is not None:
            return
        answer = task.result()
        operation = self._operations.get(request.operation)
        if operation is None or operation.undone_by is None or answer.reference is None:
            return
        columns = {"service": request.context.get("service"), "country": request.context.get("country")}
        owed = Owed(request.request_id, answer.provider, operation.undone_by, answer.reference, **columns)
        with suppress(InvalidRequest):  # Its reference can be no name: a person must look.
            self._see_to(owed_key(owed.request_id, owed.provider), accept(self._runner.journal, self._asked(owed)))

    def _see_to(self, key: str, ticket: Ticket | None) -> None:
        self._seen_to.add(key)
        pauses_us = islice(chain(PAUSES_US, repeat(PAUSES_US[-1])), int(key in self._tried), None)
        self._runner.spawn(self._undo(key, ticket, pauses_us), name=f"undo {key}")

    async def _undo(self, key: str, ticket: Ticket | None, pauses_us: Iterable[int]) -> None:
        """Try until it is done, or an operator has had the last word: nothing is owed then any more."""
        journal = self._runner.journal
        try:
            for pause_us in pauses_us:
                if pause_us:
                    await journal.system.sleep_until(journal.now_us() + pause_us)
                owed = journal.ledger.standing.unused.owed.get(key)
                if owed is None or owed.done is not None:
                    return
                with suppress(RequestError, LogUnavailable, EngineClosed):  # It is on record, or could not be.
                    journal.log.check()
                    await self._runner.serve(ticket or accept(journal, self._asked(owed)))
                ticket = None
        except InvalidRequest:
            return  # Its provider is no longer there.
        finally:
            if key not in journal.ledger.standing.unused.owed:
                self._seen_to.discard(key)

    def _asked(self, owed: Owed) -> Asked:
        operation = self._operations.get(owed.undone_by) or _undoing(owed.undone_by)
        columns = {"service": owed.service, "country": owed.country, "rental_id": owed.reference}
        return check(
            operation,
            policy=self._runner.journal.ledger.standing.policy,
            context={name: value for name, value in columns.items() if value is not None},
            only=owed.provider,
            undoes=owed.request_id,
        )


def _undoing(name: str) -> Operation:
    """An operation that undoes, where nobody has declared it: it may be repeated, and given up."""
    return Operation(name=name, effect=Effect.IDEMPOTENT, free_to_abandon=True)
