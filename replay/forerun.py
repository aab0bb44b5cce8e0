"""The fore-run: the ledger at a place in the log, from the rows before it, without asking the rules anything.

So a second worker can begin in the middle of a log while the first is still on its way there. Nothing is believed that
the rows do not say; but of an event of the usual kinds only that is read which the fold looks at. The first worker
reads all of it, and reports what cannot be read.
"""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from understudy.engine.errors import BrokenRule
from understudy.engine.ledger import Ledger
from understudy.engine.request import EVOLUTIONS, accept
from understudy.engine.request_state import OpenState, Settled
from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.codec import decode
from understudy.events.decisions import Decision, DecisionMade, Event
from understudy.events.requests import RequestAccepted, RequestCompleted, RequestFailed
from understudy.events.row import Recorded, Row
from understudy.events.vocabulary import Effect, Strategy
from understudy.projections.standing import Standing

_recorded: Final = partial(tuple.__new__, Recorded)

_ENDS: Final = frozenset({RequestCompleted.kind, RequestFailed.kind})
_ENDINGS: Final = (CallSucceeded, CallFailed, CallAbandoned)
_STARTED_SEQ: Final = re.compile(r'\{"started_seq":(\d+)[,}]')


class Forerun:
    """The standing after the rows so far, and the rows of the requests that are open there."""

    def __init__(self) -> None:
        self.standing = Standing()
        self._open: dict[str, list[Row]] = {}
        self._starts: dict[int, Row] = {}

    def take(self, row: Row) -> None:
        """Fold one more row.

        Errors: UnreadableEvent, though not for all that cannot be read.
        """
        kind, request_id = row.kind, row.request_id
        brief = _BRIEF.get(kind)
        event = None if brief is None or request_id is None else brief(row)
        if event is None:
            event = decode(row)
        self.standing.fold(_recorded((row.seq, row.at_us, event)))
        if type(event) is CallStarted:
            self._starts[row.seq] = row
        elif isinstance(event, _ENDINGS):
            self._starts.pop(event.started_seq, None)
        if request_id is None:
            return
        if kind == RequestAccepted.kind:
            self._open[request_id] = [row]
        elif kind in _ENDS:
            self._open.pop(request_id, None)
        elif request_id in self._open:
            self._open[request_id].append(row)

    def ledger(self) -> Ledger:
        """The ledger after the rows so far; what is open there is read in full now.

        Errors: UnreadableEvent.
        """
        calls = self.standing.calls
        for seq in calls:
            started = decode(self._starts[seq])
            if isinstance(started, CallStarted):
                calls[seq] = calls[seq]._replace(started=started)
        return Ledger(self.standing, {request_id: _unsettled(rows) for request_id, rows in self._open.items()})


def _unsettled(rows: list[Row]) -> OpenState:
    """What a request has become by its rows; what cannot happen changes nothing, as in the ledger."""
    accepted = decode(rows[0])
    assert isinstance(accepted, RequestAccepted)  # noqa: S101 - rows are collected from the acceptance on.
    state: OpenState = accept(accepted)
    for row in rows[1:]:
        event = decode(row)
        evolution = EVOLUTIONS.get(type(event))
        if evolution is None:
            continue
        try:
            after = evolution(state, event, row.at_us)
        except BrokenRule:
            continue
        if not isinstance(after, Settled):
            state = after
    return state


# The fold counts these, and reads nothing of them.
_ACCEPTED: Final = RequestAccepted(request_id="", operation="", effect=Effect.READ, deadline_at_us=0)
_DECIDED: Final = Decision(
    request_id="", strategy=Strategy.SCORE, draw=0, tier=None, explored=False, pinned=False, order=(), tell=str
)


def _decision(row: Row) -> Event | None:
    """Only the strategy that goes in turn leaves a trace in the standing."""
    payload = row.payload
    plain = payload.startswith('{"strategy":"') and not payload.startswith('{"strategy":"round_robin"')
    return _DECIDED if plain else None


def _started(row: Row) -> Event | None:
    if type(row.retry) is not int or type(row.provider) is not str or type(row.operation) is not str:
        return None
    return CallStarted(
        request_id=row.request_id,
        provider=row.provider,
        operation=row.operation,
        attempt=row.attempt or 0,
        retry=row.retry,
        service=row.service,
        country=row.country,
        rental_id=row.rental_id,
        pair=row.pair,
        key="",
        deadline_at_us=0,
    )


def _succeeded(row: Row) -> Event | None:
    found = _STARTED_SEQ.match(row.payload)
    if found is None or type(row.latency_us) is not int or '"stock":' in row.payload:
        return None
    return CallSucceeded(provider="", operation="", started_seq=int(found[1]), latency_us=row.latency_us)


def _completed(row: Row) -> Event | None:
    if row.request_id is None or not row.payload.startswith('{"failovers":0,'):
        return None
    return RequestCompleted(request_id=row.request_id, operation="", provider="", attempt=0, failovers=0)


_BRIEF: Final[Mapping[str, Callable[[Row], Event | None]]] = {
    RequestAccepted.kind: lambda _: _ACCEPTED,
    DecisionMade.kind: _decision,
    CallStarted.kind: _started,
    CallSucceeded.kind: _succeeded,
    RequestCompleted.kind: _completed,
}
"""The kinds that most rows are of, and what the fold needs of them; None where the row must be read in full."""
