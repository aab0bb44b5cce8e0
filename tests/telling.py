"""Histories for the tests of the fold: told by hand, one short line an event, or at random by hypothesis."""

from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.drills import DrillEnd, DrillEnded, DrillForm, DrillStarted
from understudy.events.fact import Fact
from understudy.events.operations import AlertCleared, AlertRaised, EngineStopped, PolicyActivated, ProbeRequested
from understudy.events.policy import Policy, ProviderSettings
from understudy.events.requests import RequestFailed
from understudy.events.row import Recorded
from understudy.events.vocabulary import AbandonReason, EndReason, FailureKind
from understudy.projections import lane_step as lane
from understudy.projections.standing import Standing

NOON = 1_800_000_000_000_000
SECOND = 1_000_000
ALPHA = ProviderSettings(id="alpha")


def policy(*, alpha: dict[str, Any] | None = None, **fields: Any) -> Policy:
    """A policy of two providers; `alpha` are the settings of the first."""
    providers = (ProviderSettings(id="alpha", **(alpha or {})), ProviderSettings(id="beta"))
    return Policy(providers=providers, **fields)


@dataclass
class Telling:
    """A log in the making and its standing. Times are seconds after noon."""

    policy: Policy = field(default_factory=policy)
    standing: Standing = field(default_factory=Standing)
    log: list[Recorded] = field(default_factory=list)
    requests: int = 0
    drills: dict[str, str] = field(default_factory=dict)
    """The drills that run, by provider."""

    def __post_init__(self) -> None:
        self.say(PolicyActivated(policy=self.policy, policy_hash=self.policy.content_hash), at=0)

    def say(self, event: Fact, *, at: float) -> int:
        """One more event; what the fold told."""
        recorded = Recorded(len(self.log) + 1, NOON + round(at * SECOND), event)
        self.log.append(recorded)
        return self.standing.fold(recorded)

    def start(self, *, at: float, provider: str = "alpha", operation: str = "rent", **fields: Any) -> CallStarted:
        """A call begins, of a request of its own unless `request_id` says otherwise."""
        self.requests += 1
        started = CallStarted(
            provider=provider,
            operation=operation,
            key="k",
            deadline_at_us=0,
            **{"request_id": f"r{self.requests}", "attempt": 1, **fields},
        )
        self.say(started, at=at)
        return started

    def seq_of(self, started: CallStarted) -> int:
        return next(one.seq for one in self.log if one.event is started)

    def end(self, started: CallStarted, how: str, *, at: float, latency: float = 0.1, **fields: Any) -> int:
        """A call ends: `success`, `abandoned`, or a failure kind."""
        shared = {
            **shared_with_the_end_of(started),
            "started_seq": self.seq_of(started),
            "latency_us": round(latency * SECOND),
            **fields,
        }
        match how:
            case "success":
                return self.say(CallSucceeded(**shared), at=at)
            case "abandoned":
                return self.say(CallAbandoned(**shared, reason=AbandonReason.CRASHED), at=at)
            case _:
                return self.say(CallFailed(**shared, outcome=FailureKind(how)), at=at)

    def call(self, how: str, *, at: float, latency: float = 0.1, **fields: Any) -> int:
        """A call that begins `latency` before `at` and ends at `at`; what the fold told at its end."""
        return self.end(self.start(at=at - latency, **fields), how, at=at, latency=latency)

    def fail(self, times: int, *, at: float) -> int:
        """So many failed requests, a second apart, the last at `at`; what the last told."""
        return [self.call("transient", at=at - times + number) for number in range(1, times + 1)][-1]

    def request_fails(self, request_id: str, *, at: float) -> int:
        return self.say(
            RequestFailed(request_id=request_id, operation="rent", reason=EndReason.EXHAUSTED, attempt=1), at=at
        )

    def fault(self, *, at: float) -> int:
        return self.say(AlertRaised(alert="local_fault", subject="", message="all at once"), at=at)

    def fault_over(self, *, at: float) -> int:
        return self.say(AlertCleared(alert="local_fault", subject=""), at=at)

    def probe(self, *, at: float, provider: str = "alpha") -> int:
        return self.say(ProbeRequested(provider=provider, actor="ann", reason="now"), at=at)

    def drill(self, *, at: float, provider: str = "alpha") -> str:
        """A drill begins; its id."""
        self.drills[provider] = drill = f"d{len(self.log) + 1}"
        until_us = NOON + round((at + 60) * SECOND)
        shared = {"provider": provider, "seed": 7, "actor": "ann", "reason": "to see"}
        started = DrillStarted(drill=drill, form=DrillForm.OUTAGE, for_us=60 * SECOND, until_us=until_us, **shared)  # type: ignore[arg-type]
        self.say(started, at=at)
        return drill

    def drill_over(self, *, at: float, provider: str = "alpha") -> int:
        drill = self.drills.pop(provider)
        ended = DrillEnded(drill=drill, form=DrillForm.OUTAGE, provider=provider, cause=DrillEnd.STOPPED)
        return self.say(ended, at=at)

    def slot(self, name: str, *, key: tuple[str, ...] = ("alpha", "serve")) -> int:
        """A slot of a lane, by its name in `lane_words`."""
        lanes = self.standing.lanes
        index = lanes.find(key)
        assert index is not None
        word: int = vars(lane)[name]
        return lanes.state[lanes.base(index) + word]

    def circuit(self, *, at: float, key: tuple[str, ...] = ("alpha", "serve")) -> int:
        """What the circuit of a lane says."""
        lanes = self.standing.lanes
        index = lanes.find(key)
        assert index is not None
        return lane.circuit(lanes.state, lanes.base(index), lanes.params[index], NOON + round(at * SECOND))


