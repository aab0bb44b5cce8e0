"""The laws of the engine, over random histories; and every choice made again from the rows alone, to the bit."""

import hypothesis
from given import Story
from histories import MOVES, History, Move, policies
from hypothesis import given as for_all

from examples import tried_on
from understudy.engine.ledger import Ledger
from understudy.engine.next_step import next_step
from understudy.engine.recovery import is_held
from understudy.engine.request_state import LOOKUP, MAYBE_EXECUTED
from understudy.engine.steps import AwaitQuotes, Hold, Sleep
from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.codec import encode, recorded
from understudy.events.decisions import DecisionMade
from understudy.events.policy import Policy
from understudy.events.requests import (
    RequestAccepted,
    RequestCompleted,
    RequestFailed,
    RequestSuspended,
    RetryScheduled,
)
from understudy.events.row import Recorded
from understudy.events.vocabulary import AbandonReason, Effect, FailureKind, Finding

CHOSEN = DecisionMade | CallStarted | RetryScheduled | RequestCompleted | RequestFailed | RequestSuspended


class Watch:
    """One request as an observer of the log sees it, who knows the laws and nothing of the rules."""

    def __init__(self, accepted: RequestAccepted, policy: Policy) -> None:
        self.accepted = accepted
        self.settle_us = {one.id: one.settle_ms * 1_000 for one in policy.providers}
        self.open: dict[int, Recorded] = {}
        self.attempts = 0
        self.doubt: tuple[str, int] | None = None
        self.settled = False
        stays = accepted.effect is Effect.IDEMPOTENT and not accepted.free_to_abandon
        self.bound = stays or accepted.effect is Effect.ONCE

    def see(self, one: Recorded) -> None:
        event = one.event
        if isinstance(event, CHOSEN):
            assert not self.settled, f"{event.kind} after the end"
        match event:
            case CallStarted():
                self._starts(one, event)
            case CallSucceeded() | CallFailed() | CallAbandoned():
                self._ends(one, event)
            case RequestCompleted() | RequestFailed():
                self.settled = True
            case _:
                pass

    def _starts(self, one: Recorded, event: CallStarted) -> None:
        assert not self.open, "two calls at once"
        self.open[one.seq] = one
        if event.operation == LOOKUP:
            return
        self.attempts += 1
        assert event.attempt == self.attempts
        assert one.at_us < event.deadline_at_us <= self.accepted.deadline_at_us
        if self.doubt is not None and self.bound:
            assert self.accepted.effect is not Effect.ONCE, "called again before it was proven absent"
            assert event.provider == self.doubt[0], "called elsewhere before it was proven absent"

    def _ends(self, one: Recorded, event: CallSucceeded | CallFailed | CallAbandoned) -> None:
        started = self.open.pop(event.started_seq)
        if isinstance(event, CallSucceeded):
            if event.operation == LOOKUP and self._proves(started.at_us, event):
                self.doubt = None
        elif event.operation != LOOKUP and _may_have_been_executed(event):
            self.doubt = (event.provider, one.at_us)

    def _proves(self, asked_us: int, event: CallSucceeded) -> bool:
        if event.finding is Finding.FAILED:
            return True
        assert self.doubt is not None
        provider, ended_us = self.doubt
        return event.finding is Finding.ABSENT and asked_us >= ended_us + self.settle_us[provider]


def _may_have_been_executed(event: CallFailed | CallAbandoned) -> bool:
    if isinstance(event, CallAbandoned):
        return event.reason is not AbandonReason.NOT_SENT
    return FailureKind(event.outcome) in MAYBE_EXECUTED


def assert_laws(story: Story) -> None:
    watches: dict[str, Watch] = {}
    for before, one in zip([story.recorded[0], *story.recorded], story.recorded, strict=False):
        assert one.at_us >= before.at_us, "time ran backward"
        event = one.event
        if isinstance(event, RequestAccepted):
            watches[event.request_id] = Watch(event, story.standing.policy)
        elif (request_id := getattr(event, "request_id", None)) in watches:
            watches[request_id].see(one)
    for request_id, watch in watches.items():
        assert watch.settled or is_held(story.ledger, request_id), f"{request_id} is neither settled nor held"


def assert_replays(story: Story) -> None:
    """Fold the rows into a fresh ledger and ask again at the place of every choice."""
    rows = [encode(one.event, seq=one.seq, at_us=one.at_us) for one in story.recorded]
    fresh = Ledger()
    steps = iter(story.steps)
    place, draw, request_id, step = next(steps, (-1, 0, "", Hold()))
    for row in rows:
        while place == row.seq - 1:
            if not isinstance(step, Hold | Sleep | AwaitQuotes):
                again = next_step(fresh.requests[request_id], fresh.standing, now_us=row.at_us, draw=draw)
                assert type(again) is type(step)
                event = again.event
                assert encode(event, seq=row.seq, at_us=row.at_us) == row
            place, draw, request_id, step = next(steps, (-1, 0, "", Hold()))
        fresh.fold(recorded(row))
    assert fresh.requests == story.ledger.requests
    assert fresh.standing.lanes.state == story.standing.lanes.state


@tried_on(100, soak=10_000)
def test_the_laws_hold_and_every_choice_replays_to_the_bit(examples: int) -> None:
    @hypothesis.settings(max_examples=examples)
    @for_all(policies(), MOVES)
    def hold(policy: Policy, moves: list[Move]) -> None:
        history = History(policy).play(moves).settle()
        assert_laws(history.story)
        assert_replays(history.story)

    hold()
