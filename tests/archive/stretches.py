"""Logs to archive, and what must be true of a log and its archive together."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.engine.caches import digest
from understudy.engine.restore import restore
from understudy.events.row import Recorded
from understudy.replay.verify import verify


def write(path: Path, recorded: Sequence[Recorded]) -> None:
    """Write a log of these events."""

    async def append() -> None:
        log = SqliteLog(path)
        await log.open("tester")
        for one in recorded:
            log.append(one.event, at_us=one.at_us)
        await log.close()

    asyncio.run(append())


class Original:
    """What a log was before anything was archived of it."""

    def __init__(self, path: Path) -> None:
        with SqliteReader.open(path) as reader:
            self.rows = list(reader.rows())
            self.head = reader.head()
            self.verification = verify(reader)
            self.standing = digest(restore(reader))
            ids = list(dict.fromkeys(row.request_id for row in self.rows if row.request_id))
            self.requests = {one: reader.request_rows(one) for one in ids[:: max(1, len(ids) // 3)]}

    def assert_kept(self, path: Path, *, archive: Path | None = None) -> None:
        """Archive and log as one hold every event exactly once, and come to the same."""
        with SqliteReader.open(path, archive=archive) as reader:
            assert list(reader.rows(through=self.head.seq)) == self.rows
            assert [link.seq for link in reader.links()] == list(range(1, reader.head().seq + 1))
            assert reader.chain_at(self.head.seq) == self.head.chain
            assert verify(reader, through=self.head.seq) == self.verification
            assert digest(restore(reader, through=self.head.seq)) == self.standing
            cut = list(reader.rows(after=reader.archived_through - 1, through=reader.archived_through))
            assert {row.kind for row in cut} <= {"request_accepted.v1"}, "nothing may be due at a cut"
            for request_id, rows in self.requests.items():
                assert reader.request_rows(request_id) == rows

    def assert_goes_on_without(self, path: Path, *, elsewhere: Path) -> None:
        """With no archive at hand, the standing is the same, and what was not archived verifies."""
        with SqliteReader.open(path, archive=elsewhere) as reader:
            assert digest(restore(reader, through=self.head.seq)) == self.standing
            found = verify(reader, after=reader.archived_through)
            assert found.broken is None
            if self.verification.ok:
                assert found.ok, found.first_difference


def in_the_database(path: Path) -> list[int]:
    """The events whose rows stand in the database itself."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return [seq for (seq,) in connection.execute("SELECT seq FROM events ORDER BY seq")]
