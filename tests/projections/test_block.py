"""Sealed blocks: what they hold, what they refuse, and that folding them is folding the log."""

import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import hypothesis
import pytest
from pydantic_core import from_json, to_json
from telling import NOON, Telling, policy, tellings

from understudy.events.codec import encode
from understudy.events.log import SealedBlock
from understudy.events.policy import Policy
from understudy.events.row import Recorded, Row
from understudy.projections import block as blocks
from understudy.projections import compiled
from understudy.projections import lane_step as lane
from understudy.projections.block import BLOCK_EVENTS, BlockBuilder, BrokenBlock, check_block, fold_blocks, opened
from understudy.projections.lanes import Lanes, turn
from understudy.projections.snapshot import dump_standing
from understudy.projections.standing import FOLD_VERSION, Standing

CHAIN = bytes(32)


def sealed(log: list[Recorded], *, every: int = BLOCK_EVENTS) -> list[SealedBlock]:
    """A log in blocks of so many events, the last one shorter."""
    builder, standing, made = BlockBuilder(), Standing(), []
    for recorded in log:
        builder.fold(recorded, standing)
        if builder.full or len(builder.records) >= every * 48 or recorded is log[-1]:
            made.append(builder.seal(standing, chain=CHAIN))
    return made


def replayed(made: list[SealedBlock], log: list[Recorded], *, fold: Callable[..., None] = fold_blocks) -> Lanes:
    """The lanes after folding blocks."""
    lanes = Lanes(Policy())
    fold(map(opened, made), lanes, at_barrier=lambda seq: turn(lanes, log[seq - 1]))
    return lanes


def undrilled(lanes: Lanes) -> Sequence[int] | None:
    return None if lanes.undrilled is None else lanes.undrilled.state


def rows(log: list[Recorded]) -> list[Row]:
    return [encode(event, seq=seq, at_us=at_us) for seq, at_us, event in log]


def story() -> Telling:
    """A few calls at two providers, one of them sick, one local fault."""
    telling = Telling(policy=policy(window=5))
    telling.fail(3, at=3)
    telling.fault(at=4)
    telling.call("timed_out", at=10, provider="beta", latency=5)
    telling.fault_over(at=11)
    telling.call("rate_limited", at=12, request_id="same")
    telling.call("transient", at=13, request_id="same", retry=1)
    return telling


@hypothesis.given(tellings())
def test_folding_blocks_is_folding_the_log(telling: Telling) -> None:
    lanes = replayed(sealed(telling.log, every=7), telling.log)
    assert lanes.keys == telling.standing.lanes.keys
    assert lanes.state == telling.standing.lanes.state
    assert undrilled(lanes) == undrilled(telling.standing.lanes)
    assert lanes.params == telling.standing.lanes.params


@pytest.mark.long
@hypothesis.given(tellings())
def test_the_compiled_fold_agrees_in_every_field(telling: Telling) -> None:
    lanes = replayed(sealed(telling.log, every=7), telling.log, fold=compiled.fold_blocks_compiled)
    assert lanes.keys == telling.standing.lanes.keys
    assert lanes.state == telling.standing.lanes.state
    assert undrilled(lanes) == undrilled(telling.standing.lanes)


@hypothesis.given(tellings())
def test_the_function_that_is_compiled_says_the_same_uncompiled(telling: Telling) -> None:
    np = pytest.importorskip("numpy")

    def fold(made: Any, lanes: Lanes, *, at_barrier: Callable[[int], None]) -> None:
        for one in made:
            for key in one.keys[len(lanes.keys) :]:
                lanes.index(key)
            records = np.frombuffer(one.records, dtype="<i8").reshape(-1, 6)
            while len(records):
                state, aside = list(lanes.state), lanes.undrilled
                table = [[int(word) for word in row] for row in records]
                done = compiled.fold_records(_Table(table), state, lanes.params, lanes.words)
                lanes.state = array("q", state)
                if aside is not None:
                    state = list(aside.state)
                    untouched = [row for row in table[:done] if row[0] < lane.DRILLED]
                    compiled.fold_records(_Table(untouched), state, lanes.params, lanes.words)
                    aside.state = array("q", state)
                if done < len(records):
                    at_barrier(table[done][3])
                records = records[done + 1 :]

    assert replayed(sealed(telling.log), telling.log, fold=fold).state == telling.standing.lanes.state


