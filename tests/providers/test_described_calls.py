"""Calls as they are described: what is sent, and how the answers of the APIs on the page are read."""

import json as plain_json
from decimal import Decimal
from typing import Any

import pytest
from described_for_tests import SECRETS, Api, Asked, bought, described, json, on_the_page, request, serving, text
from http_for_tests import error_of, until

from understudy.adapters.providers import GivenCredentials, HttpApi
from understudy.engine import (
    Ambiguous,
    Effect,
    Finding,
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

ORDER = '{"id":700123456,"phone":"+447700900123","operator":"virtual21","price":12.50,"status":"RECEIVED","sms":null}'


WISH = {"country": "gb", "service": "tg"}


def of_the_page(name: str, api: Api) -> HttpApi:
    return HttpApi.from_mapping({**on_the_page(name), "base_url": api.url}, credentials=GivenCredentials(SECRETS))


def rent(**context: str) -> Any:
    return request(operation="rent_number", context={**WISH, **context})


async def test_a_json_api_is_asked_as_described_and_its_order_is_read() -> None:
    async with serving(lambda _: json(ORDER)) as api, of_the_page("fivesim", api) as shop:
        reply = await bought(shop, rent(max_price="20"))
        await bought(shop, rent())
    first, second = api.asked
    assert (first.method, first.path) == ("GET", "/user/buy/activation/england/any/telegram")
    assert (first.query, second.query) == ({"maxPrice": "20"}, {})
    assert first.headers["Authorization"] == f"Bearer {SECRETS['FIVESIM_TOKEN']}"
    assert reply.value == {"reference": 700123456, "number": "+447700900123"}
    assert (reply.reference, reply.cost) == ("700123456", Decimal("12.50"))
    assert str(reply.cost) == "12.50"


@pytest.mark.parametrize(
    ("answer", "kind", "code", "pause_ms"),
    [
        (("no free phones", 200), OutOfStock, "no free phones", None),
        (("not enough user balance", 400), InsufficientFunds, "not enough user balance", None),
        (("not enough rating", 400), Misconfigured, "not enough rating", None),
        (("bad country", 400), NotOffered, "bad country", None),
        (("server offline", 400), Transient, "server offline", None),
        (("api limit is 100 requests per second", 429), RateLimited, "limit is 100 requests", 1000),
        (("ip address limit is 100 requests per second", 503), RateLimited, "limit is 100 requests", 1000),
        (("Unauthorized", 401), Misconfigured, "401", None),
        (("internal error", 500), Ambiguous, "500", None),
        (("some other sentence", 400), Rejected, "400", None),
        (("OK", 200), InvalidReply, "200", None),
    ],
)
async def test_the_plain_texts_of_a_json_api_are_its_failures(
    answer: tuple[str, int], kind: type[ProviderError], code: str, pause_ms: int | None
) -> None:
    async with serving(lambda _: text(*answer, kind="text/plain")) as api, of_the_page("fivesim", api) as shop:
        error = await error_of(bought(shop, rent()))
    assert (type(error), error.code, error.retry_after_ms) == (kind, code, pause_ms)
    assert error.message.startswith("GET /user/buy/activation/{country}/any/{service}: ")
    assert answer[0] in error.message


async def test_stock_and_price_are_read_at_a_place_that_the_request_names() -> None:
    answer = '{"telegram":{"Category":"activation","Qty":120,"Price":12.5},"whatsapp":{"Qty":3,"Price":1}}'
    async with serving(lambda _: json(answer)) as api, of_the_page("fivesim", api) as shop:
        reply = await shop.stock(request(Effect.READ, operation="stock", context=WISH), deadline=until())
        await shop.ping()
    assert (reply.stock, reply.cost) == (120, Decimal("12.5"))
    assert [one.path for one in api.asked] == ["/guest/products/england/any", "/user/profile"]


async def test_a_value_for_which_the_api_has_no_code_is_not_offered_and_nothing_is_sent() -> None:
    async with serving(lambda _: json(ORDER)) as api, of_the_page("fivesim", api) as shop:
        error = await error_of(bought(shop, rent(country="fr")))
    assert (type(error), error.code, api.asked) == (NotOffered, "NO_CODE", [])


def sms_activate(asked: Asked) -> Any:
    if asked.form.get("api_key") != SECRETS["SMS_KEY"]:
        return text("BAD_KEY")
    match asked.form:
        case {"action": "getNumber", "service": "tg", "country": "16"}:
            return text("ACCESS_NUMBER:635468024:79584123456\n")
        case {"action": "getPrices"}:
            return text('{"16":{"tg":{"cost":12.50,"count":40,"physicalCount":null}}}')
        case {"action": "getBalance"}:
            return text("ACCESS_BALANCE: 123.45")
        case _:
            return text("BAD_ACTION")


async def test_a_plain_text_api_is_asked_by_form_and_read_by_pattern() -> None:
    async with serving(sms_activate) as api, of_the_page("sms-activate", api) as shop:
        reply = await bought(shop, rent())
        stock = await shop.stock(request(Effect.READ, operation="stock", context=WISH), deadline=until())
        await shop.ping()
    assert (reply.value, reply.reference) == ({"reference": "635468024", "number": "79584123456"}, "635468024")
    assert (stock.stock, str(stock.cost)) == (40, "12.50")
    assert SECRETS["SMS_KEY"] not in "".join(one.raw_path for one in api.asked)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        ("NO_NUMBERS", OutOfStock, "NO_NUMBERS"),
        ("NO_BALANCE", InsufficientFunds, "NO_BALANCE"),
        ("BAD_KEY", Misconfigured, "BAD_KEY"),
        ("BANNED:'2026-08-01 10:00:00'", Misconfigured, "BANNED"),
        ("CHANNELS_LIMIT", RateLimited, "CHANNELS_LIMIT"),
        ("WRONG_MAX_PRICE:0.42", TooExpensive, "WRONG_MAX_PRICE"),
        ("BAD_ACTION", Rejected, "BAD_ACTION"),
        ("ERROR_SQL", Ambiguous, "ERROR_SQL"),
        ("ACCESS_NUMBER:63546", InvalidReply, None),
        ("<html>maintenance</html>", InvalidReply, None),
        ("", InvalidReply, None),
    ],
)
async def test_the_tokens_of_a_plain_text_api_are_its_failures_though_all_come_under_a_200(
    answer: str, kind: type[ProviderError], code: str | None
) -> None:
    async with serving(lambda _: text(answer)) as api, of_the_page("sms-activate", api) as shop:
        error = await error_of(bought(shop, rent()))
    assert (type(error), error.code) == (kind, code)
    assert error.message.startswith("POST /handler_api.php: ")


