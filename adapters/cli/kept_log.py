"""The log of a simulation: in memory while virtual time runs, written to a file in one go afterwards.

Virtual time stands still while a disk is busy, so a file written as we go would take a disk's time for every event. Its
contents are the same to the byte.
"""

from collections.abc import Collection, Sequence
from json import dumps, loads
from pathlib import Path
from typing import Final

from understudy.adapters.stores import MemoryLog, SqliteLog
from understudy.events.decisions import Event
from understudy.events.log import Describe, SealedBlock, SideWrite, Snapshot
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
        self._describe: Describe | None = None

    @property
    def lasting(self) -> bool:
        """It outlives its process, once it is written."""
        return True

    def describe_with(self, describe: Describe) -> None:
        """Remember who tells of providers: what they have come to in the end goes to the file, too."""
        self._describe = describe

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
            if self._describe is not None:
                log.describe_with(self._told_at_the_end)
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

    def _told_at_the_end(self, providers: Collection[str] | None) -> str:
        """The facts of providers, which are judged as at the end: our time does not go on for them."""
        if self._describe is None or not self._entries:
            return "[]"
        end_us = self._entries[-1][0].at_us
        return dumps(
            [{**facts, "as_of_us": end_us} for facts in loads(self._describe(providers))], separators=(",", ":")
        )
