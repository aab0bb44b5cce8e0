"""Sealed blocks: the log cut down to what lanes are folded from, in fixed records, to be replayed very fast.

A block is a cache: it can be rebuilt from the rows at any time, and where the two disagree the rows win. A record is
six little-endian 64-bit integers: code, lane, at_us, started_us, latency_us, retry. There is one for each event:
`NOTHING` for an event that concerns no lane, and `BARRIER`, with the event's seq in place of `started_us`, where
thresholds, rests, drills or the shield change and the row itself must be read. The code of what a drill has touched is
greater by `DRILLED`: it does not change the lanes as they would be without the drill.

Beside the records a block has the rest of the standing at its end, so that lanes folded from all blocks, the rest of
the last one and the rows after it are the whole standing. Open calls and unsettled requests are but named, for their
rows tell them; beliefs about stock are those that have changed since the block before. Every 64th block, a milestone,
tells lanes, policy and stock in full: nothing need be folded from further back.
"""

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Final, NamedTuple

from pydantic_core import from_json, to_json

from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.codec import recorded as decoded
from understudy.events.log import SealedBlock
from understudy.events.row import Recorded, Row
from understudy.projections import lane_step as lane
from understudy.projections.drill_reactions import outlives
from understudy.projections.lanes import LaneKey, Lanes, Params, turns
from understudy.projections.open_call import ending_code
from understudy.projections.provider_record import StockBelief
from understudy.projections.rest import rest_of
from understudy.projections.standing import FOLD_VERSION, Standing

BLOCK_EVENTS: Final = 4_096
MILESTONE_EVENTS: Final = 64 * BLOCK_EVENTS
"""A block in which the seq reaches a multiple of this is a milestone: folding so many events takes a seventh of a
second, and with 500 lanes it adds a twentieth to the size of the blocks."""
_RECORD: Final = Struct("<6q")
_NOTHING: Final = (lane.NOTHING, 0, 0, 0, 0, 0)

_ENDINGS: Final = (CallSucceeded, CallFailed, CallAbandoned)

Record = tuple[int, int, int, int, int, int]
AtBarrier = Callable[[int], None]
"""Told the seq of an event that the lanes must be taken through by hand: read its row and call `lanes.turn`."""


class BrokenBlock(ValueError):
    """A block that is not what its digest says, or of another version: fold the rows instead."""


class OpenedBlock(NamedTuple):
    """A block that has been checked against its digest.

    Shape:  `keys` are the names of all lanes known at its end, `rest` is what else was known there: as of
            `rest.rest_of`, with `calls` as pairs of seq and lane, and the `stock` that has changed since the block
            before. A milestone has the whole `stock`, and `policy` and `words` (the lanes' state) besides.
            `unsettled` are the ids of unsettled requests.
    """

    first_seq: int
    last_seq: int
    keys: list[LaneKey]
    records: bytes
    rest: Mapping[str, Any]
    unsettled: list[str]