PAYOUT = request(
    operation="pay_out", context={"account": "01H"}, amount=Decimal("1E+2"), body={"beneficiary": {"id": 7, "n": None}}
)


async def test_a_json_body_is_filled_at_any_depth_and_keeps_the_types_of_what_it_is_filled_with() -> None:
    async with serving(lambda _: json('{"id":"01K3","status":"sending"}')) as api, of_the_page("coingate", api) as shop:
        reply = await bought(shop, PAYOUT, key="key-9")
    assert plain_json.loads(api.asked[0].text) == {
        "ledger_account_id": "01H",
        "amount": "100",
        "external_id": "key-9",
        "payout": {"beneficiary": {"id": 7, "n": None}, "tags": ["understudy"]},
    }
    assert api.asked[0].headers["Content-Type"] == "application/json"
    assert (reply.reference, reply.cost, reply.value["status"]) == ("01K3", None, "sending")


@pytest.mark.parametrize(
    ("answer", "finding", "reference"),
    [
        (json('{"id":"01K3","status":"completed"}'), Finding.SUCCEEDED, "01K3"),
        (json('{"id":"01K3","status":"sending"}'), Finding.PENDING, None),
        (json('{"id":"01K3","status":"canceled"}'), Finding.FAILED, None),
        (json('{"reason":"RecordNotFound","message":"no such"}', 404), Finding.ABSENT, None),
    ],
)
async def test_a_look_up_by_our_key_tells_what_became_of_the_call(
    answer: Any, finding: Finding, reference: str | None
) -> None:
    async with serving(lambda _: answer) as api, of_the_page("coingate", api) as shop:
        found = await shop.lookup("pay_out", PAYOUT, key="key/9", deadline=until())
    assert (found.finding, found.reference) == (finding, reference)
    assert api.asked[0].raw_path == "/send_requests/by-external-id/key%2F9"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (json('{"reason":"PageNotFound"}', 404), Rejected),
        (json('{"id":"01K3","status":"strange"}'), InvalidReply),
        (json('{"id":"01K3"}'), InvalidReply),
        (json('{"status":"completed"}'), InvalidReply),
        (json('{"reason":"BadCredentials"}', 401), Misconfigured),
        (json("{}", 500), Transient),
    ],
)
async def test_a_look_up_that_is_not_answered_as_described_finds_nothing(
    answer: Any, kind: type[ProviderError]
) -> None:
    async with serving(lambda _: answer) as api, of_the_page("coingate", api) as shop:
        error = await error_of(shop.lookup("pay_out", PAYOUT, key="key-9", deadline=until()))
    assert type(error) is kind


