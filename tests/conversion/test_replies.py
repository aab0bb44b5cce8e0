"""What services answer is looked at: one wrong thing in an otherwise good answer, and it is not believed."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from understudy.adapters.conversion.replies import checked_finding, checked_quote, checked_reply
from understudy.engine import Effect, Finding, Found, InvalidReply, Quote, Reply, Request

ADDRESS = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
OTHER = "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3"
NOW_US = 1_767_225_600_000_000
QUOTE = Quote(rate=Decimal("0.0654"), amount_out=Decimal("0.098"), expires_at_us=NOW_US + 1)
REQUEST = Request(
    request_id="r-1",
    operation="convert",
    effect=Effect.ONCE,
    context={"pair": "ETH/BTC"},
    amount=Decimal("1.5"),
    body={"from_coin": "ETH", "to_coin": "BTC", "address": ADDRESS, "network": "BTC", "memo": "77"},
    quote=QUOTE,
)
GOOD = Reply(value={"from_coin": "ETH", "amount": "1.50"}, reference="x-1", amount_out=Decimal("0.0979"))


def with_quote(quote: Any) -> Reply:
    return Reply(quote=quote)


def good_but(**wrong: Any) -> Reply:
    return replace(GOOD, **wrong)


def quoted(told: object, request: Request = REQUEST) -> Reply:
    return checked_quote(told, request, now_us=NOW_US)


def wrong_quote(**wrong: Any) -> InvalidReply:
    with pytest.raises(InvalidReply) as caught:
        quoted(replace(QUOTE, **wrong))
    return caught.value


def wrong_reply(told: object, *, operation: str = "convert", request: Request = REQUEST) -> InvalidReply:
    with pytest.raises(InvalidReply) as caught:
        checked_reply(told, request, operation=operation)
    assert ADDRESS not in caught.value.message
    assert OTHER not in caught.value.message
    return caught.value


def test_a_good_quote_is_left_as_it_is_be_it_alone_or_in_a_reply() -> None:
    assert quoted(QUOTE).quote is QUOTE
    reply = Reply(value={"toCoin": "btc"}, quote=QUOTE)
    assert quoted(reply) is reply
    assert quoted(Quote(rate=Decimal("0.1"))).quote == Quote(rate=Decimal("0.1"))


@pytest.mark.parametrize(
    "told", [None, Reply(value={"rate": "0.1"}), {"rate": "0.1"}, with_quote("0.1"), Decimal("0.1")]
)
def test_an_answer_without_a_quote_is_none(told: object) -> None:
    with pytest.raises(InvalidReply, match="a quote was asked for, and what came is "):
        quoted(told)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rate": 0.0654}, "the quote's rate is of type float, and must be a Decimal"),
        ({"rate": Decimal(0)}, "the quote's rate is 0, and must be above 0"),
        ({"rate": Decimal("-0.0654")}, "the quote's rate is -0.0654, and must be above 0"),
        ({"rate": Decimal("NaN")}, "the quote's rate is no number to reckon with"),
        ({"min_amount": Decimal(2), "max_amount": Decimal(1)}, "the quote's min_amount is above its max_amount"),
        ({"expires_at_us": NOW_US - 2_500_000}, "the quote had expired 2500 ms before it came"),
    ],
)
def test_a_quote_with_one_thing_wrong_is_refused_with_its_name(wrong: dict[str, Any], message: str) -> None:
    assert message in wrong_quote(**wrong).message


def test_a_quote_that_expires_this_very_instant_has_expired() -> None:
    assert wrong_quote(expires_at_us=NOW_US).code == "EXPIRED"


def test_a_quote_about_another_pair_or_amount_is_refused() -> None:
    for value, code in (({"to_coin": "LTC"}, "CURRENCY"), ({"amount": "1.4"}, "AMOUNT")):
        with pytest.raises(InvalidReply) as caught:
            quoted(Reply(value=value, quote=QUOTE))
        assert caught.value.code == code


def test_a_good_reply_is_left_as_it_is() -> None:
    assert checked_reply(GOOD, REQUEST, operation="convert") is GOOD
    alone = Reply(reference="x-1")
    assert checked_reply(alone, REQUEST, operation="convert") is alone


@pytest.mark.parametrize(
    "value",
    [
        {"fromCoin": "eth", "toCoin": "Btc", "amount": Decimal("1.500"), "address": ADDRESS, "memo": 77},
        {"address": ADDRESS.upper(), "network": "btc"},
        {"amount": 1.5, "something_else": {"amount": "9"}},
        {"amount": None, "address": None},
    ],
)
def test_what_an_answer_repeats_may_be_spelt_otherwise(value: dict[str, Any]) -> None:
    checked_reply(replace(GOOD, value=value), REQUEST, operation="convert")


@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        ({"to_coin": "LTC"}, "CURRENCY", "the answer's to_coin is 'LTC', not BTC"),
        ({"from_coin": ["ETH"]}, "CURRENCY", "the answer's from_coin is something else, not ETH"),
        ({"to_coin": ADDRESS}, "CURRENCY", "the answer's to_coin is something else, not BTC"),
        ({"amount": "1.51"}, "AMOUNT", "the answer's amount is not the one that was given"),
        ({"amount": "-1.5"}, "AMOUNT", "the answer's amount is not the one that was given"),
        ({"amount": "much"}, "AMOUNT", "the answer's amount is not the one that was given"),
        ({"amount": True}, "AMOUNT", "the answer's amount is not the one that was given"),
        ({"address": OTHER}, "DESTINATION", "the answer's address is not the one that was given"),
        ({"address": ADDRESS[:-1] + "5"}, "DESTINATION", "the answer's address is not the one that was given"),
        ({"address": 5}, "DESTINATION", "the answer's address is not the one that was given"),
        ({"memo": "78"}, "DESTINATION", "the answer's memo is not the one that was given"),
        ({"network": "LTC"}, "DESTINATION", "the answer's network is not BTC"),
    ],
)
def test_an_answer_about_another_conversion_is_refused(value: dict[str, Any], code: str, message: str) -> None:
    error = wrong_reply(replace(GOOD, value=value))
    assert (error.code, error.message) == (code, message)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("done", "value is of type str; it must be a mapping of names to values"),
        ([GOOD], "value is of type list; it must be a mapping of names to values"),
        ({"from_coin": "ETH"}, "the answer has no reference"),
        (good_but(reference=None), "the answer has no reference"),
        (good_but(reference=" "), "the answer has no reference"),
        (good_but(reference=17), "the answer has no reference"),
        (good_but(amount_out=0.0979), "amount_out is of type float; it must be a Decimal"),
        (good_but(amount_out=Decimal("-0.0979")), "amount_out is -0.0979, and must be above 0"),
        (good_but(amount_out=Decimal("sNaN")), "amount_out is sNaN, and no finite number"),
        (good_but(amount_out=Decimal("0.979")), "amount_out is 0.979, and 0.098 was quoted"),
        (good_but(amount_out=Decimal("0.00979")), "amount_out is 0.00979, and 0.098 was quoted"),
    ],
)
def test_a_reply_with_one_thing_wrong_is_refused_with_its_name(told: object, message: str) -> None:
    assert message in wrong_reply(told).message


def test_an_amount_is_held_against_the_rate_where_no_amount_was_quoted() -> None:
    request = replace(REQUEST, quote=replace(QUOTE, amount_out=None))
    told = replace(GOOD, amount_out=Decimal("0.01"))
    assert checked_reply(told, request, operation="convert") is told  # Fees may be high.
    assert wrong_reply(replace(GOOD, amount_out=Decimal("0.2")), request=request).code == "AMOUNT_OUT"


def test_a_part_that_moves_nothing_is_not_held_against_the_quote() -> None:
    told = replace(GOOD, amount_out=Decimal("0.0001"))
    assert checked_reply(told, REQUEST, operation="create") is told
    assert wrong_reply(told, operation="commit").code == "AMOUNT_OUT"


def test_the_second_part_has_the_reference_of_the_first_if_it_names_none() -> None:
    request = replace(REQUEST, created=Reply(reference="c-9"))
    assert checked_reply(Reply(amount_out=Decimal("0.098")), request, operation="commit").reference == "c-9"
    assert checked_reply(GOOD, request, operation="commit").reference == "x-1"


def test_a_look_up_that_finds_somebody_elses_conversion_has_found_nothing_of_ours() -> None:
    ours = Found(finding=Finding.SUCCEEDED, value={"address": ADDRESS}, reference="x-1")
    assert checked_finding(ours, REQUEST) is ours
    with pytest.raises(InvalidReply, match="address is not the one that was given"):
        checked_finding(replace(ours, value={"address": OTHER}), REQUEST)
    with pytest.raises(InvalidReply, match=r"amount_out is 0\.979, and 0\.098 was quoted"):
        checked_finding(replace(ours, amount_out=Decimal("0.979")), REQUEST)
    absent = Found(finding=Finding.ABSENT, value={"address": OTHER})
    assert checked_finding(absent, REQUEST) is absent
