"""A decision is stored to the byte as the event that is read back from it."""

from given import NOON, Story, fails, given, policy_for, succeeds
from histories import MOVES, History, Move, policies
from hypothesis import given as for_all
from hypothesis import settings as hypothesis_settings

from understudy.engine.decide import decide
from understudy.engine.request_state import Progress
from understudy.events.codec import decode, encode
from understudy.events.decisions import Decision
from understudy.events.policy import Policy
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import Effect, FailureKind


def made(story: Story, *, draw: int = 0) -> Decision:
    accepted = RequestAccepted(request_id="r", operation="rent", effect=Effect.READ, deadline_at_us=NOON)
    return decide(story.standing, Progress(accepted, story.now_us), tried=(), now_us=story.now_us, draw=draw)


@hypothesis_settings(max_examples=50)
@for_all(policies(), MOVES)
def test_a_decision_and_what_is_read_back_of_it_are_the_same_row(policy: Policy, moves: list[Move]) -> None:
    story = History(policy).play(moves).story
    decision = made(story, draw=len(moves))
    row = encode(decision, seq=1, at_us=NOON)
    assert encode(decode(row), seq=1, at_us=NOON) == row
    assert decode(row) == decision.made()


def test_decisions_are_equal_if_they_say_the_same() -> None:
    story = given(policy_for("a", "b")).serves("a", succeeds())
    first, again = made(story), made(story)
    assert first == again == first.made()
    assert first != made(story, draw=1)
    assert first != "a decision"
    assert first != made(story.serves("a", fails(FailureKind.TRANSIENT)))
