"""Was the log changed, and would we decide the same again? Asked of the rows alone, never of a cache.

The chain is recomputed over every row. Then the engine's own fold runs over the rows, and at each event that the
engine chose (decisions, calls, waits, ends of requests, alerts) the rules are asked again, with what was known there:
the result must be the same to the byte.

Both can be done in parts, by several workers, and summed up: a link of the chain needs but the one before, and a part
of the decisions begins with the ledger at its place as the log's caches tell it. That is not believed: whoever
recomputes the part before must end with the very same ledger (`handed_over`), else the parts are worth nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple, TypeVar

from understudy.engine.caches import digest
from understudy.engine.errors import BrokenRule
from understudy.engine.ledger import Ledger
from understudy.engine.restore import restore
from understudy.events.chain import link
from understudy.events.errors import UnreadableEvent
from understudy.events.log import Link, LogReader
from understudy.events.requests import RequestAccepted
from understudy.replay.recompute import Difference, Recomputation

__all__ = [
    "Breakage",
    "ChainChecked",
    "Difference",
    "Recomputed",
    "Verification",
    "check_chain",
    "handed_over",
    "recompute",
    "seam",
    "summed_up",
    "verify",
]

Part = TypeVar("Part", "ChainChecked", "Recomputed")
Progress = Callable[[int], None]

_LONGEST: Final = 300
"""Characters of an error that are shown."""
PROGRESS_EVERY: Final = 10_000
_SEAM_WITHIN: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakage:
    """The first place where the log is not what was written: an event's seq, and what is wrong there."""

    seq: int
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What verifying a log found.

    Shape:  `identical` counts decisions recomputed to the byte and `steps` all chosen events that were; `differs`
            counts chosen events that come out otherwise. `other_rules` were made under another rules version,
            `input_missing` lack what they were decided on.
    """

    stream: str
    events: int
    head_seq: int
    head_chain: str
    broken: Breakage | None
    steps: int
    identical: int
    differs: int
    other_rules: int
    input_missing: int
    first_difference: Difference | None

    @property
    def ok(self) -> bool:
        """Whether the log is intact and every decision comes out the same."""
        return self.broken is None and self.differs == 0 and self.input_missing == 0


class ChainChecked(NamedTuple):
    """What a part of the chain is found to be: how many events, the first fault, and the last stored chain value.

    Shape:  `unreadable` tells that the file could not be read further than so many events.
    """

    events: int
    broken: Breakage | None
    chain: bytes
    unreadable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recomputed:
    """What recomputing a part of the decisions found, counted as in `Verification`; it ends where it is unreadable.

    Shape:  `began` and `ended` are digests of the ledger before its first event and after its last; None where there is
            no such ledger, or where more was due than it tells.
    """

    steps: int
    identical: int
    differs: int
    other_rules: int
    input_missing: int
    first_difference: Difference | None
    unreadable: Breakage | None
    began: bytes | None
    ended: bytes | None


def verify(
    reader: LogReader, *, after: int = 0, through: int | None = None, progress: Progress | None = None
) -> Verification:
    """Recompute the chain and every chosen event of a stream, up to `through` (the end if None).

    It begins `after` an event at which nothing is due, and believes what the caches tell of the standing there: 0, but
    for a log whose archive is not at hand. `progress` is told how many events have been checked; both passes count.
    """
    end = reader.head().seq if through is None else through
    chain = check_chain(reader, after=after, through=end, progress=progress)
    later = None if progress is None else lambda done: progress(chain.events + done)
    recomputed = recompute(reader, after=after, through=end, progress=later)
    return summed_up(reader.stream, end, chains=[chain], recomputed=[recomputed])


def check_chain(reader: LogReader, *, after: int = 0, through: int, progress: Progress | None = None) -> ChainChecked:
    """Count the events after a place and find the first that is missing, changed or unreadable.

    Errors: ValueError if there is no event `after`.
    """
    previous = reader.chain_at(after)
    if previous is None:
        raise ValueError(f"there is no event {after} to begin after")
    count = after
    broken: Breakage | None = None
    try:
        for found in reader.links(after=after, through=through):
            count += 1
            if found.seq != count or not found.follows(previous):
                broken = broken or _fault(reader, found, previous, count)
            previous = found.chain if type(found.chain) is bytes else b""
            if progress is not None and (count - after) % PROGRESS_EVERY == 0:
                progress(count - after)
    except UnreadableEvent as error:
        fault = broken or Breakage(seq=count + 1, what=str(error)[:_LONGEST])
        return ChainChecked(count - after, fault, previous, unreadable=True)
    if broken is None and count < through:
        broken = Breakage(seq=count + 1, what=f"the log ends after event {count}; {through} were expected")
    return ChainChecked(count - after, broken, previous)


def _fault(reader: LogReader, found: Link, previous: bytes, expected: int) -> Breakage | None:
    if found.seq > expected:
        return Breakage(seq=expected, what=f"the event is missing; the next one there is {found.seq}")
    if found.seq < expected:
        return Breakage(seq=expected, what=f"event {found.seq} stands in its place")
    if _really_follows(reader, found.seq, previous, found.chain):
        return None
    return Breakage(seq=found.seq, what="the event or its chain value is not what was written")


def _really_follows(reader: LogReader, seq: int, previous: bytes, chain: bytes) -> bool:
    """The slow way, over the row itself: a store may write the JSON of odd characters otherwise than we do."""
    try:
        return any(link(previous, row) == chain for row in reader.rows(after=seq - 1, through=seq))
    except UnreadableEvent:
        return False


def recompute(reader: LogReader, *, after: int = 0, through: int, progress: Progress | None = None) -> Recomputed:
    """Recompute every chosen event after a place, which must be the start or a `seam`.

    `progress` is told how many rows have been read.
    """
    begun = _ledger_at(reader, after)
    if begun is None:
        return _recomputed(Recomputation(), began=None, unreadable=None)
    began = digest(begun)
    recomputation = Recomputation(begun)
    unreadable: Breakage | None = None
    try:
        for count, row in enumerate(reader.rows(after=after, through=through), start=1):
            recomputation.take(row)
            if progress is not None and count % PROGRESS_EVERY == 0:
                progress(count)
    except UnreadableEvent as error:
        unreadable = Breakage(seq=recomputation.ledger.standing.seq + 1, what=str(error))
    return _recomputed(recomputation, began=began, unreadable=unreadable)


def _ledger_at(reader: LogReader, seq: int) -> Ledger | None:
    """The ledger at a place, as the log's caches and the rows after them tell; None if they do not."""
    if seq == 0:
        return Ledger()
    try:
        return restore(reader, through=seq)
    except (BrokenRule, LookupError, UnreadableEvent):  # Rows that no engine has written so: one process will tell.
        return None


