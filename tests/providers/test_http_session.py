"""One session, opened at the first request and closed when told; and what it puts on the wire."""

import asyncio
import hashlib
import hmac
from dataclasses import replace
from decimal import Decimal

import pytest
from http_for_tests import Heard, Plain, error_of, http, listening, saying, until

from understudy.adapters.providers import HttpLimits, HttpProvider, Outgoing
from understudy.engine import Effect, Transient


def test_an_adapter_is_made_without_a_loop_and_opens_nothing() -> None:
    shop = Plain("http://127.0.0.1:1")
    assert shop._session is None


async def test_requests_after_one_another_share_a_connection() -> None:
    async with listening(saying(*[http()] * 5)) as heard, Plain(heard.url) as shop:
        for _ in range(5):
            await shop.send("POST", "/buy", effect=Effect.ONCE, deadline=until())
        assert (heard.connections, len(heard.requests)) == (1, 5)


async def test_without_idle_connections_each_request_has_its_own() -> None:
    answers = saying(*[http()] * 3)
    async with listening(answers) as heard, Plain(heard.url, limits=HttpLimits(idle_ms=0)) as shop:
        for _ in range(3):
            await shop.send("POST", "/buy", effect=Effect.ONCE, deadline=until())
        assert heard.connections == 3


async def test_closing_hangs_up_and_nothing_more_is_sent() -> None:
    async with listening(saying(*[http()] * 2)) as heard:
        shop = Plain(heard.url)
        await shop.send("GET", "/ask", deadline=until())
        await shop.close()
        await shop.close()
        async with asyncio.timeout(5):
            await heard.left.wait()
        error = await error_of(shop.send("POST", "/buy", effect=Effect.ONCE, deadline=until()))
        assert isinstance(error, Transient)
        assert "has been closed" in error.message
        async with shop:
            assert (await shop.send("GET", "/ask", deadline=until())).status == 200


def test_a_second_loop_gets_a_session_of_its_own() -> None:
    lines: list[str] = []

    async def ask(shop: Plain, port_of: list[str]) -> None:
        async with listening(saying(http())) as heard:
            shop._base_url = heard.url
            assert (await shop.send("GET", f"/{port_of[0]}", deadline=until())).status == 200
            lines.extend(heard.lines)

    shop = Plain("http://127.0.0.1:1")
    asyncio.run(ask(shop, ["one"]))
    asyncio.run(ask(shop, ["two"]))
    asyncio.run(shop.close())
    assert lines == ["GET /one HTTP/1.1", "GET /two HTTP/1.1"]


async def test_a_loop_beside_the_first_one_is_told_so() -> None:
    async with listening(saying(*[http()] * 2)) as heard, Plain(heard.url) as shop:
        await shop.send("GET", "/ask", deadline=until())
        error = await asyncio.to_thread(asyncio.run, error_of(shop.send("GET", "/ask", deadline=until())))
    assert isinstance(error, Transient)
    assert "another event loop" in error.message


async def only_request(**sent: object) -> bytes:
    async with listening(saying(http())) as heard, Plain(f"{heard.url}/v1/") as shop:
        await shop.send(**{"method": "POST", "path": "/buy", "deadline": until(), **sent})  # type: ignore[arg-type]
    return heard.requests[0]


async def test_json_keeps_money_exact() -> None:
    sent = await only_request(json={"amount": Decimal("0.10"), "to": "grün"})
    assert sent.startswith(b"POST /v1/buy HTTP/1.1\r\n")
    assert b"\r\nContent-Type: application/json\r\n" in sent
    assert sent.endswith('\r\n\r\n{"amount":"0.10","to":"grün"}'.encode())


async def test_forms_and_parameters_are_escaped_and_what_is_none_is_left_out() -> None:
    sent = await only_request(form={"a b": "c&d", "n": 1, "none": None}, params={"q": "é/ü", "none": None})
    assert sent.startswith(b"POST /v1/buy?q=%C3%A9%2F%C3%BC HTTP/1.1\r\n")
    assert b"\r\nContent-Type: application/x-www-form-urlencoded\r\n" in sent
    assert sent.endswith(b"\r\n\r\na+b=c%26d&n=1")


