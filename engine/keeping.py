"""What is kept besides the rows: sealed blocks, and a snapshot now and then. All of it can be made anew."""

from collections import deque
from typing import Final

from understudy.engine.caches import dump
from understudy.engine.journal import Journal
from understudy.engine.runner import Runner
from understudy.events.errors import LogUnavailable
from understudy.events.log import SealedBlock, Snapshot

BLOCKS_A_SNAPSHOT: Final = 4
"""Sealed blocks between two snapshots: 16,384 events are folded in a quarter of a second, by the next start after a
crash and by everybody who asks for the status meanwhile; a snapshot takes one to seven milliseconds."""


class Keeper:
    """Writes blocks and snapshots behind the events that they are made of, in order and one at a time.

    A snapshot is of the very place where a block ends, so that the two together leave no gap.
    """

    def __init__(self, journal: Journal, runner: Runner) -> None:
        self._journal = journal
        self._runner = runner
        self._waiting: deque[tuple[SealedBlock, Snapshot | None]] = deque()
        self._taken = 0
        self._writing = False

    def take(self, block: SealedBlock) -> None:
        """Keep a block that has just been sealed, in the background."""
        journal = self._journal
        self._taken += 1
        snapshot = dump(journal.ledger, journal.log.head) if self._taken % BLOCKS_A_SNAPSHOT == 0 else None
        self._waiting.append((block, snapshot))
        if not self._writing:
            self._writing = True
            self._runner.spawn(self._write_behind(), name="keep sealed blocks")

    async def finish(self) -> None:
        """Keep all that is waiting, what is left to seal, and a snapshot of the end, if the log outlives us."""
        journal = self._journal
        if not journal.log.lasting:
            return
        journal.keep = lambda block: self._waiting.append((block, dump(journal.ledger, journal.log.head)))
        journal.seal()
        await self._write()

    async def _write_behind(self) -> None:
        try:
            await self._write()
        except LogUnavailable:
            return  # Callers are told; what waits is written later, or made anew from the rows at the next start.
        finally:
            self._writing = False

    async def _write(self) -> None:
        while self._waiting:
            block, snapshot = self._waiting[0]
            await self._journal.log.save_block(block)
            if snapshot is not None:
                await self._journal.log.save_snapshot(snapshot)
            self._waiting.popleft()
