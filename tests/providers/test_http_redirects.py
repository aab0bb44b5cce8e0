"""Redirects: never followed for a write, and never with our keys to somebody else."""

import pytest
from http_for_tests import WRITES, Plain, error_of, http, listening, saying, until

from understudy.engine import Effect, InvalidReply

STATUSES = ["301 Moved", "302 Found", "303 See Other", "307 Again", "308 Moved"]


def redirect(location: str, status: str = "302 Found") -> bytes:
    return http(b"", status=status, more=f"Location: {location}\r\n")


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_redirect_of_a_write_is_not_followed(status: str, method: str) -> None:
    for effect in WRITES:
        async with listening(saying(redirect("/elsewhere", status), http())) as heard, Plain(heard.url) as shop:
            error = await error_of(shop.send(method, "/buy", effect=effect, deadline=until()))
            assert (type(error), error.code) == (InvalidReply, status[:3])
            assert heard.lines == [f"{method} /buy HTTP/1.1"]


@pytest.mark.parametrize("status", STATUSES)
async def test_a_redirect_of_a_read_is_followed_at_the_same_host(status: str) -> None:
    async with listening(saying(redirect("/v2/rates", status), http())) as heard, Plain(heard.url) as shop:
        assert (await shop.send("GET", "/rates", deadline=until())).json == {"ok": True}
        assert heard.lines == ["GET /rates HTTP/1.1", "GET /v2/rates HTTP/1.1"]


async def test_a_redirect_to_another_host_is_not_given_our_key() -> None:
    async with listening(saying(http())) as other, listening(saying(redirect(f"{other.url}/rates"))) as heard:
        async with Plain(heard.url, headers={"X-Api-Key": "sesame-17"}) as shop:
            error = await error_of(shop.send("GET", "/rates", deadline=until()))
        assert (type(error), error.code) == (InvalidReply, "302")
        assert "another host" in error.message
        assert other.connections == 0


@pytest.mark.parametrize("location", ["http://[broken", "ftp://127.0.0.1/x", "http://\x7f/", "mailto:x"])
@pytest.mark.parametrize("effect", list(Effect))
async def test_a_redirect_to_nowhere_is_an_invalid_reply(location: str, effect: Effect) -> None:
    async with listening(saying(redirect(location), http())) as heard, Plain(heard.url) as shop:
        assert isinstance(await error_of(shop.send("GET", "/rates", effect=effect, deadline=until())), InvalidReply)
        assert len(heard.requests) == 1


async def test_a_circle_of_redirects_is_left() -> None:
    async with listening(saying(*[redirect("/rates")] * 20)) as heard, Plain(heard.url) as shop:
        error = await error_of(shop.send("GET", "/rates", deadline=until()))
        assert isinstance(error, InvalidReply)
        assert len(heard.requests) <= 6