def _recomputed(done: Recomputation, *, began: bytes | None, unreadable: Breakage | None) -> Recomputed:
    return Recomputed(
        steps=done.steps,
        identical=done.identical,
        differs=done.differs,
        other_rules=done.other_rules,
        input_missing=done.input_missing,
        first_difference=done.first_difference,
        unreadable=unreadable,
        began=began,
        ended=None if unreadable or done.is_due else digest(done.ledger),
    )


def handed_over(parts: Sequence[Recomputed]) -> bool:
    """Whether each part began with the very ledger that the part before ended with, as far as the log can be read."""
    return all(before.ended == after.began is not None for before, after in pairwise(_readable(parts)))


def seam(reader: LogReader, *, near: int, through: int) -> int | None:
    """A place soon after `near` at which the decisions can be taken apart: an acceptance; None if there is none.

    After an acceptance no alert is due, so that nothing but the ledger is needed to go on.
    """
    for row in reader.rows(after=near, through=min(through, near + _SEAM_WITHIN)):
        if row.kind == RequestAccepted.kind:
            return row.seq
    return None


def summed_up(
    stream: str, end: int, *, chains: Sequence[ChainChecked], recomputed: Sequence[Recomputed]
) -> Verification:
    """What the parts add up to, given in the order of the log; what follows an unreadable event does not count."""
    parts, chains = list(_readable(recomputed)), list(_readable(chains))
    return Verification(
        stream=stream,
        events=sum(part.events for part in chains),
        head_seq=end,
        head_chain=chains[-1].chain.hex(),
        broken=next((part.broken for part in chains if part.broken), None) or parts[-1].unreadable,
        steps=sum(part.steps for part in parts),
        identical=sum(part.identical for part in parts),
        differs=sum(part.differs for part in parts),
        other_rules=sum(part.other_rules for part in parts),
        input_missing=sum(part.input_missing for part in parts),
        first_difference=next((part.first_difference for part in parts if part.first_difference), None),
    )


def _readable(parts: Sequence[Part]) -> Iterator[Part]:
    """The parts up to the first that cannot be read to its end; what follows that does not count."""
    for part in parts:
        yield part
        if part.unreadable:
            return
