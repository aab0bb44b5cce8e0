"""Verifying with several processes: what is found is what one process finds, whatever became of the log."""

import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from cli.command_line import RESTING, run

from understudy.adapters.parallel_verify import Share, WorkerLost, plan, shared_out, verify_file
from understudy.adapters.stores import SqliteReader
from understudy.adapters.stores.side_tables import save_snapshot
from understudy.engine.caches import dump
from understudy.engine.restore import restore
from understudy.events.errors import NotALog
from understudy.events.log import Head
from understudy.replay.verify import Verification, check_chain, handed_over, recompute, summed_up, verify

HARM = {
    "intact": None,
    "changed early": "UPDATE events SET at_us = at_us + 1 WHERE seq = 9",
    "changed late": "UPDATE events SET at_us = at_us + 1 WHERE seq = (SELECT max(seq) - 3 FROM events)",
    "missing early": "DELETE FROM events WHERE seq = 20",
    "missing in the middle": "DELETE FROM events WHERE seq = (SELECT max(seq) FROM events "
    "WHERE kind = 'request_completed.v1' AND seq < (SELECT max(seq) / 2 FROM events))",
    "cut off": "DELETE FROM events WHERE seq > (SELECT max(seq) - 50 FROM events)",
    "decided otherwise early": """UPDATE events SET payload = replace(payload, '"tier":1', '"tier":2')
        WHERE seq = (SELECT min(seq) FROM events WHERE kind = 'decision_made.v1')""",
    "decided otherwise late": """UPDATE events SET payload = replace(payload, '"rank":1', '"rank":7')
        WHERE seq = (SELECT max(seq) FROM events WHERE kind = 'decision_made.v1')""",
    "a decision in bytes": """UPDATE events SET payload = CAST(payload AS BLOB)
        WHERE seq = (SELECT min(seq) FROM events WHERE kind = 'decision_made.v1')""",
    "a number for a hash": "UPDATE events SET chain = 5 WHERE seq = 30",
    "a number for the last hash": "UPDATE events SET chain = 5 WHERE seq = (SELECT max(seq) FROM events)",
    "unreadable early": "UPDATE events SET payload = 'x' WHERE seq = 30",
    "unreadable late": "UPDATE events SET payload = '{}' WHERE seq = (SELECT max(seq) FROM events "
    "WHERE kind = 'call_succeeded.v1')",
    "unknown kind in the middle": "UPDATE events SET kind = 'new.v9' WHERE seq = (SELECT max(seq) / 2 FROM events)",
    "an acceptance gone": "DELETE FROM events WHERE seq = (SELECT min(seq) FROM events "
    "WHERE kind = 'request_accepted.v1' AND seq > (SELECT max(seq) / 2 FROM events))",
}

NOT_HANDED_OVER = {"missing early"}
"""Here the rows add up to nothing at a later place, so that one process must do it all."""


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("logs") / "calls.db"
    scenario = path.with_name("resting.toml")
    scenario.write_text(RESTING)
    result = run("simulate", "--scenario", scenario, "--log", path)
    assert result.exit_code == 0, result.output
    return path


def harmed(log_file: Path, tmp_path: Path, harm: str) -> Path:
    path = Path(shutil.copy(log_file, tmp_path / "calls.db"))
    statement = HARM[harm]
    if statement is not None:
        with closing(sqlite3.connect(path)) as connection, connection:
            assert connection.execute(statement).rowcount
    return path


def in_parts(path: Path, *, jobs: int, through: int | None = None) -> Verification | None:
    """What the workers would find, one after another in this process; None if one did not go on where another ended."""
    with SqliteReader.open(path) as reader:
        end = reader.head().seq if through is None else through
        shares = plan(reader, path, end=end, jobs=jobs)
        assert len(shares) == jobs
        chains = [check_chain(reader, after=one.after, through=one.through) for one in shares]
        rules = [recompute(reader, after=one.after, through=one.through) for one in shares]
        return summed_up(reader.stream, end, chains=chains, recomputed=rules) if handed_over(rules) else None


def shares_of(path: Path) -> list[Share]:
    with SqliteReader.open(path) as reader:
        return plan(reader, path, end=reader.head().seq, jobs=2)


def in_one_go(path: Path, *, through: int | None = None) -> Verification:
    with SqliteReader.open(path) as reader:
        return verify(reader, through=through)


@pytest.mark.parametrize("harm", HARM)
def test_parts_add_up_to_what_one_process_finds(log_file: Path, tmp_path: Path, harm: str) -> None:
    path = harmed(log_file, tmp_path, harm)
    found = in_one_go(path)
    assert found.ok == (harm in {"intact", "cut off"})
    for jobs in (2, 3, 5):
        assert in_parts(path, jobs=jobs) == (None if harm in NOT_HANDED_OVER else found), f"in {jobs} parts"


