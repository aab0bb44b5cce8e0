"""What a demonstration came to: from its log, and from the books of its servers, never from what it hoped for."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from understudy.adapters.demo.books import Books
from understudy.adapters.demo.weather import Trouble
from understudy.engine import eligibility
from understudy.engine.health import Status, health
from understudy.engine.ledger import Ledger
from understudy.events.calls import CallFailed, CallStarted, CallSucceeded
from understudy.events.codec import recorded
from understudy.events.log import LogReader
from understudy.events.requests import RequestAccepted, RequestCompleted, RequestFailed, RequestSuspended
from understudy.events.row import Recorded
from understudy.events.vocabulary import SIDE_OPERATIONS, Effect, Via
from understudy.projections.standing import Standing

_LOOKUP: Final = "lookup"


class Avoided(IntEnum):
    """How far decisions go round a provider."""

    NOT = 0
    BEHIND = 1
    """It is degraded: asked only after healthy ones."""
    OUT = 2
    """It is unavailable, or asked for a pause."""


@dataclass(slots=True, kw_only=True)
class Course:
    """How one trouble went. Units: instants are microseconds of engine time, None for what did not happen.

    Shape:  `already` tells how far decisions went round the provider when the trouble began; None before that.
            `noticed_us` is when they first did so more than then, `back_us` when the provider served again afterwards.
            `calls` counts what it was asked meanwhile, `failed` what of that failed.
    """

    trouble: Trouble
    from_us: int
    until_us: int
    already: Avoided | None = None
    noticed_us: int | None = None
    back_us: int | None = None
    calls: int = 0
    failed: int = 0

    @property
    def noticed_ms(self) -> float | None:
        """How long it went unnoticed."""
        return None if self.noticed_us is None else (self.noticed_us - self.from_us) / 1000

    @property
    def back_ms(self) -> float | None:
        """How long after its end the provider served again."""
        return None if self.back_us is None else (self.back_us - self.until_us) / 1000

    def begin(self, standing: Standing) -> None:
        """Take in what was known when the trouble began, or soon before."""
        self.already = _avoided(standing, self.trouble.provider, self.from_us)

    def take(self, event: CallSucceeded | CallFailed, at_us: int, standing: Standing) -> None:
        """Take in how a call of this provider ended; `standing` knows of it already."""
        if at_us < self.from_us:
            return
        if at_us < self.until_us:
            self.calls += 1
            self.failed += isinstance(event, CallFailed)
            if self.noticed_us is None and _avoided(standing, event.provider, at_us) > (self.already or Avoided.NOT):
                self.noticed_us = at_us
        elif (
            (self.noticed_us is not None or self.already)
            and self.back_us is None
            and isinstance(event, CallSucceeded)
            and not _beside(event.operation)
        ):
            self.back_us = at_us


@dataclass(slots=True, kw_only=True)
class Findings:
    """Counts, and lengths of time in microseconds, over all requests of a log.

    Shape:  `before_us` is what passed until the call began that served a request: of those that nobody else was asked
            for first; `reads_added_us` and `orders_added_us` the same of those that failed over. `took_us` is until
            the end, of all that were served.
    """

    courses: Sequence[Course]
    accepted: int = 0
    orders: int = 0
    failed: int = 0
    told_unknown: int = 0
    known_by_lookup: int = 0
    executed: int = 0
    executed_twice: int = 0
    calls: int = 0
    took_us: list[int] = field(default_factory=list)
    before_us: list[int] = field(default_factory=list)
    reads_added_us: list[int] = field(default_factory=list)
    orders_added_us: list[int] = field(default_factory=list)
    _accepted_us: dict[str, int] = field(default_factory=dict)
    _orders: set[str] = field(default_factory=set)
    _started_us: dict[tuple[str, int], int] = field(default_factory=dict)
    _keys: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def served(self) -> int:
        """Requests that were served."""
        return len(self.took_us)

    @property
    def success_rate(self) -> float:
        """The share of requests that were served."""
        return self.served / self.accepted if self.accepted else 0.0

    def take(self, event: object, at_us: int) -> None:
        """Take one more event in."""
        match event:
            case RequestAccepted(request_id=request_id):
                self.accepted += 1
                self._accepted_us[request_id] = at_us
                if event.effect is Effect.ONCE:
                    self.orders += 1
                    self._orders.add(request_id)
            case CallStarted(request_id=str(request_id)) if not _beside(event.operation):
                self.calls += 1
                self._started_us[request_id, event.attempt] = at_us
                self._keys[event.provider, event.key] = request_id
            case RequestCompleted(request_id=request_id):
                self._served(event, at_us)
            case RequestFailed():
                self.failed += 1
            case RequestSuspended():
                self.told_unknown += 1
            case _:
                pass

    def count_executions(self, books: Mapping[str, Books]) -> None:
        """Compare with what the servers have done: each order once, whoever did it."""
        done = Counter[str]()
        for name, book in books.items():
            for key, times in book.executions.items():
                if (request_id := self._keys.get((name, key))) in self._orders:
                    done[request_id or ""] += times
        self.executed = done.total()
        self.executed_twice = sum(times > 1 for times in done.values())

    def _served(self, event: RequestCompleted, at_us: int) -> None:
        accepted_us = self._accepted_us[event.request_id]
        self.took_us.append(at_us - accepted_us)
        self.known_by_lookup += event.via is Via.LOOKUP
        before_us = self._started_us[event.request_id, event.attempt] - accepted_us
        if not event.failovers:
            self.before_us.append(before_us)
        elif event.request_id in self._orders:
            self.orders_added_us.append(before_us)
        else:
            self.reads_added_us.append(before_us)

    @property
    def failovers(self) -> int:
        """Requests that another provider than the first has served."""
        return len(self.reads_added_us) + len(self.orders_added_us)


def look_back(reader: LogReader, *, troubles: Sequence[Trouble], began_us: int, books: Mapping[str, Books]) -> Findings:
    """Read a demonstration's log from its first event to its last."""
    found = Findings(
        courses=[
            Course(
                trouble=one,
                from_us=began_us + round(one.from_s * 1_000_000),
                until_us=began_us + round(one.until_s * 1_000_000),
            )
            for one in troubles
        ]
    )
    ledger = Ledger()
    for row in reader.rows():
        _take(recorded(row), found, ledger)
    found.count_executions(books)
    return found