@dataclass(slots=True)
class BlockBuilder:
    """Writes the records of the events that are folded through it."""

    first_seq: int = 0
    last_seq: int = 0
    records: bytearray = field(default_factory=bytearray)
    stock: Mapping[str, StockBelief] = field(default_factory=dict)
    """What was believed at the end of the last block."""

    def fold(self, recorded: Recorded, standing: Standing) -> int:
        """Fold one more event into the standing, and put it on record; tells what `Standing.fold` told."""
        ending = _ending_record(recorded, standing)  # Folding forgets the call that ends here.
        told = standing.fold(recorded)
        record = ending or _other_record(recorded, standing)
        if not self.records:
            self.first_seq = recorded.seq
        self.last_seq = recorded.seq
        self.records += _RECORD.pack(*record)
        return told

    @property
    def full(self) -> bool:
        """Whether it is time to seal."""
        return len(self.records) >= BLOCK_EVENTS * _RECORD.size

    def seal(self, standing: Standing, *, chain: bytes, unsettled: Iterable[str] = ()) -> SealedBlock:
        """The block of all events since the last one.

        `chain` is the chain value at the last event; `unsettled` are the ids of the requests that are unsettled there.
        """
        place = (FOLD_VERSION, self.first_seq, self.last_seq, chain.hex())
        header = to_json((*place, standing.lanes.keys, self.rest(standing), list(unsettled)))
        records = bytes(self.records)
        self.records.clear()
        self.stock = dict(standing.stock)
        return SealedBlock(
            fold_version=FOLD_VERSION,
            first_seq=self.first_seq,
            last_seq=self.last_seq,
            chain=chain,
            header=header,
            records=records,
            digest=digest(header, records),
        )

    def rest(self, standing: Standing) -> dict[str, Any]:
        """What a block that ends here tells of the standing beside its records."""
        rest = rest_of(standing)
        rest["calls"] = [(seq, call.lane) for seq, call in standing.calls.items()]
        if is_milestone(self):
            lanes = standing.lanes
            words = {"words": list(lanes.state)}
            if lanes.undrilled is not None:
                words["undrilled_words"] = list(lanes.undrilled.state)
            return {**rest, "stock": standing.stock, "policy": standing.policy, **words}
        before = self.stock
        return {**rest, "stock": {key: now for key, now in standing.stock.items() if before.get(key) is not now}}


def is_milestone(block: BlockBuilder | SealedBlock) -> bool:
    """Whether a block is to tell lanes, policy and stock in full."""
    return block.last_seq // MILESTONE_EVENTS > (block.first_seq - 1) // MILESTONE_EVENTS


