"""Shops that speak the protocol of `handler_api.php`: one protocol, many hosts.

An answer is a word with arguments (`ACCESS_NUMBER:635468024:79584123456`) or JSON, mostly under status 200, errors too.
So the word says what an answer is, and the status only where no word does.

Buying knows no key of ours. So buys of one (service, country) go one after another, each after a look at what is
active; a call in doubt is then whatever has become active since, and is nobody else's.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Final

from understudy.adapters.providers import HttpLimits, HttpProvider, HttpReply
from understudy.adapters.rental.sms_activate_words import FINE, OVER, fault, word_of
from understudy.engine.errors import InvalidReply, NotOffered, OutOfStock, ProviderError, Rejected, TooExpensive
from understudy.engine.provider import Deadline, Found, Offer, Reply, Request
from understudy.events.vocabulary import Effect, Finding

PATH: Final = "/stubs/handler_api.php"
SETTLE_MS: Final = 10_000
"""How long after a buy "there is none" is not believed: a shop that hangs may still be at it."""
_LONG_LISTS: Final = HttpLimits(reply_bytes=30_000_000)
_FINISH, _CANCEL = 6, 8
_MOST_REMEMBERED: Final = 10_000

Before = tuple[tuple[str, str], frozenset[str]]
"""What a buy was for, and which activations there were before it."""


class SmsActivate(HttpProvider):
    """One such shop. Its prices are in the currency of our account there.

    `countries` and `services` map our names to the shop's: `{"us": "187"}`, `{"wa": "wa"}`. A country that is not
    mapped is not offered there; a service that is not mapped is called as we call it.
    """

    settle_ms = SETTLE_MS

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        api_key: str,
        countries: Mapping[str, str],
        services: Mapping[str, str] | None = None,
        path: str = PATH,
        limits: HttpLimits | None = None,
    ) -> None:
        """`base_url` is the host, such as `https://shop.example`.

        Errors: ValueError for an address that cannot be used.
        """
        self.id = name
        super().__init__(base_url, secrets=[api_key], limits=limits or _LONG_LISTS)
        self._api_key, self._path = api_key, path
        self._countries, self._services = dict(countries), dict(services or {})
        self._buying: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._before: dict[str, Before] = {}
        self._ours: dict[str, None] = {}
        """Activations that are known to be of one buy, the latest of them."""

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:
        """Rent a number, or see to one that was rented."""
        match operation:
            case "rent":
                return await self._rent(request, key, deadline, {})
            case "code":
                return await self._code(request.context["rental_id"], deadline)
            case "cancel" | "finish":
                status = _CANCEL if operation == "cancel" else _FINISH
                await self._ask("setStatus", request.effect, deadline, id=request.context["rental_id"], status=status)
                return Reply(value="ok")
            case _:
                raise NotOffered(f"no such operation here: {operation}")

    async def bid(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:  # noqa: ARG002
        """Rent a number at the price that we bid, if somebody sells at that."""
        try:
            return await self._rent(request, key, deadline, {"freePrice": "true"})
        except OutOfStock as error:  # At that price: it says nothing of higher bids.
            raise TooExpensive(error.message, code=error.code) from error

    async def ping(self) -> None:
        """Ask for the balance."""
        await self._ask("getBalance", Effect.READ, None)

    async def sync(self, *, deadline: Deadline) -> list[Offer]:
        """All prices and stocks of the countries that are mapped."""
        reply = await self._ask("getPrices", Effect.READ, deadline)
        countries = {theirs: ours for ours, theirs in self._countries.items()}
        services = {theirs: ours for ours, theirs in self._services.items()}
        return [
            Offer(
                country=countries[country],
                service=services.get(service, service),
                stock=int(told["count"]),
                price=Decimal(str(told["cost"])),
            )
            for country, offered in (reply.json.items() if isinstance(reply.json, dict) else ())
            for service, told in offered.items()
            if country in countries
        ]

    async def lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:  # noqa: ARG002
        """What has become active since that buy, and is nobody else's."""
        before = self._before.get(key)
        if operation != "rent" or before is None:
            return Found(finding=Finding.UNKNOWN)  # Of an earlier run: nobody knows what there was before.
        ware, known = before
        active = await self._active(ware, deadline)
        new = {one: told for one, told in active.items() if one not in known and one not in self._ours}
        if not new:
            return Found(finding=Finding.ABSENT)
        if len(new) > 1:
            return Found(finding=Finding.UNKNOWN)
        ((reference, told),) = new.items()
        self._remember(reference)
        value = {"number": str(told["phoneNumber"]), "price": _price(told.get("activationCost"))}
        return Found(finding=Finding.SUCCEEDED, value=value, reference=reference)

    async def _rent(self, request: Request, key: str, deadline: Deadline, more: Mapping[str, str]) -> Reply:
        ware = self._ware(request.context)
        async with self._buying[ware]:
            self._before[key] = ware, frozenset(await self._active(ware, deadline))
            while len(self._before) > _MOST_REMEMBERED:
                del self._before[next(iter(self._before))]
            limit = None if request.max_price is None else format(request.max_price, "f")
            service, country = ware
            reply = await self._ask(
                "getNumberV2", Effect.ONCE, deadline, service=service, country=country, maxPrice=limit, **more
            )
            made = _rented(reply)
            self._remember(str(made.reference))
        return made

    def _remember(self, activation: str) -> None:
        self._ours[activation] = None
        while len(self._ours) > _MOST_REMEMBERED:
            del self._ours[next(iter(self._ours))]

    async def _code(self, activation: str, deadline: Deadline) -> Reply:
        reply = await self._ask("getStatus", Effect.READ, deadline, id=activation)
        word, _, code = reply.text.strip().partition(":")
        if word == "STATUS_CANCEL":
            raise Rejected("this rental is over", code=word)
        return Reply(value={"code": code if word == "STATUS_OK" else None})

    async def _active(self, ware: tuple[str, str], deadline: Deadline) -> dict[str, Mapping[str, Any]]:
        """What is active now of a service in a country, by its id."""
        reply = await self._ask("getActiveActivations", Effect.READ, deadline)
        told = reply.json if isinstance(reply.json, dict) else {}
        every = told.get("activeActivations") or told.get("data") or []
        return {
            str(one["activationId"]): one
            for one in every
            if (str(one.get("serviceCode")), str(one.get("countryCode"))) == ware
        }

    async def _ask(self, action: str, effect: Effect, deadline: Deadline | None, **fields: object) -> HttpReply:
        form = {"api_key": self._api_key, "action": action, **fields}
        judge = partial(_judged, action=action)
        return await self.send(
            "POST", self._path, effect=effect, deadline=deadline, form=form, judge=judge, known_as=action
        )

    def _ware(self, context: Mapping[str, str]) -> tuple[str, str]:
        """The service and the country in the shop's own words."""
        service, country = context.get("service", ""), context.get("country", "")
        if country not in self._countries:
            raise NotOffered(f"no country {country!r} here")
        return self._services.get(service, service), self._countries[country]


