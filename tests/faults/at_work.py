"""A worker process seen from outside, and the judge of what it has done."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import TracebackType
from typing import Self

from understudy.adapters import SqliteReader
from understudy.replay.verify import verify

WORKER = Path(__file__).with_name("store_worker.py")
ENDED = frozenset({"request_completed.v1", "request_failed.v1"})


class Worker:
    """An engine in another process; see `store_worker` for what it can be told."""

    def __init__(self, database: Path, books: Path) -> None:
        self._database = database
        self._books = books

    def __enter__(self) -> Self:
        command = [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",
            str(WORKER),
            str(self._database),
            str(self._books),
        ]
        temporary = {**os.environ, "TMPDIR": str(self._books.parent)}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=temporary
        )
        self.opened = self.hear()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def tell(self, line: str) -> list[str]:
        """Say something and wait for the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.hear()

    def hear(self) -> list[str]:
        assert self.process.stdout is not None
        return json.loads(self.process.stdout.readline())  # type: ignore[no-any-return]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def executions(books: Path) -> Counter[str]:
    """How often each request was executed, by the provider's own account."""
    return Counter(line.split()[0] for line in books.read_text().splitlines()) if books.exists() else Counter()


def judge(database: Path, books: Path, told: list[list[str]]) -> None:
    """The log is whole, everything acknowledged is in it, and nothing was executed twice or behind its back."""
    with SqliteReader.open(database) as reader:
        verification = verify(reader)
        assert verification.ok, verification
        assert reader.damage() == []
        rows = list(reader.rows())
    accepted = {row.request_id for row in rows if row.kind == "request_accepted.v1"}
    started = {row.request_id for row in rows if row.kind == "call_started.v1" and row.operation != "lookup"}
    completed = {row.request_id for row in rows if row.kind == "request_completed.v1"}
    ended = {row.request_id for row in rows if row.kind in ENDED}
    assert accepted == ended, "every request has its end"
    served = {words[1] for words in told if words[0] == "served"}
    assert served <= completed, "what a caller was told is in the log"
    times = executions(books)
    assert set(times) <= started, "no work was done unlogged"
    assert [request_id for request_id, count in times.items() if count > 1] == [], "nothing was done twice"
    assert set(times) == completed, "what was executed is known to be, and nothing else"
