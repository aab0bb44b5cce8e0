"""Renting a phone number from two providers, one of which is having a bad day.

    .venv/bin/python examples/rent_a_number.py

It leaves `calls.db`; ask `understudy explain calls.db last` why who was chosen.
"""

import asyncio
from typing import Any

from understudy.adapters import SqliteLog
from understudy.engine import Deadline, Engine, Policy, Request, Strategy, Transient, provider


class Alpha:
    """A provider is any object with an id and an `async def call`."""

    id = "alpha"

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Any:
        raise Transient("503 Service Unavailable")  # Surely not executed: the next provider may be asked.


@provider("beta", priority=1)
async def beta(request: Request, key: str) -> Any:
    """A plain async function can be one, too; it is given what it names."""
    return {"number": "+1 555 0100", "for": request.context["service"], "order": key}


async def main() -> None:
    engine = Engine(providers=[Alpha(), beta], policy=Policy(strategy=Strategy.SCORE), log=SqliteLog("calls.db"))
    async with engine:
        answer = await engine.call(
            "rent_number",
            context={"country": "us", "service": "wa"},
            effect="once",
            idempotency_key="order-17",
        )
        print(f"{answer.provider} served request {answer.request_id} after {answer.failovers} failover(s)")
        print(answer.reply)


asyncio.run(main())
