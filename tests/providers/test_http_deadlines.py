"""Every stage of a request has its limit, and the engine's deadline is above them all."""

import asyncio
import time
from typing import Any

import pytest
from http_for_tests import Heard, Plain, error_of, http, limited, listening, read_request, saying, until

from understudy.adapters.providers import HttpLimits
from understudy.adapters.providers.http_exchange import Exchange
from understudy.engine import Ambiguous, Effect, Rejected, TimedOut, Transient

HEADERS = limited(headers_ms=40)
BODY = limited(body_ms=40)


def deaf(_: Heard) -> Any:
    """Takes connections and reads nothing."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await reader.read()

    return talk


@pytest.mark.parametrize("effect", list(Effect))
async def test_a_request_that_is_not_taken_ends_at_the_limit_of_sending(effect: Effect) -> None:
    async with listening(deaf) as heard, Plain(heard.url, limits=limited(send_ms=40)) as shop:
        body = "x" * 20_000_000  # More than the kernel's buffers take.
        error = await error_of(shop.send("POST", "/buy", json=body, effect=effect, deadline=until()))
    assert (type(error), error.code) == (TimedOut, "SEND_TIMEOUT")


async def test_an_answer_that_comes_before_all_is_sent_counts() -> None:
    def hasty(_: Heard) -> Any:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(http(b"", status="413 Too Large"))
            await reader.read(30_000_000)

        return talk

    async with listening(hasty) as heard, Plain(heard.url, limits=limited()) as shop:
        error = await error_of(shop.send("POST", "/buy", json="x" * 20_000_000, effect=Effect.ONCE, deadline=until()))
    assert (type(error), error.code) == (Rejected, "413")


@pytest.mark.parametrize("effect", list(Effect))
async def test_an_answer_that_does_not_begin_ends_at_the_limit_of_headers(effect: Effect) -> None:
    async with listening(saying(b"", then_close=False)) as heard, Plain(heard.url, limits=HEADERS) as shop:
        error = await error_of(shop.send("POST", "/buy", effect=effect, deadline=until()))
    assert (type(error), error.code) == (TimedOut, "ANSWER_TIMEOUT")


async def test_headers_that_never_end_do_too() -> None:
    async with listening(saying(http()[:40], then_close=False)) as heard, Plain(heard.url, limits=HEADERS) as shop:
        error = await error_of(shop.send("GET", "/ask", deadline=until()))
    assert (type(error), error.code) == (TimedOut, "ANSWER_TIMEOUT")


@pytest.mark.parametrize("effect", list(Effect))
async def test_a_body_that_does_not_end_ends_at_its_limit(effect: Effect) -> None:
    async with listening(saying(http()[:-3], then_close=False)) as heard, Plain(heard.url, limits=BODY) as shop:
        error = await error_of(shop.send("POST", "/buy", effect=effect, deadline=until()))
    assert (type(error), error.code) == (TimedOut, "BODY_TIMEOUT")
    assert "8 bytes had come" in error.message


async def test_a_body_that_drips_does_not_stretch_its_limit() -> None:
    def dripping(_: Heard) -> Any:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await read_request(reader)
            for one in http(b'"' + b"x" * 1000 + b'"'):
                writer.write(bytes([one]))
                await writer.drain()
                await asyncio.sleep(0.002)

        return talk

    async with listening(dripping) as heard, Plain(heard.url, limits=BODY) as shop:
        error = await error_of(shop.send("GET", "/ask", deadline=until()))
    assert (type(error), error.code) == (TimedOut, "BODY_TIMEOUT")


@pytest.mark.parametrize(
    ("status", "kind"), [("400 Bad Request", Rejected), ("502 Bad Gateway", Ambiguous), ("503 Busy", Ambiguous)]
)
@pytest.mark.parametrize("ending", ["hangs", "breaks off"])
async def test_a_status_that_tells_of_a_failure_counts_however_its_page_ends(
    status: str, kind: type[Exception], ending: str
) -> None:
    answer = http(b"a long page", status=status, kind="text/html")[:-3]
    server = saying(answer, then_close=ending == "breaks off")
    async with listening(server) as heard, Plain(heard.url, limits=BODY) as shop:
        error = await error_of(shop.send("POST", "/buy", effect=Effect.ONCE, deadline=until()))
    assert (type(error), error.code) == (kind, status[:3])


@pytest.mark.parametrize("answer", [b"", http()[:30], http()[:-3]], ids=["none", "headers", "body"])
async def test_the_deadline_of_the_engine_is_above_every_limit(answer: bytes) -> None:
    async with listening(saying(answer, then_close=False)) as heard, Plain(heard.url, limits=limited()) as shop:
        began = time.monotonic()
        error = await error_of(shop.send("GET", "/ask", deadline=until(0.03)))
        took_s = time.monotonic() - began
    assert isinstance(error, TimedOut)
    assert took_s < 1


@pytest.mark.parametrize("budget_s", [10.0, 0.2, 0.01])
async def test_we_stop_a_little_before_the_engine_does_to_say_what_we_know(budget_s: float) -> None:
    """At the deadline itself the engine would take the word away: a call that was never sent would be in doubt."""
    now_s = asyncio.get_running_loop().time()
    ends_s = Exchange(Effect.ONCE, limited(), budget_s=budget_s, body_bytes=0).limit.when()
    later_s = asyncio.get_running_loop().time()
    assert ends_s is not None
    assert now_s + 0.85 * budget_s < ends_s < later_s + budget_s - min(0.09, 0.09 * budget_s)


async def test_a_handshake_that_takes_all_the_time_there_is_was_not_sent_either() -> None:
    async with listening(deaf) as heard, Plain(heard.url.replace("http:", "https:"), limits=limited()) as shop:
        error = await error_of(shop.send("POST", "/buy", effect=Effect.ONCE, deadline=until(0.03)))
    assert (type(error), error.code) == (Transient, "CONNECT_TIMEOUT")


async def test_without_a_deadline_there_is_a_limit_all_the_same() -> None:
    limits = HttpLimits(total_ms=30)
    async with listening(saying(b"", then_close=False)) as heard, Plain(heard.url, limits=limits) as shop:
        assert isinstance(await error_of(shop.send("GET", "/ping")), TimedOut)


async def test_a_cancelled_request_takes_its_connection_along() -> None:
    async with listening(saying(b"", then_close=False)) as heard, Plain(heard.url) as shop:
        task = asyncio.create_task(shop.send("POST", "/buy", effect=Effect.ONCE, deadline=until()))
        async with asyncio.timeout(5):
            await heard.asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await heard.left.wait()


@pytest.mark.parametrize("wrong", [{"connect_ms": 0}, {"reply_bytes": -1}, {"body_ms": 0.5}, {"idle_ms": -1}])
def test_a_limit_that_is_none_is_refused_by_its_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be a whole number of at least"):
        HttpLimits(**wrong)
