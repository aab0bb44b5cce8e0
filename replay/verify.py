"""Was the log changed, and would we decide the same again? Asked of the rows alone, never of a cache.

The chain is recomputed over every row. Then the engine's own fold runs over the rows, and at each event that the
engine chose (decisions, calls, waits, ends of requests, alerts) the rules are asked again, with what was known there:
the result must be the same to the byte.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pydantic_core import from_json

from understudy.engine import alerts
from understudy.engine.commands import COMMAND_REFUSED
from understudy.engine.decide import RULES_VERSION
from understudy.engine.errors import BrokenRule
from understudy.engine.ledger import Ledger
from understudy.engine.next_step import next_step
from understudy.engine.steps import Hold, Sleep
from understudy.events.chain import genesis, link
from understudy.events.codec import decode, encode
from understudy.events.decisions import DecisionMade, Event
from understudy.events.errors import UnreadableEvent
from understudy.events.log import LogReader
from understudy.events.operations import AlertCleared, AlertRaised, EngineStarted
from understudy.events.requests import RequestCompleted, RequestFailed, RequestSuspended, RetryScheduled
from understudy.events.row import Recorded, Row

Progress = Callable[[int], None]

PROGRESS_EVERY: Final = 10_000
_CALL_STARTED: Final = "call_started.v1"
_STEPS: Final = frozenset(
    kind.kind for kind in (DecisionMade, RetryScheduled, RequestCompleted, RequestFailed, RequestSuspended)
) | {_CALL_STARTED}
_ALERTS: Final = frozenset({AlertRaised.kind, AlertCleared.kind})
_DRAW: Final = '"draw":'


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakage:
    """The first place where the log is not what was written: an event's seq, and what is wrong there."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first place where the rules choose otherwise now: what was logged, and what was recomputed."""

    seq: int
    request_id: str
    kind: str
    field: str
    logged: str
    recomputed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What verifying a log found.

    Shape:  `identical` counts decisions recomputed to the byte and `steps` all chosen events that were; `differs`
            counts chosen events that come out otherwise. `other_rules` were made under another rules version,
            `input_missing` lack what they were decided on.
    """

    stream: str
    events: int
    head_seq: int
    head_chain: str
    broken: Breakage | None
    steps: int
    identical: int
    differs: int
    other_rules: int
    input_missing: int
    first_difference: Difference | None

    @property
    def ok(self) -> bool:
        """Whether the log is intact and every decision comes out the same."""
        return self.broken is None and self.differs == 0 and self.input_missing == 0


def verify(reader: LogReader, *, through: int | None = None, progress: Progress | None = None) -> Verification:
    """Recompute the chain and every chosen event of a stream, up to `through` (the end if None).

    `progress` is told how many events have been checked; both passes count.
    """
    end = reader.head().seq if through is None else through
    events, broken, chain = check_chain(reader, through=end, progress=progress)
    recomputation = Recomputation()
    unreadable: Breakage | None = None
    try:
        for count, row in enumerate(reader.rows(through=end), start=1):
            recomputation.take(row)
            if progress is not None and count % PROGRESS_EVERY == 0:
                progress(events + count)
    except UnreadableEvent as error:
        unreadable = Breakage(seq=recomputation.ledger.standing.seq + 1, what=str(error))
    return Verification(
        stream=reader.stream,
        events=events,
        head_seq=end,
        head_chain=chain.hex(),
        broken=broken or unreadable,
        steps=recomputation.steps,
        identical=recomputation.identical,
        differs=recomputation.differs,
        other_rules=recomputation.other_rules,
        input_missing=recomputation.input_missing,
        first_difference=recomputation.first_difference,
    )


def check_chain(
    reader: LogReader, *, through: int, progress: Progress | None = None
) -> tuple[int, Breakage | None, bytes]:
    """Count the events and find the first that is missing or changed; with the last chain value that is stored."""
    previous = genesis(reader.stream)
    count = 0
    broken: Breakage | None = None
    for found in reader.links(through=through):
        count += 1
        if broken is None:
            if found.seq != count:
                broken = Breakage(seq=count, what=f"the event is missing; the next one there is {found.seq}")
            elif not found.follows(previous) and not _really_follows(reader, found.seq, previous, found.chain):
                broken = Breakage(seq=found.seq, what="the event or its chain value is not what was written")
        previous = found.chain
        if progress is not None and count % PROGRESS_EVERY == 0:
            progress(count)
    if broken is None and count < through:
        broken = Breakage(seq=count + 1, what=f"the log ends after event {count}; {through} were expected")
    return count, broken, previous


def _really_follows(reader: LogReader, seq: int, previous: bytes, chain: bytes) -> bool:
    """The slow way, over the row itself: a store may write the JSON of odd characters otherwise than we do."""
    return any(link(previous, row) == chain for row in reader.rows(after=seq - 1, through=seq))


class Recomputation:
    """The engine's fold over rows, asking the rules again at every event that they chose."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.steps = self.identical = self.differs = self.other_rules = self.input_missing = 0
        self.first_difference: Difference | None = None
        self._alert_due: AlertRaised | AlertCleared | None = None
        self._trigger: Event = EngineStarted(version="", rules_version=0, python="", writer="")

    def take(self, row: Row) -> None:
        """Check one more row, and fold it.

        Errors: UnreadableEvent.
        """
        event = self._checked(row) or decode(row)
        try:
            self.ledger.fold(Recorded(row.seq, row.at_us, event))
        except BrokenRule as error:
            self._differs(row, "order", logged=row.kind, recomputed=f"cannot happen here: {error}")
            return
        if isinstance(event, EngineStarted):
            self._alert_due = None  # A crash may have come between an event and its alert.
        elif self.ledger.standing.rules_version == RULES_VERSION:
            self._alert_due = self._next_alert(event)

    def _next_alert(self, event: Event) -> AlertRaised | AlertCleared | None:
        if isinstance(event, AlertRaised | AlertCleared):
            if event.alert == COMMAND_REFUSED:
                return None
            event = self._trigger  # One event may have several alerts follow it.
        self._trigger = event
        return alerts.due(self.ledger.standing, event)

    def _checked(self, row: Row) -> Event | None:
        """The recomputed event of a row that the rules chose, if it is the same; None if it must be decoded."""
        if self._alert_due is not None or row.kind in _ALERTS:
            return self._check_alert(row)
        if row.kind not in _STEPS or row.request_id is None:
            return None
        if self.ledger.standing.rules_version != RULES_VERSION:
            self.other_rules += row.kind == DecisionMade.kind
            return None
        state = self.ledger.requests.get(row.request_id)
        if state is None:
            self.input_missing += row.kind == DecisionMade.kind
            return None
        try:
            draw = _draw_of(row) if row.kind == DecisionMade.kind else 0
            step = next_step(state, self.ledger.standing, now_us=row.at_us, draw=draw)
        except BrokenRule as error:
            self._differs(row, "order", logged=row.kind, recomputed=f"cannot happen here: {error}")
            return None
        if isinstance(step, Hold | Sleep):
            self._differs(row, "kind", logged=row.kind, recomputed="nothing is due")
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
            self.identical += row.kind == DecisionMade.kind
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
    first = row.payload.find(_DRAW) + len(_DRAW)
    digits = row.payload[first : first + 11].partition(",")[0]
    return int(digits) if digits.isdigit() else 0


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
