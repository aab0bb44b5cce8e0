"""Where a log may be cut in two: the older part is archived, the younger one goes on from a snapshot."""

from typing import Final

from understudy.events.log import LogReader
from understudy.events.requests import RequestAccepted

LEFT: Final = 64
"""Events that stay at least: a start looks at the last ones to see whether a crash has cut something off."""
_LOOK: Final = 4_096


def cut_of(reader: LogReader, *, before_us: int) -> int:
    """The last event that may be archived: an acceptance, after which nothing but the standing is needed to go on.

    It is older than `before_us`. Where there is none, it is what is archived already.
    """
    done = reader.archived_through
    limit = min(reader.seq_at(at_us=before_us - 1), reader.head().seq - LEFT)
    return seam_up_to(reader, limit, after=done) or done


def seam_up_to(reader: LogReader, limit: int, *, after: int) -> int | None:
    """The last acceptance behind `after` and up to `limit`; None if there is none."""
    end = limit
    while end > after:
        start = max(after, end - _LOOK)
        accepted = [row.seq for row in reader.rows(after=start, through=end) if row.kind == RequestAccepted.kind]
        if accepted:
            return accepted[-1]
        end = start
    return None
