"""The rules of a lane once more, as plainly as can be: lists, no sums, no slots. The fold must agree with it."""

from dataclasses import dataclass, field

from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.operations import ProbeRequested
from understudy.events.policy import Policy
from understudy.events.row import Recorded
from understudy.events.vocabulary import FailureKind, operation_class

SICK = {FailureKind.TRANSIENT, FailureKind.TIMED_OUT, FailureKind.AMBIGUOUS, FailureKind.INVALID_REPLY}


@dataclass
class PlainLane:
    """What is remembered of a lane."""

    outcomes: list[tuple[bool, int]] = field(default_factory=list)
    """(success, latency_us), oldest first, the last `window` of them."""
    timed: list[bool] = field(default_factory=list)
    """Whether each of them counts in the average."""
    since_closed: list[tuple[bool, int]] = field(default_factory=list)
    streak: int = 0
    opened_us: int = 0
    until_us: int = 0
    openings: int = 0
    closed_us: int = 0
    ended_us: int = 0
    success_us: int = 0
    probe_us: int = 0


class PlainModel:
    """Lanes of a log under one policy, without local faults."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.lanes: dict[tuple[str, ...], PlainLane] = {}
        self.calls: dict[int, tuple[tuple[str, ...], int]] = {}
        self.spared: set[tuple[str | None, str]] = set()

    def settings(self, provider: str) -> tuple[int, bool, bool]:
        """(failures that open, can be pinged, ping is trusted)."""
        for one in self.policy.providers:
            if one.id == provider:
                trust = self.policy.trust_ping if one.trust_ping is None else one.trust_ping
                return one.max_failures or self.policy.max_failures, one.has_ping, trust
        return self.policy.max_failures, False, self.policy.trust_ping

    def says(self, key: tuple[str, ...], now_us: int) -> str:
        """What the circuit of a lane says."""
        mine = self.lanes[key]
        _, has_ping, trusted = self.settings(key[0])
        if not mine.opened_us:
            return "closed"
        if now_us < mine.until_us:
            return "open"
        if has_ping:
            ping = self.lanes.get((key[0], "ping"), PlainLane())
            if ping.success_us < mine.until_us:
                return "needs ping"
            if trusted:
                return "closed"
        if mine.probe_us and now_us < mine.probe_us + self.policy.probe_permit_ms * 1000:
            return "probing"
        return "may probe"

    def fold(self, recorded: Recorded) -> None:
        seq, at_us, event = recorded
        match event:
            case CallStarted():
                kind = operation_class(event.operation)
                key: tuple[str, ...] = (event.provider, kind)
                if kind == "serve" and self.policy.lane_by:
                    key = (
                        *key,
                        " ".join(self.policy.lane_by),
                        *(getattr(event, name) or "" for name in self.policy.lane_by),
                    )
                mine = self.lanes.setdefault(key, PlainLane())
                self.calls[seq] = (key, at_us)
                self.note_ping(key, at_us)
                if self.says(key, at_us) == "may probe":
                    mine.probe_us = at_us
            case CallSucceeded() | CallFailed() | CallAbandoned() if event.started_seq in self.calls:
                self.end(event, at_us)
            case ProbeRequested(provider=provider):
                for key, mine in self.lanes.items():
                    if key[0] == provider and mine.opened_us and at_us < mine.until_us:
                        mine.until_us = at_us
            case _:
                pass

    def note_ping(self, key: tuple[str, ...], at_us: int) -> None:
        if self.lanes[key].opened_us and self.says(key, at_us) == "closed":
            self.close(self.lanes[key], at_us)

    def close(self, mine: PlainLane, at_us: int) -> None:
        mine.opened_us = mine.until_us = mine.openings = mine.streak = mine.probe_us = 0
        mine.since_closed, mine.closed_us = [], at_us

    def open(self, mine: PlainLane, at_us: int) -> None:
        first, cap = self.policy.recovery_time_ms * 1000, self.policy.recovery_time_cap_ms * 1000
        mine.opened_us, mine.until_us = at_us, at_us + min(first * 2**mine.openings, max(first, cap))
        mine.openings, mine.probe_us = mine.openings + 1, 0

    def end(self, event: CallSucceeded | CallFailed | CallAbandoned, at_us: int) -> None:
        key, started_us = self.calls.pop(event.started_seq)
        mine, spare = self.lanes[key], (event.request_id, event.provider)
        self.note_ping(key, at_us)
        if mine.probe_us == started_us:
            mine.probe_us = 0
        serving = key[1] == "serve"
        first_try = event.retry == 0 or (serving and spare in self.spared)
        if isinstance(event, CallSucceeded):
            self.take(mine, key, at_us, (True, event.latency_us), timed=True)
            self.succeed(mine, key, at_us, started_us)
        elif isinstance(event, CallFailed) and event.outcome in SICK:
            timed = event.outcome in {FailureKind.TIMED_OUT, FailureKind.AMBIGUOUS}
            self.take(mine, key, at_us, (False, event.latency_us), timed=timed)
            if started_us < mine.closed_us:
                self.spare(spare, counted=not first_try, serving=serving)
                return
            self.spare(spare, counted=True, serving=serving)
            mine.streak += first_try
            limit, _, _ = self.settings(key[0])
            if not mine.opened_us:
                if key[1] == "serve" and (mine.streak >= limit or self.rates(mine)):
                    self.open(mine, at_us)
            elif started_us >= mine.until_us:
                self.open(mine, at_us)
        elif first_try:
            self.spare(spare, counted=False, serving=serving)

    def spare(self, spare: tuple[str | None, str], *, counted: bool, serving: bool) -> None:
        if serving:
            (self.spared.discard if counted else self.spared.add)(spare)

    def succeed(self, mine: PlainLane, key: tuple[str, ...], at_us: int, started_us: int) -> None:
        mine.streak, mine.success_us = 0, at_us
        if mine.opened_us:
            if started_us > mine.opened_us or started_us >= mine.until_us:
                self.close(mine, at_us)
        elif key[1] == "serve" and self.slow(mine.outcomes[-1]) and self.rates(mine):
            self.open(mine, at_us)

    def take(
        self, mine: PlainLane, key: tuple[str, ...], at_us: int, outcome: tuple[bool, int], *, timed: bool
    ) -> None:
        idle_us = at_us - mine.ended_us
        stale = idle_us >= self.policy.stale_after_ms * 1000
        rested = idle_us >= self.policy.recovery_time_ms * 1000
        if idle_us > 0 and (stale or (rested and key[1] == "serve" and self.degraded(mine))):
            mine.outcomes, mine.timed, mine.since_closed = [], [], []
        mine.ended_us = at_us
        mine.outcomes = [*mine.outcomes, outcome][-self.policy.window :]
        mine.timed = [*mine.timed, timed][-self.policy.window :]
        mine.since_closed = [*mine.since_closed, outcome][-self.policy.window :]

    def degraded(self, mine: PlainLane) -> bool:
        failed = sum(not ok for ok, _ in mine.outcomes)
        rate = 100 * (len(mine.outcomes) - failed) / max(1, len(mine.outcomes))
        took = [latency_us for (_, latency_us), timed in zip(mine.outcomes, mine.timed, strict=True) if timed]
        slow = len(took) >= 2 and sum(took) / len(took) > self.policy.max_response_time_ms * 1000
        return (failed >= 2 and rate < self.policy.min_success_rate) or slow

    def slow(self, outcome: tuple[bool, int]) -> bool:
        return self.policy.slow_call_ms is not None and outcome[1] > self.policy.slow_call_ms * 1000

    def rates(self, mine: PlainLane) -> bool:
        count = len(mine.since_closed)
        if count < min(self.policy.min_calls, self.policy.window):
            return False
        failed = 100 * sum(not ok for ok, _ in mine.since_closed)
        slow = 100 * sum(self.slow(outcome) for outcome in mine.since_closed)
        failing = self.policy.max_failure_rate is not None and failed >= self.policy.max_failure_rate * count
        return failing or (self.policy.max_slow_rate is not None and slow >= self.policy.max_slow_rate * count)