class _Table(list[list[int]]):
    """Rows and columns of plain integers, asked for as numpy is."""

    def __getitem__(self, place: Any) -> Any:
        row, column = place
        return super().__getitem__(row)[column]


@pytest.mark.parametrize("every", [2, 3, 100])
def test_folding_blocks_keeps_what_drills_touch_apart(every: int) -> None:
    telling = Telling(policy=policy(max_failures=2))
    drill = telling.drill(at=1)
    telling.call("transient", at=2, drill=drill)
    telling.call("transient", at=3, drill=drill)
    telling.call("transient", at=4)
    held_back = telling.start(at=5, drill=drill)
    lanes = replayed(sealed(telling.log, every=every), telling.log)
    assert (lanes.state, undrilled(lanes)) == (telling.standing.lanes.state, undrilled(telling.standing.lanes))
    telling.drill_over(at=6)
    telling.end(held_back, "timed_out", at=7)
    lanes = replayed(sealed(telling.log, every=every), telling.log)
    assert lanes.state == telling.standing.lanes.state
    assert telling.slot("FAILED") == 1


def test_without_the_extra_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    compiled.kernel.cache_clear()
    with pytest.raises(compiled.ExtraMissing, match=r"pip install 'understudy\[fast\]'"):
        compiled.kernel()


def test_a_builder_is_full_after_4096_events_and_begins_anew_when_sealed() -> None:
    telling, standing, builder = Telling(), Standing(), BlockBuilder()
    first = telling.log[0]
    for number in range(BLOCK_EVENTS):
        assert not builder.full
        builder.fold(first._replace(seq=1 + number), standing)
    assert builder.full
    block = builder.seal(standing, chain=CHAIN)
    assert (block.first_seq, block.last_seq, len(block.records)) == (1, 4096, 4096 * 48)
    builder.fold(first._replace(seq=4097), standing)
    assert (builder.first_seq, builder.full) == (4097, False)


@pytest.mark.parametrize(
    "damage",
    [
        lambda block: replace(block, records=block.records[:-1] + b"\x01"),
        lambda block: replace(block, header=block.header.replace(b"alpha", b"alphb")),
        lambda block: replace(block, fold_version=FOLD_VERSION + 1),
        lambda block: replace(block, first_seq=2),
        lambda block: replace(block, chain=b"\x01" * 32),
    ],
)
def test_a_block_that_is_not_what_it_says_is_refused(damage: Callable[[SealedBlock], SealedBlock]) -> None:
    (block,) = sealed(story().log)
    with pytest.raises(BrokenBlock):
        opened(damage(block))


def test_a_block_agrees_with_its_rows_wherever_it_begins() -> None:
    log, standing = story().log, Standing()
    for block in sealed(log, every=4):
        assert check_block(block, rows(log)[block.first_seq - 1 : block.last_seq], standing=standing) is None
    assert dump_standing(standing) == dump_standing(story().standing)


def resealed(block: SealedBlock, *, records: bytes | None = None, **header: Any) -> SealedBlock:
    """A block with other content and a digest that matches: a bug in its builder, or a forger."""
    *place, keys, rest, unsettled = from_json(block.header)
    told = {"keys": keys, "rest": rest, "unsettled": unsettled, **header}
    written, records = to_json((*place, *told.values())), block.records if records is None else records
    return replace(block, header=written, records=records, digest=blocks.digest(written, records))


def test_the_first_event_on_which_rows_and_block_disagree_is_told() -> None:
    log = story().log
    (block,) = sealed(log)
    at = 48 * 4
    wrong = resealed(block, records=block.records[:at] + block.records[:48] + block.records[at + 48 :])
    told = check_block(wrong, rows(log), standing=Standing())
    assert told is not None
    assert told.startswith("event 5: the row says (3, 1,")
    assert f"the block (10, 0, {NOON}, 1, 0, 0)" in told


