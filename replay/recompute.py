"""The rules, asked again: the engine's own fold over the rows, and at each event that the engine chose the question.

What was known there gives what must have been chosen there, to the byte.
"""

import re
from dataclasses import dataclass
from functools import partial
from typing import Final

from pydantic_core import from_json

from understudy.engine import alerts
from understudy.engine.commands import COMMAND_REFUSED
from understudy.engine.decide import RULES_VERSION
from understudy.engine.errors import BrokenRule
from understudy.engine.ledger import Ledger
from understudy.engine.next_step import next_step
from understudy.engine.steps import Hold, Sleep
from understudy.events.codec import decode, encode
from understudy.events.decisions import DecisionMade, Event
from understudy.events.operations import AlertCleared, AlertRaised, EngineStarted
from understudy.events.requests import RequestCompleted, RequestFailed, RequestSuspended, RetryScheduled
from understudy.events.row import Recorded, Row

_CALL_STARTED: Final = "call_started.v1"
_DECISION: Final = DecisionMade.kind
_STEPS: Final = frozenset(
    kind.kind for kind in (DecisionMade, RetryScheduled, RequestCompleted, RequestFailed, RequestSuspended)
) | {_CALL_STARTED}
_ALERTS: Final = frozenset({AlertRaised.kind, AlertCleared.kind})
_IDLE: Final = (Hold, Sleep)
_HEEDED: Final = alerts.RAISING | {AlertRaised, AlertCleared}
"""After these an alert may be due even where none stands."""
_DRAW: Final = re.compile(r'\{"strategy":"\w+","draw":(\d{1,10}),')

_recorded: Final = partial(tuple.__new__, Recorded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first place where the rules choose otherwise now: what was logged, and what was recomputed."""

    seq: int
    request_id: str
    kind: str
    field: str
    logged: str
    recomputed: str


class Recomputation:
    """The engine's fold over rows, asking the rules again at every event that they chose.

    Begins with an empty ledger, or with that at an acceptance: after one no alert is ever due.
    """

    def __init__(self, ledger: Ledger | None = None) -> None:
        self.ledger = ledger or Ledger()
        self.steps = self.identical = self.differs = self.other_rules = self.input_missing = 0
        self.first_difference: Difference | None = None
        self._alert_due: AlertRaised | AlertCleared | None = None
        self._trigger: Event = EngineStarted(version="", rules_version=0, python="", writer="")

    def take(self, row: Row) -> None:
        """Check one more row, and fold it.

        Errors: UnreadableEvent.
        """
        kind = row.kind
        if kind == EngineStarted.kind:
            self._alert_due = None  # A crash may have come between an event and its alert.
        event: Event | None = None
        if self._alert_due is not None or kind in _ALERTS:
            event = self._check_alert(row)
        elif kind in _STEPS:
            event = self._check_step(row)
        if event is None:
            event = decode(row)
        ledger = self.ledger
        try:
            ledger.fold(_recorded((row.seq, row.at_us, event)))
        except BrokenRule as error:
            self._differs(row, "order", logged=kind, recomputed=f"cannot happen here: {error}")
            return
        standing = ledger.standing
        if standing.rules_version == RULES_VERSION:
            if standing.alerts or type(event) in _HEEDED:
                self._alert_due = self._next_alert(event)
            else:
                self._alert_due = None
                self._trigger = event

    def _next_alert(self, event: Event) -> AlertRaised | AlertCleared | None:
        if isinstance(event, AlertRaised | AlertCleared):
            if event.alert == COMMAND_REFUSED:
                return None
            event = self._trigger  # One event may have several alerts follow it.
        self._trigger = event
        return alerts.due(self.ledger.standing, event)

    def _check_step(self, row: Row) -> Event | None:
        """The recomputed event of a row that the rules chose, if it is the same; None if it must be decoded."""
        kind, request_id = row.kind, row.request_id
        if request_id is None:
            return None
        standing = self.ledger.standing
        if standing.rules_version != RULES_VERSION:
            self.other_rules += kind == _DECISION
            return None
        state = self.ledger.requests.get(request_id)
        if state is None:
            self.input_missing += kind == _DECISION
            return None
        try:
            step = next_step(state, standing, now_us=row.at_us, draw=_draw_of(row) if kind == _DECISION else 0)
        except BrokenRule as error:
            self._differs(row, "order", logged=kind, recomputed=f"cannot happen here: {error}")
            return None
        if isinstance(step, _IDLE):
            self._differs(row, "kind", logged=kind, recomputed="nothing is due")
            return None
        return self._compare(row, step.event)

    def _check_alert(self, row: Row) -> Event | None:
        due = self._alert_due
        if due is None:
            if f'"alert":"{COMMAND_REFUSED}"' not in row.payload:
                self._differs(row, "kind", logged=row.kind, recomputed="no alert is due")
            return None
        return self._compare(row, due)

    def _compare(self, row: Row, event: Event) -> Event | None:
        again = encode(event, seq=row.seq, at_us=row.at_us)
        if again == row:
            self.steps += 1
            self.identical += row.kind == _DECISION
            return event
        for name, logged, recomputed in zip(Row._fields, row, again, strict=True):
            if logged != recomputed:
                self._differs(row, name, logged=str(logged), recomputed=str(recomputed))
                break
        return None

    def _differs(self, row: Row, field: str, *, logged: str, recomputed: str) -> None:
        self.differs += 1
        if self.first_difference is None:
            if field == "payload":
                field, logged, recomputed = _first_in_payload(logged, recomputed)
            self.first_difference = Difference(
                seq=row.seq,
                request_id=row.request_id or "",
                kind=row.kind,
                field=field,
                logged=logged,
                recomputed=recomputed,
            )


def _draw_of(row: Row) -> int:
    """The recorded draw, without decoding the whole decision: it comes before anything that a user could have named."""
    found = _DRAW.match(row.payload)
    return 0 if found is None else int(found[1])


def _first_in_payload(logged: str, recomputed: str) -> tuple[str, str, str]:
    """The first field in which two payloads differ, with a path to it."""
    try:
        return _first_in("payload", from_json(logged), from_json(recomputed))
    except ValueError:
        return "payload", logged, recomputed


def _first_in(path: str, logged: object, recomputed: object) -> tuple[str, str, str]:
    match logged, recomputed:
        case dict(), dict():
            for name in [*logged, *(name for name in recomputed if name not in logged)]:
                if logged.get(name) != recomputed.get(name):
                    return _first_in(f"{path}.{name}", logged.get(name), recomputed.get(name))
        case list(), list() if len(logged) == len(recomputed):
            for place, (one, other) in enumerate(zip(logged, recomputed, strict=True)):
                if one != other:
                    return _first_in(f"{path}[{place}]", one, other)
        case _:
            pass
    return path, str(logged), str(recomputed)