ENDINGS = ("success", *FailureKind, "abandoned")


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """Policies whose circuits open easily, so that random streams come by all states."""
    rates = draw(st.sampled_from(((None, None, None), (Decimal(50), None, None), (Decimal(60), 1_000, Decimal(50)))))
    return Policy(
        providers=(
            ProviderSettings(
                id="alpha", has_ping=draw(st.booleans()), trust_ping=draw(st.sampled_from((None, True, False)))
            ),
            ProviderSettings(
                id="beta", max_failures=draw(st.sampled_from((None, 1, 2))), max_calls_per_second=Decimal(3)
            ),
        ),
        window=draw(st.integers(1, 7)),
        max_failures=draw(st.integers(1, 4)),
        recovery_time_ms=draw(st.sampled_from((1_000, 4_000))),
        recovery_time_cap_ms=draw(st.sampled_from((500, 10_000))),
        probe_permit_ms=2_000,
        max_failure_rate=rates[0],
        slow_call_ms=rates[1],
        max_slow_rate=rates[2],
        min_calls=draw(st.integers(1, 5)),
        stale_after_ms=draw(st.sampled_from((3_600_000, 9_000))),
        lane_by=draw(st.sampled_from(((), ("country",), ("service",)))),
        max_calls_per_second=draw(st.sampled_from((None, Decimal(2)))),
    )


@st.composite
def tellings(draw: st.DrawFn, *, changes: bool = True, ended: bool = False) -> Telling:
    """Random histories of calls, with `changes` of policy and local faults between; `ended`: no call stays open."""
    telling = Telling(policy=draw(policies()))
    now, under_way = 1.0, list[CallStarted]()
    further = ("policy", "fault", "over", "drill", "drill_over") if changes else ()
    kinds = ("start", "start", "start", "end", "end", "end", "wait", "probe", *further)
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=60)):
        now += draw(st.sampled_from((0.0, 0.2, 1.0)))
        match kind:
            case "start":
                retry = draw(st.sampled_from((0, 0, 0, 1)))
                provider = draw(st.sampled_from(("alpha", "alpha", "beta")))
                under_way.append(
                    telling.start(
                        at=now,
                        provider=provider,
                        drill=draw(st.sampled_from((telling.drills.get(provider), None))),
                        operation=draw(st.sampled_from(("rent", "rent", "rent", "ping", "stock"))),
                        country=draw(st.sampled_from((None, "us"))),
                        request_id=f"r{draw(st.integers(1, 4))}" if retry else f"r{telling.requests}",
                        retry=retry,
                    )
                )
            case "end" if under_way:
                how = draw(st.sampled_from(("success", *ENDINGS, "transient", "timed_out")))
                latency = draw(st.sampled_from((0.0, 0.5, 1.5)))
                telling.end(under_way.pop(draw(st.integers(0, len(under_way) - 1))), how, at=now, latency=latency)
            case "wait":
                now += draw(st.sampled_from((3.0, 12.0)))
                telling.say(EngineStopped(writer="somebody"), at=now)
            case "probe":
                telling.probe(at=now, provider=draw(st.sampled_from(("alpha", "beta"))))
            case "policy":
                telling.say(PolicyActivated(policy=draw(policies()), policy_hash="another"), at=now)
            case "fault":
                telling.fault(at=now)
            case "over":
                telling.fault_over(at=now)
            case "drill":
                provider = draw(st.sampled_from(("alpha", "alpha", "beta")))
                if provider not in telling.drills:
                    telling.drill(at=now, provider=provider)
            case "drill_over" if telling.drills:
                telling.drill_over(at=now, provider=next(iter(telling.drills)))
    for started in under_way if ended else ():
        telling.end(started, "abandoned", at=now)
    return telling


def shared_with_the_end_of(started: CallStarted) -> dict[str, Any]:
    """The fields that a call's start and its end have in common."""
    return {
        name: value for name, value in asdict(started).items() if name not in {"key", "deadline_at_us", "amount_due"}
    }
