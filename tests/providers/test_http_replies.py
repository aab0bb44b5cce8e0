"""Answers that are none: too long, cut off, of the wrong kind; and how an adapter takes a good one apart."""

import gzip
from decimal import Decimal
from typing import Any

import pytest
from http_for_tests import Plain, error_of, http, listening, saying, until

from understudy.adapters.providers import Expect, HttpLimits, HttpReply
from understudy.engine import (
    Ambiguous,
    Effect,
    InvalidReply,
    OutOfStock,
    ProviderError,
    RateLimited,
    Transient,
)

SMALL = HttpLimits(reply_bytes=1_000)


def chunked(*chunks: bytes, end: bool = True) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"".join(f"{len(one):x}\r\n".encode() + one + b"\r\n" for one in chunks)
    return head + body + (b"0\r\n\r\n" if end else b"")


@pytest.mark.parametrize(
    "answer",
    [
        http(b'"' + b"x" * 2_000 + b'"'),
        chunked(*[b"x" * 100] * 20),
        http(gzip.compress(b"x" * 1_000_000), more="Content-Encoding: gzip\r\n"),
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b"x" * 2_000,
    ],
    ids=["declared", "chunked", "compressed", "until the end"],
)
async def test_an_answer_that_is_too_long_is_not_read_to_its_end(answer: bytes) -> None:
    async with listening(saying(answer)) as heard, Plain(heard.url, limits=SMALL) as shop:
        error = await error_of(shop.send("GET", "/ask", deadline=until()))
    assert (type(error), error.message) == (InvalidReply, "GET /ask: the answer is longer than 1000 bytes")


async def test_what_is_left_of_a_long_answer_is_not_taken_for_the_next_one() -> None:
    long = http(b'"' + b"x" * 500_000 + b'"')
    async with listening(saying(long, http())) as heard, Plain(heard.url, limits=SMALL) as shop:
        assert isinstance(await error_of(shop.send("GET", "/ask", deadline=until())), InvalidReply)
        assert isinstance(await error_of(shop.send("GET", "/ask", deadline=until())), InvalidReply)
        assert heard.connections == 2


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (http()[:-4], "broke off after 7 bytes"),
        (chunked(b'{"ok":', end=False), "broke off after 6 bytes"),
        (http(b"not gzip at all", more="Content-Encoding: gzip\r\n"), "the answer"),
        (http(b"<html>Welcome</html>", kind="text/html"), "text/html, not JSON: '<html>Welcome</html>'"),
        (http(b'{"ok":true}', kind="text/plain"), "text/plain, not JSON"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "not JSON"),
        (http(b'{"ok":tru'), "is no valid JSON (Expecting value"),
        (http(b'{"rate":NaN}'), "is no valid JSON (NaN is no number)"),
        (http(b"[" * 100_000), "is no valid JSON (nested too deeply)"),
        (http(b"1" * 5_000), "is no valid JSON"),
        (http(b"\xff\xfe\xff"), "is no valid JSON"),
        (http(b""), "is no valid JSON"),
        (b"220 mail.example ESMTP ready\r\n", "is no HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", "is no HTTP"),
    ],
)
async def test_an_answer_that_is_none_is_an_invalid_reply(answer: bytes, said: str) -> None:
    for effect in Effect:
        async with listening(saying(answer)) as heard, Plain(heard.url) as shop:
            error = await error_of(shop.send("POST", "/buy", effect=effect, deadline=until()))
        assert isinstance(error, InvalidReply)
        assert said in error.message


@pytest.mark.parametrize(
    ("answer", "expects"),
    [
        (http(b"{}"), Expect.JSON),
        (http(b"null"), Expect.JSON),
        (http(b'{"a":1}', kind="application/problem+json; charset=utf-8"), Expect.JSON),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Expect.JSON),
        (http(b"64210.55", kind="text/plain"), Expect.TEXT),
        (http(b"ACCESS_NUMBER:1:2", kind="application/octet-stream"), Expect.TEXT),
        (http(b"<html></html>", kind="text/html"), Expect.ANYTHING),
        (http(b"", kind="text/plain"), Expect.ANYTHING),
    ],
)
async def test_an_answer_of_the_expected_kind_is_one(answer: bytes, expects: Expect) -> None:
    async with listening(saying(answer)) as heard, Plain(heard.url) as shop:
        assert (await shop.send("GET", "/ask", expects=expects, deadline=until())).status in {200, 204}


