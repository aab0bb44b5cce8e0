"""Stores to test, and events to put into them."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

from hypothesis import strategies as st

from understudy.adapters.stores import MemoryLog, SqliteLog, put_command
from understudy.events.calls import CallFailed, CallStarted, CallSucceeded
from understudy.events.chain import genesis
from understudy.events.fact import Fact
from understudy.events.log import ClaimKey, LogReader
from understudy.events.operations import AlertRaised
from understudy.events.requests import RequestAccepted
from understudy.events.vocabulary import Effect, FailureKind

NOON = 1_700_000_000_000_000
Log = MemoryLog | SqliteLog


class MemoryStore:
    """A log in memory that is closed and opened again as the same object."""

    def __init__(self, folder: Path) -> None:
        self._log = MemoryLog()

    def log(self) -> MemoryLog:
        return self._log

    def put_command(self, body: str) -> int:
        return self._log.put_command(body)


class SqliteStore:
    """A log in a file: every opening is by a new object, as after a restart."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "calls ü.db"

    def log(self) -> SqliteLog:
        return SqliteLog(self.path)

    def put_command(self, body: str) -> int:
        return put_command(self.path, body)


Store = MemoryStore | SqliteStore
STORES: Sequence[Callable[[Path], Store]] = (MemoryStore, SqliteStore)


def names(folder: Path) -> list[str]:
    """What lies in a folder, in order."""
    return sorted(path.name for path in folder.iterdir())


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop go on until something holds, for at most 20 seconds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - There is no event for what the store does in its thread.
            await asyncio.sleep(0)


def accepted(request_id: str = "r1", *, body: str = "hello") -> RequestAccepted:
    return RequestAccepted(
        request_id=request_id, operation="rent", effect=Effect.ONCE, deadline_at_us=NOON + 1, body=body
    )


def alert(number: int = 1) -> AlertRaised:
    return AlertRaised(alert="suspended", subject=f"r{number}", message="look")


def claim(key: str = "k", *, request_id: str = "r1", expires_at_us: int = NOON + 100) -> ClaimKey:
    return ClaimKey(
        principal="p",
        operation="rent",
        key=key,
        body_hash="h",
        request_id=request_id,
        expires_at_us=expires_at_us,
    )


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_NAMES = st.none() | _TEXT
_COUNTS = st.integers(min_value=0, max_value=2**62)


def facts() -> st.SearchStrategy[Fact]:
    """Events with every column set in some of them, and with all characters there are."""
    context = {
        "request_id": _NAMES,
        "provider": _TEXT,
        "operation": _TEXT,
        "attempt": _COUNTS,
        "retry": _COUNTS,
        "service": _NAMES,
        "country": _NAMES,
        "rental_id": _NAMES,
        "pair": _NAMES,
    }
    return st.one_of(
        st.builds(accepted, _TEXT, body=_TEXT),
        st.builds(CallStarted, key=_TEXT, deadline_at_us=_COUNTS, **context),
        st.builds(CallSucceeded, started_seq=_COUNTS, latency_us=_COUNTS, reference=_NAMES, **context),
        st.builds(
            CallFailed,
            started_seq=_COUNTS,
            latency_us=_COUNTS,
            outcome=st.sampled_from(FailureKind),
            message=_NAMES,
            **context,
        ),
    )


def assert_whole(reader: LogReader) -> int:
    """Recompute the chain as an auditor would; how many events there are."""
    value = genesis(reader.stream)
    count = 0
    for link in reader.links():
        count += 1
        assert link.seq == count
        value = hashlib.sha256(value + link.body).digest()
        assert link.chain == value, f"event {link.seq} does not fit"
    assert reader.head() == (count, value)
    return count
