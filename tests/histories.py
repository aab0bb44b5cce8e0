"""Random histories: requests of every effect, endings of every kind, crashes, operators and gaps.

What is random is a policy and a list of (verb, number); the number picks the request, the ending, the gap. So a failing
history shrinks to a short one.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from given import Ending, given, policy_for
from hypothesis import strategies as st

from understudy.engine import recovery
from understudy.engine.decide import RULES_VERSION
from understudy.engine.dice import derive
from understudy.engine.drill_commands import StartDrill, started
from understudy.engine.request_state import LOOKUP
from understudy.engine.steps import Call, Hold, LookUp
from understudy.events.calls import CallStarted
from understudy.events.drills import FAULTS, DrillEnd, DrillEnded
from understudy.events.operations import EngineStarted, OverrideCleared, ProbeRequested
from understudy.events.policy import Policy, ProviderSettings
from understudy.events.requests import RequestResumed
from understudy.events.row import Recorded
from understudy.events.vocabulary import (
    AbandonReason,
    Effect,
    FailureKind,
    Finding,
    ForcedState,
    ServicePriority,
    Strategy,
)

Move = tuple[str, int]
WHO: Final[Any] = {"actor": "op", "reason": "to see"}

GAPS_MS: Final = (0, 1, 40, 300, 700, 2_000, 9_000, 61_000)
AFTER_MS: Final = (0, 3, 120, 2_500, 5_000)
DEADLINES_MS: Final = (1, 3_000, 12_000, 60_000, 60_000)
OUTCOMES: Final = (None, None, None, *[FailureKind.TIMED_OUT, FailureKind.AMBIGUOUS] * 3, *FailureKind)
FINDINGS: Final = (*Finding, FailureKind.TIMED_OUT, FailureKind.TRANSIENT)
MOST_STEPS: Final = 3_000
"""Steps within which a request must come to rest once everybody answers."""


def policies() -> st.SearchStrategy[Policy]:
    """Policies of one to four providers that tell what they do in few calls and short times."""
    provider = st.fixed_dictionaries(
        {
            "priority": st.sampled_from(ServicePriority),
            "weight": st.integers(min_value=0, max_value=3),
            "has_lookup": st.sampled_from((True, True, False)),
            "has_ping": st.booleans(),
            "settle_ms": st.sampled_from((0, 1_000, 20_000)),
            "max_in_flight": st.none() | st.integers(min_value=1, max_value=2),
            "max_calls_per_second": st.none() | st.just(2),
        }
    )
    settings = st.fixed_dictionaries(
        {
            "strategy": st.sampled_from(Strategy),
            "fallback_enabled": st.booleans() | st.just(value=True),
            "max_providers": st.none() | st.integers(min_value=1, max_value=3),
            "exploration": st.sampled_from(("0", "0.01", "0.5")),
            "explore_once": st.booleans(),
            "retry_attempts": st.integers(min_value=0, max_value=3),
            "retry_budget_min": st.sampled_from((0, 10)),
            "max_failures": st.integers(min_value=1, max_value=3),
            "recovery_time_ms": st.sampled_from((100, 5_000)),
            "window": st.sampled_from((1, 5, 100)),
            "max_in_flight": st.none() | st.integers(min_value=1, max_value=3),
            "lane_by": st.sampled_from(((), ("country",), ("service",))),
            "preferred_provider": st.none() | st.just("p0"),
        }
    )
    return st.builds(_policy, st.lists(provider, min_size=1, max_size=4), settings)


def _policy(providers: list[dict[str, Any]], settings: dict[str, Any]) -> Policy:
    named = [ProviderSettings.model_validate({"id": f"p{n}", **one}) for n, one in enumerate(providers)]
    return policy_for(*named, **settings)


class History:
    """A story with several requests, each at most one call under way, moved on in any order."""

    def __init__(self, policy: Policy) -> None:
        self.story = given(policy)
        self.under_way: dict[str, Recorded] = {}
        self.accepted = 0

    def play(self, moves: list[Move]) -> "History":
        for place, (verb, seed) in enumerate(moves):
            # Hypothesis likes small numbers: stirred, each of them is another choice at every place.
            number = derive(seed, place)
            self.story.draw = derive(number, 1)
            VERBS[verb](self, number)
        return self

    # --- verbs

    def accept(self, number: int) -> None:
        self.accepted += 1
        self.story.accepts(
            _pick((Effect.READ, Effect.IDEMPOTENT, Effect.IDEMPOTENT, Effect.ONCE, Effect.ONCE), number),
            request_id=f"q{self.accepted}",
            deadline_ms=_pick(DEADLINES_MS, number // 5),
            free_to_abandon=number // 25 % 3 == 1,
            country=_pick((None, "us", "fr"), number // 75),
        )

    def advance(self, number: int) -> None:
        """The next step of a request, or the end of its call."""
        request_id = self._some_request(number)
        if request_id is None:
            return
        started = self.under_way.pop(request_id, None)
        if started is not None:
            self.story.ends(started, _ending(started, number // 16))
            return
        step = self.story.takes(request_id)
        if isinstance(step, Call | LookUp):
            self.under_way[request_id] = self.story.recorded[-1]

    def ping(self, number: int) -> None:
        provider = _pick(self.story.standing.policy.providers, number).id
        self.story.serves(provider, Ending(outcome=_pick(OUTCOMES, number // 4)), operation="ping")

    def wait(self, number: int) -> None:
        self.story.later(ms=_pick(GAPS_MS, number))

    def cancel(self, number: int) -> None:
        request_id = self._some_request(number)
        if request_id is None or self._is_given_up(request_id):
            return
        started = self.under_way.pop(request_id, None)
        if started is not None:
            self.story.ends(started, Ending(outcome=AbandonReason.CANCELLED, after_ms=0))
        self.story.cancels(request_id=request_id)

    def crash(self, _: int) -> None:
        """The engine stops in the middle and starts again."""
        story = self.story
        self.under_way.clear()
        story.note(EngineStarted(version="0", rules_version=RULES_VERSION, python="3", writer="again"))
        for event in recovery.interruptions(story.ledger, story.now_us):
            story.note(event)

    def resume(self, number: int) -> None:
        """An operator says what became of a held request, be it during a look-up."""
        request_id = self._some_request(number)
        if request_id is not None and recovery.is_held(self.story.ledger, request_id):
            executed = number // 16 % 2 == 0
            self.story.note(RequestResumed(request_id=request_id, executed=executed, actor="op", reason="known"))

    def force(self, number: int) -> None:
        provider = _pick(self.story.standing.policy.providers, number).id
        state = _pick((None, *ForcedState), number // 4)
        if state is None:
            self.story.note(OverrideCleared(provider=provider, actor="op", reason="done"))
        else:
            self.story.forces(provider, state, for_ms=_pick((None, 500, 5_000), number // 16))

    def probe(self, number: int) -> None:
        provider = _pick(self.story.standing.policy.providers, number).id
        self.story.note(ProbeRequested(provider=provider, actor="op", reason="now"))

    def drill(self, number: int) -> None:
        """A drill begins at a provider, or the one there ends."""
        story = self.story
        provider, form = _pick(story.standing.policy.providers, number).id, _pick(FAULTS, number // 4)
        running = story.standing.drills.get(provider)
        if running is not None:
            cause = DrillEnd.STOPPED
            story.note(DrillEnded(drill=running.drill, form=running.form, provider=provider, cause=cause))
            return
        wish = StartDrill(form=form, provider=provider, for_ms=60_000, share=_pick((50, 100), number), **WHO)
        story.note(started(story.standing, wish, now_us=story.now_us, seed=number))

    # --- the end

    def settle(self) -> "History":
        """Let every call end well from now on, until each request is settled or held."""
        for request_id in list(self.story.ledger.requests):
            for _ in range(MOST_STEPS):
                if request_id not in self.story.ledger.requests or not self._goes_on(request_id):
                    break
            else:
                raise AssertionError(f"{request_id} goes on for ever: {self.story.ledger.requests[request_id]}")
        return self

    def _goes_on(self, request_id: str) -> bool:
        started = self.under_way.pop(request_id, None)
        if started is not None:
            self.story.ends(started, Ending(outcome=Finding.SUCCEEDED if _is_lookup(started) else None))
            return True
        step = self.story.takes(request_id)
        if isinstance(step, Call | LookUp):
            self.under_way[request_id] = self.story.recorded[-1]
        return not isinstance(step, Hold)

    def _some_request(self, number: int) -> str | None:
        open_ones = list(self.story.ledger.requests)
        return _pick(tuple(open_ones), number) if open_ones else None

    def _is_given_up(self, request_id: str) -> bool:
        state = self.story.ledger.requests[request_id]
        return recovery.is_held(self.story.ledger, request_id) or state.progress.given_up is not None


VERBS: Final[Mapping[str, Callable[[History, int], None]]] = {
    "accept": History.accept,
    "advance": History.advance,
    "ping": History.ping,
    "wait": History.wait,
    "cancel": History.cancel,
    "crash": History.crash,
    "resume": History.resume,
    "force": History.force,
    "probe": History.probe,
    "drill": History.drill,
}
OFTEN: Final = ("accept",) * 2 + ("advance",) * 24 + ("wait",) * 2 + ("resume",) * 2 + tuple(VERBS)
SEEDS: Final = 1_000


def _move(number: int) -> Move:
    seed, place = divmod(number, len(OFTEN))
    return OFTEN[place], seed


# One number for each move: to draw a word and a number takes twice as long.
_NUMBERS: Final = st.lists(st.integers(min_value=0, max_value=SEEDS * len(OFTEN) - 1), min_size=30, max_size=120)
MOVES: Final = _NUMBERS.map(lambda numbers: [_move(number) for number in numbers])


def _pick(choices: Any, number: int) -> Any:
    return choices[number % len(choices)]


def _is_lookup(started: Recorded) -> bool:
    assert isinstance(started.event, CallStarted)
    return started.event.operation == LOOKUP


def _ending(started: Recorded, number: int) -> Ending:
    outcome = _pick(FINDINGS if _is_lookup(started) else OUTCOMES, number)
    pause_ms = _pick((None, 0, 300, 20_000), number // 64)
    after_ms = 10**9 if outcome is FailureKind.TIMED_OUT else _pick(AFTER_MS, number // 256)
    return Ending(outcome=outcome, after_ms=after_ms, retry_after_ms=pause_ms, network=number // 2_048 % 2 == 1)
