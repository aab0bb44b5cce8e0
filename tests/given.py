"""A request's story told by hand: facts go in, the next step comes out.

    given(policy_for("a", "b")).accepts(Effect.READ).plays(fails(TRANSIENT), succeeds()).called == ["a", "a"]

A `Story` is a ledger and a clock that moves only when it is told to. Everything that it puts on record goes through the
same fold, the same rules and the same follow-ups as in the engine.
"""

from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar

from understudy.engine import reports
from understudy.engine.decide import RULES_VERSION, decide
from understudy.engine.errors import ProviderError
from understudy.engine.follow_ups import due
from understudy.engine.ledger import Ledger
from understudy.engine.next_step import next_step
from understudy.engine.provider import Found, Reply
from understudy.engine.reports import Discretion
from understudy.engine.request_state import LOOKUP, Progress
from understudy.engine.steps import (
    AskQuotes,
    AwaitQuotes,
    Call,
    Decide,
    Fail,
    Finish,
    Hold,
    LookUp,
    Sleep,
    Step,
    Suspend,
    Wait,
)
from understudy.events.calls import CallStarted
from understudy.events.decisions import Candidate, Decision, DecisionMade, Event
from understudy.events.fact import Fact
from understudy.events.operations import EngineStarted, OverrideSet, PolicyActivated
from understudy.events.policy import Policy, ProviderSettings
from understudy.events.requests import RequestAccepted, RequestCancelled, RequestCompleted, RequestFailed
from understudy.events.row import Recorded
from understudy.events.vocabulary import AbandonReason, Effect, EndReason, FailureKind, Finding, ForcedState
from understudy.projections.standing import Standing
from understudy.projections.views import LaneView, lane_view

NOON: Final = 1_700_000_000_000_000
"""When every story begins, in microseconds."""
MS: Final = 1_000
NOTHING_HIDDEN: Final = Discretion()
ERRORS: Final = {error.kind: error for error in ProviderError.__subclasses__()}

