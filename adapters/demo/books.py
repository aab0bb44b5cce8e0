"""What a demonstration server has counted itself. Whoever asks whether anything was done twice believes this."""

import asyncio
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that happened at the server.

    Shape:  `what` is "delivered" (a request came in), "executed" (it was carried out), "gone" (its client did not wait
            for the answer), or "connected" (a connection that nothing is said on, of the kind "silence"). Other kinds
            are "call", "lookup", "ping" and "stock"; `key` is the idempotency key, empty where there is none; `fault`
            what was done to it.
    Units:  `at_us` in microseconds since 1970, of the server's clock.
    """

    at_us: int
    what: str
    kind: str
    key: str
    fault: str | None = None


class Books:
    """Entries in order, and optionally in a file too, to which each is appended as a line of JSON when it happens."""

    def __init__(self, file: Path | None = None) -> None:
        self.entries: list[Entry] = []
        self._news = asyncio.Event()
        self._file = None if file is None else os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def enter(self, what: str, kind: str, *, key: str = "", fault: str | None = None) -> None:
        """Write an entry."""
        at_us = time.time_ns() // 1000
        self.entries.append(Entry(at_us=at_us, what=what, kind=kind, key=key, fault=fault))
        self._news.set()
        if self._file is not None:
            line = json.dumps({"at_us": at_us, "what": what, "kind": kind, "key": key, "fault": fault})
            os.write(self._file, line.encode() + b"\n")  # One write: a killed process leaves no half of a line.

    async def until(self, count: int, what: str = "delivered", *, kind: str = "call") -> None:
        """Wait for so many entries of a sort."""
        while sum(one.what == what and one.kind == kind for one in self.entries) < count:
            self._news.clear()
            await self._news.wait()

    def close(self) -> None:
        """Let the file go."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def delivered(self, kind: str = "call") -> list[Entry]:
        """The requests of a kind that came in."""
        return [one for one in self.entries if one.what == "delivered" and one.kind == kind]

    @property
    def executions(self) -> dict[str, int]:
        """How often something was executed, by key."""
        counts: dict[str, int] = {}
        for one in self.entries:
            if one.what == "executed":
                counts[one.key] = counts.get(one.key, 0) + 1
        return counts

    @property
    def executed_twice(self) -> list[str]:
        """The keys under which something was executed more than once."""
        return [key for key, times in self.executions.items() if times > 1]


def read_books(file: Path) -> list[Entry]:
    """The entries of a file; a last line that is not whole is left out."""
    lines = file.read_bytes().split(b"\n")[:-1]
    return [Entry(**json.loads(line)) for line in lines]
