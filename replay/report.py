"""What a simulation came to, in the few figures by which runs are compared."""

from array import array
from dataclasses import asdict, dataclass, field
from typing import Protocol

from understudy.replay.conversions import ConversionFigures


class Verified(Protocol):
    """What verifying a log found: how many decisions were recomputed identically, and how many were not."""

    @property
    def identical(self) -> int:
        """Decisions that come out the same from the rows alone."""

    @property
    def differs(self) -> int:
        """Decisions that do not, for whatever reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedCounts:
    """How many recorded decisions come out the same when they are made again from the rows alone."""

    identical: int = 0
    differs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The figures of one run.

    Units:  times in milliseconds, over all requests, until success or giving up. `success_rate` is a fraction.
            `failovers` counts the changes of provider within a request, `calls_per_request` serving calls only.
            `conversions` is there where the run was about them.
    """

    requests: int
    success_rate: float
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    calls_per_request: float
    failovers: int
    decisions: int
    verify: VerifiedCounts
    conversions: ConversionFigures | None = None

    def as_json(self) -> dict[str, object]:
        """The figures as JSON has them: exactly the names above, without `conversions` where there were none."""
        told = asdict(self)
        return told if self.conversions is not None else {key: told[key] for key in told if key != "conversions"}


@dataclass(slots=True)
class Tally:
    """Counts while a simulation runs: providers tell of calls, the driver of the ends of requests."""

    calls: int = 0
    failovers: int = 0
    served: int = 0
    durations_us: "array[int]" = field(default_factory=lambda: array("q"))
    _last_asked: dict[str, str] = field(default_factory=dict)

    def called(self, request_id: str, provider: str) -> None:
        """A provider was asked on behalf of a request."""
        self.calls += 1
        last = self._last_asked.get(request_id)
        if last is not None and last != provider:
            self.failovers += 1
        self._last_asked[request_id] = provider

    def ended(self, duration_us: int, *, request_id: str | None, served: bool) -> None:
        """A caller has an answer, or an error."""
        self.durations_us.append(duration_us)
        self.served += served
        if request_id is not None:
            self._last_asked.pop(request_id, None)

    def report(self, *, decisions: int, verified: Verified | None) -> Report:
        """The figures so far. Without a verification its counts are 0."""
        count = len(self.durations_us)
        ordered = sorted(self.durations_us)
        return Report(
            requests=count,
            success_rate=round(self.served / count, 6) if count else 0.0,
            mean_ms=_ms(sum(ordered) / count) if count else 0.0,
            p50_ms=_percentile_ms(ordered, 50),
            p95_ms=_percentile_ms(ordered, 95),
            p99_ms=_percentile_ms(ordered, 99),
            calls_per_request=round(self.calls / count, 3) if count else 0.0,
            failovers=self.failovers,
            decisions=decisions,
            verify=VerifiedCounts(
                identical=verified.identical if verified else 0, differs=verified.differs if verified else 0
            ),
        )


def _percentile_ms(ordered: list[int], percent: int) -> float:
    """The nearest-rank percentile: the smallest value that so many per cent do not exceed."""
    if not ordered:
        return 0.0
    return _ms(ordered[(percent * len(ordered) + 99) // 100 - 1])


def _ms(microseconds: float) -> float:
    return round(microseconds / 1000, 3)
