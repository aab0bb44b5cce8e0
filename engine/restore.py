"""The ledger from the log: the newest snapshot that can be trusted, and every row after it."""

from understudy.engine.ledger import Ledger
from understudy.events.codec import recorded
from understudy.events.log import Head, LogReader, Snapshot
from understudy.projections.snapshot import dump_standing, load_standing
from understudy.projections.standing import FOLD_VERSION

_IDS_END = b"\n"


def restore(reader: LogReader, *, through: int | None = None) -> Ledger:
    """The ledger as of `through` (the end if None)."""
    ledger = _from_snapshot(reader, through) or Ledger()
    for row in reader.rows(after=ledger.standing.seq, through=through):
        ledger.fold(recorded(row))
    return ledger


def dump(ledger: Ledger, head: Head) -> Snapshot:
    """A snapshot: the ids of unsettled requests (their own rows restore them), and the standing."""
    ids = ",".join(ledger.requests).encode()
    content = ids + _IDS_END + dump_standing(ledger.standing)
    return Snapshot(fold_version=FOLD_VERSION, seq=head.seq, chain=head.chain, content=content)


def _from_snapshot(reader: LogReader, through: int | None) -> Ledger | None:
    snapshot = reader.snapshot(fold_version=FOLD_VERSION, through=through)
    if snapshot is None or reader.chain_at(snapshot.seq) != snapshot.chain:
        return None
    ids, _, content = snapshot.content.partition(_IDS_END)
    ledger = Ledger(standing=load_standing(content))
    unsettled = Ledger()
    for request_id in ids.decode().split(","):
        for row in reader.request_rows(request_id) if request_id else ():
            if row.seq <= snapshot.seq:
                unsettled.fold(recorded(row))
    ledger.requests = unsettled.requests
    return ledger
