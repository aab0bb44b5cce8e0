"""What snapshots and sealed blocks tell of the ledger, where they can be trusted.

One is trusted if it is whole by its own digest, of this version of the fold, and if the chain value at its end is that
of the rows. What it merely names (open calls, unsettled requests, changes of policy) is read from the rows.
"""

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final

from understudy.engine.ledger import Ledger
from understudy.engine.request_state import OpenState
from understudy.events.calls import CallStarted
from understudy.events.codec import decode, skimmed
from understudy.events.log import Head, LogReader, SealedBlock, Snapshot
from understudy.events.policy import Policy
from understudy.events.row import Row
from understudy.projections.block import (
    BLOCK_EVENTS,
    BrokenBlock,
    OpenedBlock,
    is_milestone,
    milestone_seqs,
    opened,
)
from understudy.projections.lanes import Lanes
from understudy.projections.open_call import OpenCall
from understudy.projections.provider_record import StockBelief
from understudy.projections.rest import beliefs, standing_of
from understudy.projections.snapshot import BrokenSnapshot, dump_standing, load_standing
from understudy.projections.standing import FOLD_VERSION

_IDS_END: Final = b"\n"
_DIGEST: Final = 32
"""Bytes of the SHA-256 that a snapshot begins with: one flipped bit must not decide anything."""


def dump(ledger: Ledger, head: Head) -> Snapshot:
    """A snapshot: a digest, the ids of unsettled requests (their own rows restore them), and the standing."""
    content = _content(ledger)
    return Snapshot(
        fold_version=FOLD_VERSION, seq=head.seq, chain=head.chain, content=sha256(content).digest() + content
    )


def digest(ledger: Ledger) -> bytes:
    """What tells one ledger from another: equal ones have the same, 32 bytes."""
    return sha256(_content(ledger)).digest()


def _content(ledger: Ledger) -> bytes:
    return ",".join(ledger.requests).encode() + _IDS_END + dump_standing(ledger.standing)


def told_in_full(reader: LogReader, *, through: int) -> Ledger:
    """The ledger at the newest place up to `through` that a snapshot or a milestone tells; else an empty one."""
    known = _from_snapshot(reader, through) or Ledger()
    milestones = milestone_seqs(after=known.standing.seq, through=through)
    found = (_from_milestone(reader, seq, through=through) for seq in milestones)
    return next((ledger for ledger in found if ledger is not None), known)


def trusted_blocks(reader: LogReader, *, after: int, through: int) -> Iterator[OpenedBlock]:
    """The blocks that begin right after a place and follow one another, up to the first that cannot be trusted."""
    for block in reader.blocks(fold_version=FOLD_VERSION, after=after):
        if block.first_seq <= after:
            continue  # Another one has told that.
        found = _checked(reader, block) if block.first_seq == after + 1 and block.last_seq <= through else None
        if found is None:
            return
        after = block.last_seq
        yield found


def at_the_end_of(block: OpenedBlock, reader: LogReader, *, lanes: Lanes, stock: dict[str, StockBelief]) -> Ledger:
    """The ledger at the end of a block, where lanes and stock are known already.

    Errors: BrokenBlock if the block tells what the rows do not; UnreadableEvent.
    """
    try:
        calls = {seq: _open_call(reader, seq, lane=index) for seq, index in block.rest["calls"]}
        standing = standing_of(block.rest, policy=lanes.policy, lanes=lanes, calls=calls, stock=stock)
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenBlock(f"block {block.first_seq} is not of this log: {error}") from error
    return Ledger(standing, _requests(reader, block.unsettled, through=block.last_seq))


def row_at(reader: LogReader, seq: int) -> Row:
    """The row of an event that a block names.

    Errors: BrokenBlock if there is none.
    """
    row = reader.row(seq)
    if row is None:
        raise BrokenBlock(f"event {seq} is missing")
    return row


def _from_snapshot(reader: LogReader, through: int) -> Ledger | None:
    snapshot = reader.snapshot(fold_version=FOLD_VERSION, through=through)
    if snapshot is None or reader.chain_at(snapshot.seq) != snapshot.chain:
        return None
    digest, whole = snapshot.content[:_DIGEST], snapshot.content[_DIGEST:]
    if sha256(whole).digest() != digest:
        return None
    ids, _, content = whole.partition(_IDS_END)
    try:
        unsettled = [request_id for request_id in ids.decode().split(",") if request_id]
        standing = load_standing(content)
    except (BrokenSnapshot, UnicodeDecodeError):
        return None
    return Ledger(standing, _requests(reader, unsettled, through=snapshot.seq))


def _from_milestone(reader: LogReader, seq: int, *, through: int) -> Ledger | None:
    """From the block that reaches `seq`, if it is one to be trusted and ends in time."""
    for block in reader.blocks(fold_version=FOLD_VERSION, after=seq - 2 * BLOCK_EVENTS):
        if block.last_seq >= seq:
            found = _checked(reader, block) if block.last_seq <= through and is_milestone(block) else None
            return None if found is None else _at_milestone(reader, found)
    return None


def _at_milestone(reader: LogReader, block: OpenedBlock) -> Ledger | None:
    try:
        policy = Policy.model_validate(block.rest["policy"])
        rest = block.rest
        drilled, aside = rest["drills"], rest.get("undrilled_words", ())
        lanes = Lanes.restored(policy, keys=block.keys, state=rest["words"], drilled=drilled, undrilled=aside)
        return at_the_end_of(block, reader, lanes=lanes, stock=beliefs(block.rest["stock"]))
    except (KeyError, TypeError, ValueError):
        return None


def _open_call(reader: LogReader, seq: int, *, lane: int) -> OpenCall:
    row = row_at(reader, seq)
    started = decode(row)
    if not isinstance(started, CallStarted):
        raise BrokenBlock(f"event {seq} is no start of a call")
    return OpenCall(lane, row.at_us, started)


def _requests(reader: LogReader, unsettled: Iterable[str], *, through: int) -> dict[str, OpenState]:
    """What unsettled requests have become up to a place, by their own rows."""
    ledger = Ledger()
    for request_id in unsettled:
        for row in reader.request_rows(request_id):
            if row.seq <= through:
                ledger.fold(skimmed(row))
    return ledger.requests


def _checked(reader: LogReader, block: SealedBlock) -> OpenedBlock | None:
    """A block that can be trusted; None if it is broken, of another fold, or of another log."""
    try:
        return opened(block) if reader.chain_at(block.last_seq) == block.chain else None
    except BrokenBlock:
        return None