def milestone_seqs(*, after: int, through: int) -> Iterator[int]:
    """The events after a place whose blocks are milestones, the last first."""
    for number in range(through // MILESTONE_EVENTS, after // MILESTONE_EVENTS, -1):
        yield number * MILESTONE_EVENTS


def digest(header: bytes, records: bytes) -> bytes:
    """The SHA-256 of a block, 32 bytes."""
    return hashlib.sha256(header + records).digest()


def opened(block: SealedBlock) -> OpenedBlock:
    """A block ready to be folded, as often as you like: hashing it takes longer than folding it compiled.

    Errors: BrokenBlock for another version of the fold, a digest that does not match, or a place that is not its own.
    """
    start = f"block {block.first_seq}"
    if block.fold_version != FOLD_VERSION:
        raise BrokenBlock(f"{start}: fold version {block.fold_version}, not {FOLD_VERSION}")
    if digest(block.header, block.records) != block.digest:
        raise BrokenBlock(f"{start}: the digest does not match")
    *place, keys, rest, unsettled = from_json(block.header)
    if place != [block.fold_version, block.first_seq, block.last_seq, block.chain.hex()]:
        raise BrokenBlock(f"{start}: the header tells of another place, {place}")
    if len(block.records) != (block.last_seq - block.first_seq + 1) * _RECORD.size:
        raise BrokenBlock(f"{start}: it has not one record for each event")
    return OpenedBlock(block.first_seq, block.last_seq, [tuple(key) for key in keys], block.records, rest, unsettled)


def fold_blocks(blocks: Iterable[OpenedBlock], lanes: Lanes, *, at_barrier: AtBarrier) -> None:
    """Take the lanes through blocks in plain Python. The steps run on a list, much faster than on an array.

    Errors: whatever `blocks` raises; the lanes then stand at the end of the block before.
    """
    start, end, step, drilled = lane.start, lane.end, lane.step, lane.DRILLED
    nothing, started, barrier = lane.NOTHING, lane.START, lane.BARRIER
    state, aside, places = _spread(lanes)
    try:
        for block in blocks:
            if len(block.keys) > len(lanes.keys):
                _gather(lanes, state, aside)
                for key in block.keys[len(lanes.keys) :]:
                    lanes.index(key)
                state, aside, places = _spread(lanes)
            for code, index, at_us, started_us, latency_us, retry in _RECORD.iter_unpack(block.records):
                if code == nothing:
                    continue
                if code == barrier:
                    _gather(lanes, state, aside)
                    at_barrier(started_us)
                    state, aside, places = _spread(lanes)
                    continue
                base, params = places[index]
                if aside is not None:
                    if code < drilled:
                        step(aside, base, params, code, at_us, started_us, latency_us, retry)
                    step(state, base, params, code % drilled, at_us, started_us, latency_us, retry)
                    continue
                if code == started:
                    start(state, base, params, at_us, retry)
                else:
                    end(state, base, params, code, at_us, started_us, latency_us, retry)
    finally:
        _gather(lanes, state, aside)


def _spread(lanes: Lanes) -> tuple[list[int], list[int] | None, list[tuple[int, Params]]]:
    aside = None if lanes.undrilled is None else list(lanes.undrilled.state)
    return list(lanes.state), aside, [(lanes.base(index), params) for index, params in enumerate(lanes.params)]


def _gather(lanes: Lanes, state: list[int], aside: list[int] | None) -> None:
    lanes.state = array("q", state)
    if lanes.undrilled is not None and aside is not None:
        lanes.undrilled.state = array("q", aside)


def check_block(block: SealedBlock, rows: Iterable[Row], *, standing: Standing) -> str | None:
    """The first place at which a block disagrees with its rows, in words; None if they agree.

    `standing` is the one just before the block; it is folded through the rows.

    Errors: BrokenBlock.
    """
    header = opened(block)
    builder = BlockBuilder()
    believed = _plain(standing.stock)
    for number, row in enumerate(rows):
        builder.fold(decoded(row), standing)
        found = block.records[number * _RECORD.size : (number + 1) * _RECORD.size]
        wanted = bytes(builder.records[-_RECORD.size :])
        if row.seq != block.first_seq + number or found != wanted:
            said = _RECORD.unpack(found) if found else "nothing"
            return f"event {row.seq}: the row says {_RECORD.unpack(wanted)}, the block {said}"
    if builder.last_seq != block.last_seq:
        return f"the rows end at event {builder.last_seq}, the block at {block.last_seq}"
    if header.keys != standing.lanes.keys:
        return f"the rows know the lanes {standing.lanes.keys}, the block {header.keys}"
    wanted_rest = {**_plain(builder.rest(standing)), "stock": _plain(standing.stock)}
    found_rest = {**header.rest, "stock": {**believed, **header.rest["stock"]}}
    return next(
        (
            f"{name} is {wanted_rest.get(name)} by the rows, {found_rest.get(name)} in the block"
            for name in sorted(wanted_rest.keys() | found_rest.keys())
            if wanted_rest.get(name) != found_rest.get(name)
        ),
        None,
    )


def _plain(told: Mapping[str, Any]) -> dict[str, Any]:
    """As it comes back from JSON."""
    plain: dict[str, Any] = from_json(to_json(told))
    return plain


def _ending_record(recorded: Recorded, standing: Standing) -> Record | None:
    _, at_us, event = recorded
    if not isinstance(event, _ENDINGS):
        return None
    call = standing.calls.get(event.started_seq)
    if call is None:
        return _NOTHING
    code = ending_code(event)
    if call.started.drill is not None:
        if outlives(standing, call.started):
            return _NOTHING
        code += lane.DRILLED
    retry = 0 if isinstance(event, CallSucceeded) else standing.tries_that_count(event)
    return (code, call.lane, at_us, call.started_us, event.latency_us, retry)


def _other_record(recorded: Recorded, standing: Standing) -> Record:
    seq, at_us, event = recorded
    if isinstance(event, CallStarted):
        code = lane.START
        if event.drill is not None:
            if outlives(standing, event):
                return _NOTHING
            code += lane.DRILLED
        return (code, standing.calls[seq].lane, at_us, 0, 0, event.retry)
    return (lane.BARRIER, 0, at_us, seq, 0, 0) if turns(event) else _NOTHING
