"""A shop on a loopback port that speaks the protocol of `handler_api.php`, with stock, a balance, and books."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aiohttp import web

KEY = "sesame-0123456789"
PHP = {"content_type": "text/html", "charset": "utf-8"}
"""Plain text comes as HTML from such hosts."""


@dataclass
class SmsShop:
    """What it has and what it has done. `manners` are what it does next to a buy, in order; None for as it should."""

    price: Decimal = Decimal("0.42")
    left: int = 40
    balance: Decimal = Decimal(10)
    early: int = 0
    """How often it still says that it is too early to cancel."""
    says: dict[str, str] = field(default_factory=dict)
    """What it says to actions, whatever is asked; `*` stands for all of them."""
    silent: set[str] = field(default_factory=set)
    """Actions that it never answers."""
    codes: dict[str, str] = field(default_factory=dict)
    manners: list[str | None] = field(default_factory=list)
    words: bool = False
    """Whether it tells a rented number in words, as old hosts do."""
    activations: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def books(self) -> dict[str, str]:
        return {one: told["state"] for one, told in self.activations.items()}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.asked.append(form)
        if form.pop("api_key") != KEY:
            return self._say("BAD_KEY")
        action = form["action"]
        if action in self.silent:
            await self.closing.wait()
        if (said := self.says.get(action, self.says.get("*"))) is not None:
            return self._say(said)
        if action.startswith("getNumber"):
            return self._sell(request, form)
        answers = {
            "getBalance": self._balance,
            "getPrices": self._prices,
            "getStatus": self._status,
            "setStatus": self._set_status,
            "getActiveActivations": self._active,
        }
        return answers[action](form) if action in answers else self._say("BAD_ACTION")

    def _say(self, text: str) -> web.Response:
        return web.Response(text=text, **PHP)  # type: ignore[arg-type]

    def _balance(self, _: dict[str, str]) -> web.Response:
        return self._say(f"ACCESS_BALANCE:{self.balance}")

    def _prices(self, _: dict[str, str]) -> web.Response:
        offer = {"cost": float(self.price), "count": self.left, "physicalCount": None}
        return web.json_response({"187": {"wa": offer}, "999": {"wa": offer}})

    def _sell(self, request: web.Request, form: dict[str, str]) -> web.Response:
        manner = self.manners.pop(0) if self.manners else None
        if manner is not None and manner != "reset":
            return self._say(manner)
        if not self.left:
            return self._say("NO_NUMBERS")
        if "maxPrice" in form and Decimal(form["maxPrice"]) < self.price and "freePrice" not in form:
            return self._say(f"WRONG_MAX_PRICE:{self.price}")
        self.left -= 1
        self.balance -= self.price
        one = str(900_100_200 + len(self.activations))
        number = f"1555010{len(self.activations):04}"
        self.activations[one] = {
            "state": "open",
            "number": number,
            "service": form["service"],
            "country": form["country"],
        }
        if manner == "reset":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if self.words or form["action"] == "getNumber":
            return self._say(f"ACCESS_NUMBER:{one}:{number}")
        return web.json_response({"activationId": int(one), "phoneNumber": number, "activationCost": str(self.price)})

    def _status(self, form: dict[str, str]) -> web.Response:
        if self.activations[form["id"]]["state"] != "open":
            return self._say("STATUS_CANCEL")
        code = self.codes.get(form["id"])
        return self._say("STATUS_WAIT_CODE" if code is None else f"STATUS_OK:{code}")

    def _set_status(self, form: dict[str, str]) -> web.Response:
        one = self.activations[form["id"]]
        if one["state"] != "open":
            return self._say("ACTIVATION_NOT_ACTIVE")
        if form["status"] == "8":
            if self.early:
                self.early -= 1
                return self._say("EARLY_CANCEL_DENIED")
            one["state"] = "cancelled"
            self.balance += self.price
            return self._say("ACCESS_CANCEL")
        one["state"] = "finished"
        return self._say("ACCESS_ACTIVATION")

    def _active(self, _: dict[str, str]) -> web.Response:
        every = [
            {
                "activationId": one,
                "serviceCode": told["service"],
                "countryCode": told["country"],
                "phoneNumber": told["number"],
                "activationCost": str(self.price),
            }
            for one, told in self.activations.items()
            if told["state"] == "open"
        ]
        if not every:
            return self._say("NO_ACTIVATIONS")
        return web.json_response({"status": "success", "activeActivations": every})


@asynccontextmanager
async def selling(**told: Any) -> AsyncIterator[SmsShop]:
    """A shop that is open."""
    shop = SmsShop(**told)
    app = web.Application()
    app.router.add_post("/stubs/handler_api.php", shop.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server: Any = site._server
        shop.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield shop
    finally:
        shop.closing.set()
        await runner.cleanup()
