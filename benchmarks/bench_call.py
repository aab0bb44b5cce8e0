"""What a guarded call costs beside a bare one: `Engine.call` over a MemoryLog, five providers that answer at once.

Run: `make bench`, or this file alone, with `--calls N`. Callers go one at a time, and a hundred at once; times are
wall-clock, the best of several rounds, the bare call's taken off. Where litellm can be imported, its Router serves the
same calls (mocked replies, five deployments), and the ratio is printed.
"""

import argparse
import asyncio
import gc
import importlib.util
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from understudy.adapters.stores import MemoryLog
from understudy.engine import Engine, Policy, Strategy

NAMES = ("alpha", "beta", "gamma", "delta", "epsilon")
ROUNDS = 8
AT_ONCE = 100


class Prompt:
    """A provider that answers at once."""

    def __init__(self, name: str) -> None:
        self.id = name

    async def call(self, operation: str, request: Any, *, key: str, deadline: Any) -> dict[str, str]:  # noqa: ARG002
        """Answer."""
        return {"number": "+15550100"}


async def best_us(call: Callable[[], Awaitable[Any]], *, calls: int, tasks: int) -> float:
    """Microseconds a call, the best of the rounds."""

    async def some() -> None:
        for _ in range(calls // tasks):
            await call()

    best_s = float("inf")
    for _ in range(ROUNDS):
        gc.collect()
        began_s = time.perf_counter()
        await asyncio.gather(*(some() for _ in range(tasks))) if tasks > 1 else await some()
        best_s = min(best_s, time.perf_counter() - began_s)
    return best_s / (calls // tasks * tasks) * 1e6


async def guarded(*, calls: int, tasks: int) -> float:
    """Through the engine."""
    async with Engine(
        providers=[Prompt(name) for name in NAMES], policy=Policy(strategy=Strategy.SCORE), log=MemoryLog()
    ) as engine:
        return await best_us(
            lambda: engine.call("rent", context={"country": "us", "service": "wa"}), calls=calls, tasks=tasks
        )


async def bare(*, calls: int, tasks: int) -> float:
    """The provider alone."""
    one = Prompt("alpha")
    return await best_us(lambda: one.call("rent", None, key="", deadline=None), calls=calls, tasks=tasks)


async def routed(*, calls: int, tasks: int) -> float | None:
    """Through litellm's Router, if it is there."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    if importlib.util.find_spec("litellm") is None:
        return None
    import litellm  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - heavy, and seldom there.

    litellm.suppress_debug_info = True
    deployments = [
        {"model_name": "rent", "litellm_params": {"model": f"openai/{name}", "api_key": "none", "mock_response": "ok"}}
        for name in NAMES
    ]
    router = litellm.Router(model_list=deployments)
    messages = [{"role": "user", "content": "a number"}]
    return await best_us(
        lambda: router.acompletion(model="rent", messages=messages), calls=max(tasks, calls // 20), tasks=tasks
    )


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description="What a guarded call costs.")
    parser.add_argument("--calls", type=int, default=4_000)
    wanted = parser.parse_args()
    for tasks in (1, AT_ONCE):
        alone_us = asyncio.run(bare(calls=wanted.calls, tasks=tasks))
        ours_us = asyncio.run(guarded(calls=wanted.calls, tasks=tasks)) - alone_us
        theirs_us = asyncio.run(routed(calls=wanted.calls, tasks=tasks))
        ratio = (
            "litellm is not installed"
            if theirs_us is None
            else f"1/{(theirs_us - alone_us) / ours_us:.0f} of litellm.Router's {theirs_us:,.0f} us"
        )
        print(
            f"{tasks:>4} at once: {ours_us:6.1f} us added to a call of {alone_us:.2f} us; {ratio}  (reach 40 us, 1/25)"
        )


if __name__ == "__main__":
    main()
