"""Appends to a log until it is killed, and says of every event that it has been told is durable."""

import asyncio
import sys

from understudy.adapters.stores import SqliteLog
from understudy.events.operations import AlertRaised

CALLERS = 20


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def main() -> None:
    log = SqliteLog(sys.argv[1])
    await log.open("appender")
    say(f"open {log.head.seq}")

    async def call(caller: int) -> None:
        while True:
            event = AlertRaised(alert="load", subject=str(caller), message="x" * (caller * 37 % 500))
            seq = log.append(event, at_us=1_700_000_000_000_000).seq
            await log.durable(seq)
            say(str(seq))

    async with asyncio.TaskGroup() as group:
        for caller in range(CALLERS):
            group.create_task(call(caller))


asyncio.run(main())