def test_rows_that_go_on_or_end_before_the_block_does_are_told() -> None:
    log = story().log
    (block,) = sealed(log)
    short = check_block(block, rows(log)[:-1], standing=Standing())
    assert short == f"the rows end at event {len(log) - 1}, the block at {len(log)}"
    told = check_block(block, [*rows(log), rows(log)[-1]._replace(seq=len(log) + 1)], standing=Standing())
    assert told is not None
    assert told.endswith("the block nothing")


def test_lanes_that_the_rows_do_not_know_are_told() -> None:
    log = story().log
    (block,) = sealed(log)
    wrong = resealed(block, keys=[("alpha", "ping")])
    assert (check_block(wrong, rows(log), standing=Standing()) or "").startswith("the rows know the lanes")


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"mode": "degraded"}, "mode is normal by the rows, degraded in the block"),
        ({"calls": [[7, 0]]}, "calls is [] by the rows, [[7, 0]] in the block"),
        ({"stock": {"alpha||": {"units": 1}}}, "stock is {} by the rows, {'alpha||': {'units': 1}} in the block"),
        ({"words": []}, "words is None by the rows, [] in the block"),
    ],
)
def test_a_rest_that_the_rows_do_not_know_is_told(told: dict[str, Any], says: str) -> None:
    log = story().log
    (block,) = sealed(log)
    wrong = resealed(block, rest={**opened(block).rest, **told})
    assert check_block(wrong, rows(log), standing=Standing()) == says


def test_a_block_without_a_record_for_each_event_is_refused() -> None:
    (block,) = sealed(story().log)
    with pytest.raises(BrokenBlock, match="not one record for each event"):
        opened(resealed(block, records=block.records[:-48]))


def test_a_block_tells_the_stock_that_has_changed_since_the_one_before() -> None:
    telling, builder, standing = Telling(), BlockBuilder(), Standing()
    telling.call("out_of_stock", at=1, country="us")
    telling.call("out_of_stock", at=2, country="fr")
    telling.call("success", at=3, country="us")
    telling.call("out_of_stock", at=4, country="us")

    def told(events: list[Recorded]) -> list[str]:
        for recorded in events:
            builder.fold(recorded, standing)
        return list(opened(builder.seal(standing, chain=CHAIN)).rest["stock"])

    assert told(telling.log[:5]) == ["alpha|us|", "alpha|fr|"]
    assert told(telling.log[5:7]) == []
    assert told(telling.log[7:]) == ["alpha|us|"]


def test_the_block_in_which_the_seq_reaches_its_multiple_is_a_milestone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "MILESTONE_EVENTS", 10)
    telling = Telling(policy=policy(window=3))
    for number in range(1, 13):
        telling.call("out_of_stock", at=number, country=f"c{number}")
    found = [opened(block) for block in sealed(telling.log, every=4)]
    milestones = [block.last_seq for block in found if "words" in block.rest]
    assert (milestones, found[-1].last_seq) == ([12, 20], 25)
    (last,) = (block for block in found if block.last_seq == 20)
    standing = Standing()
    for recorded in telling.log[:20]:
        standing.fold(recorded)
    assert last.rest["words"] == list(standing.lanes.state)
    assert last.rest["stock"].keys() == standing.stock.keys()
    assert Policy.model_validate(last.rest["policy"]) == telling.policy


def test_a_second_ending_of_a_call_is_no_record() -> None:
    telling = Telling()
    started = telling.start(at=1)
    telling.end(started, "success", at=2)
    telling.end(started, "success", at=3)
    (block,) = sealed(telling.log)
    assert block.records[-48:] == bytes(48)


def test_a_broken_block_leaves_the_lanes_at_the_end_of_the_block_before() -> None:
    log = story().log
    first, second, *_ = sealed(log, every=5)
    broken = replace(second, records=bytes(len(second.records)))
    lanes = Lanes(Policy())
    with pytest.raises(BrokenBlock):
        fold_blocks(map(opened, (first, broken)), lanes, at_barrier=lambda seq: turn(lanes, log[seq - 1]))
    assert lanes.state == replayed([first], log).state
