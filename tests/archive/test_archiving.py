"""Archive and log as one are what the log was; and the log goes on without its archive."""

import shutil
import tempfile
from pathlib import Path

import pytest
from archive.stretches import Original, in_the_database, write
from histories import MOVES, History, Move, policies
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from examples import tried_on
from understudy.adapters.archive import ArchiveUnusable, archive, planned
from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.adapters.stores.side_tables import SNAPSHOTS_KEPT
from understudy.engine.caches import dump
from understudy.engine.restore import restore
from understudy.events.codec import decode
from understudy.events.log import Head
from understudy.events.operations import SegmentArchived
from understudy.events.policy import Policy

# The log that they share is made once.
pytestmark = pytest.mark.xdist_group("archive")

HOUR_MS = 3_600_000


def ends_at(path: Path) -> int:
    with SqliteReader.open(path) as reader:
        return max(row.at_us for row in reader.rows(after=reader.head().seq - 1))


@tried_on(4, soak=400)
def test_any_history_cut_anywhere_is_kept_whole(examples: int) -> None:
    @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    @given(
        policy=policies(), moves=MOVES, cuts=st.lists(st.integers(min_value=0, max_value=100), min_size=1, max_size=3)
    )
    def holds(policy: Policy, moves: list[Move], cuts: list[int]) -> None:
        history = History(policy).play(moves)
        for count in range(70):  # What is young enough to stay, however early the cut.
            history.accept(count)
        recorded = history.story.recorded
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "calls.db"
            write(path, recorded)
            original = Original(path)
            first_us, last_us = recorded[0].at_us, recorded[-1].at_us
            for percent in sorted(cuts):
                at_us = first_us + (last_us - first_us) * percent // 100 + 1
                archive(path, older_than_ms=0, now_us=at_us, most=100)
                original.assert_kept(path)
            shutil.rmtree(Path(folder) / "calls.db.archive", ignore_errors=True)
            original.assert_goes_on_without(path, elsewhere=Path(folder) / "nowhere")

    holds()


def test_what_is_archived_leaves_the_database_and_says_so(old_log: Path) -> None:
    original = Original(old_log)
    found = archive(old_log, older_than_ms=HOUR_MS, now_us=ends_at(old_log), actor="ann", reason="it is June")
    assert found.events > 150
    assert len(in_the_database(old_log)) < len(original.rows) - found.removed + 5
    with SqliteReader.open(old_log) as reader:
        assert reader.archive is not None
        (one,) = [decode(row) for row in reader.operations(SegmentArchived.kind)]
    assert isinstance(one, SegmentArchived)
    assert (one.first_seq, one.last_seq, one.actor, one.reason) == (1, found.through, "ann", "it is June")
    original.assert_kept(old_log)


def test_nothing_is_archived_of_a_log_in_which_nothing_is_so_old(old_log: Path) -> None:
    before = in_the_database(old_log)
    assert archive(old_log, older_than_ms=10**12, now_us=ends_at(old_log)).events == 0
    assert in_the_database(old_log) == before
    assert planned(old_log, older_than_ms=HOUR_MS, now_us=ends_at(old_log)).events > 0
    assert in_the_database(old_log) == before


def test_a_log_and_its_archive_may_be_moved_together(old_log: Path, tmp_path: Path) -> None:
    original = Original(old_log)
    archive(old_log, older_than_ms=HOUR_MS, now_us=ends_at(old_log))
    moved = tmp_path / "moved"
    shutil.copytree(old_log.parent, moved)
    shutil.rmtree(old_log.parent)
    original.assert_kept(moved / old_log.name)


async def test_the_snapshot_at_the_cut_outlives_newer_ones(old_log: Path) -> None:
    original = Original(old_log)
    archive(old_log, older_than_ms=HOUR_MS, now_us=ends_at(old_log))
    log = SqliteLog(old_log)
    await log.open("tester")
    with SqliteReader.open(old_log) as reader:
        for seq in range(original.head.seq - 2 * SNAPSHOTS_KEPT, original.head.seq):
            chain = reader.chain_at(seq)
            assert chain is not None
            await log.save_snapshot(dump(restore(reader, through=seq), Head(seq, chain)))
    await log.close()
    original.assert_goes_on_without(old_log, elsewhere=old_log.parent / "nowhere")


@pytest.mark.parametrize("damage", ["missing", "cut", "flipped"])
def test_a_file_that_is_not_what_was_written_is_named(old_log: Path, damage: str) -> None:
    (file,) = archive(old_log, older_than_ms=HOUR_MS, now_us=ends_at(old_log)).files
    content = file.read_bytes()
    match damage:
        case "missing":
            file.unlink()
        case "cut":
            file.write_bytes(content[:-100])
        case _:
            place = len(content) // 2
            file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    with (
        SqliteReader.open(old_log) as reader,
        pytest.raises(ArchiveUnusable, match=f"{file.name} is not (there|what was written)"),
    ):
        list(reader.rows())


def test_no_sensitive_value_is_in_a_file(old_log: Path) -> None:
    (file,) = archive(old_log, older_than_ms=HOUR_MS, now_us=ends_at(old_log)).files
    with SqliteReader.open(old_log) as reader:
        values = [value for (value,) in reader.connection.execute("SELECT value FROM sensitive")]
        payloads = "".join(row.payload for row in reader.rows())
    assert values
    for value in values:
        assert value.encode() not in file.read_bytes()
        assert value not in payloads
