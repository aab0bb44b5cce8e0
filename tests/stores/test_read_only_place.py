"""A log in a place where nobody may write, an archive or a read-only disk, is read all the same."""

import subprocess
import sys
from pathlib import Path

from stores.samples import NOON, alert

from understudy.adapters.stores import SqliteLog

READING = """
import os, shutil, sys, tempfile
from pathlib import Path
from understudy.adapters.stores import SqliteReader
from understudy.events.errors import LogUnavailable
from understudy.replay.verify import verify

source, folder = Path(sys.argv[1]), Path(tempfile.mkdtemp())
path = Path(shutil.copy(source, folder / "calls.db"))
if sys.argv[2] == "with a write-ahead log":
    (folder / "calls.db-wal").touch(mode=0o644)
path.chmod(0o444)
folder.chmod(0o555)
user = os.geteuid()
if user == 0:  # Nothing is forbidden to that one.
    os.setresuid(65534, 65534, 0)
try:
    with SqliteReader.open(path) as reader:
        print(verify(reader).ok, reader.head().seq, sorted(os.listdir(folder)))
except LogUnavailable as error:
    print(error)
finally:
    if user == 0:
        os.setresuid(0, 0, 0)
    folder.chmod(0o755)
    shutil.rmtree(folder)
"""


async def test_a_log_in_a_place_that_may_not_be_written_is_read(tmp_path: Path) -> None:
    assert read(await written(tmp_path), "alone") == "True 1 ['calls.db']"


async def test_where_a_write_ahead_log_lies_beside_it_sqlite_must_know_of_it(tmp_path: Path) -> None:
    assert "cannot be opened" in read(await written(tmp_path), "with a write-ahead log")


async def written(folder: Path) -> Path:
    log = SqliteLog(folder / "calls.db")
    await log.open("tester")
    log.append(alert(), at_us=NOON)
    await log.close()
    return log.path


def read(path: Path, how: str) -> str:
    done = subprocess.run([sys.executable, "-c", READING, path, how], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
