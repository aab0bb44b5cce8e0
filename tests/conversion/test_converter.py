"""The converter as its users hold it: what they get, what they are told, what the switches do."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from conversion.exchanges import BTC, ETH_TO_BTC, Exchange, three, virtual

from understudy.adapters.conversion import Conversion, MultiServiceConverter, SettingsError
from understudy.adapters.stores import MemoryLog, SqliteLog
from understudy.engine import (
    AllProvidersFailed,
    Deadline,
    InvalidRequest,
    KeyConflict,
    NoHonestQuote,
    OutcomeUnknown,
    Quote,
    Reply,
    Request,
    RequestError,
    Transient,
)
from understudy.replay.verify import verify
from understudy.replay.virtual_time import virtually


@virtually
async def test_the_best_quote_wins_whatever_the_weights() -> None:
    services = three()
    async with virtual([(services[0], {"weight": 0.01}), services[1], services[2]]) as converter:
        done = [await converter.convert(**ETH_TO_BTC, amount=amount) for amount in ("1.5", 2, Decimal("0.10"))]
    first = done[0]
    assert [one.service for one in done] == ["btcpay"] * 3
    assert (first.rate, first.amount_out, first.fees) == (Decimal("0.0654"), Decimal("0.0981"), Decimal(0))
    assert (first.failovers, first.reference, first.joined, first.via) == (0, "btcpay-1", False, "call")
    assert [one.amount for one in done] == [Decimal("1.5"), Decimal(2), Decimal("0.1")]
    assert [len(one.quoted) for one in services] == [3, 3, 3]


@virtually
async def test_fees_are_what_of_the_rate_does_not_arrive() -> None:
    cheap, dear = Exchange("cheap", "0.0654"), Exchange("dear", "0.0654")
    for one in (cheap, dear):
        one.quote = WithoutAmount(one.rate)  # type: ignore[method-assign]
        one.twist = lambda reply: Reply(value=reply.value, reference=reply.reference)
    fees = {"percent": 1, "flat": Decimal("0.1"), "withdrawal": {"BTC": Decimal("0.0001")}}
    async with virtual([(dear, {"fees": fees}), cheap], trust_lone_quote=True) as converter:
        offers = {one.service: one for one in await converter.quote("ETH", "BTC", "1.5")}
        done = await converter.convert(**ETH_TO_BTC, amount="1.5")
    assert (done.service, done.fees, done.amount_out) == ("cheap", Decimal(0), Decimal("0.0981"))
    assert offers["dear"].rate == Decimal("0.0654")
    arrives = offers["dear"].amount_out
    assert arrives is not None
    assert Decimal("0.09") < arrives < Decimal("0.0981")
    assert offers["dear"].fees == Decimal("0.0981") - arrives
    assert (offers["cheap"].off_best_bp, offers["dear"].off_best_bp) == (
        0,
        round(offers["dear"].fees / Decimal("0.0981") * 10_000),
    )


class WithoutAmount:
    """Quotes that say no amount: the configured fees count."""

    def __init__(self, rate: Decimal) -> None:
        self._rate = rate

    async def __call__(self, request: Request, *, deadline: Deadline) -> Quote:
        return Quote(rate=self._rate)


@virtually
async def test_a_failover_is_told_to_handlers_as_one_event_that_has_the_documents_keys() -> None:
    services = three()
    services[0].refuses = lambda: Transient("maintenance")
    heard: list[Any] = []

    async def hear(event: Any) -> None:
        heard.append(event)

    converter = virtual(services)
    converter.on("service:failure", hear)
    converter.on("failover:success", hear)
    async with converter:
        done = await converter.convert(**ETH_TO_BTC, amount="1.5")
        await until(lambda: len(heard) == 2)
    failure, failover = sorted(heard, key=lambda one: one.signal, reverse=True)
    assert (done.service, done.failovers) == ("simpleswap", 1)
    assert (failure.service_id, failure["serviceId"], failure["failures"]) == ("btcpay", "btcpay", 1)
    assert (failover["from"], failover["to"], failover.from_service) == ("btcpay", "simpleswap", "btcpay")
    assert failover.event.request_id == done.request_id


@virtually
async def test_a_handler_is_told_once_and_no_more_after_off() -> None:
    heard: list[str] = []

    async def hear(event: Any) -> None:
        heard.append(event.request_id)

    async with virtual(three()) as converter:
        assert converter.on("request:completed", hear) is hear
        converter.on("request:completed", hear)
        first = await converter.convert(**ETH_TO_BTC, amount=1)
        await until(lambda: len(heard) == 1)
        converter.off("request:completed", hear)
        converter.off("request:completed", hear)
        await converter.convert(**ETH_TO_BTC, amount=1)
        await asyncio.sleep(1)
    assert heard == [first.request_id]
    with pytest.raises(ValueError, match="did you mean 'service:failure'"):
        converter.on("service:failed", hear)


@virtually
async def test_figures_are_read_as_attributes_and_under_the_documents_keys() -> None:
    services = three()
    async with virtual(services, min_success_rate=0) as converter:
        for _ in range(3):
            await converter.convert(**ETH_TO_BTC, amount=1)
        services[0].refuses = lambda: Transient("maintenance")
        for _ in range(4):
            await converter.convert(**ETH_TO_BTC, amount=1)
        stats = converter.get_stats()
        status = converter.status()
    assert stats.total_conversions == stats["totalConversions"] == 7
    assert stats.service_usage == stats["serviceUsage"] == {"btcpay": 3, "simpleswap": 4, "changenow": 0}
    assert stats.failovers == stats["failovers"] == 3
    assert stats.average_response_time_ms == stats["averageResponseTime"] == 100
    assert stats.healthy_services == stats["healthyServices"] == 2
    assert dict(stats)["service_usage"] == stats.service_usage
    with pytest.raises(KeyError, match="did you mean 'totalConversions'"):
        stats["totalConversion"]
    btcpay = status["services"]["btcpay"]
    assert isinstance(btcpay.pop("lastFailure"), int)
    assert btcpay == {
        "available": False,
        "priority": 1,
        "weight": 1.0,
        "totalRequests": 6,
        "successRate": 0.5,
        "averageResponseTime": 100,
        "failures": 3,
        "quarantines": {},
    }
    assert status["services"]["changenow"] == {
        "available": True,
        "priority": 1,
        "weight": 1.0,
        "totalRequests": 0,
        "successRate": None,
        "averageResponseTime": None,
        "failures": 0,
        "lastFailure": None,
        "quarantines": {},
    }
    del status["services"]
    assert status == {"healthyServices": 2, "totalConversions": 7, "failovers": 3, "loadBalancing": "weighted"}


@virtually
async def test_switched_off_the_first_service_converts_alone_and_that_is_logged() -> None:
    services = three()[::-1]
    log = MemoryLog()
    async with virtual(services, log=log, enabled=False, trust_lone_quote=True) as converter:
        done = await converter.convert(**ETH_TO_BTC, amount=1)
        services[0].refuses = lambda: Transient("maintenance")
        with pytest.raises(RequestError):
            await converter.convert(**ETH_TO_BTC, amount=1)
    assert done.service == "changenow"
    assert [len(one.quoted) for one in services[1:]] == [0, 0]
    with log.reader() as reader:
        found = verify(reader)
    assert found.ok
    assert found.identical >= 2


@virtually
async def test_without_failover_nobody_is_asked_after_the_first_choice() -> None:
    services = three()
    services[0].refuses = lambda: Transient("maintenance")
    async with virtual(services, auto_failover=False) as converter:
        with pytest.raises(AllProvidersFailed):
            await converter.convert(**ETH_TO_BTC, amount=1)
    assert [len(one.called) for one in services] == [1, 0, 0]


@virtually
async def test_with_parallel_queries_all_are_asked_at_once_and_without_one_after_another() -> None:
    took = {}
    for parallel in (True, False):
        services = three()
        async with virtual(services, parallel_queries=parallel, trust_lone_quote=True) as converter:
            began_s = asyncio.get_running_loop().time()
            await converter.convert(**ETH_TO_BTC, amount=1)
            took[parallel] = round(asyncio.get_running_loop().time() - began_s, 3)
        assert all(one.quoted for one in services)
    assert took == {True: 0.2, False: 0.4}


@virtually
async def test_a_repeat_under_the_same_key_joins_the_first_and_another_conversion_is_refused() -> None:
    services = three()
    async with virtual(services) as converter:
        first, again = await asyncio.gather(
            *(converter.convert(**ETH_TO_BTC, amount=1, idempotency_key="payout-17") for _ in range(2))
        )
        with pytest.raises(KeyConflict):
            await converter.convert(**ETH_TO_BTC, amount=2, idempotency_key="payout-17")
    assert (first.joined, again.joined) == (False, True)
    assert (again.service, again.reference, again.amount_out) == (first.service, first.reference, first.amount_out)
    assert services[0].called == ["convert"]


async def test_a_repeat_after_a_restart_has_the_figures_of_the_first(tmp_path: Path) -> None:
    answers: list[Conversion] = []
    for _ in range(2):
        services = three()
        for one in services:
            one.latency_s = 0
        async with MultiServiceConverter(services, log=SqliteLog(tmp_path / "c.db"), watch=False) as converter:
            answers.append(await converter.convert(**ETH_TO_BTC, amount=1, idempotency_key="payout-17"))
    first, again = answers
    assert services[0].called == []
    assert (again.joined, again.rate, again.amount_out, again.fees) == (True, first.rate, first.amount_out, first.fees)
    assert again.request_id == first.request_id
    content = all_bytes(tmp_path)
    assert BTC.encode() in content, "the side table has it until it is erased"
    assert content.count(BTC.encode()) == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"amount": 1.5}, "a float is no exact amount of ETH; pass Decimal"),
        ({"amount": True}, "not bool"),
        ({"amount": "0"}, "must be greater than 0"),
        ({"amount": "1.1234567890123456789"}, "at most 18 decimals"),
        ({"to_coin": "BTX"}, "coin 'BTX' is unknown"),
        ({"to_coin": "ETH"}, "a conversion takes two coins; both are ETH"),
        ({"address": BTC[:-1] + "5"}, "address"),
        ({"network": "LTC"}, "BTC is not paid out on LTC"),
        ({"memo": "7"}, "BTC has no destination tags"),
    ],
)
@virtually
async def test_what_cannot_be_wanted_is_refused_before_anybody_is_asked(wrong: dict[str, Any], told: str) -> None:
    services = three()
    log = MemoryLog()
    async with virtual(services, log=log) as converter:
        before = log.head.seq
        with pytest.raises(InvalidRequest, match=told):
            await converter.convert(**{**ETH_TO_BTC, "amount": 1, **wrong})
        assert log.head.seq == before
    assert [one.quoted for one in services] == [[], [], []]


@virtually
async def test_an_answer_that_cannot_be_right_is_not_believed_and_nobody_else_is_asked_until_it_is_known() -> None:
    services = three()
    services[0].twist = lambda reply: Reply(value={"to_coin": "LTC"}, reference="x", amount_out=reply.amount_out)
    async with virtual(services) as converter:
        done = await converter.convert(**ETH_TO_BTC, amount=1)
    assert (done.service, done.via, done.reference) == ("btcpay", "lookup", "btcpay-1")
    assert [len(one.called) for one in services] == [1, 0, 0]


@virtually
async def test_without_a_look_up_such_an_answer_leaves_the_outcome_unknown() -> None:
    services = three()
    services[0].twist = lambda reply: Reply(value=reply.value, amount_out=reply.amount_out)
    services[0].lookup = None  # type: ignore[assignment, method-assign]
    async with virtual(services) as converter:
        with pytest.raises(OutcomeUnknown):
            await converter.convert(**ETH_TO_BTC, amount=1)
        (request_id,) = converter.engine.unsettled
        converter.engine.resolve(request_id, executed=True, reference="bank-7", actor="ann", reason="statement")
        await until(lambda: not converter.engine.unsettled)
        assert converter.get_stats().total_conversions == 1
    assert [len(one.called) for one in services] == [1, 0, 0]


@virtually
async def test_a_service_of_two_parts_is_asked_to_create_and_then_to_commit() -> None:
    services = three()
    services[0].two_part = True
    async with virtual(services) as converter:
        done = await converter.convert(**ETH_TO_BTC, amount=1)
    assert (done.service, done.amount_out) == ("btcpay", Decimal("0.0654"))
    assert services[0].called == ["create", "commit"]


@virtually
async def test_without_an_honest_quote_nothing_is_converted_and_the_error_has_the_table() -> None:
    services = [Exchange("a", "0.0654"), Exchange("b", "0.0754")]
    async with virtual(services) as converter:
        with pytest.raises(NoHonestQuote) as caught:
            await converter.convert(**ETH_TO_BTC, amount=1)
    assert all(f"  {one.id}: nothing_to_compare (rate {one.rate}" in str(caught.value) for one in services)
    assert [one.called for one in services] == [[], []]


@pytest.mark.parametrize("loses", ["service", "settings"])
def test_what_is_wrong_is_told_when_the_converter_is_made(loses: str) -> None:
    if loses == "service":
        with pytest.raises(TypeError, match="has no `async def quote"):
            virtual([Silent()])
    else:
        with pytest.raises(SettingsError, match="paralel_queries is unknown; did you mean 'parallel_queries'"):
            virtual(three(), paralel_queries=True)


class Silent:
    id = "silent"

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> None: ...


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("c.db*"))


async def until(holds: Any) -> None:
    while not holds():  # noqa: ASYNC110 - Virtual time: it costs nothing.
        await asyncio.sleep(0.01)


@virtually
async def test_an_absence_is_not_believed_while_the_service_may_still_be_at_it() -> None:
    slow, other = Exchange("slow", "0.0654"), Exchange("other", "0.0653")

    async def late(operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:
        """Its order is in the books 1.6 seconds after the call, and its answer never comes."""
        done = Reply(value=request.body, reference="slow-1", amount_out=request.amount)
        asyncio.get_running_loop().call_later(1.6, slow.orders.setdefault, key, done)
        await asyncio.sleep(600)
        return done

    slow.call = late  # type: ignore[method-assign]

    async with virtual([slow, other], request_timeout_ms=1_000) as converter:
        done = await converter.convert(**ETH_TO_BTC, amount=1)
    assert (done.service, done.reference) == ("slow", "slow-1")
    assert other.called == []
