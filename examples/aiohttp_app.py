"""Understudy in an aiohttp web application: one engine for the whole application, from its start to its end.

    .venv/bin/python examples/aiohttp_app.py

It serves on a loopback port and then asks itself: two orders, the second one while the first provider is down, and a
look at the health of the providers. An application of your own ends with `web.run_app(application(…))` instead.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from aiohttp import web

from understudy.adapters import SqliteLog
from understudy.adapters.demo import DemoShop, Line, ProviderServer
from understudy.engine import Engine, NoProviderAvailable, OutcomeUnknown, Policy, RequestError, Strategy

ENGINE = web.AppKey("engine", Engine)
ROUTES = web.RouteTableDef()


@ROUTES.post("/numbers")
async def rent_a_number(request: web.Request) -> web.Response:
    """One order. The client's Idempotency-Key makes a repeat join the first, even after a restart of ours."""
    wish = await request.json()
    try:
        answer = await request.app[ENGINE].call(
            "rent_number",
            context={"country": wish["country"], "service": wish["service"]},
            effect="once",
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
    except OutcomeUnknown as error:  # It may have been executed: never order elsewhere, ask again under the same key.
        return web.json_response({"request": error.request_id, "state": "pending"}, status=202)
    except NoProviderAvailable as error:
        return web.json_response({"request": error.request_id, "vetoes": error.vetoes}, status=503)
    except RequestError as error:  # Surely no effect is left behind.
        return web.json_response({"request": error.request_id, "error": str(error)}, status=502)
    return web.json_response({"request": answer.request_id, "by": answer.provider, "failovers": answer.failovers})


@ROUTES.get("/health")
async def health(request: web.Request) -> web.Response:
    """How every provider stands, for a load balancer or a person: 503 when nobody can be asked."""
    found = request.app[ENGINE].health()
    told = {one.provider: {"status": one.status, "score": one.score / 1000, "verdict": one.verdict} for one in found}
    return web.json_response(told, status=200 if any(one.status != "unavailable" for one in found) else 503)


def application(engine: Engine, shops: list[DemoShop]) -> web.Application:
    """The application; what it opens it closes when it is shut down."""

    async def page(_: Engine, *, service_id: str, failures: int, **__: Any) -> None:
        print(f"  signal: {service_id} has failed {failures} request(s) in a row")

    async def note(_: Engine, *, from_service: str, to_service: str, **__: Any) -> None:
        print(f"  signal: {to_service} has stood in for {from_service}")

    async def relax(_: Engine, *, service_id: str, **__: Any) -> None:
        print(f"  signal: {service_id} is back")

    engine.on("service:failure", page)
    engine.on("failover:success", note)
    engine.on("service:recovered", relax)

    async def running(_: web.Application) -> AsyncIterator[None]:
        async with engine:
            yield
        for shop in shops:  # The engine does not close what it was given.
            await shop.close()

    app = web.Application()
    app[ENGINE] = engine
    app.cleanup_ctx.append(running)
    app.add_routes(ROUTES)
    return app


async def main() -> None:
    async with ProviderServer("alpha") as alpha, ProviderServer("beta") as beta:
        shops = [DemoShop("alpha", alpha.url), DemoShop("beta", beta.url)]
        policy = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0)
        engine = Engine(providers=shops, log=SqliteLog("calls.db"), policy=policy)
        runner = web.AppRunner(application(engine, shops))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0]
            await visit(f"http://{host}:{port}", alpha)
        finally:
            await runner.cleanup()


async def visit(address: str, alpha: ProviderServer) -> None:
    """What a client sees."""
    async with aiohttp.ClientSession(address) as client:
        for line in (Line.OPEN, Line.REFUSES):
            await alpha.change(line)
            async with client.post("/numbers", json={"country": "us", "service": "wa"}) as answer:
                told = await answer.json()
                print(f"alpha {line}: {answer.status}, by {told['by']} after {told['failovers']} failover(s)")
        async with client.get("/health") as answer:
            print(answer.status, json.dumps(await answer.json()))


asyncio.run(main())
