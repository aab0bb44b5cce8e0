"""Snapshots: exact, and refused when they are not ours."""

import struct

import hypothesis
import pytest
from hypothesis import strategies as st
from telling import NOON, Telling, policy, tellings

from understudy.events.operations import OverrideSet
from understudy.events.vocabulary import ForcedState
from understudy.projections.snapshot import BrokenSnapshot, dump_standing, load_standing
from understudy.projections.standing import Standing


def rich() -> Telling:
    """A standing with something of everything in it."""
    telling = Telling(policy=policy(lane_by=("country",), alpha={"has_ping": True, "weight": "1.50"}))
    telling.call("rate_limited", at=1, request_id="same", country="us")
    telling.call("out_of_stock", at=2, country="us", service="wa")
    telling.fault(at=3)
    telling.say(OverrideSet(provider="beta", state=ForcedState.OPEN, until_us=NOON, actor="ann", reason="bill"), at=4)
    telling.start(at=5)
    return telling


@hypothesis.given(tellings(), st.data())
def test_a_snapshot_and_the_tail_are_the_full_fold(telling: Telling, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(telling.log)))
    whole = Standing()
    for recorded in telling.log[:cut]:
        whole.fold(recorded)
    loaded = load_standing(dump_standing(whole))
    for recorded in telling.log[cut:]:
        assert loaded.fold(recorded) == whole.fold(recorded)
    assert dump_standing(loaded) == dump_standing(whole)
    assert loaded.lanes.params == whole.lanes.params


def test_a_snapshot_of_everything_comes_back_as_it_was() -> None:
    standing = rich().standing
    content = dump_standing(standing)
    loaded = load_standing(content)
    assert dump_standing(loaded) == content
    for name in Standing.__slots__:
        if name != "lanes":
            assert getattr(loaded, name) == getattr(standing, name), name
    assert (loaded.lanes.keys, loaded.lanes.state) == (standing.lanes.keys, standing.lanes.state)


@pytest.mark.parametrize("cut", [0, 3, 40, -8, -3])
def test_a_cut_snapshot_is_refused(cut: int) -> None:
    with pytest.raises(BrokenSnapshot):
        load_standing(dump_standing(rich().standing)[:cut])


def test_a_snapshot_of_another_fold_is_refused() -> None:
    head = b'{"fold_version":0}'
    with pytest.raises(BrokenSnapshot, match="fold version 0"):
        load_standing(struct.pack("<q", len(head)) + head)


def test_a_snapshot_with_words_missing_is_refused() -> None:
    with pytest.raises(BrokenSnapshot, match="words of state do not make"):
        load_standing(dump_standing(rich().standing)[:-8])
