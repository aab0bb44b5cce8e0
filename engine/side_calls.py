"""Calls outside any request: pings, stock, quotes. Each is logged, and has a lane of its own."""

from collections.abc import Mapping

from understudy.engine.acceptance import NOTHING_HIDDEN
from understudy.engine.arguments import split
from understudy.engine.columns import columns_in
from understudy.engine.errors import InvalidRequest
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
    function = getattr(one, operation, None) if operation in {"ping", "stock", "quote"} else None
    if function is None:
        raise InvalidRequest(f"{provider!r} has no {operation!r} to ask; side calls are ping, stock and quote")
    columns, labels = split(context)
    event = CallStarted(
        provider=provider,
        operation=operation,
        **columns_in(columns),
        key="",
        deadline_at_us=runner.journal.now_us() + policy.timeout_us(provider),
    )
    request = Request(request_id="", operation=operation, effect=Effect.READ, context={**columns, **labels})
    ticket = Ticket(request, NOTHING_HIDDEN, "")
    deadline = Deadline(event.deadline_at_us, runner.journal.now_us)
    await runner.side_call(
        event, ticket, function if operation == "ping" else lambda: function(request, deadline=deadline)
    )
    return ticket.answer if isinstance(ticket.answer, Reply) else Reply(value=ticket.answer.value)
