"""Shops that speak the protocol of `handler_api.php`: one protocol, many hosts.

An answer is a word with arguments (`ACCESS_NUMBER:635468024:79584123456`) or JSON, mostly under status 200, errors too.
So the word says what an answer is, and the status only where no word does.

Buying knows no key of ours. So buys of one (service, country) go one after another, each after a look at what is
active; a call in doubt is then whatever has become active since, and is nobody else's. What ends before the buy itself
was sent has surely bought nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple

from understudy.adapters.providers import HttpLimits, HttpProvider, HttpReply
from understudy.adapters.rental.sms_activate_answers import activations, judged, price_of, rented
from understudy.adapters.rental.sms_activate_checks import check_shop
from understudy.adapters.rental.sms_activate_words import (
    EARLY,
    UNKNOWN_ACTION,
    word_of,
)
from understudy.engine.errors import (
    InsufficientFunds,
    InvalidReply,
    Misconfigured,
    NotOffered,
    OutOfStock,
    ProviderError,
    RateLimited,
    Rejected,
    TooExpensive,
    Transient,
)
from understudy.engine.provider import Deadline, Found, Offer, Reply, Request
from understudy.events.vocabulary import Effect, Finding

PATH: Final = "/stubs/handler_api.php"
SETTLE_MS: Final = 10_000
"""How long after a buy "there is none" is not believed: a shop that hangs may still be at it."""
_LONG_LISTS: Final = HttpLimits(reply_bytes=30_000_000)
_FINISH, _CANCEL = 6, 8
_MOST_REMEMBERED: Final = 10_000
_BUYING: Final = ("getNumberV2", "getNumber")
"""The actions that buy, the one that tells more first: not every host knows it."""
_KEPT_S: Final = 121
"""Shops take a number back no sooner than two minutes after it was rented."""
_ASK_AGAIN_S: Final = 30
"""When it is worth asking again, where nobody knows how old a number is."""


class _Buy(NamedTuple):
    """What a buy was for, and which activations there were before it; None while it has not been sent."""

    ware: tuple[str, str]
    before: frozenset[str] | None


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

        Errors: ValueError for an address, a name, a key or a map that cannot be used.
        """
        check_shop(name, api_key=api_key, countries=countries, services=services or {})
        self.id = name
        super().__init__(base_url, secrets=[api_key], limits=limits or _LONG_LISTS)
        self._api_key, self._path = api_key, path
        self._countries, self._services = dict(countries), dict(services or {})
        self._buying: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._buys: dict[str, _Buy] = {}
        self._ours: dict[str, float] = {}
        """Activations that are known to be of one buy, the latest of them, and since when: in the loop's seconds."""
        self._actions: tuple[str, ...] = _BUYING
        self._listed: dict[tuple[str, str], Decimal] = {}
        """What one of a ware costs, as the latest list has it: answers in words tell no price."""

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:
        """Rent a number, or see to one that was rented."""
        match operation:
            case "rent":
                return await self._rent(request, key, deadline, {})
            case "code":
                return await self._code(request.context["rental_id"], deadline)
            case "cancel":
                return await self._cancel(request, deadline)
            case "finish":
                return await self._end(request, deadline, _FINISH)
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
        offers = []
        for country, offered in reply.json.items() if isinstance(reply.json, dict) else ():
            for service, told in offered.items() if country in countries else ():
                price = self._listed[service, country] = Decimal(str(told["cost"]))
                ours = services.get(service, service)
                offers.append(Offer(country=countries[country], service=ours, stock=int(told["count"]), price=price))
        return offers

    async def lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:  # noqa: ARG002
        """What has become active since that buy, and is nobody else's."""
        buy = self._buys.get(key)
        if operation != "rent" or buy is None:
            return Found(finding=Finding.UNKNOWN)  # Of an earlier run: nobody knows what there was before.
        if buy.before is None:
            return Found(finding=Finding.ABSENT)  # The buy was never sent.
        active = await self._active(buy.ware, deadline)
        new = {one: told for one, told in active.items() if one not in buy.before and one not in self._ours}
        if not new:
            return Found(finding=Finding.ABSENT)
        if len(new) > 1:
            return Found(finding=Finding.UNKNOWN)
        ((reference, told),) = new.items()
        self._remember(reference)
        value = {"number": str(told["phoneNumber"]), "price": price_of(told.get("activationCost"))}
        return Found(finding=Finding.SUCCEEDED, value=value, reference=reference)

    async def _rent(self, request: Request, key: str, deadline: Deadline, more: Mapping[str, str]) -> Reply:
        ware = self._ware(request.context)
        self._note(key, _Buy(ware, None))
        async with self._buying[ware]:
            self._note(key, _Buy(ware, await self._before(ware, deadline)))
            limit = None if request.max_price is None else format(request.max_price, "f")
            service, country = ware
            reply = await self._buy(deadline, service=service, country=country, maxPrice=limit, **more)
            listed = None if more else self._listed.get(ware)
            within = listed is not None and (request.max_price is None or listed <= request.max_price)
            made = rented(reply, listed=listed if within else None)
            self._remember(str(made.reference))
        return made

    async def _before(self, ware: tuple[str, str], deadline: Deadline) -> frozenset[str]:
        """What is active before a buy. Errors: none that would say that anything was bought."""
        try:
            return frozenset(await self._active(ware, deadline))
        except (InsufficientFunds, Misconfigured, RateLimited):
            raise
        except ProviderError as error:
            if error.code == UNKNOWN_ACTION:
                raise Misconfigured(f"it cannot tell what is active: {error.message}", code=error.code) from None
            raise Transient(f"{error.message}; nothing was bought", code=error.code, network=error.network) from None

    async def _buy(self, deadline: Deadline, **fields: str | None) -> HttpReply:
        """Buy by the first of the actions that this host knows; one that it does not know has bought nothing."""
        for action in self._actions:
            try:
                return await self._ask(action, Effect.ONCE, deadline, **fields)
            except Rejected as error:  # The caller has chosen neither the action nor its form.
                raise NotOffered(error.message, code=error.code) from None
            except NotOffered as error:
                if error.code != UNKNOWN_ACTION:
                    raise
                self._actions = tuple(one for one in self._actions if one != action)
        self._actions = _BUYING
        raise Misconfigured(f"it knows neither {' nor '.join(_BUYING)}", code=UNKNOWN_ACTION)

    async def _cancel(self, request: Request, deadline: Deadline) -> Reply:
        try:
            return await self._end(request, deadline, _CANCEL)
        except Transient as error:
            if error.code != EARLY:
                raise
            since_s = self._ours.get(request.context["rental_id"])
            age_s = None if since_s is None else asyncio.get_running_loop().time() - since_s
            again_s = _ASK_AGAIN_S if age_s is None else max(_KEPT_S - age_s, _ASK_AGAIN_S / 2)
            message = (
                f"{error.message}: it takes a number back two minutes after it was rented; again in {again_s:.0f} s"
            )
            raise Transient(message, code=EARLY, retry_after_ms=round(again_s * 1000)) from None

    async def _end(self, request: Request, deadline: Deadline, status: int) -> Reply:
        """Be done with a number; the value of the answer is the shop's own word."""
        activation = request.context["rental_id"]
        reply = await self._ask("setStatus", request.effect, deadline, id=activation, status=status)
        return Reply(value=word_of(reply) or "ok")

    def _note(self, key: str, buy: _Buy) -> None:
        self._buys[key] = buy
        while len(self._buys) > _MOST_REMEMBERED:
            del self._buys[next(iter(self._buys))]

    def _remember(self, activation: str) -> None:
        self._ours[activation] = asyncio.get_running_loop().time()
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
        try:
            return {
                str(one["activationId"]): one
                for one in activations(reply)
                if (str(one.get("serviceCode")), str(one.get("countryCode"))) == ware
            }
        except (AttributeError, LookupError, TypeError) as error:
            raise InvalidReply(f"an activation that cannot be read: {reply.beginning}") from error

    async def _ask(self, action: str, effect: Effect, deadline: Deadline | None, **fields: object) -> HttpReply:
        form = {"api_key": self._api_key, "action": action, **fields}
        judge = partial(judged, action=action)
        return await self.send(
            "POST", self._path, effect=effect, deadline=deadline, form=form, judge=judge, known_as=action
        )

    def _ware(self, context: Mapping[str, str]) -> tuple[str, str]:
        """The service and the country in the shop's own words."""
        service, country = context.get("service", ""), context.get("country", "")
        if country not in self._countries:
            meant = next((one for one in self._countries if one.casefold() == country.casefold()), None)
            raise NotOffered(f"no country {country!r} here" + (f"; did you mean {meant!r}?" if meant else ""))
        return self._services.get(service, service), self._countries[country]
