"""A process that is killed at any moment loses nothing that it has acknowledged, and executes nothing twice."""

import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from understudy.adapters import SqliteReader
from understudy.events.log import LogReader
from understudy.replay.verify import verify

TESTS = Path(__file__).parents[1]
WORKER = [sys.executable, "-m", "kill.engine_worker"]
ENDS = {"request_completed.v1", "request_failed.v1"}


def kill_at_a_random_moment(database: Path, books: Path, *, seed: int) -> list[str]:
    """What callers had been told when the worker was killed."""
    command = [*WORKER, str(database), str(books), "serve"]
    with subprocess.Popen(command, cwd=TESTS, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "open\n"
        timer = threading.Timer(random.Random(seed).uniform(0.01, 0.6), worker.kill)
        timer.start()
        told = worker.stdout.read()
        timer.join()
    complete = told[: told.rfind("\n") + 1]
    return [line for line in complete.splitlines() if line.startswith("told ")]


def settle(database: Path, books: Path) -> None:
    command = [*WORKER, str(database), str(books), "settle"]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def ends_of(reader: LogReader) -> dict[str, str]:
    return {row.request_id: row.kind for row in reader.rows() if row.kind in ENDS and row.request_id}


def check_promises(database: Path, books: Path, told: list[str]) -> None:
    with SqliteReader.open(database) as reader:
        verification = verify(reader)
        assert verification.ok, verification
        ends = ends_of(reader)
        accepted = [row.request_id for row in reader.rows() if row.kind == "request_accepted.v1"]
    assert set(accepted) == set(ends), "the next start settles every open request"
    for line in told:
        _, request_id, outcome = line.split()
        if outcome == "served":
            assert ends[request_id] == "request_completed.v1"
        assert request_id in ends
    executed = [line.split() for line in books.read_text().splitlines()] if books.exists() else []
    times = Counter(request_id for request_id, _, _ in executed)
    assert [request_id for request_id, count in times.items() if count > 1] == []
    completed = {request_id for request_id, kind in ends.items() if kind == "request_completed.v1"}
    assert completed == set(times), "what was executed is known to be, and nothing else"


def play(tmp_path: Path, *, seed: int) -> None:
    database, books = tmp_path / "calls.db", tmp_path / "executions.txt"
    told = kill_at_a_random_moment(database, books, seed=seed)
    told += kill_at_a_random_moment(database, books, seed=seed + 1_000)
    settle(database, books)
    check_promises(database, books, told)


@pytest.mark.parametrize("seed", range(3))
def test_a_killed_engine_loses_and_repeats_nothing(tmp_path: Path, seed: int) -> None:
    play(tmp_path, seed=seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 150))
def test_a_hundred_kills_lose_and_repeat_nothing(tmp_path: Path, seed: int) -> None:
    play(tmp_path, seed=seed)
