"""The end of a log, once what an engine builds on is seen to be what was written."""

import sqlite3
from typing import Final

from understudy.adapters.stores.table_reader import TableReader
from understudy.events.errors import LogUnavailable, UnreadableEvent
from understudy.events.log import Head

LOOKED_BACK: Final = 65_536
"""Events that are checked at most: more than the newest snapshot is ever behind, and a quarter of a second."""

_CUT: Final = (
    "SELECT max(json_extract(payload, '$.last_seq')) FROM events"
    " WHERE kind = 'segment_archived.v1' AND request_id IS NULL AND stream = ?"
)
"""What comes before has been archived, and its rows are gone, or most of them."""
_SNAPSHOT: Final = "SELECT max(seq) FROM snapshots WHERE stream = ? AND seq < ?"


def checked_head(connection: sqlite3.Connection, stream: str) -> Head:
    """The end of a stream, once its events since the newest snapshot, the last one at least, are seen to fit.

    All others are checked by `understudy verify` only: an engine starts without reading them.
    Errors: LogUnavailable naming the first event that does not fit.
    """
    reader = TableReader(connection, stream=stream)
    head = reader.head()
    (snapshot,) = connection.execute(_SNAPSHOT, (stream, head.seq)).fetchone()
    (cut,) = connection.execute(_CUT, (stream,)).fetchone()
    seq = max(snapshot or 0, head.seq - LOOKED_BACK, cut or 0)
    chain = reader.chain_at(seq)
    try:
        for link in reader.links(after=seq):
            if chain is None or link.seq != seq + 1 or not link.follows(chain):
                raise LogUnavailable(_broken(f"event {link.seq} does not fit the one before it"))
            seq, chain = link.seq, link.chain
    except UnreadableEvent as error:
        raise LogUnavailable(_broken(str(error))) from error
    return head


def _broken(what: str) -> str:
    return (
        f"the end of the log is damaged: {what}; nothing is appended to a damaged log: run `understudy verify` on a"
        " copy, and restore a backup or begin a new file"
    )
