"""A real engine in a process of its own, and what a test may do to it."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

WORKER = Path(__file__).with_name("engine_worker.py")


class EngineProcess:
    """An engine that is open; `ask` tells it something and gives its answer."""

    def __init__(self, process: "subprocess.Popen[str]", database: Path) -> None:
        self._process = process
        self._database = database
        self._listen("open")

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self._listen()

    def freeze(self) -> None:
        """Stop it where it stands, though not in the middle of a transaction: others may write to the file."""
        while True:
            self._process.send_signal(signal.SIGSTOP)
            os.waitpid(self.pid, os.WUNTRACED)
            with closing(sqlite3.connect(self._database, timeout=0, isolation_level=None)) as connection:
                try:
                    connection.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError:
                    self.thaw()
                else:
                    connection.execute("ROLLBACK")
                    return

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("stop\n")
        self._process.stdin.flush()
        assert self._process.wait(timeout=30) == 0

    def _listen(self, wanted: str | None = None) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline().rstrip("\n")
        assert line == (wanted or line), f"{line}\n{self._process.stderr.read() if self._process.stderr else ''}"
        return line


@contextmanager
def running(database: Path, *words: str) -> Iterator[EngineProcess]:
    """An engine that does not outlive the test."""
    command = [sys.executable, str(WORKER), str(database), *words]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield EngineProcess(process, database)
        finally:
            process.kill()
