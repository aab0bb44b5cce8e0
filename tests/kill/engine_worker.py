"""Serves `once` requests until it is killed, and says of every request what its caller was told.

    engine_worker.py DATABASE EXECUTIONS serve|settle

The providers put each execution on a file of their own, and answer, fail, hang or break the connection afterwards.
With `settle` no request is made: what an earlier run left open is settled, and the worker ends.
"""

import asyncio
import os
import random
import sys
from pathlib import Path
from typing import Any

from understudy.adapters import SqliteLog
from understudy.engine import (
    Ambiguous,
    Deadline,
    Engine,
    Finding,
    Found,
    Policy,
    Request,
    RequestError,
    Strategy,
    Transient,
)

CALLERS = 16


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


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def call_on_and_on(engine: Engine, caller: int) -> None:
    count = 0
    while True:
        count += 1
        try:
            key = f"{os.getpid()}-{caller}-{count}"
            answer = await engine.call("pay", effect="once", idempotency_key=key, body={"n": count})
        except RequestError as error:
            say(f"told {error.request_id} {type(error).__name__}")
        else:
            say(f"told {answer.request_id} served")


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
        say("open")
        if task == "settle":
            while engine.unsettled:  # noqa: ASYNC110 - the engine settles by itself; nobody is told
                await asyncio.sleep(0.01)
            return
        async with asyncio.TaskGroup() as group:
            for caller in range(CALLERS):
                group.create_task(call_on_and_on(engine, caller))


asyncio.run(main())
