"""Sealed blocks: the log cut down to what lanes are folded from, in fixed records, to be replayed very fast.

A block is a cache: it can be rebuilt from the rows at any time, and where the two disagree the rows win. A record is
six little-endian 64-bit integers: code, lane, at_us, started_us, latency_us, retry. There is one for each event:
`NOTHING` for an event that concerns no lane, and `BARRIER`, with the event's seq in place of `started_us`, where
thresholds, rests or the shield change and the row itself must be read.
"""

import hashlib
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from struct import Struct
from typing import Final, NamedTuple

from pydantic_core import from_json, to_json

from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.codec import recorded as decoded
from understudy.events.log import SealedBlock
from understudy.events.row import Recorded, Row
from understudy.projections import lane_step as lane
from understudy.projections.lanes import LaneKey, Lanes, Params, turns
from understudy.projections.open_call import ending_code
from understudy.projections.standing import FOLD_VERSION, Standing

BLOCK_EVENTS: Final = 4_096
_RECORD: Final = Struct("<6q")
_NOTHING: Final = (lane.NOTHING, 0, 0, 0, 0, 0)

_ENDINGS: Final = (CallSucceeded, CallFailed, CallAbandoned)

Record = tuple[int, int, int, int, int, int]
AtBarrier = Callable[[int], None]
"""Told the seq of an event that the lanes must be taken through by hand: read its row and call `lanes.turn`."""


class BrokenBlock(ValueError):
    """A block that is not what its digest says, or of another version: fold the rows instead."""


class OpenedBlock(NamedTuple):
    """A block that has been checked against its digest. `keys` are the names of all lanes known at its end."""

    first_seq: int
    last_seq: int
    keys: list[LaneKey]
    records: bytes


@dataclass(slots=True)
class BlockBuilder:
    """Writes the records of the events that are folded through it."""

    first_seq: int = 0
    last_seq: int = 0
    records: bytearray = field(default_factory=bytearray)

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

    def seal(self, standing: Standing, *, chain: bytes) -> SealedBlock:
        """The block of all events since the last one. `chain` is the chain value at the last event."""
        header = to_json((FOLD_VERSION, self.first_seq, self.last_seq, chain.hex(), standing.lanes.keys))
        records = bytes(self.records)
        self.records.clear()
        return SealedBlock(
            fold_version=FOLD_VERSION,
            first_seq=self.first_seq,
            last_seq=self.last_seq,
            chain=chain,
            header=header,
            records=records,
            digest=digest(header, records),
        )


def digest(header: bytes, records: bytes) -> bytes:
    """The SHA-256 of a block, 32 bytes."""
    return hashlib.sha256(header + records).digest()


def opened(block: SealedBlock) -> OpenedBlock:
    """A block ready to be folded, as often as you like: hashing it takes longer than folding it compiled.

    Errors: BrokenBlock for another version of the fold, a digest that does not match, or a place that is not its own.
    """
    if block.fold_version != FOLD_VERSION:
        raise BrokenBlock(f"block {block.first_seq}: fold version {block.fold_version}, not {FOLD_VERSION}")
    if digest(block.header, block.records) != block.digest:
        raise BrokenBlock(f"block {block.first_seq}: the digest does not match")
    *place, keys = from_json(block.header)
    if place != [block.fold_version, block.first_seq, block.last_seq, block.chain.hex()]:
        raise BrokenBlock(f"block {block.first_seq}: the header tells of another place, {place}")
    return OpenedBlock(block.first_seq, block.last_seq, [tuple(key) for key in keys], block.records)


def fold_blocks(blocks: Iterable[OpenedBlock], lanes: Lanes, *, at_barrier: AtBarrier) -> None:
    """Take the lanes through blocks in plain Python. The steps run on a list, much faster than on an array.

    Errors: whatever `blocks` raises; the lanes then stand at the end of the block before.
    """
    start, end, nothing, started, barrier = lane.start, lane.end, lane.NOTHING, lane.START, lane.BARRIER
    state, places = _spread(lanes)
    try:
        for block in blocks:
            if len(block.keys) > len(lanes.keys):
                lanes.state = array("q", state)
                for key in block.keys[len(lanes.keys) :]:
                    lanes.index(key)
                state, places = _spread(lanes)
            for code, index, at_us, started_us, latency_us, retry in _RECORD.iter_unpack(block.records):
                if code == nothing:
                    continue
                if code == barrier:
                    lanes.state = array("q", state)
                    at_barrier(started_us)
                    state, places = _spread(lanes)
                    continue
                base, params = places[index]
                if code == started:
                    start(state, base, params, at_us, retry)
                else:
                    end(state, base, params, code, at_us, started_us, latency_us, retry)
    finally:
        lanes.state = array("q", state)


def _spread(lanes: Lanes) -> tuple[list[int], list[tuple[int, Params]]]:
    return list(lanes.state), [(lanes.base(index), params) for index, params in enumerate(lanes.params)]


def check_block(block: SealedBlock, rows: Iterable[Row], *, standing: Standing) -> str | None:
    """The first place at which a block disagrees with its rows, in words; None if they agree.

    `standing` is the one just before the block; it is folded through the rows.

    Errors: BrokenBlock.
    """
    header = opened(block)
    builder = BlockBuilder()
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
    return None


def _ending_record(recorded: Recorded, standing: Standing) -> Record | None:
    _, at_us, event = recorded
    if not isinstance(event, _ENDINGS):
        return None
    call = standing.calls.get(event.started_seq)
    if call is None:
        return _NOTHING
    retry = 0 if isinstance(event, CallSucceeded) else standing.tries_that_count(event)
    return (ending_code(event), call.lane, at_us, call.started_us, event.latency_us, retry)


def _other_record(recorded: Recorded, standing: Standing) -> Record:
    seq, at_us, event = recorded
    if isinstance(event, CallStarted):
        return (lane.START, standing.calls[seq].lane, at_us, 0, 0, event.retry)
    return (lane.BARRIER, 0, at_us, seq, 0, 0) if turns(event) else _NOTHING
