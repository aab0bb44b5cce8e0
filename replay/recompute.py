"""The rules, asked again: the engine's own fold over the rows, and at each event that the engine chose the question.

What was known there gives what must have been chosen there, to the byte.
"""

import re
from dataclasses import dataclass
from functools import partial
from typing import Final

from pydantic_core import from_json

from understudy.engine.alert_rules import overdue
from understudy.engine.decide import RULES_VERSION
from understudy.engine.errors import BrokenRule
from understudy.engine.follow_ups import FollowUp, due, follows, may_be_due
from understudy.engine.ledger import Ledger
from understudy.engine.next_step import next_step
from understudy.engine.quarantine import RULES
from understudy.engine.steps import AwaitQuotes, Hold, Sleep
from understudy.events.alerts import UNRULED
from understudy.events.codec import decode, encode
from understudy.events.decisions import DecisionMade, Event
from understudy.events.errors import UnreadableEvent
from understudy.events.operations import (
    AlertCleared,
    AlertRaised,
    EngineStarted,
    ModeChanged,
)
from understudy.events.quotes import QuarantineReleased, QuarantineSet, QuotesRequested
from understudy.events.requests import (
    RequestAccepted,
    RequestCompleted,
    RequestFailed,
    RequestSuspended,
    RetryScheduled,
)
from understudy.events.row import Recorded, Row
from understudy.events.vocabulary import Effect

_CALL_STARTED: Final = "call_started.v1"
_DECISION: Final = DecisionMade.kind
_STEPS: Final = frozenset(
    kind.kind
    for kind in (QuotesRequested, DecisionMade, RetryScheduled, RequestCompleted, RequestFailed, RequestSuspended)
) | {_CALL_STARTED}
_QUARANTINES: Final = frozenset({QuarantineSet.kind, QuarantineReleased.kind})
_FOLLOW_UPS: Final = _QUARANTINES | {AlertRaised.kind, AlertCleared.kind, ModeChanged.kind}
_ACCEPTED: Final = RequestAccepted(request_id="", operation="", effect=Effect.READ, deadline_at_us=0)
"""What a part of a log begins after: nothing follows from it at once."""
_IDLE: Final = (Hold, Sleep, AwaitQuotes)
_ROLLED: Final = frozenset({_DECISION, QuotesRequested.kind})
_DRAW: Final = re.compile(r'\{(?:"strategy":"\w+",)?"draw":(\d{1,10}),')

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
        self._due: FollowUp | None = None
        self._trigger: tuple[Event, int] = (_ACCEPTED, 0)

    @property
    def is_due(self) -> bool:
        """Whether something must follow at once."""
        return self._due is not None

    def take(self, row: Row) -> None:
        """Check one more row, and fold it.

        Errors: UnreadableEvent.
        """
        kind = row.kind
        if self._due is not None and kind == EngineStarted.kind and _has_other_rules(row):
            self._due = None  # After a crash: what was still to follow was not theirs to say.
        event: Event | None = None
        if self._due is not None or kind in _FOLLOW_UPS:
            event = self._check_follow_up(row)
        elif kind in _STEPS:
            event = self._check_step(row)
        if event is None:
            event = decode(row)
        ledger = self.ledger
        try:
            changed = ledger.fold(_recorded((row.seq, row.at_us, event)))
        except BrokenRule as error:
            self._differs(row, "order", logged=kind, recomputed=f"cannot happen here: {error}")
            return
        standing = ledger.standing
        if standing.rules_version == RULES_VERSION:
            if follows(event) or may_be_due(standing, event, changed):
                self._due = self._next_follow_up(event, changed)
            else:
                self._due = None
                self._trigger = event, changed

    def _next_follow_up(self, event: Event, changed: int) -> FollowUp | None:
        if isinstance(event, AlertRaised | AlertCleared) and event.alert in UNRULED:
            return None
        if not follows(event):
            self._trigger = event, changed
        return due(self.ledger.standing, *self._trigger)  # One event may have several follow it.

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
            step = next_step(state, standing, now_us=row.at_us, draw=_draw_of(row) if kind in _ROLLED else 0)
        except BrokenRule as error:
            self._differs(row, "order", logged=kind, recomputed=f"cannot happen here: {error}")
            return None
        if isinstance(step, _IDLE):
            self._differs(row, "kind", logged=kind, recomputed="nothing is due")
            return None
        return self._compare(row, step.event)

    def _check_follow_up(self, row: Row) -> Event | None:
        if row.kind in _QUARANTINES and f'"actor":"{RULES}"' not in row.payload:
            return None
        standing = self.ledger.standing
        if any(f'"alert":"{alert}"' in row.payload for alert in UNRULED) or standing.rules_version != RULES_VERSION:
            return None
        expected: FollowUp | None = self._due
        if expected is None and row.kind == AlertRaised.kind:
            expected = overdue(standing, row.at_us)  # Nothing but time has passed.
        if expected is None:
            self._differs(row, "kind", logged=row.kind, recomputed="nothing is due")
            return None
        return self._compare(row, expected)

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


def _has_other_rules(row: Row) -> bool:
    event = decode(row)
    return isinstance(event, EngineStarted) and event.rules_version != RULES_VERSION


def _draw_of(row: Row) -> int:
    """The recorded draw, without decoding the whole decision: it comes before anything that a user could have named."""
    if type(row.payload) is not str:
        raise UnreadableEvent(f"event {row.seq} ({row.kind}): its payload is no text")
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
