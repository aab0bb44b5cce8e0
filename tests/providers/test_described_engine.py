"""Described providers under a real engine: failover, look-ups, and a log that verifies."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from described_for_tests import SECRETS, Said, described, json, on_the_page, serving, text

from understudy.adapters import SqliteLog, SqliteReader
from understudy.adapters.providers import GivenCredentials, HttpApi
from understudy.engine import Engine, Policy, RequestRejected, Strategy
from understudy.replay.verify import verify

IN_ORDER = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, lookup_interval_ms=1)
BUY = {"body": {"order": "{key}"}, "reply": {"reference": "id"}}
FIND = {"path": "/find/{key}", "reply": {"finding": "state", "reference": "id?"}, "expects": "json"}


def pair(first: str, second: str, **more: Any) -> list[HttpApi]:
    return [described(url, id=name, buy=BUY, **more) for name, url in (("first", first), ("second", second))]


async def test_an_order_that_the_first_surely_did_not_take_goes_to_the_second(tmp_path: Path) -> None:
    rules = [{"pattern": "^closed", "kind": "transient"}]
    async with (
        serving(lambda _: text("closed for today")) as first,
        serving(lambda _: json('{"id":"b-1"}')) as second,
    ):
        shops = pair(first.url, second.url, rules=rules)
        async with (
            shops[0],
            shops[1],
            Engine(providers=shops, policy=IN_ORDER, log=SqliteLog(tmp_path / "calls.db")) as engine,
        ):
            answer = await engine.call("buy", effect="once", idempotency_key="order-1")
    assert (answer.provider, answer.reference, answer.failovers) == ("second", "b-1", 1)
    assert [len(one.asked) for one in (first, second)] == [1, 1]
    with SqliteReader.open(tmp_path / "calls.db") as reader:
        assert verify(reader).ok


@pytest.mark.parametrize(
    ("found", "winner"),
    [('{"state":"succeeded","id":"a-1"}', "first"), ('{"state":"absent"}', "second")],
)
async def test_an_order_in_doubt_is_looked_up_before_anybody_else_is_asked(
    found: str, winner: str, tmp_path: Path
) -> None:
    def doubtful(asked: Any) -> Said:
        return json(found) if asked.path.startswith("/find/") else json("{}", 500)

    async with serving(doubtful) as first, serving(lambda _: json('{"id":"b-1"}')) as second:
        shops = pair(first.url, second.url, operations={"lookup": FIND})
        async with (
            shops[0],
            shops[1],
            Engine(providers=shops, policy=IN_ORDER, log=SqliteLog(tmp_path / "calls.db")) as engine,
        ):
            answer = await engine.call("buy", effect="once")
    assert answer.provider == winner
    sent, looked_up = first.asked[0].text, first.asked[1].path
    assert sent == f'{{"order":"{looked_up.removeprefix("/find/")}"}}'
    with SqliteReader.open(tmp_path / "calls.db") as reader:
        assert verify(reader).ok


async def test_what_a_request_lacks_is_told_to_the_caller_and_nobody_is_asked(tmp_path: Path) -> None:
    values = on_the_page("fivesim")
    async with serving(lambda _: json("{}")) as api:
        shop = HttpApi.from_mapping({**values, "base_url": api.url}, credentials=GivenCredentials(SECRETS))
        async with shop, Engine(providers=[shop], log=SqliteLog(tmp_path / "calls.db")) as engine:
            with pytest.raises(RequestRejected, match="rent_number needs 'country', which the request lacks"):
                await engine.call("rent_number", context={"service": "tg"}, effect="once")
    assert {one.path for one in api.asked} <= {"/user/profile"}  # Pings.


async def test_stock_is_asked_of_a_described_provider_and_its_cost_is_on_record(tmp_path: Path) -> None:
    async with serving(lambda _: json('{"telegram":{"Qty":3,"Price":0.10}}')) as api:
        values = {**on_the_page("fivesim"), "base_url": api.url}
        shop = HttpApi.from_mapping(values, credentials=GivenCredentials(SECRETS))
        async with shop, Engine(providers=[shop], log=SqliteLog(tmp_path / "calls.db")) as engine:
            reply = await engine.ask("fivesim", "stock", context={"country": "gb", "service": "tg"})
    assert (reply.stock, reply.cost) == (3, Decimal("0.10"))
