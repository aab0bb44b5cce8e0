"""What a crash has cut off: the last event is in the log, and what must follow it at once is not, or not all of it.

Whoever takes the log over writes that first, dated as it would have been: the log is then what it would have been
without the crash, and nobody misses an alert.
"""

from typing import Final, NamedTuple

from understudy.engine.decide import RULES_VERSION
from understudy.engine.follow_ups import due
from understudy.engine.ledger import Ledger
from understudy.engine.restore import restore
from understudy.events.alerts import BY_TIME, UNRULED
from understudy.events.calls import CallFact
from understudy.events.codec import decode, recorded
from understudy.events.decisions import Event
from understudy.events.log import LogReader
from understudy.events.operations import AlertCleared, AlertRaised, ModeChanged
from understudy.events.row import Row
from understudy.projections import lane_step as lane

_FOLLOW_UPS: Final = frozenset({AlertRaised.kind, AlertCleared.kind, ModeChanged.kind})
_MOST: Final = 64
"""More events than ever follow one at once."""
_ANYTHING: Final = lane.OPENED | lane.CLOSED | lane.REOPENED


class CutOff(NamedTuple):
    """An event that more must follow, and what its fold told of its lane."""

    event: Event
    changed: int


def cut_off(reader: LogReader, ledger: Ledger) -> CutOff | None:
    """The event at the end of a log that something is still to follow; None as a rule. `ledger` is as of that end.

    What other rules have left is theirs.

    Errors: UnreadableEvent.
    """
    standing = ledger.standing
    row = _last_cause(reader, standing.seq)
    if row is None or standing.rules_version != RULES_VERSION:
        return None
    event = decode(row)
    if due(standing, event, _ANYTHING) is None:
        return None
    if not isinstance(event, CallFact):
        return CutOff(event, 0)
    return CutOff(event, restore(reader, through=row.seq - 1).fold(recorded(row)))


def _last_cause(reader: LogReader, end: int) -> Row | None:
    """The last event but for those that follow one at once."""
    found = None
    for row in reader.rows(after=max(0, end - _MOST), through=end):
        if row.kind not in _FOLLOW_UPS:
            found = row
        elif row.kind == AlertRaised.kind and any(f'"alert":"{alert}"' in row.payload for alert in BY_TIME):
            found = None  # It follows from no event, and whatever stands before it is settled.
        elif any(f'"alert":"{alert}"' in row.payload for alert in UNRULED):
            found = None  # It comes from outside, and nothing follows it.
    return found
