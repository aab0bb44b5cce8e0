"""What a description says of quotes and conversions: where an answer has the rate, and what arrives."""

from decimal import Decimal
from typing import Any

import pytest
from described_for_tests import Asked, Said, described, json, request, serving, text
from http_for_tests import error_of, until

from understudy.adapters.providers import ApiDescription, DescriptionError, GivenCredentials, HttpApi
from understudy.adapters.providers.http_quotes import instant_us
from understudy.engine import Effect, InvalidReply, Quote, Rejected, Reply

ESTIMATE = (
    '{"rate": 0.06540000000000000000001, "estimated": {"toAmount": "0.09761"}, "limits": {"min": 0.01, "max": null},'
    ' "validUntil": "2026-01-31T12:00:00.250Z", "id": 17}'
)
ALL = {
    "rate": "rate",
    "amount_out": "estimated.toAmount",
    "min_amount": "limits.min",
    "max_amount": "limits.max?",
    "expires_at": "validUntil",
    "reference": "id",
}
WISH = {"from_coin": "ETH", "to_coin": "BTC", "address": "bc1q-somewhere"}


def quoting(url: str, quote: dict[str, str] | None = None, **more: Any) -> HttpApi:
    operation = {"path": "/estimates", "query": {"from": "{body.from_coin}", "amount": "{amount}"}, **more}
    operation.setdefault("reply", {"quote": quote})
    return described(url, operations={"quote": operation})


async def asked(answer: Said, quote: dict[str, str] | None = None, **more: Any) -> Quote:
    one = request(Effect.READ, operation="quote", context={"pair": "ETH/BTC"}, amount=Decimal("1.5"), body=WISH)
    async with serving(lambda _: answer) as api, quoting(api.url, quote, **more) as shop:
        reply = await shop.quote(one, deadline=until())
    assert reply.quote is not None
    return reply.quote


async def test_a_quote_is_read_where_the_description_says_digit_for_digit() -> None:
    quote = await asked(json(ESTIMATE), ALL)
    assert str(quote.rate) == "0.06540000000000000000001"
    assert (quote.amount_out, quote.min_amount, quote.max_amount) == (Decimal("0.09761"), Decimal("0.01"), None)
    assert (quote.expires_at_us, quote.reference) == (1_769_860_800_250_000, "17")


async def test_a_rate_that_is_not_told_follows_from_the_amounts() -> None:
    quote = await asked(json('{"toAmount": 0.0975}'), {"amount_out": "toAmount"})
    assert quote == Quote(rate=Decimal("0.065"), amount_out=Decimal("0.0975"))


async def test_a_quote_in_plain_text_is_read_by_the_groups_of_a_pattern() -> None:
    pattern = r"^RATE (?P<rate>[\d.]+) MIN (?P<min_amount>[\d.]+) UNTIL (?P<expires_at>\d+)"
    quote = await asked(text("RATE 0.0654 MIN 0.1 UNTIL 1769860800"), reply={"pattern": pattern})
    assert quote == Quote(rate=Decimal("0.0654"), min_amount=Decimal("0.1"), expires_at_us=1_769_860_800_000_000)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ('{"rate": null}', "has no rate"),
        ('{"rate": "high"}', "rate is no number"),
        ('{"rate": [1]}', "rate is no number"),
        ('{"rate": true}', "rate is no number"),
        ('{"rate": 1, "validUntil": "soon"}', "cannot be read as a quote"),
        ('{"rate": 1, "validUntil": {}}', "is no text"),
    ],
)
async def test_an_answer_that_is_no_quote_is_an_invalid_reply(answer: str, message: str) -> None:
    error = await error_of(asked(json(answer), {"rate": "rate", "expires_at": "validUntil?"}))
    assert type(error) is InvalidReply
    assert message in error.message


async def test_a_rate_cannot_be_worked_out_of_no_amount() -> None:
    async with serving(lambda _: json('{"out": 1}')) as api:
        shop = described(api.url, operations={"quote": {"path": "/q", "reply": {"quote": {"amount_out": "out"}}}})
        async with shop:
            error = await error_of(shop.quote(request(Effect.READ, operation="quote"), deadline=until()))
    assert "has no rate, and none can be worked out without an amount" in error.message


