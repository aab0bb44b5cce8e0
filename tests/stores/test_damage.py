"""Rows and chain material: what SQLite writes is what was hashed, and no change goes unseen."""

import asyncio
import random
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json
from stores.samples import NOON, accepted, alert, assert_whole, facts

from examples import tried_on
from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.adapters.stores.schema import create
from understudy.adapters.stores.table_reader import TableReader
from understudy.events.calls import CallFailed
from understudy.events.errors import LogUnavailable, UnderstudyError, UnreadableEvent
from understudy.events.fact import Fact
from understudy.events.row import Row
from understudy.events.vocabulary import FailureKind
from understudy.replay.verify import check_chain

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
NUMBER = st.integers(min_value=-(2**63), max_value=2**63 - 1)
CELLS = [NUMBER, TEXT] + [st.none() | TEXT] * 3 + [st.none() | NUMBER] * 3 + [st.none() | TEXT] * 5 + [TEXT]


@tried_on(150, soak=10_000)
def test_a_row_read_as_chain_material_is_what_was_hashed(examples: int) -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        create(connection, stream="main", salt=None)

        @settings(max_examples=examples)
        @given(cells=st.tuples(*CELLS))
        def holds(cells: tuple[object, ...]) -> None:
            row = Row(1, *cells)  # type: ignore[arg-type]
            connection.execute("BEGIN")
            try:
                insert(connection, row)
                reader = TableReader(connection, stream="main")
                (found,) = reader.links()
                assert found.body == to_json(row)
                assert list(reader.rows()) == [row]
            finally:
                connection.execute("ROLLBACK")

        holds()


def insert(connection: sqlite3.Connection, row: Row) -> None:
    places = ", ".join("?" * (len(row) + 2))
    columns = ", ".join(("stream", *Row._fields, "chain"))
    connection.execute(f"INSERT INTO events ({columns}) VALUES ({places})", ("main", *row, b"c"))


@tried_on(15, soak=500)
def test_every_event_that_can_be_written_down_fits_its_chain(examples: int) -> None:
    async def write(path: Path, events: list[Fact]) -> None:
        log = SqliteLog(path)
        await log.open("tester")
        for event in events:
            log.append(event, at_us=NOON)
        await log.close()

    @settings(max_examples=examples)
    @given(events=st.lists(facts(), min_size=1, max_size=30))
    def holds(events: list[Fact]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(write(Path(folder) / "calls.db", events))
            with SqliteReader.open(Path(folder) / "calls.db") as reader:
                assert assert_whole(reader) == len(events)

    holds()


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A closed log of three events in which every column holds something."""
    log = SqliteLog(tmp_path / "calls.db")
    await log.open("tester")
    log.append(accepted(), at_us=NOON)
    log.append(
        CallFailed(
            request_id="r1",
            provider="alpha",
            operation="rent",
            attempt=1,
            retry=2,
            service="wa",
            country="us",
            rental_id="x",
            pair="btc/eth",
            outcome=FailureKind.TRANSIENT,
            started_seq=1,
            latency_us=77,
        ),
        at_us=NOON + 1,
    )
    log.append(alert(), at_us=NOON + 2)
    await log.close()
    return log.path


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute(statement).rowcount == 1


def flipped(value: object) -> str:
    """Another value of the same kind, one bit away, as an SQL literal."""
    match value:
        case int():
            return str(value ^ 1 << 40)
        case str():
            return repr(value[:-1] + chr(ord(value[-1]) ^ 1))
        case bytes():
            return f"x'{bytes([value[0] ^ 1, *value[1:]]).hex()}'"
        case _:
            return "0"


@pytest.mark.parametrize("column", [*Row._fields, "chain"])
@pytest.mark.parametrize("seq", [1, 2, 3])
def test_a_change_in_any_column_of_any_row_is_seen(path: Path, column: str, seq: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        (value,) = connection.execute(f"SELECT {column} FROM events WHERE seq = {seq}").fetchone()
    with SqliteReader.open(path) as reader:
        assert assert_whole(reader) == 3
    change(path, f"UPDATE events SET {column} = {flipped(value)} WHERE seq = {seq}")
    with SqliteReader.open(path) as reader, pytest.raises(AssertionError):
        assert_whole(reader)


@pytest.mark.parametrize("seq", [1, 2, 3])
def test_a_text_that_has_become_a_blob_is_named_by_its_place(path: Path, seq: int) -> None:
    change(path, f"UPDATE events SET payload = CAST(payload AS BLOB) WHERE seq = {seq}")
    with SqliteReader.open(path) as reader:
        found = check_chain(reader, through=3)
    assert found.broken is not None
    assert found.broken.seq == seq


def read_everything(path: Path) -> list[Row]:
    """All rows, once chain and file are seen to be whole."""
    with SqliteReader.open(path, stream="main") as reader:
        assert reader.damage() == []
        assert assert_whole(reader) == 3
        return list(reader.rows())


@tried_on(150, soak=4_000)
def test_a_flipped_bit_anywhere_in_the_file_is_seen_or_changes_no_event(path: Path, examples: int) -> None:
    whole, rows = path.read_bytes(), read_everything(path)
    dice = random.Random(1)
    seen = 0
    for _ in range(examples):
        place = dice.randrange(len(whole))
        flipped = bytearray(whole)
        flipped[place] ^= 1 << dice.randrange(8)
        path.write_bytes(flipped)
        try:
            found = read_everything(path)
        except (UnderstudyError, AssertionError):
            seen += 1
        else:
            assert found == rows, f"byte {place} was changed unseen"
    assert seen > 5


def test_a_row_that_sqlite_cannot_read_is_named_after_all_before_it(path: Path) -> None:
    change(path, "UPDATE events SET payload = CAST(x'ff22fe' AS TEXT) WHERE seq = 3")
    with SqliteReader.open(path) as reader:
        seen: list[int] = []
        with pytest.raises(UnreadableEvent, match="event 3 cannot be read"):
            seen.extend(row.seq for row in reader.rows())
        assert seen == [1, 2]
        broken = check_chain(reader, through=3).broken
        assert broken is not None
        assert broken.seq == 3


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET provider = 'beta' WHERE seq = 3",
        "UPDATE events SET chain = x'00' WHERE seq = 2",
        "UPDATE events SET chain = x'00' WHERE seq = 3",
        "DELETE FROM events WHERE seq = 2",
    ],
)
async def test_a_log_whose_end_does_not_fit_is_not_written_to(path: Path, statement: str) -> None:
    change(path, statement)
    log = SqliteLog(path)
    with pytest.raises(LogUnavailable, match=r"event [23] does not fit the one before it.*understudy verify"):
        await log.open("tester")
    with SqliteReader.open(path) as reader:
        assert reader.head().seq == 3
