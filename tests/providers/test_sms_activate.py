"""Renting over real sockets, at shops that speak the protocol of `handler_api.php`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sms_shop import KEY, SmsShop, selling

from understudy.adapters import SqliteLog
from understudy.adapters.rental import RENTALS, FreePrice, SmsActivate, rent_number_with_failover, sms_activate
from understudy.engine import (
    AllProvidersFailed,
    Deadline,
    Effect,
    Engine,
    Finding,
    OutcomeUnknown,
    Policy,
    Request,
    RequestRejected,
    Strategy,
)
from understudy.replay.verify import verify

COUNTRIES = {"us": "187"}


def adapter(name: str, shop: SmsShop, **more: Any) -> SmsActivate:
    made = SmsActivate(name, shop.url, api_key=KEY, countries=COUNTRIES, **more)
    made.settle_ms = 100  # The usual ten seconds would have to be waited for.
    return made


@asynccontextmanager
async def market(path: Path, *shops: SmsShop, bids: bool = False, **policy: Any) -> AsyncIterator[Engine]:
    """An engine over these shops, `s0`, `s1`, …; its log is verified in the end, and has no number in it."""
    settings = {"retry_attempts": 0, "exploration": 0, "strategy": Strategy.IN_ORDER, **policy}
    async with AsyncExitStack() as stack:
        providers: list[Any] = []
        for place, shop in enumerate(shops):
            one = await stack.enter_async_context(adapter(f"s{place}", shop))
            providers += [FreePrice(one), one] if bids else [one]
        engine = Engine(providers=providers, log=SqliteLog(path), policy=Policy(**settings), operations=RENTALS)
        async with engine:
            yield engine
    with SqliteLog(path).reader() as reader:
        assert verify(reader).ok
        written = "\n".join(str(row) for row in reader.rows())
    assert ("1555010" in written, KEY in written) == (False, False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db"


@pytest.mark.parametrize("words", [False, True])
async def test_a_number_is_rented_its_code_read_and_it_is_finished(path: Path, *, words: bool) -> None:
    async with selling(words=words) as shop, market(path, shop) as engine:
        await engine.ask("s0", "sync")
        rental = await rent_number_with_failover("us", "wa", engine=engine)
        assert (rental.provider, rental.number) == ("s0", "15550100000")
        assert rental.price == Decimal("0.42")  # Of words as the list has it.
        assert await rental.code() is None
        shop.codes[rental.activation_id] = "482133"
        assert await rental.code() == "482133"
        await rental.finish()
        await rental.finish()
        assert shop.books == {rental.activation_id: "finished"}
        with pytest.raises(RequestRejected, match="this rental is over"):
            await rental.code()


async def test_a_number_that_is_too_young_is_given_back_when_it_is_old_enough(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sms_activate, "_KEPT_S", 0.4)  # The usual two minutes would have to be waited for.
    async with selling(early=1) as shop, market(path, shop) as engine:
        rental = await rent_number_with_failover("us", "wa", engine=engine)
        monkeypatch.setattr(sms_activate, "_ASK_AGAIN_S", 0)
        await rental.cancel()
        assert (shop.books, shop.balance) == ({rental.activation_id: "cancelled"}, Decimal(10))
        asked = [one["action"] for one in shop.asked]
        assert asked.count("setStatus") == 2
    with SqliteLog(path).reader() as reader:
        kinds = [row.kind for row in reader.rows()]
    assert ("alert_raised.v1" in kinds, kinds.count("retry_scheduled.v1")) == (False, 1)


async def test_a_cancel_that_has_no_time_to_wait_says_until_when_and_the_alert_stands(path: Path) -> None:
    async with selling(early=1) as shop, market(path, shop) as engine:
        rental = await rent_number_with_failover("us", "wa", engine=engine)
        with pytest.raises(AllProvidersFailed, match=r"EARLY_CANCEL_DENIED: .* again in 12[01] s"):
            await rental.cancel(deadline_ms=20_000)
        assert list(engine.standing.alerts) == [f"unclaimed|{rental.request_id}"]
        await rental.cancel()
        assert (shop.books, engine.standing.alerts) == ({rental.activation_id: "cancelled"}, {})


async def test_prices_are_listed_and_the_cheaper_shop_is_asked(path: Path) -> None:
    async with (
        selling() as dear,
        selling(price=Decimal("0.12")) as cheap,
        market(path, dear, cheap, strategy=Strategy.CHEAPEST) as engine,
    ):
        for shop in ("s0", "s1"):
            await engine.ask(shop, "sync")
        assert sorted(engine.standing.stock) == ["s0|us|wa", "s1|us|wa"]
        assert (await rent_number_with_failover("us", "wa", engine=engine, max_price="0.30")).provider == "s1"


@pytest.mark.parametrize(
    "trouble",
    [
        *("NO_NUMBERS", "NO_BALANCE", "BAD_KEY", "BANNED:'2026-12-24 10-00-00'", "CHANNELS_LIMIT", "RATE_LIMITED"),
        *("WRONG_SERVICE", "WRONG_MAX_PRICE:0.50", "SERVICE_NOT_AVAILABLE"),
    ],
)
async def test_a_word_that_says_no_leads_to_the_next_shop(path: Path, trouble: str) -> None:
    async with selling(manners=[trouble]) as first, selling() as second, market(path, first, second) as engine:
        rental = await rent_number_with_failover("us", "wa", engine=engine, max_price=1)
        assert (rental.provider, first.books) == ("s1", {})


@pytest.mark.parametrize(
    "said", ["<html>maintenance</html>", '{"status":"error"}', '{"status":"success"}', "[1]", "Hello"]
)
async def test_a_shop_that_cannot_say_what_is_active_has_sold_nothing_and_the_next_one_serves(
    path: Path, said: str
) -> None:
    async with selling(says={"*": said}) as first, selling() as second, market(path, first, second) as engine:
        rental = await rent_number_with_failover("us", "wa", engine=engine)
        assert (rental.provider, engine.unsettled) == ("s1", ())
        assert [one for one in first.asked if one["action"].startswith("getNumber")] == []


async def test_a_shop_that_is_silent_before_the_buy_has_sold_nothing(path: Path) -> None:
    async with (
        selling() as first,
        selling() as second,
        market(path, first, second, request_timeout_ms=300) as engine,
    ):
        first.silent = {"getActiveActivations"}
        rental = await rent_number_with_failover("us", "wa", engine=engine)
        assert (rental.provider, engine.unsettled, first.books) == ("s1", (), {})


async def test_a_call_that_runs_out_of_time_in_line_for_a_buy_is_known_not_to_have_bought(path: Path) -> None:
    async with selling() as shop, adapter("s0", shop) as one:
        request = Request(
            request_id="r", operation="rent", effect=Effect.ONCE, context={"country": "us", "service": "wa"}
        )
        ends = Deadline(10**15, lambda: 0)
        await one._buying["wa", "187"].acquire()
        waiting = asyncio.create_task(one.call("rent", request, key="k", deadline=ends))
        await asyncio.sleep(0)
        waiting.cancel()
        assert (await one.lookup("rent", request, key="k", deadline=ends)).finding is Finding.ABSENT
        assert (await one.lookup("rent", request, key="another", deadline=ends)).finding is Finding.UNKNOWN


async def test_a_broken_list_of_what_is_active_proves_no_absence(path: Path) -> None:
    async with selling(manners=["SQL_ERROR"]) as shop, market(path, shop, deadline_ms=1_500) as engine:
        renting = asyncio.create_task(rent_number_with_failover("us", "wa", engine=engine))
        async with asyncio.timeout(10):
            while shop.manners:  # noqa: ASYNC110 - Nobody is told.
                await asyncio.sleep(0)
        shop.says["getActiveActivations"] = '{"status":"error","message":"database"}'
        with pytest.raises(OutcomeUnknown):
            await renting


async def test_a_host_without_the_newer_action_sells_by_the_older_one(path: Path) -> None:
    async with selling(says={"getNumberV2": "BAD_ACTION"}) as shop, market(path, shop) as engine:
        for _ in range(2):
            assert (await rent_number_with_failover("us", "wa", engine=engine)).number is not None
        asked = [one["action"] for one in shop.asked if one["action"].startswith("getNumber")]
        assert asked == ["getNumberV2", "getNumber", "getNumber"]


@pytest.mark.parametrize("lacks", [["getNumberV2", "getNumber"], ["getActiveActivations"]])
async def test_a_host_that_lacks_an_action_is_left_out_with_an_alert_and_the_next_one_serves(
    path: Path, lacks: list[str]
) -> None:
    says = dict.fromkeys(lacks, "BAD_ACTION")
    async with selling(says=says) as first, selling() as second, market(path, first, second) as engine:
        assert (await rent_number_with_failover("us", "wa", engine=engine)).provider == "s1"
        assert list(engine.standing.alerts) == ["misconfigured|s0"]


async def test_a_ban_lasts_until_its_date_and_full_channels_for_five_minutes(path: Path) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    banned = tomorrow.strftime("BANNED:'%Y-%m-%d %H-%M-%S'")
    async with (
        selling(says={"getNumberV2": banned}) as first,
        selling(says={"getNumberV2": "CHANNELS_LIMIT"}) as second,
        selling(says={"getNumberV2": "BANNED:'2020-1-2 3-4-5'"}) as third,
        selling() as last,
        market(path, first, second, third, last) as engine,
    ):
        assert (await rent_number_with_failover("us", "wa", engine=engine)).provider == "s3"
        now_us = engine.standing.at_us
        rests_s = [(engine.standing.providers[one].throttled_until_us - now_us) / 1e6 for one in ("s0", "s1")]
        assert rests_s == [pytest.approx(86_400, abs=30), pytest.approx(300, abs=30)]
        assert engine.standing.alerts.keys() == {
            "long_throttle|s0",
            "long_throttle|s1",
            "misconfigured|s2",
        }  # A ban that is over by its date is none that ends by itself.


@pytest.mark.parametrize("word", ["OTP_RECEIVED", "FREE_CANCELLATION_EXPIRED", "REFUNDED"])
async def test_what_can_be_cancelled_no_more_is_no_error_and_the_log_has_the_shops_word(path: Path, word: str) -> None:
    async with selling(says={"setStatus": word}) as shop, market(path, shop) as engine:
        rental = await rent_number_with_failover("us", "wa", engine=engine)
        await rental.cancel()
    with SqliteLog(path).reader() as reader:
        assert any(row.operation == "cancel" and f'"reply":"{word}"' in row.payload for row in reader.rows())


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"name": "x y"}, "a shop's name"),
        ({"api_key": ""}, "needs an api_key"),
        ({"api_key": None}, "needs an api_key"),
        ({"api_key": " k "}, "needs an api_key"),
        ({"countries": {}}, "needs countries"),
        ({"countries": {"us": 187}}, "maps text to text"),
        ({"services": {"wa ": "wa"}}, "maps text to text"),
    ],
)
def test_a_shop_is_not_set_up_with_what_cannot_rent(wrong: dict[str, Any], told: str) -> None:
    usual = {"name": "s0", "api_key": KEY, "countries": COUNTRIES, **wrong}
    with pytest.raises(ValueError, match=told):
        SmsActivate(usual.pop("name"), "https://shop.example", **usual)


async def test_a_country_in_capitals_is_told_how_it_is_called_here(path: Path) -> None:
    async with selling() as shop, market(path, shop) as engine:
        with pytest.raises(AllProvidersFailed, match="no country 'US' here; did you mean 'us'"):
            await rent_number_with_failover("US", "wa", engine=engine)


async def test_a_country_that_a_shop_does_not_have_is_not_asked_for(path: Path) -> None:
    async with selling() as shop, market(path, shop) as engine:
        with pytest.raises(AllProvidersFailed, match="no country 'zz' here"):
            await rent_number_with_failover("zz", "wa", engine=engine)
        assert [one for one in shop.asked if one["action"].startswith("getNumber")] == []


async def test_a_number_whose_answer_was_lost_is_found_among_the_active_ones(path: Path) -> None:
    async with selling(manners=[None, "reset"]) as first, selling() as second, market(path, first, second) as engine:
        before = await rent_number_with_failover("us", "wa", engine=engine)
        rental = await rent_number_with_failover("us", "wa", engine=engine)
        assert (rental.provider, rental.number, second.books) == ("s0", "15550100001", {})
        assert rental.activation_id != before.activation_id
        assert list(first.books) == [before.activation_id, rental.activation_id]


@pytest.mark.parametrize("trouble", ["SQL_ERROR", "<html>502 Bad Gateway</html>", "Sorry, something went wrong."])
async def test_what_may_have_been_executed_and_was_not_is_proven_absent_before_the_next_is_asked(
    path: Path, trouble: str
) -> None:
    async with selling(manners=[trouble]) as first, selling() as second, market(path, first, second) as engine:
        rental = await rent_number_with_failover("us", "wa", engine=engine)
        assert (rental.provider, first.books) == ("s1", {})
        assert [one["action"] for one in first.asked if one["action"] != "getPrices"].count("getActiveActivations") >= 2


async def test_two_that_could_be_ours_are_nobodys_until_an_operator_looks(path: Path) -> None:
    async with selling(manners=["reset"]) as shop, market(path, shop, deadline_ms=1_500) as engine:
        buying = asyncio.create_task(rent_number_with_failover("us", "wa", engine=engine))
        async with asyncio.timeout(10):
            while not shop.activations:  # noqa: ASYNC110 - Nobody is told.
                await asyncio.sleep(0)
        told = dict(next(iter(shop.activations.values())))
        shop.activations["777"] = {**told, "number": "15550109999"}
        with pytest.raises(OutcomeUnknown):
            await buying


async def test_ten_at_once_get_ten_numbers_and_each_their_own(path: Path) -> None:
    async with selling(manners=[None, None, "reset", None, "reset"]) as shop, market(path, shop) as engine:
        rentals = await asyncio.gather(*(rent_number_with_failover("us", "wa", engine=engine) for _ in range(10)))
        assert len({one.activation_id for one in rentals}) == len(shop.books) == 10
        assert len({one.number for one in rentals}) == 10


async def test_a_bid_is_made_first_and_who_is_outbid_pays_the_price(path: Path) -> None:
    async with selling() as shop, market(path, shop, bids=True, free_price_enabled=True) as engine:
        won = await rent_number_with_failover("us", "wa", engine=engine, max_price="0.20")
        shop.manners = ["NO_NUMBERS"]
        paid = await rent_number_with_failover("us", "wa", engine=engine, max_price="0.50")
        assert not any(
            one.revealed for one in engine.standing.stock.values()
        )  # Nobody sells at a bid: no lack of stock.
        assert (won.provider, paid.provider) == ("s0:free_price", "s0")
        await won.cancel()
        buys = [one for one in shop.asked if one["action"].startswith("getNumber")]
        assert [(one.get("freePrice"), one["maxPrice"]) for one in buys] == [
            ("true", "0.20"),
            ("true", "0.50"),
            (None, "0.50"),
        ]


async def test_a_wrong_key_takes_the_shop_out_with_an_alert(path: Path) -> None:
    async with (
        selling() as shop,
        SmsActivate("s0", shop.url, api_key="wrong-key", countries=COUNTRIES) as one,
        Engine(providers=[one], log=SqliteLog(path), operations=RENTALS, watch=False) as engine,
    ):
        with pytest.raises(AllProvidersFailed, match="BAD_KEY"):
            await rent_number_with_failover("us", "wa", engine=engine)
        assert list(engine.standing.alerts) == ["misconfigured|s0"]