async def test_an_operation_that_no_look_up_is_described_for_is_found_out_nothing_of() -> None:
    operations = {"find": {"path": "/find", "reply": {"finding": "state"}}, "other": {"path": "/", "lookup": "find"}}
    async with serving(lambda _: json("{}")) as api, described(api.url, operations=operations) as shop:
        found = await shop.lookup("buy", request(), key="k", deadline=until())
    assert (found.finding, api.asked) == (Finding.UNKNOWN, [])


async def test_the_only_entry_of_an_object_or_list_can_be_meant_without_its_name() -> None:
    answer = '{"result":{"XXBTZUSD":{"a":["64000.10","1"]}},"list":[{"n":10000000000000000000000001}]}'
    reply = {"value": {"n": "list.*.n"}, "cost": "result.*.a.0"}
    async with serving(lambda _: json(answer)) as api, described(api.url, buy={"reply": reply}) as shop:
        told = await bought(shop)
    assert (told.value, str(told.cost)) == ({"n": 10000000000000000000000001}, "64000.10")


@pytest.mark.parametrize("digits", ["0.1", "12345678901234567890.123456789", "1e-7"])
async def test_a_cost_is_exact_to_the_digit(digits: str) -> None:
    async with (
        serving(lambda _: json(f'{{"p":{digits}}}')) as api,
        described(api.url, buy={"reply": {"cost": "p"}}) as shop,
    ):
        reply = await bought(shop)
    assert reply.cost == Decimal(digits)
    assert isinstance(reply.value["p"], Decimal)


async def test_a_quote_is_asked_by_the_engines_side_call_and_as_a_request() -> None:
    reply = {"cost": "fee", "quote": {"amount_out": "toAmount"}}
    quote = {"path": "/estimates", "query": {"amount": "{amount?}", "to": "{pair}"}, "reply": reply}
    async with (
        serving(lambda _: json('{"toAmount":0.00150,"fee":0.00001}')) as api,
        described(api.url, operations={"quote": quote}) as shop,
    ):
        one = request(Effect.READ, operation="quote", context={"pair": "btc_usdt"}, amount=Decimal("0.10"))
        replies = [await shop.quote(one, deadline=until()), await bought(shop, one)]
    assert [(one.cost, one.quote and one.quote.rate) for one in replies] == [(Decimal("0.00001"), Decimal("0.015"))] * 2
    assert [one.query for one in api.asked] == [{"amount": "0.10", "to": "btc_usdt"}] * 2


async def test_an_operation_that_is_not_described_is_not_offered() -> None:
    async with serving(lambda _: json("{}")) as api, described(api.url) as shop:
        error = await error_of(bought(shop, request(operation="sell")))
    assert (type(error), api.asked) == (NotOffered, [])


def test_a_provider_is_able_to_do_only_what_is_described() -> None:
    shop = described("http://127.0.0.1:1")
    assert [name for name in ("ping", "lookup", "stock", "quote") if hasattr(shop, name)] == []


async def test_the_key_header_carries_the_key_of_calls_alone_and_it_may_be_told() -> None:
    operations = {"lookup": {"path": "/find", "reply": {"finding": "f"}}}
    answers = [json('{"message":"key-abcdef was used"}', 409), json('{"f":"absent"}')]
    async with (
        serving(lambda _: answers.pop(0)) as api,
        described(api.url, key_header="Idempotency-Key", operations=operations) as shop,
    ):
        error = await error_of(bought(shop, key="key-abcdef"))
        await shop.lookup("buy", request(), key="key-abcdef", deadline=until())
    assert [one.headers.get("Idempotency-Key") for one in api.asked] == ["key-abcdef", None]
    assert "key-abcdef was used" in error.message
