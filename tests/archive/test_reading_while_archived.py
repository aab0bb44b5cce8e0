"""A reader that was open before rows went to the archive finds each of them all the same, in every way of asking."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import pytest
from archive.test_archiving import HOUR_MS, ends_at

from understudy.adapters.archive import archive
from understudy.adapters.stores import SqliteReader, event_search, request_search, table_reader
from understudy.adapters.stores.event_search import Wanted
from understudy.adapters.stores.request_search import RequestsWanted
from understudy.replay.verify import verify

# The log that they share is made once.
pytestmark = pytest.mark.xdist_group("archive")

WANTED = Wanted(kinds=("call_started",))
ALL_CALLS = "SELECT count(*) FROM provider_requests"


def cut(path: Path, *, hours: float) -> None:
    """Archive what is older, and see the rows removed."""
    assert archive(path, older_than_ms=int(hours * HOUR_MS), now_us=ends_at(path)).events > 0


def calls_counted(reader: SqliteReader) -> tuple[int]:
    with reader.tables_since(0) as tables:
        found: tuple[int] = tables.execute(ALL_CALLS).fetchone()
        return found


ASKED: dict[str, Callable[[SqliteReader, int], object]] = {
    "rows": lambda reader, end: list(reader.rows(through=end)),
    "links": lambda reader, end: list(reader.links(through=end)),
    "each row": lambda reader, end: [reader.row(seq) for seq in range(1, end + 1, 9)],
    "each place": lambda reader, end: [reader.chain_at(seq) for seq in range(1, end + 1, 9)],
    "an instant": lambda reader, _: reader.seq_at(at_us=1_767_225_600_000_000 + HOUR_MS * 1_000),
    "what is wanted": lambda reader, end: list(reader.search(WANTED, through=end)),
    "the newest": lambda reader, end: reader.before_newest(WANTED, 5, through=end),
    "requests": lambda reader, end: list(reader.newest_requests(RequestsWanted(), through=end)),
    "beginnings": lambda reader, _: reader.requests_beginning("6"),
    "operations": lambda reader, _: sorted(reader.operations_called()),
    "tables": lambda reader, _: calls_counted(reader),
    "verification": lambda reader, end: verify(reader, through=end),
}


def test_a_question_is_answered_as_before(old_log: Path) -> None:
    with ExitStack() as open_ones:

        def opened() -> dict[str, SqliteReader]:
            return {name: open_ones.enter_context(SqliteReader.open(old_log)) for name in ASKED}

        readers = opened()
        end = readers["rows"].head().seq
        before = {name: ask(readers[name], end) for name, ask in ASKED.items()}
        assert all(before.values()), "or the test shows nothing"
        for hours in (3.0, 0.5):
            readers |= {f"{name}, {hours} h": one for name, one in opened().items()}
            cut(old_log, hours=hours)
        for name, reader in readers.items():
            asked = name.partition(",")[0]
            assert ASKED[asked](reader, end) == before[asked], name


BEGUN: dict[str, Callable[[SqliteReader, int], Iterator[object]]] = {
    "rows": lambda reader, end: reader.rows(through=end),
    "links": lambda reader, end: reader.links(through=end),
    "from later on": lambda reader, end: reader.rows(after=20, through=end),
    "what is wanted": lambda reader, end: reader.search(WANTED, through=end),
    "requests": lambda reader, end: reader.newest_requests(RequestsWanted(), through=end),
}


@pytest.mark.parametrize("a_few", [1, 20])
def test_a_walk_that_has_begun_meets_everything_once(
    old_log: Path, monkeypatch: pytest.MonkeyPatch, a_few: int
) -> None:
    monkeypatch.setattr(table_reader, "_CHUNK", 8)
    for module in (event_search, request_search):
        monkeypatch.setattr(module, "PAGE", 8)
    with ExitStack() as open_ones:
        readers = {name: open_ones.enter_context(SqliteReader.open(old_log)) for name in BEGUN}
        end = readers["rows"].head().seq
        whole = {name: list(begin(readers[name], end)) for name, begin in BEGUN.items()}
        walks = {name: begin(readers[name], end) for name, begin in BEGUN.items()}
        met = {name: list(islice(walk, a_few)) for name, walk in walks.items()}
        cut(old_log, hours=0.5)
        for name, walk in walks.items():
            assert [*met[name], *walk] == whole[name], name


@pytest.mark.parametrize("since", [0, 1])
def test_tables_that_are_being_asked_miss_nothing_that_is_archived_meanwhile(old_log: Path, since: int) -> None:
    with SqliteReader.open(old_log) as reader:
        since_us = since * (ends_at(old_log) - HOUR_MS * 1000)
        with reader.tables_since(since_us) as tables:
            before = tables.execute(ALL_CALLS).fetchone()
            cut(old_log, hours=0.5)
            assert tables.execute(ALL_CALLS).fetchone() == before
        assert calls_counted(reader) >= before
