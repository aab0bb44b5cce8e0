"""An adapter to an HTTP API, and what becomes of its orders when the network fails.

    .venv/bin/python examples/http_provider.py

Two shops on loopback ports: the first one takes an order and hangs up before it answers, then is gone altogether.
"""

import asyncio

from understudy.adapters import MemoryLog
from understudy.adapters.demo import Act, Fault, Line, ProviderServer
from understudy.adapters.providers import HttpProvider, HttpReply
from understudy.engine import Deadline, Engine, Finding, Found, OutOfStock, Policy, Reply, Request, Strategy


class MyShop(HttpProvider):
    """An adapter: what this API calls things, and which of its answers are errors."""

    key_header = "Idempotency-Key"

    def __init__(self, name: str, address: str, api_key: str) -> None:
        self.id = name
        super().__init__(address, headers={"Authorization": f"Bearer {api_key}"})

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:
        wish = {"operation": operation, **request.context}
        reply = await self.send("POST", "/orders", json=wish, effect=request.effect, key=key, deadline=deadline)
        return Reply(value=reply.json, reference=reply.string("order"), cost=reply.decimal("price"))

    async def lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:
        reply = await self.send("GET", "/lookup", params={"key": key}, deadline=deadline)
        if reply.string("finding") == "absent":
            return Found(finding=Finding.ABSENT)
        return Found(finding=Finding.SUCCEEDED, value=reply.json, reference=reply.string("order"))

    async def ping(self) -> None:
        await self.send("GET", "/ping")

    def fault_in(self, reply: HttpReply) -> OutOfStock | None:
        match reply.json:
            case {"error": {"code": "SOLD_OUT"}}:  # This API says so under a 200.
                return OutOfStock("none left")
        return None


async def main() -> None:
    policy = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0)
    async with (
        ProviderServer("alpha") as alpha,
        ProviderServer("beta") as beta,
        MyShop("alpha", alpha.url, "sesame") as first,
        MyShop("beta", beta.url, "simsim") as second,
        Engine(providers=[first, second], log=MemoryLog(), policy=policy) as engine,
    ):
        alpha.will(Act(fault=Fault.RESET, executes=True))
        answer = await engine.call("rent_number", context={"country": "us"}, effect="once")
        print(f"{answer.provider} has done it, known by {answer.via}: {answer.reference}")
        await alpha.change(Line.REFUSES)
        answer = await engine.call("rent_number", context={"country": "us"}, effect="once")
        print(f"{answer.provider} has done it, known by {answer.via}: {answer.reference}")
        print(f"executed at alpha: {len(alpha.books.executions)}, at beta: {len(beta.books.executions)}")


asyncio.run(main())
