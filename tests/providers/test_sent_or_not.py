"""Whether a request may have reached its provider: surely not, or possibly. Judged with what the servers have heard."""

import asyncio
import shutil
import socket
import ssl
import struct
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from http_for_tests import WRITES, Heard, Plain, error_of, http, limited, listening, read_request, saying, until

from understudy.adapters.demo.wire import reset
from understudy.engine import Ambiguous, Effect, Transient


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


@pytest.mark.parametrize("effect", list(Effect))
async def test_a_refused_connection_means_that_nothing_was_sent(effect: Effect) -> None:
    async with Plain(f"http://127.0.0.1:{free_port()}") as shop:
        error = await error_of(shop.send("POST", "/buy", json={"n": 1}, effect=effect, deadline=until()))
    assert (type(error), error.network, error.code) == (Transient, True, "ECONNREFUSED")
    assert error.message == "POST /buy: cannot connect: Connection refused; nothing was sent"


async def test_an_unknown_host_means_that_nothing_was_sent() -> None:
    async with Plain("http://no-such-host.invalid") as shop:
        error = await error_of(shop.send("POST", "/buy", effect=Effect.ONCE, deadline=until()))
    assert (type(error), error.network, error.code) == (Transient, True, "DNS")


async def test_a_server_that_speaks_no_tls_gets_nothing() -> None:
    def greeting(_: Heard) -> Any:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.example ESMTP ready\r\n")
            await reader.read()

        return talk

    async with listening(greeting) as heard, Plain(heard.url.replace("http:", "https:")) as shop:
        error = await error_of(shop.send("POST", "/buy", json={"n": 1}, effect=Effect.ONCE, deadline=until()))
    assert (type(error), error.network, error.code) == (Transient, True, "TLS")


