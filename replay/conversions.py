"""What became of the conversions of a log, and what happened to the engine meanwhile, step by step.

All of it is read off the log, but for what was executed: that only the services' own books can tell.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from understudy.events import signals
from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.codec import recorded
from understudy.events.operations import AlertCleared, AlertRaised, ModeChanged
from understudy.events.quotes import QuarantineReleased, QuarantineSet
from understudy.events.requests import RequestAccepted, RequestCompleted, RequestFailed, RequestSuspended
from understudy.events.row import Recorded, Row
from understudy.events.vocabulary import SIDE_OPERATIONS
from understudy.projections import lane_step as lane
from understudy.projections.standing import Standing

QUARANTINE_SET: Final = "quarantine:set"
QUARANTINE_RELEASED: Final = "quarantine:released"
"""Steps that are no signals; the others go by the names of theirs."""
_Call: TypeAlias = CallStarted | CallSucceeded | CallFailed | CallAbandoned
_DIGITS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """Something that changed how conversions are served.

    Shape:  `subject` is whom it is about, `` for the engine itself; `told` says more in words.
    Units:  `at_s` is in seconds since the engine's start.
    """

    at_s: float
    step: str
    subject: str = ""
    told: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversionFigures:
    """What became of conversions.

    Shape:  each was `served`, `refused` (nothing moved), or `suspended` because it may have been executed; of these
            `settled` found out what had become of them before the end. `refusals` are the reasons, `by_service` who
            served. `executed_twice` counts those that the services together executed more than once.
    Units:  `shares` are fractions of all conversions.
    """

    served: int = 0
    refused: int = 0
    suspended: int = 0
    settled: int = 0
    executed_twice: int = 0
    shares: dict[str, float] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    by_service: dict[str, int] = field(default_factory=dict)
    steps: tuple[Milestone, ...] = ()


def conversion_figures(rows: Iterable[Row], *, executed_for: Iterable[Mapping[str, int]]) -> ConversionFigures:
    """The figures of a whole log; `executed_for` are the services' own counts of executions by request."""
    story = _Story()
    for row in rows:
        story.take(recorded(row))
    executions: Counter[str] = Counter()
    for counted in executed_for:
        executions.update(counted)
    return story.told(executed_twice=sum(times > 1 for times in executions.values()))


class _Story:
    """A log while it is read."""

    def __init__(self) -> None:
        self._standing = Standing()
        self._started_us: int | None = None
        self._accepted = 0
        self._held: set[str] = set()
        self._by_service: Counter[str] = Counter()
        self._refusals: Counter[str] = Counter()
        self._settled = 0
        self._steps: list[Milestone] = []

    def take(self, one: Recorded) -> None:
        """Read one more event."""
        changed = self._standing.fold(one)
        if self._started_us is None:
            self._started_us = one.at_us
        at_s = (one.at_us - self._started_us) / 1_000_000
        self._steps += (Milestone(at_s=at_s, **told) for told in _steps(one.event, changed))
        match one.event:
            case RequestAccepted():
                self._accepted += 1
            case RequestSuspended(request_id=request_id):
                self._held.add(request_id)
            case RequestCompleted(request_id=request_id) | RequestFailed(request_id=request_id) if (
                request_id in self._held
            ):
                self._settled += 1
            case RequestCompleted(provider=provider):
                self._by_service[provider] += 1
            case RequestFailed(reason=reason):
                self._refusals[str(reason)] += 1
            case _:
                pass

    def told(self, *, executed_twice: int) -> ConversionFigures:
        """What it all came to."""
        counts = {
            "served": self._by_service.total(),
            "refused": self._refusals.total(),
            "suspended": len(self._held),
        }
        accepted = max(1, self._accepted)
        return ConversionFigures(
            **counts,
            settled=self._settled,
            executed_twice=executed_twice,
            shares={name: round(count / accepted, _DIGITS) for name, count in counts.items()},
            refusals=dict(self._refusals.most_common()),
            by_service=dict(self._by_service.most_common()),
            steps=tuple(self._steps),
        )


def _steps(event: Any, changed: int) -> Iterator[dict[str, str]]:
    """What an event, which has been folded with these bits, means to somebody who watches the whole."""
    match event:
        case ModeChanged(mode=mode, previous=previous):
            yield {"step": f"mode:{mode}", "told": f"it was {previous}"}
        case AlertRaised(alert=alert, subject=subject, message=message):
            yield {"step": signals.ALERT_RAISED, "subject": subject, "told": f"{alert}: {message}"}
        case AlertCleared(alert=alert, subject=subject):
            yield {"step": signals.ALERT_CLEARED, "subject": subject, "told": alert}
        case QuarantineSet(provider=provider, pair=pair, reason=reason):
            yield {"step": QUARANTINE_SET, "subject": provider, "told": f"{pair}: {reason}"}
        case QuarantineReleased(provider=provider, pair=pair, reason=reason):
            yield {"step": QUARANTINE_RELEASED, "subject": provider, "told": f"{pair}: {reason}"}
        case CallStarted() | CallSucceeded() | CallFailed() | CallAbandoned():
            yield from _of_circuits(event, changed)
        case _:
            pass


def _of_circuits(event: _Call, changed: int) -> Iterator[dict[str, str]]:
    of = "its quotes" if SIDE_OPERATIONS.get(event.operation) == "quote" else "its calls"
    if changed & (lane.OPENED | lane.REOPENED):
        again = ", for longer" if changed & lane.REOPENED else ""
        yield {"step": signals.CIRCUIT_OPENED, "subject": event.provider, "told": f"{of} fail{again}"}
    if changed & lane.CLOSED:
        yield {"step": signals.CIRCUIT_CLOSED, "subject": event.provider, "told": f"{of} are wanted again"}
