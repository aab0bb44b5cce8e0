"""No secret gets into an error: not its message, not its code, not the errors behind it."""

import socket
import traceback
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import hypothesis
import hypothesis.strategies as st
import pytest
from http_for_tests import Plain, error_of, http, listening, saying, until

from understudy.adapters.providers import HttpReply, Outgoing
from understudy.adapters.providers.redaction import Secrets
from understudy.engine import InvalidReply, Misconfigured, OutOfStock, ProviderError, Transient

KEY = "sk-live/1+2=3&4"


def everything_in(error: BaseException) -> str:
    """All that a log of the error could show: its chain with tracebacks, its arguments, its code."""
    shown = "".join(traceback.format_exception(error))
    seen: list[BaseException] = [error]
    while seen:
        one = seen.pop()
        shown += f"{one!r} {one.args!r} {getattr(one, 'code', '')} {getattr(one, 'message', '')}"
        seen += [behind for behind in (one.__cause__, one.__context__) if behind is not None]
    return shown


def shows(error: BaseException, secret: str) -> bool:
    shown = everything_in(error)
    return any(form in shown for form in (secret, quote(secret, safe="")))


WAYS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"headers": {"Authorization": f"Bearer {KEY}"}}, {}),
    ({"headers": {"x-changenow-api-key": KEY}}, {}),
    ({}, {"headers": {"API-Sign": KEY}}),
    ({}, {"params": {"api_key": KEY}}),
    ({}, {"form": {"key": KEY}}),
    ({"secrets": [KEY]}, {"json": {"pin": KEY}}),
    ({"secrets": [KEY]}, {"path": f"/bot{quote(KEY, safe='')}/buy"}),
]


@pytest.mark.parametrize(("made", "sent"), WAYS)
@pytest.mark.parametrize(
    "answer",
    [
        http(f'{{"error":{{"code":"{KEY}","message":"{KEY} is not valid"}}}}'.encode(), status="401 No"),
        http(f"<html>{KEY}</html>".encode(), kind="text/html"),
        http(f"{{{KEY}".encode()),
        http(f"{KEY} is wrong".encode(), status="500 Oops", kind="text/plain"),
        http(b"", status="302 Found", more=f"Location: /again?api_key={KEY}\r\n"),
        http()[:-3],
        b"",
    ],
    ids=["401", "page", "no json", "500", "redirect", "cut off", "nothing"],
)
async def test_no_answer_makes_a_secret_show(answer: bytes, made: dict[str, Any], sent: dict[str, Any]) -> None:
    async with listening(saying(answer)) as heard, Plain(heard.url, **made) as shop:
        error = await error_of(shop.send("POST", **{"path": "/buy", "deadline": until(), **sent}))
    assert not shows(error, KEY)


@pytest.mark.parametrize(("made", "sent"), WAYS)
async def test_no_failure_of_the_connection_makes_a_secret_show(made: dict[str, Any], sent: dict[str, Any]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # And nobody listens.
        for address in (f"http://127.0.0.1:{taken.getsockname()[1]}", "http://no-such-host.invalid"):
            async with Plain(address, **made) as shop:
                error = await error_of(shop.send("POST", **{"path": "/buy", "deadline": until(), **sent}))
            assert isinstance(error, Transient)
            assert not shows(error, KEY)


@pytest.mark.parametrize("status", ["200 OK", "400 Bad Request"])
@pytest.mark.parametrize("places", range(56, 80))
async def test_half_a_secret_is_not_left_where_words_are_cut(status: str, places: int) -> None:
    secret = "0123456789abcdef0123456789abcdef"
    for length in (places, places + 120):
        answer = http((" x" * length)[:length].encode() + secret.encode(), status=status, kind="text/plain")
        async with listening(saying(answer)) as heard, Plain(heard.url, secrets=[secret]) as shop:
            error = await error_of(shop.send("GET", "/buy", deadline=until()))
        assert secret[:4] not in everything_in(error)


async def test_what_is_found_wrong_with_an_answer_later_shows_no_secret_either() -> None:
    answer = http(f'{{"echo":"{KEY}","more":"{KEY}"}}'.encode())
    async with listening(saying(answer)) as heard, Plain(heard.url, secrets=[KEY]) as shop:
        reply = await shop.send("GET", "/buy", deadline=until())
        for ask in (reply.string, reply.decimal, reply.at):
            with pytest.raises(InvalidReply) as caught:
                ask("order")
            assert not shows(caught.value, KEY)
            assert "[redacted]" in caught.value.message


async def test_an_adapter_may_return_the_same_error_again_and_again() -> None:
    class Terse(Plain):
        sold_out = OutOfStock("none left")

        def fault_in(self, reply: HttpReply) -> ProviderError | None:
            return self.sold_out

    async with listening(saying(*[http()] * 2)) as heard, Terse(heard.url) as shop:
        for _ in range(2):
            error = await error_of(shop.send("GET", "/buy", deadline=until()))
            assert (type(error), error.message, str(error)) == (OutOfStock, *["GET /buy: none left"] * 2)


async def test_an_adapters_own_words_are_cleaned_too() -> None:
    class Talkative(Plain):
        def fault_in(self, reply: HttpReply) -> ProviderError | None:
            return Misconfigured(f"{KEY} is no key", code=KEY)

    async with listening(saying(http())) as heard, Talkative(heard.url, secrets=[KEY]) as shop:
        error = await error_of(shop.send("GET", "/buy", deadline=until()))
    assert (error.code, error.message) == ("[redacted]", "GET /buy: [redacted] is no key")


async def test_a_signature_that_cannot_be_made_does_not_show_its_secret() -> None:
    class Signing(Plain):
        def sign(self, outgoing: Outgoing) -> Outgoing:
            return replace(outgoing, headers={**outgoing.headers, "API-Sign": str(int(KEY))})

    async with Signing("http://127.0.0.1:1", secrets=[KEY]) as shop:
        error = await error_of(shop.send("GET", "/buy", deadline=until()))
    assert isinstance(error, Transient)
    assert not shows(error, KEY)


async def test_the_idempotency_key_is_no_secret_and_may_be_told() -> None:
    answer = http(b'{"message":"key 0123456789abcdef was used before"}', status="409 Conflict")
    async with listening(saying(answer)) as heard, Plain(heard.url) as shop:
        error = await error_of(shop.send("POST", "/buy", key="0123456789abcdef", deadline=until()))
    assert "0123456789abcdef" in error.message


@pytest.mark.parametrize("value", ["line\nbreak", "sesame-17\r\n", "nul\0"])
def test_a_header_that_would_break_the_request_is_refused_by_its_name_alone(value: str) -> None:
    with pytest.raises(ValueError, match="header 'X-Api-Key' must be text on one line") as caught:
        Plain("http://127.0.0.1:1", headers={"X-Api-Key": value})
    assert value not in str(caught.value)


@hypothesis.given(st.lists(st.text(min_size=4)), st.text(), st.text())
def test_hiding_leaves_none_of_the_secrets(secrets: list[str], before: str, after: str) -> None:
    kept = Secrets(secrets)
    for secret in secrets:
        hidden = kept.hide(before + secret + after)
        assert secret not in hidden.replace("[redacted]", "\0")


def test_a_short_value_is_no_secret_and_a_token_to_sell_is_none_either() -> None:
    secrets = Secrets(["abc"]).with_fields([("sellToken", "USDT-ERC20"), ("token", "0xdeadbeef")])
    assert secrets.hide("abc USDT-ERC20 0xdeadbeef") == "abc USDT-ERC20 [redacted]"
