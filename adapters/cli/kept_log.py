"""The log of a simulation: in memory while virtual time runs, written to a file in one go afterwards.

Virtual time stands still while a disk is busy, so a file written as we go would take a disk's time for every event. Its
contents are the same to the byte.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from understudy.adapters.stores import MemoryLog, SqliteLog
from understudy.events.decisions import Event
from understudy.events.log import SealedBlock, SideWrite, Snapshot
from understudy.events.row import Recorded

_WRITER: Final = "simulation"
_GROUP: Final = 5_000
"""Events that are made durable together."""


class KeptLog(MemoryLog):
    """A log in memory that remembers everything it was given."""

    def __init__(self, *, salt: bytes) -> None:
        super().__init__(salt=salt)
        self._entries: list[tuple[Recorded, Sequence[SideWrite]]] = []
        self._snapshots: list[Snapshot] = []
        self._blocks: list[SealedBlock] = []

    @property
    def lasting(self) -> bool:
        """It outlives its process, once it is written."""
        return True

    def append(self, event: Event, *, at_us: int, side: Sequence[SideWrite] = ()) -> Recorded:
        """Give an event its place, and remember it.

        Errors: as of MemoryLog.
        """
        recorded = super().append(event, at_us=at_us, side=side)
        self._entries.append((recorded, side))
        return recorded

    async def save_snapshot(self, snapshot: Snapshot) -> None:
        """Keep a snapshot, and remember it."""
        await super().save_snapshot(snapshot)
        self._snapshots.append(snapshot)

    async def save_block(self, block: SealedBlock) -> None:
        """Keep a sealed block, and remember it."""
        await super().save_block(block)
        self._blocks.append(block)

    async def write(self, path: Path) -> None:
        """Write everything to a new log in a file.

        Errors: LogUnavailable, LogInUse, NotALog, each with a sentence.
        """
        log = SqliteLog(path, stream=self.stream, salt=self.salt)
        await log.open(_WRITER)
        try:
            for (seq, at_us, event), side in self._entries:
                log.append(event, at_us=at_us, side=side)
                if seq % _GROUP == 0:
                    await log.durable(seq)
            await log.durable(len(self._entries))
            for snapshot in self._snapshots:
                await log.save_snapshot(snapshot)
            for block in self._blocks:
                await log.save_block(block)
        finally:
            await log.close()
