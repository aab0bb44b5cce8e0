"""What tests of described providers share: the descriptions of the page, servers that say what they are told, calls."""

import re
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from http_for_tests import until
from repository import ROOT

from understudy.adapters.providers import GivenCredentials, HttpApi
from understudy.engine import Effect, Reply, Request

PAGE = (ROOT / "docs" / "http-providers.md").read_text(encoding="utf-8")
SECRETS = {"FIVESIM_TOKEN": "eyJ-5sim/token+1", "SMS_KEY": "sms key&=7", "COINGATE_TOKEN": "coin-gate-token"}


def page_blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def on_the_page(name: str) -> dict[str, Any]:
    """A provider of the page, as its description says."""
    providers = [tomllib.loads(block, parse_float=Decimal)["providers"] for block in page_blocks("toml")]
    return next({**one[name], "id": name} for one in providers if name in one)


def described(url: str, *, secrets: dict[str, str] | None = None, **more: Any) -> HttpApi:
    """A provider with one operation, `buy`, unless told otherwise; keys of the operation are given by `buy`."""
    buy = {"method": "POST", "path": "/buy", **more.pop("buy", {})}
    operations = {"buy": buy, **more.pop("operations", {})}
    values = {"id": "shop", "base_url": url, "operations": operations, **more}
    return HttpApi.from_mapping(values, credentials=GivenCredentials(secrets or {}))


def request(effect: Effect = Effect.ONCE, *, operation: str = "buy", **said: Any) -> Request:
    return Request(request_id="r-1", operation=operation, effect=effect, **said)


async def bought(shop: HttpApi, one: Request | None = None, *, key: str = "k-1") -> Reply:
    one = one or request()
    return await shop.call(one.operation, one, key=key, deadline=until())


@dataclass
class Asked:
    """A request as a server got it."""

    method: str
    path: str
    raw_path: str
    query: dict[str, str]
    headers: dict[str, str]
    text: str
    form: dict[str, str] = field(default_factory=dict)


@dataclass
class Api:
    """A server's books."""

    url: str = ""
    asked: list[Asked] = field(default_factory=list)


@dataclass(frozen=True)
class Said:
    """An answer, which may be given more than once."""

    body: str
    status: int
    kind: str
    headers: dict[str, str]


Answer = Callable[[Asked], Said]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[Api]:
    """An aiohttp server on a loopback port that answers every request so."""
    api = Api()

    async def handle(got: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await got.post()).items()} if got.method == "POST" else {}
        asked = Asked(got.method, got.path, got.raw_path, dict(got.query), dict(got.headers), await got.text(), form)
        api.asked.append(asked)
        told = answer(asked)
        return web.Response(text=told.body, status=told.status, content_type=told.kind, headers=told.headers)

    app = web.Application()
    app.router.add_route("*", "/{any:.*}", handle)
    async with TestServer(app, host="127.0.0.1") as server:
        api.url = str(server.make_url("/")).rstrip("/")
        yield api


def json(body: str, status: int = 200, **headers: str) -> Said:
    return Said(body, status, "application/json", headers)


def text(body: str, status: int = 200, kind: str = "text/html", **headers: str) -> Said:
    """Plain text, under the type that many a PHP script gives it."""
    return Said(body, status, kind, headers)
