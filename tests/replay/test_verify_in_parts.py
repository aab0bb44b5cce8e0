"""Decisions recomputed in parts, from a ledger folded of skimmed rows: the same as in one go, wherever it is cut."""

from collections.abc import Callable, Sequence

from given import Story
from histories import MOVES, History, Move, policies
from hypothesis import given as for_all
from hypothesis import settings

from examples import tried_on
from understudy.engine.caches import digest
from understudy.engine.errors import BrokenRule
from understudy.engine.ledger import Ledger
from understudy.events.codec import encode, skimmed
from understudy.events.policy import Policy
from understudy.events.requests import RequestAccepted
from understudy.events.row import Row
from understudy.replay.recompute import Difference, Recomputation

Counts = tuple[int, int, int, int, int]


def rows_of(story: Story) -> list[Row]:
    return [encode(one.event, seq=one.seq, at_us=one.at_us) for one in story.recorded]


def counts(done: Recomputation) -> Counts:
    return done.steps, done.identical, done.differs, done.other_rules, done.input_missing


def recomputed(rows: Sequence[Row], begun: Recomputation | None = None) -> Recomputation:
    done = begun or Recomputation()
    for row in rows:
        done.take(row)
    return done


def skimmed_through(rows: Sequence[Row]) -> Ledger | None:
    """What rows add up to; None if they tell what cannot happen, which whoever recomputes them reports."""
    ledger = Ledger()
    try:
        for row in rows:
            ledger.fold(skimmed(row))
    except BrokenRule:
        return None
    return ledger


def first(*done: Recomputation) -> Difference | None:
    return next((one.first_difference for one in done if one.first_difference), None)


def assert_parts_add_up(rows: Sequence[Row]) -> None:
    whole = recomputed(rows)
    seams = [place for place, row in enumerate(rows, start=1) if row.kind == RequestAccepted.kind]
    for cut in {*seams[:: max(1, len(seams) // 5)], *seams[-1:]}:
        front, begun = recomputed(rows[:cut]), skimmed_through(rows[:cut])
        if begun is None:
            assert front.first_difference is not None
            continue
        assert digest(begun) == digest(front.ledger)
        assert begun.requests == front.ledger.requests
        back = recomputed(rows[cut:], Recomputation(begun))
        assert tuple(map(sum, zip(counts(front), counts(back), strict=True))) == counts(whole)
        assert first(front, back) == whole.first_difference


def on_histories(examples: int, holds: Callable[[Sequence[Row]], None]) -> None:
    """Judge the rows of so many random histories."""

    @settings(max_examples=examples)
    @for_all(policies(), MOVES)
    def judged(policy: Policy, moves: list[Move]) -> None:
        holds(rows_of(History(policy).play(moves).settle().story))

    judged()


@tried_on(20, soak=2_000)
def test_a_log_cut_at_an_acceptance_recomputes_to_the_same(examples: int) -> None:
    on_histories(examples, assert_parts_add_up)


@tried_on(20, soak=2_000)
def test_a_log_from_which_rows_were_taken_recomputes_in_parts_to_the_same_differences(examples: int) -> None:
    on_histories(examples, lambda rows: assert_parts_add_up([row for row in rows if row.seq < 3 or row.seq % 7]))


@tried_on(25, soak=2_000)
def test_what_is_kept_of_a_provider_never_changes_a_decision(examples: int) -> None:
    on_histories(examples, assert_keeps_nothing_that_counts)


def assert_keeps_nothing_that_counts(rows: Sequence[Row]) -> None:
    forgetful = Recomputation()
    for row in rows:
        forgetful.ledger.standing.lanes.kept.clear()
        forgetful.take(row)
    assert forgetful.first_difference is None
    assert recomputed(rows).first_difference is None
