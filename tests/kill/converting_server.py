"""Conversion services that let their callers down when the money has moved, and keep books of the truth."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from aiohttp import web

FAULTS: Final = (
    "timeout_before_execution",
    "timeout_after_execution",
    "reset_after_execution",
    "500_after_execution",
    "wrong_json",
    "negative_amount",
    "other_currency",
    "duplicate_success",
)
NAMES: Final = ("alpha", "beta", "gamma")
RATES: Final = {"alpha": Decimal("0.0654"), "beta": Decimal("0.0653"), "gamma": Decimal("0.0652")}
_LONGER_THAN_ANYBODY_WAITS_S: Final = 5

DESCRIBED = """
[providers.{name}]
base_url = "{url}/{name}"
key_header = "Idempotency-Key"
settle_ms = 60
rules = [{{ status = 500, kind = "ambiguous" }}]

[providers.{name}.operations.quote]
path = "/estimates"
query = {{ amount = "{{amount}}" }}
reply.quote = {{ rate = "rate", reference = "id" }}

[providers.{name}.operations.convert]
method = "POST"
path = "/orders"
body = {{ from = "{{body.from_coin}}", to = "{{body.to_coin}}", amount = "{{amount}}", address = "{{body.address}}" }}
reply.reference = "id"
reply.amount_out = "toAmount"
reply.value = {{ from_coin = "from", to_coin = "to", amount = "amount", address = "address" }}
"""
LOOKUP = """
[providers.{name}.operations.lookup]
path = "/orders/{{key}}"
reply = {{ reference = "id", finding = "state", amount_out = "toAmount" }}
rules = [{{ status = 404, finding = "absent" }}]
"""


@dataclass
class Services:
    """Three of them; a share of the orders, by seeded dice, meets one of the faults."""

    faulty: Sequence[str]
    dice: random.Random
    share: float = 0.3
    with_lookup: bool = True
    url: str = ""
    paid: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    """Orders that were executed, by service and key."""
    times: dict[tuple[str, str], int] = field(default_factory=dict)
    """How often each was executed: more than once where the same key was not the same order."""
    faults: int = 0

    @property
    def descriptions(self) -> str:
        parts = DESCRIBED + (LOOKUP if self.with_lookup else "")
        return "\n".join(parts.format(name=name, url=self.url) for name in NAMES)

    async def estimate(self, request: web.Request) -> web.Response:
        rate = RATES[request.match_info["name"]]
        return web.json_response({"rate": str(rate), "id": "q"})

    async def look_up(self, request: web.Request) -> web.Response:
        found = self.paid.get((request.match_info["name"], request.match_info["key"]))
        return web.json_response(found or {"error": "no such order"}, status=200 if found else 404)

    async def order(self, request: web.Request) -> web.StreamResponse:
        name, key, asked = request.match_info["name"], request.headers["Idempotency-Key"], await request.json()
        unlucky = self.dice.random() < self.share
        self.faults += unlucky
        fault = self.dice.choice(self.faulty)
        if unlucky and fault == "timeout_before_execution":
            await asyncio.sleep(_LONGER_THAN_ANYBODY_WAITS_S)
            return web.json_response({"error": "too late"}, status=503)
        done = self._execute(name, key, asked)
        if not unlucky:
            return web.json_response(done)
        match fault:
            case "timeout_after_execution":
                await asyncio.sleep(_LONGER_THAN_ANYBODY_WAITS_S)
            case "reset_after_execution":
                assert request.transport is not None
                request.transport.abort()
            case "500_after_execution":
                return web.json_response({"error": "oops"}, status=500)
            case "wrong_json":
                return web.Response(text='{"id": "x", "toAmount": ', content_type="application/json")
            case "negative_amount":
                return web.json_response({**done, "toAmount": "-" + done["toAmount"]})
            case "other_currency":
                return web.json_response({**done, "to": "DOGE"})
            case "duplicate_success":
                return web.json_response(self._execute(name, key, asked))
        return web.json_response(done)

    def _execute(self, name: str, key: str, asked: dict[str, Any]) -> dict[str, Any]:
        known = self.paid.get((name, key))
        if known is not None:
            assert known["amount"] == asked["amount"], "one key is one order"
            return known
        self.times[name, key] = self.times.get((name, key), 0) + 1
        arrives = str(Decimal(asked["amount"]) * RATES[name])
        done = {"id": f"{name}-{len(self.paid)}", "toAmount": arrives, "state": "succeeded", **asked}
        self.paid[name, key] = done
        return done


@asynccontextmanager
async def serving(services: Services) -> AsyncIterator[None]:
    """Serve on a loopback port until the end of the block."""
    app = web.Application()
    app.router.add_get("/{name}/estimates", services.estimate)
    app.router.add_get("/{name}/orders/{key}", services.look_up)
    app.router.add_post("/{name}/orders", services.order)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=False, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    services.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield
    finally:
        await runner.cleanup()
