"""What came of a drill: how soon it was noticed, what it cost, who stood in, and which alerts told people.

Told from the rows: the ledger just before the drill is folded on through it, so that the instant at which a circuit
opened is known, which is no event of its own.
"""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Final

from understudy.engine import eligibility
from understudy.engine.alert_rules import rules_on
from understudy.engine.drills import touch
from understudy.engine.ledger import Ledger
from understudy.engine.restore import restore
from understudy.events.alerts import CIRCUIT_OPEN, FALLBACK_SHARE, SUCCESS_RATE
from understudy.events.calls import CallFact, CallStarted, CallSucceeded
from understudy.events.codec import decode, skimmed
from understudy.events.decisions import Decision, DecisionMade
from understudy.events.drills import FAULTS, DrillEnded, DrillForm, DrillStarted
from understudy.events.log import LogReader
from understudy.events.operations import AlertRaised
from understudy.events.policy import Policy
from understudy.events.requests import RequestAccepted, RequestCompleted, RequestFailed, RequestSuspended
from understudy.events.row import Recorded, Row
from understudy.events.vocabulary import SIDE_OPERATIONS
from understudy.projections import lane_step as lane

MOST_AFTER: Final = 200_000
"""Events after a drill among which the first answer of its provider is looked for."""
_ILL: Final = frozenset(
    {
        eligibility.CIRCUIT_OPEN,
        eligibility.NEEDS_PING,
        eligibility.PROBING,
        eligibility.PINGS_FAIL,
        eligibility.THROTTLED,
        eligibility.SLOW_START,
    }
)
"""Vetoes that say that a provider is ill, or asks for patience."""
_EXPECTED: Final = (CIRCUIT_OPEN, FALLBACK_SHARE, SUCCESS_RATE)
"""Alerts that a fault may lead to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A drill that was held: its beginning, and its end if there is one yet."""

    seq: int
    at_us: int
    started: DrillStarted
    end_seq: int | None = None
    ended_us: int | None = None
    ended: DrillEnded | None = None


@dataclass(slots=True, kw_only=True)
class DrillReport:
    """What came of a drill.

    Shape:  `requests` were accepted while it ran. It touched `failed` calls, which it made fail, and `held_back` ones.
            `touched` requests had such a call; those of them that nobody served are `lost`, and those that may have
            been executed are `in_doubt`. `stood_in` counts the others of which the last call was not touched, by who
            served them. `noticed_by` says how it was noticed. `alerts` were raised meanwhile; `silent` are the rules in
            force that might have raised one, and did not.
    Units:  instants in microseconds. `added_us` are, for each touched request, the lengths of time from its first
            touched call to the next one that was not, or for which its calls were held back.
    """

    held: Held
    requests: int = 0
    failed: int = 0
    held_back: int = 0
    touched: int = 0
    lost: int = 0
    in_doubt: int = 0
    stood_in: dict[str, int] = field(default_factory=dict)
    first_fault_us: int | None = None
    noticed_us: int | None = None
    noticed_by: str | None = None
    serves_again_us: int | None = None
    added_us: list[int] = field(default_factory=list)
    alerts: list[tuple[int, AlertRaised]] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    @property
    def to_detect_us(self) -> int | None:
        """How long it took to notice, from the first fault on."""
        return _between(self.first_fault_us, self.noticed_us)

    @property
    def to_recover_us(self) -> int | None:
        """How long it took from the end of the drill until the provider served a request again."""
        return _between(self.held.ended_us, self.serves_again_us)


def drills_of(reader: LogReader) -> list[Held]:
    """Every drill of a log, in the order in which they began.

    Errors: UnreadableEvent.
    """
    ends: dict[str, tuple[Row, DrillEnded]] = {}
    for row in reader.operations(DrillEnded.kind):
        end = decode(row)
        if isinstance(end, DrillEnded):
            ends[end.drill] = row, end
    found = []
    for row in reader.operations(DrillStarted.kind):
        event = decode(row)
        if isinstance(event, DrillStarted):
            held = Held(seq=row.seq, at_us=row.at_us, started=event)
            if event.drill in ends:
                end_row, ended = ends[event.drill]
                held = replace(held, end_seq=end_row.seq, ended_us=end_row.at_us, ended=ended)
            found.append(held)
    return found


def report_on(reader: LogReader, held: Held) -> DrillReport:
    """What came of a drill at one provider, so far if it still runs.

    Errors: UnreadableEvent; ValueError for chaos and load, which concern no one provider.
    """
    if held.started.form not in FAULTS:
        raise ValueError(f"{held.started.form} is not about one provider")
    through = reader.head().seq if held.end_seq is None else held.end_seq
    watch = _Watch(held, restore(reader, through=held.seq - 1))
    for row in reader.rows(after=held.seq - 1, through=through):
        watch.take(row)
    watch.look_on(reader, after=through)
    return watch.report


