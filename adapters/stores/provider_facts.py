"""What a group of events comes to for providers' health: a line that is stored with it, for people who ask in SQL."""

from collections.abc import Iterator, Sequence
from typing import Final

from understudy.adapters.stores.entry import Entry
from understudy.adapters.stores.read_models import ALL, FACTS_SEQ
from understudy.events.drills import DrillEnded
from understudy.events.log import Describe
from understudy.events.operations import (
    AlertCleared,
    AlertRaised,
    EngineStarted,
    OverrideCleared,
    OverrideSet,
    PolicyActivated,
    ProbeRequested,
)
from understudy.events.row import Row

_OF_ALL: Final = frozenset({AlertCleared.kind, AlertRaised.kind, EngineStarted.kind, PolicyActivated.kind})
"""Events that may change how every provider stands: thresholds, accounts, a suspected fault of our own."""
_OF_ONE: Final = frozenset({DrillEnded.kind, OverrideCleared.kind, OverrideSet.kind, ProbeRequested.kind})


def facts_of(entries: Sequence[Entry], describe: Describe) -> Iterator[Entry]:
    """The line for a group of events, if any of them changes how a provider stands."""
    rows = [entry.row for entry in entries]
    if any(row.kind in _OF_ALL for row in rows):
        yield line_of_all(describe)
        return
    # A call that begins changes nothing but for quotes, of which a probe keeps others out.
    concerned = {
        row.provider for row in rows if row.outcome is not None or row.kind in _OF_ONE or row.operation == "quote"
    }
    concerned.discard(None)
    if concerned:
        yield _line("some", describe({provider for provider in concerned if provider is not None}))


def line_of_all(describe: Describe) -> Entry:
    """The line that tells of all providers, and of nobody else."""
    return _line(ALL, describe(None))


def _line(kind: str, payload: str) -> Entry:
    nothing = dict.fromkeys(Row._fields)
    return Entry(Row(**{**nothing, "seq": FACTS_SEQ, "at_us": 0, "kind": kind, "payload": payload}), b"", ())  # type: ignore[arg-type]
