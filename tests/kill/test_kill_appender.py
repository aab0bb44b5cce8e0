"""A process that is killed in the middle of writing has lost nothing that it had acknowledged."""

import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from stores.samples import assert_whole

from understudy.adapters.stores import SqliteLog, SqliteReader

APPENDER = Path(__file__).with_name("appender.py")


def append_until_killed(path: Path, *, after_s: float) -> list[int]:
    """Every seq that was acknowledged before the process was killed."""
    command = [sys.executable, str(APPENDER), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("open ")
        timer = threading.Timer(after_s, process.kill)
        timer.start()
        said = process.stdout.read()
        timer.join()
    return [int(line) for line in said.splitlines(keepends=True) if line.endswith("\n")]


async def survive(path: Path, *, kills: int, seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(kills):
        acknowledged = append_until_killed(path, after_s=dice.uniform(0.0, 0.25))
        with SqliteReader.open(path) as reader:
            assert assert_whole(reader) >= max(acknowledged, default=0)
    log = SqliteLog(path)
    await log.open("the next")
    await log.close()


async def test_five_kills_lose_nothing(tmp_path: Path) -> None:
    await survive(tmp_path / "calls.db", kills=5, seed=1)


@pytest.mark.soak
async def test_a_hundred_kills_lose_nothing(tmp_path: Path) -> None:
    await survive(tmp_path / "calls.db", kills=100, seed=2)
