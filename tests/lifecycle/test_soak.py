"""Full load for a while: memory stays flat, the write-ahead log bounded, the time of a call steady."""

import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT


@pytest.mark.soak
def test_a_minute_of_full_load_leaves_memory_flat_and_the_write_ahead_log_small(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "soak_load.py"), "--seconds", "60", "--interval", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
