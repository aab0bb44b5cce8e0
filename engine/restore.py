"""The ledger from the log: the newest place that is told in full, the sealed blocks after it, and rows for the rest."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from understudy.engine.caches import at_the_end_of, row_at, told_in_full, trusted_blocks
from understudy.engine.ledger import Ledger
from understudy.events.codec import recorded, skimmed
from understudy.events.log import LogReader, SealedBlock
from understudy.projections.block import BlockBuilder, BrokenBlock, fold_blocks
from understudy.projections.lanes import turn
from understudy.projections.rest import beliefs
from understudy.projections.standing import FOLD_VERSION

BLOCKS_A_PIECE: Final = 4
ROWS_A_PIECE: Final = 256
"""What is folded at a time takes some ten milliseconds: between two pieces, others may have their turn."""


def restore(
    reader: LogReader, *, through: int | None = None, progress: Callable[[int, int], None] = lambda _, __: None
) -> Ledger:
    """The ledger as of `through` (the end if None). `progress` is told up to which event it is, and of how many.

    Errors: UnreadableEvent if an event that it builds on cannot be read.
    """
    restoration = Restoration(reader, through=through)
    for _ in restoration.pieces():
        progress(restoration.seq, restoration.end)
    return restoration.ledger


def restored_without_rows(reader: LogReader, *, through: int) -> int:
    """Up to where `restore` is spared the rows, as far as can be told without reading anything through."""
    snapshot = reader.snapshot(fold_version=FOLD_VERSION, through=through)
    sealed = min(through, reader.sealed_through(fold_version=FOLD_VERSION))
    return max(sealed, snapshot.seq if snapshot else 0)


class Restoration:
    """The ledger as of a place in the log, folded piece by piece: `seq` tells how far it is, `end` how far it goes.

    With a `builder`, blocks are made where there are none that can be trusted, so that from where it begins they cover
    the log without a gap; the ledger then takes further events down in it.
    """

    def __init__(self, reader: LogReader, *, through: int | None = None, builder: BlockBuilder | None = None) -> None:
        self._reader = reader
        self._builder = builder
        self.end = reader.head().seq if through is None else through
        self._base = min(self.end, reader.archived_through)
        sealed = min(self.end, reader.sealed_through(fold_version=FOLD_VERSION))
        self.ledger = told_in_full(reader, through=self.end if builder is None else max(sealed, self._base))
        self.seq = self.ledger.standing.seq
        self.rows_ahead = self.end - max(self.seq, sealed)
        """How many events must be read as rows, if all blocks can be trusted."""

    def pieces(self) -> Iterator[SealedBlock | None]:
        """Fold up to the end: tells of each block that it makes, and of nothing after any other piece.

        Errors: UnreadableEvent.
        """
        try:
            while self.seq < self.end:
                yield from self._fold_blocks()
                place = self._next_block()
                yield from self._fold_rows(place)
                if self.seq < place:  # Rows are missing there, and what was sealed after them is of no use.
                    yield from self._fold_rows(self.end)
                    break
        except BrokenBlock:  # One that is whole, and not of these rows.
            self.ledger = told_in_full(self._reader, through=self._base)
            self.seq = self.ledger.standing.seq
            self._builder = self._builder and BlockBuilder()
            yield from self._fold_rows(self.end)
        self.ledger.builder = self._builder

    def _fold_blocks(self) -> Iterator[None]:
        reader, standing = self._reader, self.ledger.standing
        lanes, stock = standing.lanes, standing.stock
        blocks = trusted_blocks(reader, after=self.seq, through=self.end)
        last = None
        while piece := list(islice(blocks, BLOCKS_A_PIECE)):
            fold_blocks(piece, lanes, at_barrier=lambda seq: turn(lanes, recorded(row_at(reader, seq))))
            for last in piece:
                stock.update(beliefs(last.rest["stock"]))
            self.seq = piece[-1].last_seq
            yield None
        if last is not None:
            self.ledger = at_the_end_of(last, reader, lanes=lanes, stock=stock)

    def _next_block(self) -> int:
        """The place before the next block that may be trusted, or the end: so far the rows must serve."""
        following = self._reader.blocks(fold_version=FOLD_VERSION, after=self.seq + 1)
        return min([self.end, *(block.first_seq - 1 for block in islice(following, 1))])

    def _fold_rows(self, through: int) -> Iterator[SealedBlock | None]:
        ledger, builder = self.ledger, self._builder
        ledger.builder = builder
        for count, row in enumerate(self._reader.rows(after=self.seq, through=through), start=1):
            ledger.fold(skimmed(row))
            self.seq = row.seq
            if builder is not None and (builder.full or row.seq == through < self.end):
                chain = self._reader.chain_at(row.seq) or b""
                yield builder.seal(ledger.standing, chain=chain, unsettled=ledger.requests)
            elif count % ROWS_A_PIECE == 0:
                yield None
