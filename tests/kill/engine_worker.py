"""Serves `once` requests until it is killed, and says of every request what its caller was told.

    python -m kill.engine_worker DATABASE EXECUTIONS serve|settle

The providers put each execution on a file of their own, and answer, fail, hang or break the connection afterwards.
With `settle` no request is made: what an earlier run left open is settled, and the worker ends.
"""

import asyncio
import os
import random
import sys
from pathlib import Path
from typing import Any

from kill.callers import serve_or_settle

from understudy.adapters import SqliteLog
from understudy.engine import (
    Ambiguous,
    Deadline,
    Engine,
    Finding,
    Found,
    Policy,
    Request,
    Strategy,
    Transient,
)


class Counting:
    """A provider that executes by writing a line to a file, before anything else can go wrong."""

    def __init__(self, provider_id: str, books: Path) -> None:
        self.id = provider_id
        self._books = os.open(books, os.O_CREAT | os.O_APPEND | os.O_RDWR)
        self._path = books

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Any:
        await asyncio.sleep(random.random() * 0.004)
        luck = random.random()
        if luck < 0.10:
            raise Transient("unavailable")
        os.write(self._books, f"{request.request_id} {self.id} {key}\n".encode())
        await asyncio.sleep(random.random() * 0.004)
        if luck < 0.18:
            raise Ambiguous("reset after sending", network=False)
        if luck < 0.20:
            await asyncio.Event().wait()
        return {"executed_by": self.id}

    async def lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:
        await asyncio.sleep(random.random() * 0.002)
        if random.random() < 0.2:
            raise Transient("look-up unavailable")
        if any(line.endswith(f" {self.id} {key}") for line in self._path.read_text().splitlines()):
            return Found(finding=Finding.SUCCEEDED, value={"executed_by": self.id})
        return Found(finding=Finding.ABSENT)


async def main() -> None:
    database, books, task = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    policy = Policy(
        strategy=Strategy.WEIGHTED,
        request_timeout_ms=60,
        retry_delay_ms=1,
        lookup_interval_ms=2,
        lookup_interval_cap_ms=20,
        max_failures=50,
    )
    providers = [Counting(name, books) for name in ("alpha", "beta", "gamma")]
    async with Engine(providers=providers, log=SqliteLog(database), policy=policy) as engine:
        await serve_or_settle(engine, task)


asyncio.run(main())