def percentile_ms(lengths_us: Sequence[int], percent: int) -> float | None:
    """The smallest length that so many per cent do not exceed, in milliseconds; None of nothing."""
    ordered = sorted(lengths_us)
    return ordered[(percent * len(ordered) + 99) // 100 - 1] / 1000 if ordered else None


def _take(one: Recorded, found: Findings, ledger: Ledger) -> None:
    for course in found.courses:
        if course.already is None and one.at_us >= course.from_us:
            course.begin(ledger.standing)
    ledger.fold(one)
    event: object = one.event
    found.take(event, one.at_us)
    if isinstance(event, CallSucceeded | CallFailed):
        for course in found.courses:
            if course.trouble.provider == event.provider:
                course.take(event, one.at_us, ledger.standing)


def _avoided(standing: Standing, provider: str, now_us: int) -> Avoided:
    """How far a decision would go round a provider now."""
    for judged in health(standing, now_us):
        if judged.provider == provider:
            if judged.status is Status.UNAVAILABLE or judged.verdict == eligibility.THROTTLED:
                return Avoided.OUT
            return Avoided.NOT if judged.status is Status.HEALTHY else Avoided.BEHIND
    return Avoided.NOT


def _beside(operation: str) -> bool:
    """Whether a call serves no request: a ping, a look-up."""
    return operation in SIDE_OPERATIONS or operation == _LOOKUP
