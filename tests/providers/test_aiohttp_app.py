"""The example of a web application does what it says."""

import subprocess
import sys
from pathlib import Path

from repository import ROOT

from understudy.adapters.stores import SqliteReader
from understudy.replay.verify import verify


def test_the_web_application_serves_through_an_outage_tells_its_signals_and_leaves_a_log(tmp_path: Path) -> None:
    words = [sys.executable, str(ROOT / "examples" / "aiohttp_app.py")]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "alpha open: 200, by alpha after 0 failover(s)"
    assert "alpha refuses: 200, by beta after 1 failover(s)" in lines
    assert "  signal: beta has stood in for alpha" in lines
    assert any(line.startswith('200 {"alpha": {"status":') for line in lines)
    with SqliteReader.open(tmp_path / "calls.db") as reader:
        found = verify(reader)
    assert found.ok
    assert found.identical == 3