async def test_a_path_is_sent_as_it_is_if_it_is_escaped_already_and_escaped_if_not() -> None:
    sent = await only_request(method="get", path="/orders/a%2Fb c?x=1", params={"y": 2})
    assert sent.startswith(b"GET /v1/orders/a%2Fb%20c?x=1&y=2 HTTP/1.1\r\n")


async def test_a_long_body_arrives_whole_and_undivided() -> None:
    sent = await only_request(json="x" * 1_000_000)
    assert sent.endswith(b'\r\n\r\n"' + b"x" * 1_000_000 + b'"')
    assert b"Transfer-Encoding" not in sent


@pytest.mark.parametrize("shop", [Plain, type("Keyless", (Plain,), {"key_header": None})])
async def test_the_idempotency_key_goes_into_the_header_that_the_adapter_names(shop: type[Plain]) -> None:
    async with listening(saying(http())) as heard, shop(heard.url) as one:
        await one.send("POST", "/buy", key="k-17", effect=Effect.ONCE, deadline=until())
    assert (b"\r\nIdempotency-Key: k-17\r\n" in heard.requests[0]) == (shop.key_header is not None)


async def test_headers_of_a_request_replace_those_of_the_adapter_however_they_are_spelt() -> None:
    async with listening(saying(http())) as heard, Plain(heard.url, headers={"accept": "text/plain"}) as shop:
        await shop.send("GET", "/ask", headers={"ACCEPT": "text/csv"}, deadline=until())
    assert heard.requests[0].lower().count(b"\r\naccept:") == 1
    assert b"text/csv" in heard.requests[0]


async def test_what_is_signed_is_what_is_sent_to_the_byte() -> None:
    class Signing(Plain):
        def sign(self, outgoing: Outgoing) -> Outgoing:
            content = f"{outgoing.path}|{outgoing.query}|".encode() + outgoing.body
            signature = hmac.new(b"secret", content, hashlib.sha256).hexdigest()
            return replace(
                outgoing,
                url=f"{outgoing.url}&signature={signature}",
                headers={**outgoing.headers, "API-Sign": signature},
            )

    async with listening(saying(http())) as heard, Signing(heard.url) as shop:
        await shop.send("POST", "/0/Add Order", params={"q": "a b+c/é"}, json={"é": 1}, deadline=until())
    head, _, body = heard.requests[0].partition(b"\r\n\r\n")
    target = head.split(b" ")[1].decode()
    path, _, query = target.partition("?")
    query, _, signature = query.rpartition("&signature=")
    assert signature == hmac.new(b"secret", f"{path}|{query}|".encode() + body, hashlib.sha256).hexdigest()
    assert f"API-Sign: {signature}".encode() in head


@pytest.mark.parametrize("address", ["", "api.example.com", "ftp://api.example.com", "https://", "http://[x", 7])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="provider 'plain': base_url must be an address like"):
        Plain(address)


@pytest.mark.parametrize(
    "address", ["https://u:sesame@x.example", "https://x.example/?k=sesame", "https://x.example/#y"]
)
def test_an_address_with_credentials_is_refused_without_repeating_them(address: str) -> None:
    with pytest.raises(ValueError, match="keys go into headers") as caught:
        Plain(address)
    assert "sesame" not in str(caught.value)


def test_an_adapter_without_an_id_is_told_so() -> None:
    with pytest.raises(TypeError, match="HttpProvider needs an id"):
        HttpProvider("https://x.example")


async def test_many_at_once_share_a_few_connections() -> None:
    def echoing(heard: Heard):  # type: ignore[no-untyped-def]  # noqa: ANN202
        return saying(*[http()] * 50)(heard)

    async with listening(echoing) as heard, Plain(heard.url, limits=HttpLimits(connections=4)) as shop:
        replies = await asyncio.gather(*(shop.send("GET", f"/{n}", deadline=until()) for n in range(40)))
        assert [one.status for one in replies] == [200] * 40
        assert heard.connections <= 4