class _Watch:
    """Goes through the events of a drill, and for a while through those after it."""

    def __init__(self, held: Held, ledger: Ledger) -> None:
        self.report = DrillReport(held=held)
        self._drill = held.started
        self._ledger = ledger
        self._waiting: dict[str, int] = {}
        """Requests whose latest call was touched, and since when they lose time."""
        self._touched: set[str] = set()
        self._delays: Counter[str] = Counter()

    def take(self, row: Row) -> None:
        """One more event while the drill runs."""
        recorded = skimmed(row)
        changed = self._ledger.fold(recorded)
        event, report = recorded.event, self.report
        match event:
            case RequestAccepted():
                report.requests += 1
            case CallStarted() if event.request_id in self._waiting and event.drill != self._drill.drill:
                self._go_on(event.request_id or "", recorded.at_us)
            case CallStarted() if event.drill == self._drill.drill:
                self._touch(recorded, event)
            case AlertRaised():
                report.alerts.append((recorded.at_us, event))
            case RequestCompleted() | RequestFailed() | RequestSuspended():
                self._end(event, recorded.at_us)
            case Decision() | DecisionMade() if report.noticed_us is None and report.first_fault_us is not None:
                self._see_who_is_passed_over(row)
            case _:
                pass
        if changed & (lane.OPENED | lane.REOPENED) and isinstance(event, CallFact):
            self._notice(event.provider, recorded.at_us, "its circuit opened")

    def look_on(self, reader: LogReader, *, after: int) -> None:
        """See who loses nothing more, and when the provider serves again."""
        report, provider = self.report, self._drill.provider
        through = min(reader.head().seq, after + MOST_AFTER)
        for row in reader.rows(after=after, through=through):
            if report.serves_again_us is not None and not self._touched:
                break
            event = skimmed(row).event
            match event:
                case CallSucceeded() if event.provider == provider and event.drill is None:
                    if report.serves_again_us is None and event.operation not in SIDE_OPERATIONS:
                        report.serves_again_us = row.at_us
                case CallStarted() if event.request_id in self._waiting:
                    self._go_on(event.request_id or "", row.at_us)
                case RequestCompleted() | RequestFailed() | RequestSuspended():
                    self._end(event, row.at_us)
                case DrillStarted() if event.provider == provider and report.serves_again_us is None:
                    break
                case _:
                    pass
        report.silent = _silent(self._ledger.standing.policy, report)

    def _touch(self, recorded: Recorded, call: CallStarted) -> None:
        report, found = self.report, touch(self._drill, call, at_us=recorded.at_us)
        if found is None:
            return
        held_back = found.error is None
        report.failed += not held_back
        report.held_back += held_back
        if report.first_fault_us is None:
            report.first_fault_us = recorded.at_us
        if call.request_id is None:
            return
        report.touched += call.request_id not in self._touched
        self._touched.add(call.request_id)
        if held_back:
            self._delays[call.request_id] += found.delay_us
        else:
            self._waiting.setdefault(call.request_id, recorded.at_us)

    def _go_on(self, request_id: str, at_us: int) -> None:
        self._delays[request_id] += at_us - self._waiting.pop(request_id)

    def _end(self, event: RequestCompleted | RequestFailed | RequestSuspended, at_us: int) -> None:
        request_id = event.request_id
        if request_id not in self._touched:
            return
        report = self.report
        if request_id in self._waiting:
            self._go_on(request_id, at_us)
        self._touched.discard(request_id)
        report.added_us.append(self._delays.pop(request_id, 0))
        match event:
            case RequestFailed():
                report.lost += 1
            case RequestSuspended():
                report.in_doubt += 1
            case RequestCompleted(provider=provider) if provider != self._drill.provider:
                report.stood_in[provider] = report.stood_in.get(provider, 0) + 1
            case _:
                pass

    def _see_who_is_passed_over(self, row: Row) -> None:
        event = decode(row)
        for one in event.candidates if isinstance(event, DecisionMade) else ():
            if one.provider != self._drill.provider:
                continue
            if one.verdict in _ILL:
                self._notice(one.provider, row.at_us, f"it was passed over: {one.verdict.replace('_', ' ')}")
            elif one.degraded is not None and one.rank != 1 and eligibility.is_eligible(one.verdict):
                self._notice(one.provider, row.at_us, "it was put behind the others: degraded")

    def _notice(self, provider: str, at_us: int, how: str) -> None:
        report = self.report
        if provider == self._drill.provider and report.noticed_us is None:
            report.noticed_us, report.noticed_by = at_us, how


def _silent(policy: Policy, report: DrillReport) -> list[str]:
    if report.held.started.form is DrillForm.THROTTLE:
        return []  # A provider that asks for patience is well.
    raised = {alert.alert for _, alert in report.alerts}
    on = rules_on(policy)
    if report.held.started.for_us < policy.alert_circuit_open_ms * 1000:
        on -= {CIRCUIT_OPEN}  # It was too short for that.
    return [name for name in _EXPECTED if name in on - raised]


def _between(since_us: int | None, until_us: int | None) -> int | None:
    return None if since_us is None or until_us is None else max(0, until_us - since_us)
