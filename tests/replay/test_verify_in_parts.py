"""Decisions recomputed in parts, from a fore-run on: the same as in one go, wherever the log is cut."""

from collections.abc import Sequence

from given import Story
from histories import MOVES, History, Move, policies
from hypothesis import given as for_all
from hypothesis import settings

from understudy.events.codec import encode
from understudy.events.policy import Policy
from understudy.events.requests import RequestAccepted
from understudy.events.row import Row
from understudy.projections.snapshot import dump_standing
from understudy.replay.forerun import Forerun
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


def fore_run(rows: Sequence[Row]) -> Recomputation:
    forerun = Forerun()
    for row in rows:
        forerun.take(row)
    return Recomputation(forerun.ledger())


def first(*done: Recomputation) -> Difference | None:
    return next((one.first_difference for one in done if one.first_difference), None)


def assert_parts_add_up(rows: Sequence[Row]) -> None:
    whole = recomputed(rows)
    seams = [place for place, row in enumerate(rows, start=1) if row.kind == RequestAccepted.kind]
    for cut in {*seams[:: max(1, len(seams) // 5)], *seams[-1:]}:
        front, back = recomputed(rows[:cut]), fore_run(rows[:cut])
        assert dump_standing(back.ledger.standing) == dump_standing(front.ledger.standing)
        assert back.ledger.requests == front.ledger.requests
        recomputed(rows[cut:], back)
        assert tuple(map(sum, zip(counts(front), counts(back), strict=True))) == counts(whole)
        assert first(front, back) == whole.first_difference


@settings(deadline=None)
@for_all(policies(), MOVES)
def test_a_log_cut_at_an_acceptance_recomputes_to_the_same(policy: Policy, moves: list[Move]) -> None:
    rows = rows_of(History(policy).play(moves).settle().story)
    assert_parts_add_up(rows)


@settings(deadline=None)
@for_all(policies(), MOVES)
def test_a_log_from_which_rows_were_taken_recomputes_in_parts_to_the_same_differences(
    policy: Policy, moves: list[Move]
) -> None:
    rows = rows_of(History(policy).play(moves).settle().story)
    assert_parts_add_up([row for row in rows if row.seq < 3 or row.seq % 7])


@settings(deadline=None)
@for_all(policies(), MOVES)
def test_what_is_kept_of_a_provider_never_changes_a_decision(policy: Policy, moves: list[Move]) -> None:
    rows = rows_of(History(policy).play(moves).settle().story)
    forgetful = Recomputation()
    for row in rows:
        forgetful.ledger.standing.lanes.kept.clear()
        forgetful.take(row)
    assert forgetful.first_difference is None
    assert recomputed(rows).first_difference is None
