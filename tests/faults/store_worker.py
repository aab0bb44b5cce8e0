"""An engine in a process of its own, told line by line what to do, so that real faults can befall its files.

    store_worker.py DATABASE BOOKS

Each line is a command, and each is answered by a line of JSON: `["served", ID]` or `[error, sentence, ID]`.

    once KEY | read KEY     have something carried out
    hold KEY                the same as `once`, answered only after `release`; the provider has executed by then
    release                 the provider answers the held call, and the call's own answer follows
    recovered               answered once the log can be written again
    pending                 how many events wait to become durable
    settled                 answered once no request is open
    fork                    a forked child tries to call and to open the log; what it was told
    stop                    stop the engine, and end

The provider puts each execution into BOOKS, a file of its own, before anything else: what stands there has happened.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from understudy.adapters import SqliteLog
from understudy.engine import Deadline, Engine, Finding, Found, Policy, Request
from understudy.events.errors import LogUnavailable, UnderstudyError

DATABASE, BOOKS = Path(sys.argv[1]), Path(sys.argv[2])
IMPATIENT_MS = 100


class Bookkeeper:
    """A provider that executes by writing a line."""

    id = "bookkeeper"

    def __init__(self) -> None:
        self.holds = False
        self.executed = asyncio.Event()
        self.released = asyncio.Event()

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Any:
        note(f"{request.request_id} {key}")
        if self.holds:
            self.holds = False
            self.executed.set()
            await self.released.wait()
        return "done"

    async def lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:
        known = any(line.endswith(f" {key}") for line in notes())
        return Found(finding=Finding.SUCCEEDED if known else Finding.ABSENT, value="done")


def note(line: str) -> None:
    with BOOKS.open("a") as books:
        books.write(line + "\n")


def notes() -> list[str]:
    return BOOKS.read_text().splitlines() if BOOKS.exists() else []


def answer(*words: object) -> None:
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()


async def call(engine: Engine, effect: str, key: str) -> list[str]:
    try:
        served = await engine.call("x", effect=effect, idempotency_key=key if effect == "once" else None)
    except UnderstudyError as error:
        return [type(error).__name__, str(error), getattr(error, "request_id", "")]
    return ["served", served.request_id]


def fork(engine: Engine) -> list[str]:
    """What a child of this process is told when it uses what it has inherited."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, json.dumps(in_child(engine)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        told: list[str] = json.loads(pipe.read())
    os.waitpid(child, 0)
    return told


def in_child(engine: Engine) -> list[str]:
    async def try_both() -> list[str]:
        called = await call(engine, "read", "")
        try:
            await SqliteLog(DATABASE).open("child")
        except UnderstudyError as error:
            return [*called, type(error).__name__, str(error)]
        return [*called, "opened"]

    asyncio._set_running_loop(None)  # The loop is the parent's; Python itself sees that only by the process.
    return asyncio.run(try_both())


async def serve(engine: Engine, log: SqliteLog, provider: Bookkeeper) -> None:
    held: asyncio.Task[list[str]] | None = None
    while True:
        line = await asyncio.to_thread(sys.stdin.readline)
        match line.split():
            case ["once" | "read" as effect, key]:
                answer(*await call(engine, effect, key))
            case ["hold", key]:
                provider.holds = True
                held = asyncio.create_task(call(engine, "once", key))
                await provider.executed.wait()
                answer("executed")
            case ["release"]:
                assert held is not None
                provider.released.set()
                answer(*await held)
            case ["recovered"]:
                await until_it_can_be_written(log)
                answer("recovered")
            case ["pending"]:
                answer("pending", log.pending)
            case ["settled"]:
                while engine.unsettled:  # noqa: ASYNC110 - The engine settles by itself; nobody is told.
                    await asyncio.sleep(0.01)
                answer("settled")
            case ["fork"]:
                answer(*fork(engine))
            case _:
                return


async def until_it_can_be_written(log: SqliteLog) -> None:
    while True:
        try:
            log.check()
        except LogUnavailable:
            await asyncio.sleep(0.02)
        else:
            return


async def main() -> None:
    provider, log = Bookkeeper(), SqliteLog(DATABASE, busy_timeout_ms=IMPATIENT_MS)
    policy = Policy(request_timeout_ms=20_000, lookup_interval_ms=10, lookup_interval_cap_ms=50)
    try:
        async with Engine(providers=[provider], log=log, policy=policy) as engine:
            answer("open")
            await serve(engine, log, provider)
    except UnderstudyError as error:
        answer(type(error).__name__, str(error))
    else:
        answer("stopped")


asyncio.run(main())
