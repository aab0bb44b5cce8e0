"""An archiving that is killed at any moment loses nothing: run again, it ends where one that was not killed does."""

import random
import subprocess
import sys
from pathlib import Path

import pytest
from archive.test_archiving import HOUR_MS, ends_at

pytestmark = pytest.mark.xdist_group("archive")

TESTS = Path(__file__).parents[1]
TOUCHES = 270
"""How often an archiving of the log in three files touches the file system, at least."""


def killed_at(folder: Path, log: Path, *touches: int) -> list[str]:
    command = [sys.executable, "-m", "archive.killed", folder, log, HOUR_MS, ends_at(log), *touches]
    done = subprocess.run(
        list(map(str, command)), cwd=TESTS, capture_output=True, text=True, timeout=1_200, check=False
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert [line for line in said if not line.endswith(" kept") and "touches" not in line] == [], done.stderr
    return said


def test_an_archiving_that_is_killed_loses_nothing(lived: Path, tmp_path: Path) -> None:
    for line in killed_at(tmp_path, lived, 95, 190):
        assert line.endswith("killed, kept")


@pytest.mark.soak
def test_fifty_kills_between_any_two_steps_lose_nothing(lived: Path, tmp_path: Path) -> None:
    dice = random.Random(9)
    touches = sorted(dice.sample(range(1, TOUCHES), 50))
    counted, _, *killed = killed_at(tmp_path, lived, 0, *touches)
    assert int(counted.removeprefix("touches ")) >= TOUCHES
    for line in killed:
        assert line.endswith("killed, kept")


@pytest.mark.soak
def test_fifty_kills_at_any_moment_lose_nothing(lived: Path, tmp_path: Path) -> None:
    dice = random.Random(10)
    killed_at(tmp_path, lived, *(-dice.randint(100, 150_000) for _ in range(50)))
