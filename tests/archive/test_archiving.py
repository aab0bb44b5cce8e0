"""Archive and log as one are what the log was; and the log goes on without its archive."""

import asyncio
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from archive.conftest import REQUESTS
from archive.stretches import Original, in_the_database, write
from cli.command_line import answered, said
from histories import MOVES, History, Move, policies
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from providers_for_tests import Told

from examples import tried_on
from understudy.adapters.archive import ArchiveUnusable, archive, planned
from understudy.adapters.archive.removing import remove_archived
from understudy.adapters.caretaker import obey_inbox
from understudy.adapters.parallel_verify import verify_file
from understudy.adapters.stores import SqliteLog, SqliteReader, put_command
from understudy.adapters.stores.side_tables import SNAPSHOTS_KEPT
from understudy.engine import Effect, Engine, Operation
from understudy.engine.caches import dump
from understudy.engine.commands import RecordSegment
from understudy.engine.restore import restore
from understudy.events.codec import decode
from understudy.events.errors import LogUnavailable
from understudy.events.log import Head
from understudy.events.operations import SegmentArchived
from understudy.events.policy import Policy
from understudy.replay.verify import verify
from understudy.replay.virtual_system import VirtualSystem

# The log that they share is made once.
pytestmark = pytest.mark.xdist_group("archive")

HOUR_MS = 3_600_000


def ends_at(path: Path) -> int:
    with SqliteReader.open(path) as reader:
        return max(row.at_us for row in reader.rows(after=reader.head().seq - 1))


@tried_on(4, soak=150)
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


async def test_a_start_that_must_fold_anew_needs_the_archive_and_says_so(old_log: Path, tmp_path: Path) -> None:
    (file,) = archive(old_log, older_than_ms=HOUR_MS, now_us=ends_at(old_log)).files
    with closing(sqlite3.connect(old_log)) as connection, connection:  # As a newer version of the fold finds it.
        connection.execute("DELETE FROM snapshots")
        connection.execute("DELETE FROM sealed_blocks")
    file.rename(tmp_path / file.name)
    with pytest.raises(LogUnavailable, match=f"{file.name} is not there: \\d+ events of the log .* are archived"):
        await Engine(providers=[Told("alpha")], log=SqliteLog(old_log)).start()
    async with Engine(providers=[Told("alpha")], log=SqliteLog(old_log, archive=tmp_path)) as engine:
        assert engine.standing.totals.accepted == REQUESTS
        assert (await engine.call("find")).provider == "alpha"
    with SqliteReader.open(old_log, archive=tmp_path) as reader:
        assert verify(reader).ok
    archive(old_log, older_than_ms=10**12, now_us=ends_at(old_log), files_in=tmp_path)
    with SqliteReader.open(old_log) as reader:
        assert verify(reader, after=reader.archived_through).ok


@pytest.mark.soak
def test_several_processes_verify_archive_and_log_as_one_does(old_log: Path) -> None:
    archive(old_log, older_than_ms=HOUR_MS, now_us=ends_at(old_log))
    assert verify_file(old_log, jobs=2, small=1) == verify_file(old_log, jobs=1)


def test_what_somebody_else_says_is_archived_is_not_removed(old_log: Path) -> None:
    before = in_the_database(old_log)
    made_up: dict[str, Any] = {
        "first_seq": 1,
        "last_seq": 200,
        "first_at_us": 1,
        "last_at_us": 2,
        "previous_chain": "",
        "chain": "",
    }
    made_up |= {"folder": "", "file": "nowhere", "size": 0, "sha256": "", "fold_version": 7, "base_sha256": ""}
    put_command(old_log, RecordSegment(segment=made_up, actor="eve", reason="no reason").model_dump_json())
    asyncio.run(obey_inbox(old_log))
    assert remove_archived(old_log, told=lambda _: None) == 0
    assert in_the_database(old_log) == [*before, before[-1] + 1]


def test_rows_that_stay_for_a_key_are_told(old_log: Path) -> None:
    with SqliteReader.open(old_log) as reader:
        (request_id,) = [row[0] for row in reader.connection.execute("SELECT request_id FROM claims")]
        kept = len(reader.request_rows(request_id))
    assert "under an idempotency key" not in said("archive", old_log, "--older-than", "9999d")
    told = said("archive", old_log, "--older-than", "1s")
    assert f"stay     {kept} rows of requests under an idempotency key in use" in told
    assert answered("archive", old_log, "--older-than", "1s")["rows_under_keys"] == kept


async def test_a_repeat_under_an_archived_requests_key_is_answered_as_before(old_log: Path) -> None:
    archive(old_log, older_than_ms=HOUR_MS, now_us=ends_at(old_log))
    system = VirtualSystem(start_us=ends_at(old_log))
    rent = Operation(name="rent", effect=Effect.ONCE, sensitive=frozenset({"phone"}))
    again = Told("alpha")
    async with Engine(
        providers=[again], log=SqliteLog(old_log), operations=[rent], system=system, watch=False
    ) as engine:
        answer = await engine.call("rent", body={"phone": "+49 30 000015"}, idempotency_key="k15")
    assert answer.joined
    assert again.calls == []


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
