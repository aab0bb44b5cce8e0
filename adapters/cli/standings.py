"""How providers stood at a place in a log, as figures for a table and as JSON."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Final

from understudy.adapters.cli.instants import iso, iso_or_none
from understudy.adapters.cli.reasons import circuit_of, reason
from understudy.adapters.cli.unsettled import Unsettled, held_json, unsettled
from understudy.engine.drills import running
from understudy.engine.health import ProviderHealth, Status, health
from understudy.engine.restore import restore
from understudy.events.drills import DrillStarted
from understudy.events.log import LogReader
from understudy.events.operations import EngineStarted, EngineStopped
from understudy.events.row import Row
from understudy.projections.notes import Note
from understudy.projections.standing import Standing, Totals
from understudy.projections.views import LaneView, ProviderView, provider_view

_SERVING: Final = "serve"
_UNKNOWN: Final = "-"
_NOTES: Final = 3
"""Notes of each provider that people are shown; JSON has all that are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderLine:
    """A line of the table; `figures` are its middle columns: circuit, score, rate, three times, three counts."""

    name: str
    tier: str = ""
    status: str = ""
    figures: tuple[str, ...]
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderStanding:
    """One provider: the engine's judgement of it, the figures behind that, and the reason in words."""

    judged: ProviderHealth
    seen: ProviderView
    reason: str
    status_page: str | None = None
    notes: tuple[Note, ...] = ()

    @property
    def in_words(self) -> str:
        """The status, and the reason if there is one."""
        return f"{self.judged.status.value}: {self.reason}" if self.reason else self.judged.status.value

    @property
    def serving(self) -> tuple[LaneView, ...]:
        """The lanes of calls that serve requests: one, unless the policy splits them."""
        return tuple(one for one in self.seen.lanes if one.operation_class == _SERVING)

    def remarks(self) -> Iterator[str]:
        """Where to read on if it is ill, and what has been noted of it, the newest first."""
        name = self.judged.provider
        if self.status_page is not None and self.judged.status is not Status.HEALTHY:
            yield f"{name}: see {self.status_page}"
        for one in reversed(self.notes[-_NOTES:]):
            yield f"{name}: noted by {one.actor} on {iso(one.at_us)[:10]}: {one.text}"

    def lines(self) -> Iterator[ProviderLine]:
        """The provider's line, and below it one for each lane if there are several."""
        judged, lanes = self.judged, self.serving
        only = lanes[0] if len(lanes) == 1 else None
        yield ProviderLine(
            name=judged.provider,
            tier=str(judged.tier),
            status=judged.status.value,
            figures=(
                circuit_of(judged, lanes),
                f"{judged.score / 1000:.1f}",
                *_measures(only, judged),
                *_counts(started=sum(one.started for one in lanes), failed=sum(one.failed for one in lanes)),
                str(judged.in_flight),
            ),
            why=self.reason,
        )
        for one in lanes if any(one.context for one in lanes) else ():
            yield ProviderLine(
                name=f"  {' '.join(value or 'any' for value in one.context.values())}",
                figures=(
                    one.circuit,
                    "",
                    *_measures(one, None),
                    *_counts(started=one.started, failed=one.failed),
                    str(one.in_flight),
                ),
            )

    def to_json(self) -> dict[str, object]:
        """Everything about the provider; times in milliseconds, instants in ISO 8601."""
        judged, lanes = self.judged, self.serving
        forced = self.seen.forced
        return {
            "provider": judged.provider,
            "tier": judged.tier,
            "status": judged.status.value,
            "circuit": circuit_of(judged, lanes),
            "score": judged.score / 1000,
            "success_rate": None if judged.success_bp is None else judged.success_bp / 100,
            "average_ms": None if judged.average_us is None else round(judged.average_us / 1000),
            "calls": sum(one.started for one in lanes),
            "failed": sum(one.failed for one in lanes),
            "in_flight": judged.in_flight,
            "cost_per_success": None if judged.cost_per_success is None else f"{judged.cost_per_success:f}",
            "verdict": judged.verdict,
            "until": iso_or_none(judged.until_us),
            "degraded_by": judged.degraded,
            "reason": self.reason or None,
            "status_page_url": self.status_page,
            "notes": [{"at": iso(one.at_us), "by": one.actor, "text": one.text} for one in self.notes],
            "forced": forced and {**asdict(forced), "until_us": iso_or_none(forced.until_us)},
            "quarantines": [{"pair": one.pair, "until": iso_or_none(one.until_us)} for one in self.seen.quarantines],
            "lanes": [_lane_json(one) for one in self.seen.lanes],
        }


