"""An engine of another process, driven by lines on its standard input.

    engine_worker.py DATABASE [unwatched]

`call` and `pay` make a request (`pay` a `once` one), and say who served it, or how it ended; `ill` and `well` change
how `alpha` answers; `stop` ends in good order.
"""

import asyncio
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

from understudy.adapters import SqliteLog
from understudy.engine import Ambiguous, Engine, Policy, RequestError, Strategy, Transient

POLICY = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, max_failures=1, exploration=Decimal(0))


class Alpha:
    """Fails while it is ill, with writes in doubt; can be pinged."""

    id = "alpha"
    ill = False

    async def call(self, operation: str, request: Any, *, key: str, deadline: Any) -> str:
        if self.ill and operation == "pay":
            raise Ambiguous("reset after sending")
        if self.ill:
            raise Transient("down")
        return "done"

    async def ping(self) -> None:
        if self.ill:
            raise Transient("down")


class Beta:
    """Always well; cannot be pinged."""

    id = "beta"

    async def call(self, operation: str, request: Any, *, key: str, deadline: Any) -> str:
        return "done"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def ask(engine: Engine, operation: str) -> str:
    try:
        answer = await engine.call(operation, effect="once" if operation == "pay" else "read")
    except RequestError as error:
        return f"{type(error).__name__} {error.request_id}"
    return answer.provider


async def main() -> None:
    alpha = Alpha()
    watch = "unwatched" not in sys.argv
    log = SqliteLog(Path(sys.argv[1]))
    async with Engine(providers=[alpha, Beta()], log=log, policy=POLICY, watch=watch) as engine:
        await log.durable(log.head.seq)
        say("open")
        while (line := (await asyncio.to_thread(sys.stdin.readline)).strip()) not in {"", "stop"}:
            if line in {"ill", "well"}:
                alpha.ill = line == "ill"
                say(line)
            else:
                say(await ask(engine, line))


asyncio.run(main())
