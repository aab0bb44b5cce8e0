"""After a request has ended: what it has left behind at a provider is looked up a few times more.

A look-up had said that nothing was executed there, so somebody else was asked, or nobody. If it says otherwise later,
something has moved twice, or for nobody, and that is an alert.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from understudy.engine.calling import Caller
from understudy.engine.columns import columns_in
from understudy.engine.errors import ProviderError
from understudy.engine.journal import Journal
from understudy.engine.operation import Operation
from understudy.engine.provider import Deadline
from understudy.engine.recovery import ticket_of
from understudy.engine.request_state import LOOKUP
from understudy.engine.ticket import Ticket
from understudy.events.calls import CallStarted
from understudy.events.codec import decode
from understudy.events.errors import LogUnavailable
from understudy.events.requests import RequestAccepted
from understudy.projections.leftovers import Left

PAUSES_US: Final = (60_000_000, 600_000_000, 3_600_000_000)
"""How long after its end a request is looked up again where it was believed not to have been executed."""


async def look_after(caller: Caller, ticket: Ticket, undo: Callable[[], None]) -> None:
    """Look up again, until somebody has to be told or the absence is believed for good.

    `undo` sees to what turns out to have been executed for nobody.
    """
    journal, watched = caller.journal, caller.journal.ledger.standing.leftovers.watched
    for pause_us in PAUSES_US:
        lefts = watched.get(ticket.request_id)
        if lefts is None:
            return
        due_us = max(left.ended_us for left in lefts.values()) + pause_us
        if due_us > journal.now_us():
            await journal.system.sleep_until(due_us)
        for left in list(watched.get(ticket.request_id, {}).values()):
            with suppress(ProviderError, LogUnavailable):  # It is on record, or could not be; there is another time.
                journal.log.check()
                await _look_up(caller, ticket, left)
                undo()


async def _look_up(caller: Caller, ticket: Ticket, left: Left) -> None:
    journal = caller.journal
    lookup: Any = getattr(caller.providers.get(left.provider), "lookup", None)
    if lookup is None:
        return
    context, policy = ticket.request.context, journal.ledger.standing.policy
    event = CallStarted(
        request_id=ticket.request_id,
        provider=left.provider,
        operation=LOOKUP,
        **columns_in(context),
        key=left.key,
        deadline_at_us=journal.now_us() + policy.timeout_us(left.provider),
    )
    deadline = Deadline(event.deadline_at_us, journal.now_us)
    own = Ticket(ticket.request, ticket.discretion, ticket.subject)
    await caller.side_call(
        event, own, lambda: lookup(ticket.request.operation, ticket.request, key=left.key, deadline=deadline)
    )


async def watched_tickets(journal: Journal, operations: Mapping[str, Operation]) -> list[Ticket]:
    """The requests of an earlier run that are still watched, as far as the log still tells them."""
    found = []
    for request_id in list(journal.ledger.standing.leftovers.watched):
        rows = await journal.log.request_rows(request_id)
        accepted = decode(rows[0]) if rows else None
        if isinstance(accepted, RequestAccepted):
            found.append(await ticket_of(journal, accepted, operations))
    return found
