"""Sealed blocks and snapshots: kept behind the rows, never trusted over them, made anew where they are missing."""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from providers_for_tests import Told
from runtime.conftest import Stage

from understudy.adapters import SqliteLog, SqliteReader
from understudy.events.codec import recorded
from understudy.projections.block import BLOCK_EVENTS, check_block
from understudy.projections.standing import FOLD_VERSION, Standing

pytestmark = pytest.mark.xdist_group("long log")  # The long log is made once.


def serve(stage: Any, *, requests: int) -> None:
    async def act() -> None:
        async with stage.engine(Told("a"), Told("b"), log=stage.file()) as engine:
            for _ in range(requests):
                await engine.call("x")

    stage.play(act)


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of some seven thousand events, that is three blocks, of an engine that stopped: to be copied."""
    folder = tmp_path_factory.mktemp("long")
    serve(Stage(folder), requests=1_700)
    return folder / "calls.db"


@pytest.fixture
def path(stage: Any, long_log: Path, tmp_path: Path) -> Path:
    """Where the stage finds a copy of it."""
    return Path(shutil.copy(long_log, tmp_path / "calls.db"))


def assert_blocks_cover_the_log(stage: Any) -> int:
    standing = Standing()
    with SqliteReader.open(stage.logs[0].path) as reader:
        blocks = list(reader.blocks(fold_version=FOLD_VERSION))
        for block in blocks:
            assert block.first_seq == standing.seq + 1
            rows = list(reader.rows(after=standing.seq, through=block.last_seq))
            assert check_block(block, rows, standing=standing) is None
            assert block.chain == reader.chain_at(block.last_seq)
        assert standing.seq == reader.head().seq
    return len(blocks)


def test_a_log_that_was_closed_is_sealed_whole(stage: Any, path: Path) -> None:
    stage.file()
    assert assert_blocks_cover_the_log(stage) == 3
    serve(stage, requests=3)
    assert assert_blocks_cover_the_log(stage) == 4


def test_missing_blocks_are_made_anew_at_the_next_start(stage: Any, path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM sealed_blocks WHERE first_seq > 1")
    connection.close()
    serve(stage, requests=3)
    assert_blocks_cover_the_log(stage)


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE sealed_blocks SET records = zeroblob(length(records)) WHERE first_seq = 4097",
        "UPDATE sealed_blocks SET chain = zeroblob(32) WHERE first_seq = 4097",
        "DELETE FROM sealed_blocks WHERE first_seq = 4097",
        "UPDATE sealed_blocks SET fold_version = fold_version - 1",
        "DELETE FROM sealed_blocks",
    ],
)
def test_a_start_without_snapshots_makes_anew_the_blocks_that_cannot_be_trusted(
    stage: Any, path: Path, damage: str
) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM snapshots")
        assert connection.execute(damage).rowcount >= 1
    connection.close()
    serve(stage, requests=3)
    assert_blocks_cover_the_log(stage)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT DISTINCT fold_version FROM sealed_blocks").fetchall() == [(FOLD_VERSION,)]
    connection.close()


def test_a_snapshot_that_is_damaged_is_not_trusted(stage: Any) -> None:
    serve(stage, requests=20)
    path = stage.logs[0].path
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE snapshots SET content = x'00'")
    connection.close()
    serve(stage, requests=3)
    with SqliteReader.open(path) as reader:
        accepted = sum(recorded(row).event.kind == "request_accepted.v1" for row in reader.rows())
    assert accepted == 23
    assert_blocks_cover_the_log(stage)


def test_a_block_that_is_full_with_the_engines_last_event_is_sealed_once(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a"), log=stage.file(), watch=False) as engine:
            while engine.standing.seq < BLOCK_EVENTS - 1:
                engine.clear_override("a", actor="ann", reason="test")

    stage.play(act)
    assert assert_blocks_cover_the_log(stage) == 1


def test_a_block_that_cannot_be_written_now_is_written_when_the_engine_stops(stage: Any) -> None:
    async def act() -> None:
        log = SqliteLog(stage.file().path, busy_timeout_ms=1)
        async with stage.engine(Told("a"), log=log, watch=False) as engine:
            await log.durable(log.head.seq)
            with closing(sqlite3.connect(log.path, isolation_level=None)) as stranger:
                stranger.execute("BEGIN IMMEDIATE")
                while engine.standing.seq < BLOCK_EVENTS + 10:
                    engine.clear_override("a", actor="ann", reason="test")
                await asyncio.sleep(60)
                stranger.execute("ROLLBACK")
            await asyncio.sleep(60)

    stage.play(act)
    assert assert_blocks_cover_the_log(stage) == 2