async def test_a_page_is_no_text() -> None:
    async with listening(saying(http(b"<html>Welcome</html>", kind="text/html"))) as heard, Plain(heard.url) as shop:
        error = await error_of(shop.send("GET", "/rate", expects=Expect.TEXT, deadline=until()))
    assert isinstance(error, InvalidReply)


async def test_an_adapter_names_the_other_types_under_which_its_provider_sends_json() -> None:
    class Old(Plain):
        json_types = ("text/html",)

    async with listening(saying(http(b'{"ok":1}', kind="text/html"))) as heard, Old(heard.url) as shop:
        assert (await shop.send("GET", "/ask", deadline=until())).json == {"ok": 1}


class Choosy(Plain):
    def fault_in(self, reply: HttpReply) -> ProviderError | None:
        if reply.text.strip() == "no free phones":
            return OutOfStock("no free phones", code="NO_PHONES")
        match reply.json:
            case {"wait": _}:
                return RateLimited("slow down")
            case {"error": text}:
                return Transient(text["message"])
        return None


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (http(b"no free phones", kind="text/plain"), OutOfStock),
        (http(b'{"error":{"message":"busy"}}'), Transient),
        (http(b'{"error":{}}'), InvalidReply),
        (http(b'{"error":{"message":"busy"}}', status="500 Oops"), Transient),
        (http(b'{"other":1}', status="500 Oops"), Ambiguous),
    ],
)
async def test_an_adapter_says_which_answers_are_errors_before_the_status_does(
    answer: bytes, kind: type[ProviderError]
) -> None:
    async with listening(saying(answer)) as heard, Choosy(heard.url) as shop:
        error = await error_of(shop.send("GET", "/buy", effect=Effect.ONCE, deadline=until()))
    assert type(error) is kind


async def test_a_throttle_that_the_adapter_finds_gets_the_pause_of_the_header() -> None:
    answer = http(b'{"wait":1}', more="Retry-After: 7\r\n")
    async with listening(saying(answer)) as heard, Choosy(heard.url) as shop:
        error = await error_of(shop.send("GET", "/ask", deadline=until()))
    assert (type(error), error.retry_after_ms) == (RateLimited, 7_000)


def reply(body: bytes, *, kind: str = "application/json") -> HttpReply:
    return HttpReply(status=200, headers={"Content-Type": kind}, body=body)


def test_places_in_an_answer_are_named_and_numbers_stay_exact() -> None:
    answer = reply(b'{"orders":[{"id":17,"cost":0.1,"fee":"2.50","paid":true}],"rate":1e-7}')
    assert answer.at("orders", 0, "id") == 17
    assert answer.string("orders", 0, "id") == "17"
    assert answer.decimal("orders", 0, "cost") == Decimal("0.1")
    assert answer.decimal("orders", 0, "fee") == Decimal("2.50")
    assert answer.json["rate"] == Decimal("1e-7")


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda one: one.at("orders", 1, "id"), "the answer has no orders.1"),
        (lambda one: one.at("id"), "the answer has no id"),
        (lambda one: one.at("orders", "id"), "the answer has no orders.id"),
        (lambda one: one.string("orders"), "orders is no text"),
        (lambda one: one.string("paid"), "paid is no text"),
        (lambda one: one.decimal("paid"), "paid is no number"),
        (lambda one: one.decimal("name"), "name is no number"),
        (lambda one: one.decimal("nan"), "nan is no number"),
        (lambda one: one.decimal("orders"), "orders is no number"),
    ],
)
def test_what_is_not_there_is_an_invalid_reply_that_names_the_place(ask: Any, said: str) -> None:
    with pytest.raises(InvalidReply, match=said):
        ask(reply(b'{"orders":[{}],"paid":true,"name":"x","nan":"NaN"}'))


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ("grün".encode(), "text/plain", "grün"),
        ("grün".encode("latin-1"), "text/plain; charset=ISO-8859-1", "grün"),
        (b"gr\xfcn", "text/plain; charset=utf-8", "gr\ufffdn"),
        (b"x", 'text/plain; charset="no-such"; x=y', "x"),
        (b"x", "text/plain; charset=hex", "x"),
    ],
)
def test_text_is_read_in_its_charset_whatever_that_is(body: bytes, kind: str, text: str) -> None:
    assert reply(body, kind=kind).text == text
