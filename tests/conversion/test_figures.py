"""A converter's figures: what counts how often, what is told of a quarantine, and that no digit is lost."""

from decimal import Context, Decimal, FloatOperation, Inexact, Rounded, localcontext
from typing import Any

import pytest
from conversion.exchanges import ETH_TO_BTC, Exchange, three, virtual

from understudy.engine import Deadline, Quote, Reply, Request, RequestError, Transient
from understudy.replay.virtual_time import virtually


class Terse(Exchange):
    """One that quotes a rate alone, and does no sums of its own."""

    async def quote(self, request: Request, *, deadline: Deadline) -> Quote:
        return Quote(rate=self.rate)

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:
        return Reply(value=None, reference="tx", amount_out=Decimal("0.080765432109876543"))


async def figures() -> tuple[Any, ...]:
    """Everything that a converter tells of a conversion and of offers, in many digits."""
    rates = ("0.065432109876543210", "0.065432109876543209", "0.065398765432109876")
    fees = {"percent": "0.0123456789", "withdrawal": {"BTC": "0.0000123456789"}}
    services = [
        {"id": name, "fees": fees, "service": Terse(name, rate)} for name, rate in zip("abc", rates, strict=True)
    ]
    async with virtual(services) as converter:
        offers = await converter.quote("ETH", "BTC", "1.234567890123456789")
        done = await converter.convert(**ETH_TO_BTC, amount="1.234567890123456789")
        told = {**done.to_json(), "request_id": ""}
        return told, offers, [one.to_json() for one in offers], converter.get_stats(), converter.status()


@virtually
async def test_no_figure_depends_on_the_decimal_context_of_the_caller() -> None:
    expected = await figures()
    assert expected[0]["fees"] == "0.000014949726733606446380111126352690"
    for careless in (Context(prec=3, traps=[]), Context(prec=3, traps=[Inexact, Rounded, FloatOperation])):
        with localcontext(careless):
            assert await figures() == expected


@virtually
async def test_fees_of_nothing_are_a_plain_zero() -> None:
    async with virtual([Exchange("btcpay", "0.065432109876543210")]) as converter:
        offers = await converter.quote("ETH", "BTC", "1.234567890123456789")
        done = await converter.convert(**ETH_TO_BTC, amount="1.5")
    assert {str(fees) for fees in (*(one.fees for one in offers), done.fees)} == {"0"}
    assert done.to_json()["fees"] == "0"


@virtually
async def test_a_conversion_in_two_parts_counts_once_however_it_ends() -> None:
    only = Exchange("btcpay", two_part=True)
    async with virtual([only], min_success_rate=0, retry_attempts=1) as converter:
        for _ in range(3):
            await converter.convert(**ETH_TO_BTC, amount=1)
        only.refuses = lambda: Transient("maintenance")
        with pytest.raises(RequestError):
            await converter.convert(**ETH_TO_BTC, amount=1)
        status, stats = converter.status(), converter.get_stats()
    assert only.called == [*["create", "commit"] * 3, "create", "create"], "the last one was tried again"
    assert status["services"]["btcpay"]["totalRequests"] == 4
    assert (stats.total_conversions, dict(stats.service_usage)) == (3, {"btcpay": 3})


@virtually
async def test_the_status_tells_a_quarantine_with_its_pair_and_its_end() -> None:
    services = [*three(), Exchange("liar", "0.09")]
    async with virtual(services, quarantine_after=1, max_parallel_requests=4) as converter:
        await converter.convert(**ETH_TO_BTC, amount=1)
        told = {name: one["quarantines"] for name, one in converter.status()["services"].items()}
        (until_us,) = converter.engine.standing.quotes.quarantines.values()
    assert until_us is not None
    assert told == {"btcpay": {}, "simpleswap": {}, "changenow": {}, "liar": {"ETH/BTC": until_us // 1000}}