_COSTS: Final = ("paid", "priced")
"""What costs are told of with each provider."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStanding:
    """A log's standing at a place: `now_us` is the instant at which its providers are judged."""

    seq: int
    now_us: int
    stopped: bool
    strategy: str
    totals: Totals
    alerts: tuple[str, ...]
    drills: tuple[str, ...]
    providers: tuple[ProviderStanding, ...]
    unsettled: Unsettled

    @property
    def engine(self) -> str:
        """Whether the log was being written, in words."""
        return "no engine was running" if self.stopped else f"strategy {self.strategy}"

    def to_json(self) -> dict[str, object]:
        """The same as JSON."""
        return {
            "seq": self.seq,
            "at": iso(self.now_us),
            "engine_stopped": self.stopped,
            "strategy": self.strategy,
            "requests": {name: count for name, count in asdict(self.totals).items() if name not in _COSTS},
            "alerts": list(self.alerts),
            "drills": list(self.drills),
            "held": held_json(self.unsettled),
            "providers": [one.to_json() for one in self.providers],
        }


def as_of(
    reader: LogReader,
    *,
    seq: int | None,
    at_us: int | None,
    now_us: int,
    progress: Callable[[int, int], None] = lambda _, __: None,
) -> LogStanding:
    """How things stood after event `seq` (the end if None), judged at `at_us`.

    Without `at_us` they are judged at the event itself, if it is not the end or if the engine had stopped by then;
    otherwise at `now_us`, since the engine runs, or has crashed, and time goes on for its circuits.
    Errors: UnreadableEvent, LogUnavailable.
    """
    last = reader.head().seq if seq is None else seq
    ledger = restore(reader, through=last, progress=progress)
    standing = ledger.standing
    stopped = stopped_well(reader, through=last)
    if at_us is None:
        at_us = standing.at_us if stopped or seq is not None else now_us
    at_us = max(at_us, standing.at_us)  # Virtual time may be ahead of ours.
    return LogStanding(
        seq=last,
        now_us=at_us,
        stopped=stopped is not None,
        strategy=str(standing.policy.strategy),
        totals=standing.totals,
        alerts=tuple(name.replace("|", " ").rstrip() for name in standing.alerts),
        drills=tuple(_in_words(one) for one in running(standing)),
        providers=providers_of(standing, now_us=at_us),
        unsettled=unsettled(ledger),
    )


def _in_words(drill: DrillStarted) -> str:
    where = f" of {drill.provider}" if drill.provider is not None else ""
    return f"{drill.drill}, {drill.form}{where} until {iso(drill.until_us)}"


def providers_of(standing: Standing, *, now_us: int) -> tuple[ProviderStanding, ...]:
    """Every provider of the policy, judged at an instant."""
    return tuple(
        ProviderStanding(
            judged=judged,
            seen=seen,
            reason=reason(judged, seen, standing, now_us=now_us),
            status_page=standing.policy.by_id[judged.provider].status_page_url,
            notes=tuple(standing.notes.of(judged.provider)),
        )
        for judged in health(standing, now_us)
        for seen in [provider_view(standing, judged.provider, now_us=now_us)]
    )


def stands(reader: LogReader, provider: str, *, now_us: int) -> ProviderStanding | None:
    """How one provider stands at the end of a log, judged as by `as_of`; None if the policy in force has it no more.

    Errors: UnreadableEvent, LogUnavailable.
    """
    found = as_of(reader, seq=None, at_us=None, now_us=now_us)
    return next((one for one in found.providers if one.judged.provider == provider), None)


def stopped_well(reader: LogReader, *, through: int | None = None) -> Row | None:
    """The event with which the last engine stopped in good order; None if it runs, or crashed, or there was none.

    What operators did since then, while no engine ran, does not change that.
    """
    started = reader.operations(EngineStarted.kind, through=through)[-1:]
    stopped = reader.operations(EngineStopped.kind, through=through)[-1:]
    return stopped[0] if stopped and (not started or started[0].seq < stopped[0].seq) else None


def _measures(lane: LaneView | None, judged: ProviderHealth | None) -> tuple[str, ...]:
    """Success rate, average, median and 95th percentile: of one lane, else as judged where that is known."""
    if lane is not None:
        return _percent(lane.success_rate), _ms(lane.average_ms), _ms(lane.p50_ms), _ms(lane.p95_ms)
    if judged is None or judged.success_bp is None:
        return (_UNKNOWN,) * 4
    average_ms = None if judged.average_us is None else round(judged.average_us / 1000)
    return _percent(Decimal(judged.success_bp) / 100), _ms(average_ms), _UNKNOWN, _UNKNOWN


def _counts(*, started: int, failed: int) -> tuple[str, str]:
    return f"{started:,}", f"{failed:,}"


def _percent(rate: Decimal | None) -> str:
    return _UNKNOWN if rate is None else f"{rate:.2f} %"


def _ms(length_ms: int | None) -> str:
    return _UNKNOWN if length_ms is None else f"{length_ms:,}"


def _lane_json(lane: LaneView) -> dict[str, object]:
    figures: dict[str, object] = {
        name: value for name, value in asdict(lane).items() if name != "provider" and not name.endswith("_us")
    }
    rate = lane.success_rate
    return {
        **figures,
        "context": dict(lane.context),
        "success_rate": None if rate is None else float(rate),
        "open_until": iso_or_none(lane.open_until_us),
        "last_success": iso_or_none(lane.last_success_us),
        "last_failure": iso_or_none(lane.last_failure_us),
    }
