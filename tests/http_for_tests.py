"""What tests of HTTP adapters share: a plain adapter, a server that says exactly what it is told, and short limits."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from understudy.adapters.providers import HttpLimits, HttpProvider
from understudy.engine import Deadline, Effect, ProviderError, Reply, Request

WRITES = (Effect.IDEMPOTENT, Effect.ONCE)


def limited(**limits: int) -> HttpLimits:
    """These limits, short enough to be waited for; the others must not be reached, however slow the machine is."""
    return HttpLimits(**{"connect_ms": 20_000, "send_ms": 20_000, "headers_ms": 20_000, "body_ms": 20_000, **limits})


class Plain(HttpProvider):
    """An adapter that does nothing of its own."""

    id = "plain"
    key_header = "Idempotency-Key"

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:
        reply = await self.send("POST", f"/{operation}", effect=request.effect, key=key, deadline=deadline)
        return Reply(value=reply.json)


Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Heard:
    """What a server was sent: each request whole, and how many connections there were."""

    url: str = ""
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """A first request has come; a first connection is over."""

    def hear(self, request: bytes) -> None:
        self.requests.append(request)
        self.asked.set()

    @property
    def lines(self) -> list[str]:
        return [one.split(b"\r\n")[0].decode() for one in self.requests]


@asynccontextmanager
async def listening(talk: Callable[[Heard], Talk], *, ssl: Any = None) -> AsyncIterator[Heard]:
    """A server on a loopback port that talks to each connection as told."""
    heard = Heard()
    talks: dict[asyncio.Future[None], asyncio.StreamWriter] = {}

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        over = asyncio.get_running_loop().create_future()
        talks[over] = writer
        heard.connections += 1
        try:
            await talk(heard)(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            heard.left.set()
            writer.close()
            over.set_result(None)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=ssl)
    scheme = "http" if ssl is None else "https"
    heard.url = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield heard
    finally:
        server.close()
        for writer in talks.values():
            writer.transport.abort()
        await asyncio.gather(*talks)


def saying(*answers: bytes, then_close: bool = True) -> Callable[[Heard], Talk]:
    """Answer one request of a connection after another with these bytes; then hang up, or say nothing more."""

    def made(heard: Heard) -> Talk:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for answer in answers:
                heard.hear(await read_request(reader))
                writer.write(answer)
                await writer.drain()
            if not then_close:
                await reader.read()  # Until the client hangs up.

        return talk

    return made


async def read_request(reader: asyncio.StreamReader) -> bytes:
    """A request with its body."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return head + (await reader.readexactly(int(lengths[0].partition(b":")[2])) if lengths else b"")


def http(
    body: bytes = b'{"ok":true}', *, status: str = "200 OK", kind: str = "application/json", more: str = ""
) -> bytes:
    """An answer as it stands on the wire; `more` are header lines, each with its line break."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def until(seconds: float = 20.0) -> Deadline:
    """A deadline so many seconds from now."""
    return Deadline(_now_us() + round(seconds * 1_000_000), _now_us)


def _now_us() -> int:
    return time.monotonic_ns() // 1000


async def error_of(work: Awaitable[Any]) -> ProviderError:
    """The provider error that something ends in."""
    try:
        answer = await work
    except ProviderError as error:
        return error
    raise AssertionError(f"it succeeded: {answer}")
