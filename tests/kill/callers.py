"""What a worker does that is to be killed: callers who pay on and on, and say of each request what they were told."""

import asyncio
import os
import sys

from understudy.engine import Engine, RequestError

CALLERS = 16


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def serve_or_settle(engine: Engine, task: str) -> None:
    """With `serve`, call until killed; with `settle`, wait until what an earlier run left open has ended."""
    say("open")
    if task == "settle":
        while engine.unsettled:  # noqa: ASYNC110 - the engine settles by itself; nobody is told
            await asyncio.sleep(0.01)
        return
    async with asyncio.TaskGroup() as group:
        for caller in range(CALLERS):
            group.create_task(_call_on_and_on(engine, caller))


async def _call_on_and_on(engine: Engine, caller: int) -> None:
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
