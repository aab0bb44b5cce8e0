"""Real faults that befall a log's file while an engine works on it, each with its end."""

import resource
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest

Disaster = Callable[[Path, int], AbstractContextManager[None]]
"""Begins at a database that a process (its id) works on, and ends with the context."""

STRANGER = textwrap.dedent("""
    import sqlite3, sys
    connection = sqlite3.connect(sys.argv[1], isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    print("locked", flush=True)
    sys.stdin.read()
""")


@contextmanager
def small_disk(folder: Path, *, size: str) -> Iterator[Path]:
    """A disk of its own, where this machine lets us have one."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "understudy-test", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("a small disk can be mounted by root only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def full_disk(database: Path, _: int) -> Iterator[None]:
    """Somebody else has filled the disk; in the end it is emptied again."""
    filler = database.with_name("filler")
    with pytest.raises(OSError, match="No space left"):
        fill(filler)
    yield
    filler.unlink()


def fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)


@contextmanager
def quota(database: Path, pid: int) -> Iterator[None]:
    """The kernel allows the process no file larger than its largest one is now."""
    largest = max(path.stat().st_size for path in database.parent.iterdir())
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest, hard))
    yield
    with suppress(ProcessLookupError):  # It may have been killed meanwhile.
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def foreign_transaction(database: Path, _: int) -> Iterator[None]:
    """Another process holds a transaction open, for longer than a commit waits."""
    command = [sys.executable, "-c", STRANGER, str(database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as stranger:
        assert stranger.stdout is not None
        assert stranger.stdout.readline() == b"locked\n"
        yield
        stranger.kill()


@contextmanager
def moved_away(database: Path, _: int) -> Iterator[None]:
    """Somebody moves the file, and puts it back."""
    elsewhere = database.with_name("elsewhere")
    database.rename(elsewhere)
    yield
    elsewhere.rename(database)


@contextmanager
def replaced(database: Path, _: int) -> Iterator[None]:
    """Somebody puts a copy where the file was, and then the file back."""
    elsewhere = database.with_name("elsewhere")
    database.rename(elsewhere)
    shutil.copyfile(elsewhere, database)
    yield
    elsewhere.rename(database)