def _judged(reply: HttpReply, *, action: str) -> ProviderError | HttpReply | None:
    """What an answer is, by its word; where it has none that is known, the status speaks, if that is bad."""
    word = word_of(reply)
    if word in FINE or (isinstance(reply.json, dict | list) and word is None):
        return reply
    if action == "setStatus" and (word in OVER or reply.status == 204):  # noqa: PLR2004 - No content.
        return reply
    if word is not None and (error := fault(word, reply, buys=action.startswith("getNumber"))) is not None:
        return error
    if reply.status // 100 != 2:  # noqa: PLR2004 - A success.
        return None
    return InvalidReply("an answer that this protocol does not know", code=word)


def _rented(reply: HttpReply) -> Reply:
    """A number that was rented, told as JSON or in words.

    Errors: InvalidReply.
    """
    if isinstance(reply.json, dict):
        price = _price(reply.json.get("activationCost"))
        number, reference = reply.string("phoneNumber"), reply.string("activationId")
    else:
        price = None
        _, reference, number = [*reply.text.strip().split(":"), "", ""][:3]
    if not number or not reference:
        raise InvalidReply("a number was rented, and not told")
    return Reply(value={"number": number}, reference=reference, cost=None if price is None else Decimal(price))


def _price(told: object) -> str | None:
    try:
        price = Decimal(str(told))
    except InvalidOperation:
        return None
    return format(price, "f") if price.is_finite() else None