@pytest.mark.parametrize(
    ("text", "us"),
    [
        ("1769860800", 1_769_860_800_000_000),
        ("1769860800.5", 1_769_860_800_500_000),
        ("1769860800250", 1_769_860_800_250_000),
        ("1769860800250001", 1_769_860_800_250_001),
        ("2026-01-31T12:00:00Z", 1_769_860_800_000_000),
        ("2026-01-31T13:00:00+01:00", 1_769_860_800_000_000),
        ("2026-01-31 12:00:00.000001", 1_769_860_800_000_001),
    ],
)
def test_an_instant_may_be_seconds_milliseconds_or_iso(text: str, us: int) -> None:
    assert instant_us(text) == us


@pytest.mark.parametrize("text", ["", "soon", "-1", "NaN", "Infinity", "1e40", "2026-13-01"])
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        instant_us(text)


def two_parts(asked: Asked) -> Said:
    match asked.method, asked.path:
        case "POST", "/orders":
            return json('{"order": {"id": "o-1", "secret": "s-9"}, "payout": {"expected": "0.0976"}}')
        case "POST", "/orders/o-1/commit":
            return json('{"order": {"id": "o-1", "state": "sent"}, "payout": {"sent": 0.0975}}')
        case _:
            return json("{}", 404)


async def test_a_service_of_two_parts_is_one_and_the_second_part_knows_the_first_and_the_quote() -> None:
    create = {
        "method": "POST",
        "path": "/orders",
        "body": {"rate_id": "{quote.reference}", "rate": "{quote.rate:number}", "to": "{body.address}"},
        "reply": {"reference": "order.id"},
    }
    commit = {
        "method": "POST",
        "path": "/orders/{created}/commit",
        "body": {"secret": "{created.order.secret}", "note": "{created.order.note?}"},
        "reply": {"reference": "order.id", "amount_out": "payout.sent", "value": {"state": "order.state"}},
    }
    quote = Quote(rate=Decimal("0.0654"), reference="q-3")
    async with (
        serving(two_parts) as api,
        described(api.url, operations={"create": create, "commit": commit}) as shop,
    ):
        first = await shop.call(
            "create", request(operation="create", body=WISH, quote=quote), key="k", deadline=until()
        )
        second = request(operation="commit", body=WISH, quote=quote, created=first)
        last = await shop.call("commit", second, key="k", deadline=until())
    assert shop.two_part
    assert (first.reference, first.amount_out) == ("o-1", None)
    assert last == Reply(value={"state": "sent"}, reference="o-1", amount_out=Decimal("0.0975"))
    assert [one.text for one in api.asked] == [
        '{"rate_id":"q-3","rate":0.0654,"to":"bc1q-somewhere"}',
        '{"secret":"s-9"}',
    ]


async def test_a_part_that_needs_what_was_not_answered_is_rejected_before_it_is_sent() -> None:
    commit = {"method": "POST", "path": "/commit/{created}"}
    async with serving(two_parts) as api, described(api.url, operations={"commit": commit}) as shop:
        error = await error_of(shop.call("commit", request(operation="commit"), key="k", deadline=until()))
        assert not shop.two_part
    assert type(error) is Rejected
    assert ("needs 'created'" in error.message, api.asked) == (True, [])


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        ({"path": "/q"}, "operations.quote has no place for the quote: give it a reply.quote"),
        ({"path": "/q", "reply": {"quote": {"reference": "id"}}}, "reply.quote tells no rate"),
        ({"path": "/q", "reply": {"quote": {"rte": "rate"}}}, "unknown setting rte; did you mean rate?"),
        ({"path": "/q", "reply": {"pattern": "(?P<amount_out>.*)"}}, "has no place for the quote"),
        ({"path": "/q", "reply": {"pattern": "(?P<rate>.*)", "quote": {"rate": "r"}}}, "keep one of the two"),
        ({"path": "/q", "reply": {"quote": {"rate": "{key}"}}}, "may have plain placeholders only"),
    ],
)
def test_a_description_of_a_quote_that_cannot_be_one_is_refused(operation: dict[str, Any], message: str) -> None:
    values = {"id": "shop", "base_url": "http://x.example", "operations": {"quote": operation}}
    with pytest.raises(DescriptionError) as caught:
        HttpApi.from_mapping(values, credentials=GivenCredentials({}))
    assert message in str(caught.value)


def test_what_an_exchange_says_is_found_among_all_places_of_a_reply() -> None:
    operation = {"path": "/q/{country}", "reply": {"quote": {"rate": "{country}.rate"}, "amount_out": "out"}}
    values = {"id": "s", "base_url": "http://x.example", "operations": {"quote": operation}}
    one = ApiDescription.model_validate(values).operations["quote"]
    assert set(one.reply.paths) == {"{country}.rate", "out"}
