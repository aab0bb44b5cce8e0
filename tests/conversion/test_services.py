"""The services of a converter as its caller has them, and as the engine is given them."""

from decimal import Decimal
from typing import Any

import pytest
from http_for_tests import until

from understudy.adapters.conversion.checked_service import CheckedService
from understudy.adapters.conversion.services import arranged
from understudy.engine import Deadline, Effect, Finding, Found, InvalidReply, Quote, Reply, Request
from understudy.events.policy import ProviderSettings

REQUEST = Request(request_id="r", operation="convert", effect=Effect.ONCE, amount=Decimal(1), body={"to_coin": "BTC"})


class Service:
    def __init__(self, name: str = "a", **more: Any) -> None:
        self.id = name
        self.__dict__.update(more)

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:
        return Reply(reference=f"{operation} {key}")

    async def quote(self, request: Request, *, deadline: Deadline) -> Quote:
        return Quote(rate=Decimal(2))


class Full(Service):
    settle_ms = 900
    two_part = True

    async def ping(self) -> None: ...

    async def lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:
        return Found(finding=Finding.SUCCEEDED, value={"to_coin": "LTC"})


class Mute:
    id = "mute"

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> None: ...


def test_a_service_may_stand_alone_in_a_pair_or_in_a_table() -> None:
    settings = ProviderSettings(id="a", weight=Decimal("0.4"))
    a, b, c, d = Service("a", settings=settings), Service("b"), Service("c"), Service("d")
    objects, entries = arranged([a, (b, {"maxFailures": 5}), {"id": "c", "priority": 2, "service": c}, {"service": d}])
    assert objects == {"a": a, "b": b, "c": c, "d": d}
    assert entries == [
        {"id": "a", "weight": Decimal("0.4")},
        {"id": "b", "maxFailures": 5},
        {"id": "c", "priority": 2},
        {"id": "d"},
    ]


@pytest.mark.parametrize(
    ("services", "message"),
    [
        ([], "services is empty"),
        ({"a": Service()}, "must be a list of services"),
        ("abc", "must be a list of services"),
        (7, "must be a list of services"),
        ([{"id": "a"}], 'has no "service": the object that it is about'),
        ([Mute()], "the service 'mute' has no `async def quote"),
        ([object()], "is no provider"),
        ([Service("a"), Service("a")], "two services have the id 'a'"),
        ([{"id": "b", "service": Service("a")}], "the service 'a' is given the id 'b'"),
    ],
)
def test_what_can_convert_nothing_is_refused(services: Any, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        arranged(services)


def test_a_checked_service_is_able_to_do_what_the_service_is() -> None:
    plain, full = CheckedService(Service(), settle_ms=7), CheckedService(Full(), settle_ms=7)
    able = ("ping", "lookup", "quote", "stock", "settle_ms", "two_part")
    assert [name for name in able if hasattr(plain, name)] == ["quote", "settle_ms"]
    assert [name for name in able if hasattr(full, name)] == ["ping", "lookup", "quote", "settle_ms", "two_part"]
    assert (full.settle_ms, full.two_part) == (7, True)  # type: ignore[attr-defined] # Set where the service has it.


async def test_what_a_service_answers_is_looked_at() -> None:
    service = CheckedService(Full(), settle_ms=7)
    assert (await service.quote(REQUEST, deadline=until())).quote == Quote(rate=Decimal(2))
    assert (await service.call("convert", REQUEST, key="k", deadline=until())).reference == "convert k"
    with pytest.raises(InvalidReply, match="to_coin is 'LTC', not BTC"):
        await service.lookup("convert", REQUEST, key="k", deadline=until())


async def test_a_quote_is_held_against_the_engines_clock_not_against_ours() -> None:
    class Late(Service):
        async def quote(self, request: Request, *, deadline: Deadline) -> Quote:
            return Quote(rate=Decimal(2), expires_at_us=1_000)

    service = CheckedService(Late(), settle_ms=7)
    assert (await service.quote(REQUEST, deadline=Deadline(5_000, lambda: 999))).quote is not None
    with pytest.raises(InvalidReply, match="had expired"):
        await service.quote(REQUEST, deadline=Deadline(5_000, lambda: 1_000))