F = TypeVar("F", bound=Fact)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a call ends, and after how long; a call that times out does so at its limit."""

    outcome: FailureKind | AbandonReason | Finding | None = None
    after_ms: int = 100
    retry_after_ms: int | None = None
    network: bool = False
    stock: int | None = None


def succeeds(*, after_ms: int = 100, stock: int | None = None) -> Ending:
    return Ending(after_ms=after_ms, stock=stock)


def fails(
    kind: FailureKind, *, after_ms: int = 100, retry_after_ms: int | None = None, network: bool = False
) -> Ending:
    if kind is FailureKind.TIMED_OUT:
        after_ms = 10**9
    return Ending(outcome=kind, after_ms=after_ms, retry_after_ms=retry_after_ms, network=network)


def is_abandoned(reason: AbandonReason, *, after_ms: int = 100) -> Ending:
    return Ending(outcome=reason, after_ms=after_ms)


def finds(finding: Finding, *, after_ms: int = 100) -> Ending:
    return Ending(outcome=finding, after_ms=after_ms)


def policy_for(*providers: str | ProviderSettings, **settings: Any) -> Policy:
    """A policy without exploration, unless it is asked for."""
    named = tuple(ProviderSettings(id=one) if isinstance(one, str) else one for one in providers)
    return Policy.model_validate({"exploration": 0, **settings, "providers": named})


class Story:
    """A log written by hand, with all that it adds up to."""

    def __init__(self, policy: Policy) -> None:
        self.ledger = Ledger()
        self.recorded: list[Recorded] = []
        self.steps: list[tuple[int, int, str, Step]] = []
        self.now_us = NOON
        self.draw = 0
        self.note(EngineStarted(version="0", rules_version=RULES_VERSION, python="3", writer="test"))
        self.adopts(policy)

    @property
    def standing(self) -> Standing:
        return self.ledger.standing

    # --- what happens

    def note(self, event: Event) -> Recorded:
        """Put a fact on record, and what must follow it."""
        recorded, changed = self._append(event)
        while (follow_up := due(self.standing, event, changed)) is not None:
            self._append(follow_up)
        return recorded

    def adopts(self, policy: Policy) -> Self:
        self.note(PolicyActivated(policy=policy, policy_hash=policy.content_hash))
        return self

    def later(self, *, ms: int) -> Self:
        self.now_us += ms * MS
        return self

    def accepts(
        self, effect: Effect = Effect.READ, *, request_id: str = "r1", deadline_ms: int = 30_000, **fields: Any
    ) -> Self:
        deadline_at_us = self.now_us + deadline_ms * MS
        accepted = {"request_id": request_id, "operation": "rent", "effect": effect, "deadline_at_us": deadline_at_us}
        self.note(RequestAccepted.of({**accepted, **fields}))
        return self

    def starts(self, provider: str, operation: str = "rent", **fields: Any) -> Recorded:
        """A call outside any request begins."""
        call = {"provider": provider, "operation": operation, "key": "", "deadline_at_us": self.now_us + 5_000_000}
        return self.note(CallStarted.of({**call, **fields}))

    def ends(self, started: Recorded, ending: Ending) -> Self:
        """A call ends; time passes to that end, which is no later than the call's limit."""
        call = started.event
        assert isinstance(call, CallStarted)
        self.now_us = max(self.now_us, min(started.at_us + ending.after_ms * MS, call.deadline_at_us))
        self.note(_report(started, ending, at_us=self.now_us))
        return self

    def serves(self, provider: str, *endings: Ending, times: int = 1, operation: str = "rent") -> Self:
        """Calls outside any request, one after another."""
        for _ in range(times):
            for ending in endings:
                self.ends(self.starts(provider, operation), ending)
        return self

    def forces(self, provider: str, state: ForcedState, *, for_ms: int | None = None) -> Self:
        until_us = None if for_ms is None else self.now_us + for_ms * MS
        self.note(OverrideSet(provider=provider, state=state, until_us=until_us, actor="op", reason="test"))
        return self

    def cancels(self, reason: EndReason = EndReason.CANCELLED, *, request_id: str = "r1") -> Self:
        self.note(RequestCancelled(request_id=request_id, reason=reason))
        return self

    # --- what follows

    def when(self, request_id: str = "r1") -> Step:
        """The step that follows now."""
        return next_step(self.ledger.requests[request_id], self.standing, now_us=self.now_us, draw=self.draw)

    def takes(self, request_id: str = "r1") -> Step:
        """Take the step that follows now: put its event on record, and wait if that is what it says."""
        step = self.when(request_id)
        self.steps.append((len(self.recorded), self.draw, request_id, step))
        match step:
            case Sleep(until_us=until_us):
                self.now_us = max(self.now_us, until_us)
            case Wait(event=event):
                self.note(event)
                self.now_us = max(self.now_us, event.until_us)
            case Hold() | AwaitQuotes():
                pass
            case _:
                self.note(step.event)
        return step

    def moves(self, request_id: str = "r1") -> Step:
        """Take decisions and waits until something else is due; tell what, and do not do it."""
        while isinstance(step := self.when(request_id), Decide | AskQuotes | Wait | Sleep):
            self.takes(request_id)
        return step

    def tries(self, *endings: Ending, request_id: str = "r1") -> Self:
        """Let calls and look-ups end one after another, and stop at the end of the last."""
        for ending in endings:
            step = self.moves(request_id)
            while isinstance(step, Suspend):
                self.takes(request_id)
                step = self.moves(request_id)
            assert isinstance(step, Call | LookUp), step
            self.takes(request_id)
            self.ends(self.recorded[-1], ending)
        return self

    def plays(self, *endings: Ending, request_id: str = "r1") -> Self:
        """Play a request through with these endings of its calls and look-ups, as far as they go."""
        script = list(endings)
        while request_id in self.ledger.requests:
            step = self.when(request_id)
            if isinstance(step, Hold) or (isinstance(step, Call | LookUp) and not script):
                break
            self.takes(request_id)
            if isinstance(step, Call | LookUp):
                self.ends(self.recorded[-1], script.pop(0))
            if isinstance(step, Suspend) and not script:
                break
        return self

    # --- what has been

    def all(self, kind: type[F]) -> list[F]:
        return [event for _, _, event in self.recorded if isinstance(event, kind)]

    def last(self, kind: type[F]) -> F:
        return self.all(kind)[-1]

    @property
    def calls(self) -> list[CallStarted]:
        return [call for call in self.all(CallStarted) if call.operation != LOOKUP and call.request_id is not None]

    @property
    def called(self) -> list[str]:
        return [call.provider for call in self.calls]

    @property
    def lookups(self) -> list[CallStarted]:
        return [call for call in self.all(CallStarted) if call.operation == LOOKUP]

    @property
    def end(self) -> RequestCompleted | RequestFailed:
        last = self.recorded[-1].event
        assert isinstance(last, RequestCompleted | RequestFailed), last
        return last

    def lane(self, provider: str, kind: str = "serve") -> LaneView:
        index = self.standing.lanes.find((provider, kind))
        assert index is not None
        return lane_view(self.standing, index, now_us=self.now_us)

    # --- decisions on their own

    def decides(
        self, *, draw: int = 0, tried: tuple[str, ...] = (), waited_ms: int = 0, left_ms: int = 1, **fields: Any
    ) -> DecisionMade:
        """The decision that a request would get now, which leaves no trace."""
        now_us, since_us = self.now_us, self.now_us - waited_ms * MS
        deadline_at_us = now_us + left_ms * MS
        asked = {"request_id": "r", "operation": "rent", "effect": Effect.READ, "deadline_at_us": deadline_at_us}
        accepted = RequestAccepted.of({**asked, **fields})
        return decide(self.standing, Progress(accepted, since_us), tried=tried, now_us=now_us, draw=draw).made()

    def sees(self, provider: str, **fields: Any) -> Candidate:
        """A provider as a decision sees it now."""
        return next(one for one in self.decides(**fields).candidates if one.provider == provider)

    def _append(self, event: Event) -> tuple[Recorded, int]:
        """Fold an event as it was made; keep it as it is read back. Gives what the fold told, too."""
        seq = len(self.recorded) + 1
        changed = self.ledger.fold(Recorded(seq, self.now_us, event))
        recorded = Recorded(seq, self.now_us, event.made() if isinstance(event, Decision) else event)
        self.recorded.append(recorded)
        return recorded, changed


def given(policy: Policy) -> Story:
    """A story that begins under a policy."""
    return Story(policy)


def _report(started: Recorded, ending: Ending, *, at_us: int) -> Fact:
    match ending.outcome:
        case None:
            reply = Reply(value="ok", stock=ending.stock)
            return reports.succeeded(started, reply, at_us=at_us, discretion=NOTHING_HIDDEN)[0]
        case Finding() as finding:
            return reports.succeeded(started, Found(finding=finding), at_us=at_us, discretion=NOTHING_HIDDEN)[0]
        case AbandonReason() as reason:
            return reports.abandoned(started, reason, at_us=at_us)
        case FailureKind() as kind:
            error = ERRORS[kind]("as told", retry_after_ms=ending.retry_after_ms, network=ending.network)
            return reports.failed(started, error, at_us=at_us, discretion=NOTHING_HIDDEN)


__all__ = [
    "MS",
    "NOON",
    "Decide",
    "Ending",
    "Fail",
    "Finish",
    "Story",
    "fails",
    "finds",
    "given",
    "is_abandoned",
    "policy_for",
    "succeeds",
]
