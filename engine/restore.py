"""The ledger from the log: the newest snapshot that can be trusted, and every row after it."""

from collections.abc import Iterator
from hashlib import sha256

from understudy.engine.ledger import Ledger
from understudy.events.codec import skimmed
from understudy.events.log import Head, LogReader, SealedBlock, Snapshot
from understudy.projections.block import BlockBuilder
from understudy.projections.snapshot import BrokenSnapshot, dump_standing, load_standing
from understudy.projections.standing import FOLD_VERSION

_IDS_END = b"\n"
_DIGEST = 32
"""Bytes of the SHA-256 that a snapshot begins with: one flipped bit must not decide anything."""


def restore(reader: LogReader, *, through: int | None = None) -> Ledger:
    """The ledger as of `through` (the end if None)."""
    ledger = _from_snapshot(reader, through) or Ledger()
    for row in reader.rows(after=ledger.standing.seq, through=through):
        ledger.fold(skimmed(row))
    return ledger


def restored_without_rows(reader: LogReader, *, through: int) -> int:
    """Up to where `restore` is spared the rows, as far as can be told without reading anything through."""
    snapshot = reader.snapshot(fold_version=FOLD_VERSION, through=through)
    return 0 if snapshot is None else snapshot.seq


class Restoration:
    """The ledger from the log, and on the way the sealed blocks that the log does not have yet.

    Blocks cover the log without a gap: where some are missing that a snapshot would leave out, everything is folded.
    """

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._sealed = reader.sealed_through(fold_version=FOLD_VERSION)
        known = _from_snapshot(reader, None)
        self.ledger = known if known is not None and known.standing.seq <= self._sealed else Ledger()

    def blocks(self) -> Iterator[SealedBlock]:
        """Fold the rows up to the end; when this has run out, `ledger` stands there and takes further events down."""
        ledger = self.ledger
        if ledger.standing.seq >= self._sealed:
            ledger.builder = BlockBuilder()
        for row in self._reader.rows(after=ledger.standing.seq):
            ledger.fold(skimmed(row))
            if ledger.builder is None:
                if row.seq == self._sealed:
                    ledger.builder = BlockBuilder()
            elif ledger.builder.full:
                yield ledger.builder.seal(ledger.standing, chain=self._reader.chain_at(row.seq) or b"")
        ledger.builder = ledger.builder or BlockBuilder()


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


def _from_snapshot(reader: LogReader, through: int | None) -> Ledger | None:
    snapshot = reader.snapshot(fold_version=FOLD_VERSION, through=through)
    if snapshot is None or reader.chain_at(snapshot.seq) != snapshot.chain:
        return None
    digest, whole = snapshot.content[:_DIGEST], snapshot.content[_DIGEST:]
    if sha256(whole).digest() != digest:
        return None
    ids, _, content = whole.partition(_IDS_END)
    try:
        ledger = Ledger(standing=load_standing(content))
    except BrokenSnapshot:
        return None  # The rows have it all.
    unsettled = Ledger()
    for request_id in ids.decode().split(","):
        for row in reader.request_rows(request_id) if request_id else ():
            if row.seq <= snapshot.seq:
                unsettled.fold(skimmed(row))
    ledger.requests = unsettled.requests
    return ledger