async def test_a_handshake_that_stalls_means_that_nothing_was_sent() -> None:
    def silent(_: Heard) -> Any:
        async def talk(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
            await reader.read()

        return talk

    async with (
        listening(silent) as heard,
        Plain(heard.url.replace("http:", "https:"), limits=limited(connect_ms=40)) as shop,
    ):
        error = await error_of(shop.send("POST", "/buy", effect=Effect.ONCE, deadline=until()))
    assert (type(error), error.network, error.code) == (Transient, True, "CONNECT_TIMEOUT")


async def test_a_handshake_that_is_reset_means_that_nothing_was_sent() -> None:
    def resetting(_: Heard) -> Any:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            reset(writer.transport)

        return talk

    async with listening(resetting) as heard, Plain(heard.url.replace("http:", "https:")) as shop:
        error = await error_of(shop.send("POST", "/buy", effect=Effect.ONCE, deadline=until()))
    assert (type(error), error.network) == (Transient, True)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """The server's side of a certificate that nobody has signed."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command to make a certificate")
    pem = tmp_path_factory.mktemp("tls") / "both.pem"
    make = f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout {pem}.key -out {pem}.crt"
    subprocess.run([*make.split(), "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    pem.write_bytes(Path(f"{pem}.key").read_bytes() + Path(f"{pem}.crt").read_bytes())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    context.pem = pem  # type: ignore[attr-defined]
    return context


async def test_a_certificate_that_cannot_be_checked_gets_nothing(certificate: ssl.SSLContext) -> None:
    async with listening(saying(http()), ssl=certificate) as heard:
        async with Plain(heard.url) as shop:
            error = await error_of(shop.send("POST", "/buy", effect=Effect.ONCE, deadline=until()))
        assert (type(error), error.network, error.code) == (Transient, True, "TLS")
        assert "self-signed certificate" in error.message
        assert heard.requests == []


async def test_a_certificate_of_ones_own_is_believed_if_one_says_so(certificate: Any) -> None:
    trusting = ssl.create_default_context(cafile=str(certificate.pem))
    async with listening(saying(http()), ssl=certificate) as heard, Plain(heard.url, tls=trusting) as shop:
        assert (await shop.send("POST", "/buy", effect=Effect.ONCE, deadline=until())).json == {"ok": True}


def cutting_off(by: str) -> Any:
    """A server that ends the connection once it has read the request."""

    def made(heard: Heard) -> Any:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.hear(await read_request(reader))
            reset(writer.transport) if by == "reset" else writer.close()

        return talk

    return made


@pytest.mark.parametrize("by", ["reset", "closing"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
async def test_a_connection_that_ends_after_sending_leaves_writes_in_doubt(by: str, method: str) -> None:
    async with listening(cutting_off(by)) as heard, Plain(heard.url) as shop:
        for effect in WRITES:
            error = await error_of(shop.send(method, "/buy", effect=effect, deadline=until()))
            assert (type(error), error.network) == (Ambiguous, True)
        assert len(heard.requests) == len(WRITES)


@pytest.mark.parametrize("by", ["reset", "closing"])
async def test_a_connection_that_ends_after_sending_is_transient_for_reads(by: str) -> None:
    async with listening(cutting_off(by)) as heard, Plain(heard.url) as shop:
        error = await error_of(shop.send("POST", "/ask", effect=Effect.READ, deadline=until()))
    assert (type(error), error.network) == (Transient, True)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_a_write_on_a_kept_connection_that_closes_is_never_sent_again(method: str) -> None:
    """Some providers sell by GET, and aiohttp repeats those by itself when a kept connection closes on it."""

    def once_each(heard: Heard) -> Any:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.hear(await read_request(reader))
            writer.write(http())
            heard.hear(await read_request(reader))

        return talk

    async with listening(once_each) as heard, Plain(heard.url) as shop:
        await shop.send("GET", "/first", deadline=until())
        error = await error_of(shop.send(method, "/buy", effect=Effect.ONCE, deadline=until()))
        assert (type(error), error.network) == (Ambiguous, True)
        assert heard.lines == ["GET /first HTTP/1.1", f"{method} /buy HTTP/1.1"]
        assert (await shop.send("GET", "/after", deadline=until())).status == 200


async def test_a_read_on_a_kept_connection_that_closes_goes_over_another_one() -> None:
    def twice_then_close(heard: Heard) -> Any:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.hear(await read_request(reader))
            writer.write(http())
            if heard.connections == 1:
                heard.hear(await read_request(reader))
            else:
                await reader.read()

        return talk

    async with listening(twice_then_close) as heard, Plain(heard.url) as shop:
        await shop.send("GET", "/first", deadline=until())
        assert (await shop.send("GET", "/ask", deadline=until())).json == {"ok": True}
        assert heard.lines == ["GET /first HTTP/1.1", "GET /ask HTTP/1.1", "GET /ask HTTP/1.1"]


@pytest.mark.parametrize("ending", ["closing", "reset"])
async def test_an_end_of_a_kept_connection_that_the_loop_was_too_busy_to_notice_is_heard_first(ending: str) -> None:
    """The server answers once and hangs up, in a thread of its own, while our loop is held up."""
    heard: list[bytes] = []
    hung_up = threading.Event()

    def serve(door: socket.socket) -> None:
        for _ in range(2):
            line, _ = door.accept()
            with line:
                heard.append(line.recv(65_536))
                line.sendall(http())
                if ending == "reset":
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    answered.wait(5)
            hung_up.set()

    answered = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as door:
        thread = threading.Thread(target=serve, args=(door,))
        thread.start()
        async with Plain(f"http://127.0.0.1:{door.getsockname()[1]}") as shop:
            await shop.send("GET", "/first", deadline=until())
            answered.set()
            hung_up.wait(5)  # Holds up the loop on purpose.
            assert (await shop.send("GET", "/buy", effect=Effect.ONCE, deadline=until())).status == 200
        thread.join(5)
    assert [one.split(b" ")[1] for one in heard] == [b"/first", b"/buy"]


async def test_waiting_in_vain_for_a_free_connection_means_that_nothing_was_sent() -> None:
    limits = limited(connections=1)
    async with listening(saying(b"", then_close=False)) as heard, Plain(heard.url, limits=limits) as shop:
        first = asyncio.create_task(error_of(shop.send("POST", "/a", effect=Effect.ONCE, deadline=until())))
        await heard.asked.wait()
        second = await error_of(shop.send("POST", "/b", effect=Effect.ONCE, deadline=until(0.03)))
        assert (type(second), second.code) == (Transient, "CONNECT_TIMEOUT")
        assert heard.lines == ["POST /a HTTP/1.1"]
        first.cancel()


async def test_without_time_left_nothing_is_sent() -> None:
    async with listening(saying(http())) as heard, Plain(heard.url) as shop:
        error = await error_of(shop.send("POST", "/buy", effect=Effect.ONCE, deadline=until(0)))
        assert isinstance(error, Transient)
        await asyncio.sleep(0.01)
        assert heard.requests == []


async def test_what_cannot_be_put_into_words_is_not_sent() -> None:
    async with listening(saying(http())) as heard, Plain(heard.url) as shop:
        error = await error_of(shop.send("POST", "/buy", json=object(), effect=Effect.ONCE, deadline=until()))
        assert isinstance(error, Transient)
        assert "nothing was sent" in error.message
        assert heard.connections == 0
