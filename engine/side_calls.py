"""Calls outside any request: pings, stock, quotes, lists of offers. Each is logged, and has a lane of its own."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from understudy.engine.acceptance import NOTHING_HIDDEN
from understudy.engine.arguments import split
from understudy.engine.columns import columns_in
from understudy.engine.errors import InvalidRequest
from understudy.engine.journal import Journal
from understudy.engine.offers import SYNC, SYNC_US, checked, parts
from understudy.engine.provider import Deadline, Reply, Request
from understudy.engine.runner import Runner
from understudy.engine.ticket import Ticket
from understudy.events.calls import CallStarted
from understudy.events.policy import Policy
from understudy.events.vocabulary import Effect


async def side_call(
    runner: Runner, policy: Policy, provider: str, operation: str, *, context: Mapping[str, str]
) -> Reply:
    """Ask one provider something.

    Errors: InvalidRequest if it cannot do that; ProviderError as the provider raised it.
    """
    one = runner.caller.providers.get(provider)
    function = getattr(one, operation, None) if operation in {"ping", "stock", "quote", SYNC} else None
    if function is None:
        raise InvalidRequest(f"{provider!r} has no {operation!r} to ask; side calls are ping, stock, quote and sync")
    columns, labels = split(context)
    event = CallStarted(
        provider=provider,
        operation=operation,
        **columns_in(columns),
        key="",
        deadline_at_us=runner.journal.now_us() + _limit_us(policy, provider, operation),
    )
    request = Request(request_id="", operation=operation, effect=Effect.READ, context={**columns, **labels})
    ticket = Ticket(request, NOTHING_HIDDEN, "")
    deadline = Deadline(event.deadline_at_us, runner.journal.now_us)
    if operation == "ping":
        ask = function
    elif operation == SYNC:
        ask = partial(_take_list, runner.journal, provider, lambda: function(deadline=deadline))
    else:
        ask = partial(function, request, deadline=deadline)
    await runner.side_call(event, ticket, ask)
    return ticket.answer if isinstance(ticket.answer, Reply) else Reply(value=ticket.answer.value)


def _limit_us(policy: Policy, provider: str, operation: str) -> int:
    usual_us = policy.timeout_us(provider)
    return max(usual_us, SYNC_US) if operation == SYNC else usual_us


async def _take_list(journal: Journal, provider: str, ask: Callable[[], Awaitable[Any]]) -> dict[str, int]:
    """Put what a provider lists on record, in parts; what remains as the call's reply is how much it was."""
    offers = checked(await ask())
    told = list(parts(provider, offers))
    for part in told:
        journal.note(part)
    return {"offers": len(offers), "parts": len(told)}
