"""What statuses mean, what an adapter may change of that, and what becomes of a Retry-After."""

from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
from http_for_tests import WRITES, Plain, error_of, http, listening, saying, until

from understudy.adapters.providers import HttpReply
from understudy.adapters.providers.http_status import LONGEST_PAUSE_MS, retry_after_ms, told
from understudy.engine import (
    Ambiguous,
    Effect,
    InsufficientFunds,
    InvalidReply,
    Misconfigured,
    NotOffered,
    ProviderError,
    RateLimited,
    Rejected,
    Transient,
)

MEANINGS: list[tuple[int, type[ProviderError], type[ProviderError]]] = [
    # status, what it means for a read, what it means for a write
    (304, InvalidReply, InvalidReply),
    (400, Rejected, Rejected),
    (401, Misconfigured, Misconfigured),
    (402, InsufficientFunds, InsufficientFunds),
    (403, Misconfigured, Misconfigured),
    (404, Rejected, Rejected),
    (405, NotOffered, NotOffered),
    (407, Misconfigured, Misconfigured),
    (408, Transient, Ambiguous),
    (409, Rejected, Rejected),
    (410, NotOffered, NotOffered),
    (418, Rejected, Rejected),
    (422, Rejected, Rejected),
    (425, Transient, Transient),
    (429, RateLimited, RateLimited),
    (451, NotOffered, NotOffered),
    (500, Transient, Ambiguous),
    (501, NotOffered, NotOffered),
    (502, Transient, Ambiguous),
    (503, Transient, Ambiguous),
    (504, Transient, Ambiguous),
    (520, Transient, Ambiguous),
    (599, Transient, Ambiguous),
]


async def ending(answer: bytes, effect: Effect = Effect.READ, *, shop: type[Plain] = Plain, **given: Any) -> Any:
    async with listening(saying(answer)) as heard, shop(heard.url) as one:
        return await error_of(one.send("POST", "/buy", effect=effect, deadline=until(), **given))


@pytest.mark.parametrize(("status", "read", "write"), MEANINGS)
async def test_a_status_means_what_the_table_says(
    status: int, read: type[ProviderError], write: type[ProviderError]
) -> None:
    answer = http(b'{"error":{"code":"E17","message":"oh no"}}', status=f"{status} Whatever")
    assert type(await ending(answer)) is read
    for effect in WRITES:
        error = await ending(answer, effect)
        assert type(error) is write
        assert not error.network


async def test_a_busy_503_with_a_time_is_a_throttle_for_reads_and_proves_nothing_for_writes() -> None:
    """Gateways put a Retry-After on the page that they answer when a provider does not answer them in time."""
    answer = http(b"busy", status="503 Busy", kind="text/plain", more="Retry-After: 30\r\n")
    read, write = await ending(answer), await ending(answer, Effect.ONCE)
    assert (type(read), read.retry_after_ms) == (RateLimited, 30_000)
    assert (type(write), write.retry_after_ms) == (Ambiguous, 30_000)


async def test_an_adapter_that_knows_better_says_so() -> None:
    class Better(Plain):
        statuses = {404: NotOffered, 418: RateLimited, 503: Transient, 409: Ambiguous}  # noqa: RUF012

    for status, kind in ((404, NotOffered), (418, RateLimited), (503, Transient), (409, Ambiguous), (400, Rejected)):
        assert type(await ending(http(status=f"{status} X"), Effect.ONCE, shop=Better)) is kind
    assert type(await ending(http(status="409 X"), shop=Better)) is Transient


async def test_a_status_that_is_an_answer_here_is_no_error() -> None:
    answer = http(b"none", status="404 Not Found", kind="text/plain")
    async with listening(saying(answer)) as heard, Plain(heard.url) as shop:
        reply = await shop.send("GET", "/orders/17", answers=(404,), deadline=until())
    assert (reply.status, reply.text) == (404, "none")


@pytest.mark.parametrize(
    ("content", "code", "text"),
    [
        (b'{"error":{"code":"E17","message":"oh no"}}', "E17", "E17 oh no"),
        (b'{"code":-1121,"msg":"Invalid symbol."}', "-1121", "-1121 Invalid symbol."),
        (b'{"error":"not_found","message":"gone"}', "not_found", "not_found gone"),
        (b'{"error":"no such order"}', "400", "no such order"),
        (b'{"title":"BAD_KEY","details":"Unauthorized","info":{}}', "BAD_KEY", "BAD_KEY Unauthorized"),
        (b'{"message":"invalid","reason":"NotValid","errors":["pair"]}', "NotValid", "NotValid invalid"),
        (b'{"error":["EOrder:No"],"result":{}}', "400", '{"error":["EOrder:No"],"result":{}}'),
        (b"[]", "400", "[]"),
        (b"  plain \n words ", "400", "plain words"),
        (b"x" * 500, "400", "x" * 200),
        (b"", "400", ""),
    ],
)
def test_the_providers_own_code_and_words_are_found_where_apis_put_them(content: bytes, code: str, text: str) -> None:
    assert told(HttpReply(status=400, headers={"Content-Type": "text/plain"}, body=content)) == (code, text)


def test_a_page_is_not_repeated() -> None:
    page = HttpReply(status=502, headers={"Content-Type": "text/html"}, body=b"<html><style>body{}</style>")
    assert told(page) == ("502", "an HTML page")


NOW_S = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("value", "length_ms"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        ("120", 120_000),
        (" 2 ", 2_000),
        ("1.5", 1_500),
        ("0.0001", 1),
        ("-5", None),
        ("+5", None),
        ("1e3", None),
        ("soon", None),
        ("5 seconds", None),
        ("٣", None),
        ("99999999999", LONGEST_PAUSE_MS),
        ("9" * 8_000, LONGEST_PAUSE_MS),
        ("Sun, 06 Nov 1994 08:49:47 GMT", 10_000),
        ("Sunday, 06-Nov-94 08:49:47 GMT", 10_000),
        ("Sun Nov  6 08:49:47 1994", 10_000),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Sun, 06 Nov 1994 08:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_PAUSE_MS),
        ("Sun, 99 Nov 1994 08:49:47 GMT", None),
        ("Sun, 06 Nov 1994 08:49:47 +9999999999", None),
    ],
)
def test_a_retry_after_is_a_length_or_nothing(value: str | None, length_ms: int | None) -> None:
    assert retry_after_ms(value, now_s=NOW_S) == length_ms


def test_a_date_counts_from_the_answers_own_date_so_that_no_clock_matters() -> None:
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    assert retry_after_ms("Sun, 06 Nov 1994 08:50:07 GMT", date=date) == 30_000
    assert retry_after_ms("Sun, 06 Nov 1994 08:50:07 GMT", date="nonsense", now_s=NOW_S) == 30_000


@hypothesis.given(st.text(), st.none() | st.text())
def test_no_retry_after_is_too_strange(value: str, date: str | None) -> None:
    length_ms = retry_after_ms(value, date=date)
    assert length_ms is None or 0 <= length_ms <= LONGEST_PAUSE_MS


async def test_the_pause_that_a_429_asks_for_is_passed_on() -> None:
    for header, length_ms in (("Retry-After: 17\r\n", 17_000), ("", None), ("Retry-After: never\r\n", None)):
        error = await ending(http(status="429 Slow Down", more=header))
        assert (type(error), error.retry_after_ms) == (RateLimited, length_ms)
