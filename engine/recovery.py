"""After a restart: what an earlier run left open is closed in the log, and settled where it may have had an effect."""

from collections.abc import Mapping

from understudy.engine.columns import context_of
from understudy.engine.journal import Journal
from understudy.engine.ledger import Ledger
from understudy.engine.operation import Operation
from understudy.engine.provider import Request
from understudy.engine.reports import Discretion, abandoned
from understudy.engine.request_state import Doubtful, LookingUp, Waiting
from understudy.engine.ticket import Ticket
from understudy.events.fact import Fact
from understudy.events.requests import RequestAccepted, RequestCancelled
from understudy.events.row import Recorded
from understudy.events.sensitive import reveal, tokens_in
from understudy.events.vocabulary import AbandonReason, EndReason


def interruptions(ledger: Ledger, now_us: int) -> list[Fact]:
    """The facts that a crash leaves to be written: calls whose end nobody saw, requests whose callers are gone."""
    calls = [
        abandoned(Recorded(seq, call.started_us, call.started), AbandonReason.CRASHED, at_us=now_us)
        for seq, call in sorted(ledger.standing.calls.items())
    ]
    requests = [
        RequestCancelled(request_id=request_id, reason=EndReason.INTERRUPTED)
        for request_id, state in ledger.requests.items()
        if not is_held(ledger, request_id) and state.progress.given_up is None
    ]
    return [*calls, *requests]


def is_held(ledger: Ledger, request_id: str) -> bool:
    """Whether a request is suspended."""
    return doubt_of_held(ledger, request_id) is not None


def doubt_of_held(ledger: Ledger, request_id: str) -> Doubtful | None:
    """The call in doubt for which a request is suspended; None if it is not suspended."""
    match ledger.requests.get(request_id):
        case (
            (Doubtful(held=True) as doubt)
            | LookingUp(doubt=Doubtful(held=True) as doubt)
            | Waiting(then=Doubtful(held=True) as doubt)
        ):
            return doubt
        case _:
            return None


async def tickets(journal: Journal, operations: Mapping[str, Operation]) -> list[Ticket]:
    """The unsettled requests, ready to be driven on, their sensitive values revealed as far as they are still kept."""
    unsettled = [state.progress.accepted for state in journal.ledger.requests.values()]
    return [await ticket_of(journal, accepted, operations) for accepted in unsettled]


async def ticket_of(journal: Journal, accepted: RequestAccepted, operations: Mapping[str, Operation]) -> Ticket:
    """A request that is on record, ready to be driven on."""
    tokens = tokens_in(accepted.body) | tokens_in(accepted.labels)
    known = await journal.log.reveal(sorted(tokens))
    declared = operations.get(accepted.operation)
    names = declared.sensitive if declared else frozenset[str]()
    discretion = Discretion(names, journal.log.salt, frozenset(known.values()))
    return Ticket(_request(accepted, known), discretion, accepted.subject or accepted.request_id)


def _request(accepted: RequestAccepted, known: Mapping[str, str]) -> Request:
    labels = {name: str(reveal(value, known)) for name, value in accepted.labels.items()}
    return Request(
        request_id=accepted.request_id,
        operation=accepted.operation,
        effect=accepted.effect,
        context={**context_of(accepted), **labels},
        amount=accepted.amount,
        body=reveal(accepted.body, known),
        max_price=accepted.max_price,
    )