def test_an_end_that_is_expected_and_not_there_is_reported_by_parts_too(log_file: Path) -> None:
    with SqliteReader.open(log_file) as reader:
        beyond = reader.head().seq + 7
    found = in_parts(log_file, jobs=2, through=beyond)
    assert found is not None
    assert found.broken is not None
    assert found == in_one_go(log_file, through=beyond)


@pytest.mark.parametrize("harm", ["intact", "decided otherwise early", "missing early"])
def test_two_processes_find_what_one_finds(log_file: Path, tmp_path: Path, harm: str) -> None:
    path = harmed(log_file, tmp_path, harm)
    assert verify_file(path, jobs=2, small=0) == in_one_go(path)


def test_a_snapshot_that_tells_what_is_not_so_is_found_out(log_file: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(log_file, tmp_path / "calls.db"))
    _, later = shares_of(path)
    with SqliteReader.open(path) as reader:
        ledger = restore(reader, through=later.after)
        chain = reader.chain_at(later.after)
        stream = reader.stream
    assert chain is not None
    honest = dump(ledger, Head(later.after, chain))
    ledger.standing.totals.completed += 1
    lying = dump(ledger, Head(later.after, chain))
    for snapshot, parts in ((honest, True), (lying, False)):
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            save_snapshot(connection, snapshot, stream=stream)
        assert (in_parts(path, jobs=2) is not None) is parts
    assert verify_file(path, jobs=2, small=0) == in_one_go(path)


def test_a_snapshot_with_ids_that_are_no_text_is_not_used(log_file: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(log_file, tmp_path / "calls.db"))
    with SqliteReader.open(path) as reader:
        head, stream = reader.head(), reader.stream
        whole = dump(restore(reader), head)
    broken = b"\xff\xfe" + whole.content[32:]
    snapshot = replace(whole, content=sha256(broken).digest() + broken)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        save_snapshot(connection, snapshot, stream=stream)
    with SqliteReader.open(path) as reader:
        assert dump(restore(reader), head) == whole


def test_events_before_the_first_are_told(log_file: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(log_file, tmp_path / "calls.db"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO events (position, stream, seq, at_us, kind, payload, chain)"
            " SELECT -1, stream, -1, at_us, kind, payload, chain FROM events WHERE seq = 100"
        )
    result = run("verify", path)
    assert result.exit_code == 1
    assert "1 event stands before the first one" in " ".join(result.output.split())


def test_a_short_log_is_verified_alone_and_tells_how_far_it_is(log_file: Path) -> None:
    assert verify_file(log_file, jobs=8) == in_one_go(log_file)


def test_where_the_log_cannot_be_cut_one_process_does_it_all(log_file: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(log_file, tmp_path / "calls.db"))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM events WHERE kind = 'request_accepted.v1' AND seq > 100")
    assert shares_of(path) == []
    assert verify_file(path, jobs=2, small=0) == in_one_go(path)


def test_a_log_too_short_to_be_cut_is_verified_all_the_same(log_file: Path) -> None:
    assert verify_file(log_file, jobs=4, small=0, through=3) == in_one_go(log_file, through=3)


def test_what_a_worker_cannot_read_is_said_by_who_started_it(log_file: Path, tmp_path: Path) -> None:
    one, other = shares_of(log_file)
    with pytest.raises(NotALog, match=r"gone\.db"):
        shared_out([one, replace(other, path=tmp_path / "gone.db")])


def test_a_worker_that_dies_is_missed(log_file: Path, capfd: pytest.CaptureFixture[str]) -> None:
    one, other = shares_of(log_file)
    with pytest.raises(WorkerLost, match="ended with code 1 before it was done"):
        shared_out([one, replace(other, after=10**9)])
    assert "ValueError: there is no event 1000000000" in capfd.readouterr().err


FIRST_WORKER = """
import signal, sys
from pathlib import Path
from understudy.adapters.parallel_verify import Share, _started

if __name__ == "__main__":
    with _started([Share(path=Path(sys.argv[1]), stream="main", after=0, through=1)]) as ((worker, _),):
        print(Path(f"/proc/{worker.pid}/status").read_text())
    print("Ours:", signal.pthread_sigmask(signal.SIG_BLOCK, set()))
"""
"""The first of a process starts more than itself: multiprocessing's own tracker of what is left behind."""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells what a process is deaf to")
def test_not_even_the_first_worker_hears_control_c_while_it_imports(log_file: Path) -> None:
    command = [sys.executable, "-c", FIRST_WORKER, str(log_file)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    said = dict(line.split(maxsplit=1) for line in told.splitlines() if line.startswith(("SigBlk:", "Ours:")))
    assert int(said["SigBlk:"], 16) & 1 << signal.SIGINT - 1
    assert said["Ours:"] == "set()"
