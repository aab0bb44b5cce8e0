"""What callers felt of a scenario's incidents: figures of one way of asking, to be compared with another's."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from understudy.events.vocabulary import FailureKind
from understudy.replay.scenario import Scenario
from understudy.replay.scripted import Books

SECOND_US = 1_000_000
SLOW_US = 3_000_000
"""What takes longer counts as touched by an incident: the documents' limit of a response."""
WAY_OFF_S = Decimal(300)
"""How long after its end an incident may still be felt."""


@dataclass(slots=True)
class Asked:
    """What became of one request. Instants in microseconds since the start; `failed_us` is its first failed call's."""

    at_us: int
    ended_us: int | None = None
    served: bool = False
    calls: int = 0
    failed: int = 0
    failed_us: int | None = None
    throttled: int = 0

    @property
    def touched(self) -> bool:
        """Whether its caller, or somebody who reads the log, would have noticed that something is wrong."""
        return not self.served or self.failed > 0 or (self.ended_us or 0) - self.at_us > SLOW_US

    def failed_at(self, at_us: int, kind: FailureKind) -> None:
        """A call on its behalf failed."""
        self.failed += 1
        self.throttled += kind is FailureKind.RATE_LIMITED
        self.failed_us = at_us if self.failed_us is None else self.failed_us


@dataclass(frozen=True, slots=True)
class Figures:
    """What one way of asking came to."""

    asked: Sequence[Asked]
    books: Sequence[Books]
    scenario: Scenario = field(repr=False)

    @property
    def uptime(self) -> float:
        """Percent of the requests that were served."""
        return 100 * sum(one.served for one in self.asked) / len(self.asked)

    @property
    def user_errors(self) -> int:
        """Requests that were not served."""
        return sum(not one.served for one in self.asked)

    @property
    def touched_minutes(self) -> float:
        """Minutes in which somebody felt an incident, in the mean of all incidents."""
        minutes = {one.at_us // 60_000_000 for one in self.asked if one.touched}
        spans = incidents(self.scenario)
        if not spans:
            return 0.0
        felt = [sum(from_s / 60 - 1 < one < (until_s + WAY_OFF_S) / 60 for one in minutes) for from_s, until_s in spans]
        return statistics.mean(felt)

    @property
    def recovery_ms(self) -> float:
        """Milliseconds from the first failed call of a request that was served until its answer, mean."""
        took = [(one.ended_us or 0) - one.failed_us for one in self.asked if one.served and one.failed_us is not None]
        return statistics.mean(took) / 1000 if took else 0.0

    @property
    def wasted_calls(self) -> int:
        """Calls that brought nothing."""
        return sum(one.failed for one in self.asked)

    @property
    def throttled(self) -> int:
        """How often a provider said that it was asked too often."""
        return sum(one.throttled for one in self.asked)

    @property
    def mean_ms(self) -> float:
        """Milliseconds until a served request had its answer, mean."""
        took = self._took_ms()
        return statistics.mean(took) if took else 0.0

    @property
    def p95_ms(self) -> float:
        """The same, 95th percentile."""
        took = self._took_ms()
        return statistics.quantiles(took, n=20)[-1] if len(took) > 1 else sum(took)

    @property
    def incident_ms(self) -> float:
        """The same mean, of the requests that came during an incident."""
        spans = incidents(self.scenario)
        during = [
            (one.ended_us or 0) - one.at_us
            for one in self.asked
            if one.served and any(from_s <= one.at_us / SECOND_US < until_s for from_s, until_s in spans)
        ]
        return statistics.mean(during) / 1000 if during else 0.0

    @property
    def executed_twice(self) -> int:
        """Requests that were executed more than once, by the providers' own books."""
        executed: dict[str, int] = {}
        for books in self.books:
            for request_id, times in books.executed_for.items():
                executed[request_id] = executed.get(request_id, 0) + times
        return sum(times > 1 for times in executed.values())

    def _took_ms(self) -> list[float]:
        return [((one.ended_us or 0) - one.at_us) / 1000 for one in self.asked if one.served]


def incidents(scenario: Scenario) -> list[tuple[Decimal, Decimal]]:
    """From when until when something was wrong with somebody, overlapping ones as one."""
    ends = scenario.duration_s
    spans = sorted(
        [(one.from_s, one.until_s or ends) for script in scenario.providers for one in script.phases[1:]]
        + [(one.from_s, one.until_s) for one in scenario.local_faults]
    )
    found: list[tuple[Decimal, Decimal]] = []
    for from_s, until_s in spans:
        if found and from_s <= found[-1][1]:
            found[-1] = (found[-1][0], max(until_s, found[-1][1]))
        else:
            found.append((from_s, until_s))
    return found
