"""How far a request has got: told by aiohttp's own tracing, not guessed from the kind of an exception."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import SimpleNamespace
from typing import Final

import aiohttp
from yarl import URL

from understudy.adapters.providers.http_messages import HttpReply
from understudy.adapters.providers.redaction import Secrets
from understudy.events.vocabulary import Effect

PIECE: Final = 65_536
"""Bytes that are handed to the socket at once; a body that is no longer counts as sent with its headers."""
_MARGIN_S: Final = 0.1
_MARGIN_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpLimits:
    """How long each stage of a request may take, and how much may come back; the engine's deadline is above them all.

    Units:  milliseconds and bytes. `total_ms` is used where the engine sets no deadline (pings). `idle_ms` is how
            long an unused connection is kept: shorter than servers do, because a write on a connection that the
            server is just closing has an unknown outcome; 0 opens a new connection for every request.
    Errors: ValueError naming the limit that is wrong.
    """

    connect_ms: int = 2_000
    send_ms: int = 5_000
    headers_ms: int = 60_000
    body_ms: int = 30_000
    total_ms: int = 5_000
    reply_bytes: int = 1_000_000
    idle_ms: int = 4_000
    connections: int = 100

    def __post_init__(self) -> None:
        """Refuse what is no limit."""
        for name in self.__slots__:
            value, least = getattr(self, name), 0 if name == "idle_ms" else 1
            if not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be a whole number of at least {least}, not {value!r}")


class Stage(StrEnum):
    """Where a request is. Before `SENDING` nothing of it has left us."""

    CONNECTING = "connecting"
    SENDING = "sending"
    AWAITING = "awaiting the answer"
    READING = "reading the answer"


class SentAlready(Exception):
    """Somebody is about to send a write for a second time."""


class LeadsElsewhere(Exception):
    """A redirect leads to another host, which must not be given our keys."""


class Exchange:
    """One request on its way. `limit` is entered around all of it, and moves on with the stages.

    Shape:  `sent` tells that the request may have left us, at least in part: it is set just before the first byte is
            written. `got` are the bytes of the answer so far.
    """

    def __init__(self, effect: Effect, limits: HttpLimits, *, budget_s: float, body_bytes: int) -> None:
        """`budget_s` is what the engine leaves; we stop a little earlier, to be heard with what we know."""
        self.effect = effect
        self.stage = Stage.CONNECTING
        self.sent = False
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.got = bytearray()
        self._limits = limits
        self._small = body_bytes <= PIECE
        self._loop = asyncio.get_running_loop()
        self._stage_began = self._loop.time()
        self._ends = self._stage_began + budget_s - min(_MARGIN_S, budget_s * _MARGIN_SHARE)
        self.limit = asyncio.timeout_at(self._until(limits.connect_ms))

    def reach(self, stage: Stage) -> None:
        """Be in another stage, which has its own limit."""
        limits = self._limits
        self.stage = stage
        self._stage_began = self._loop.time()
        match stage:
            case Stage.CONNECTING:
                allowed_ms = limits.connect_ms
            case Stage.SENDING:
                allowed_ms = limits.send_ms
            case Stage.AWAITING:
                allowed_ms = limits.headers_ms
            case Stage.READING:
                allowed_ms = limits.body_ms
        self.limit.reschedule(self._until(allowed_ms))

    def send(self) -> None:
        """The first byte is about to be written.

        Errors: SentAlready for a write that has been sent before: aiohttp repeats a GET, PUT or DELETE by itself when
                a kept connection turns out to be closed, and some providers sell by GET.
        """
        if self.sent and self.effect is not Effect.READ:
            raise SentAlready
        self.sent = True
        self.reach(Stage.AWAITING if self._small else Stage.SENDING)

    async def pieces(self, body: bytes) -> AsyncIterator[bytes]:
        """A long body piece by piece: when the last one has been taken, all of it is sent."""
        for start in range(0, len(body), PIECE):
            yield body[start : start + PIECE]
        if self.stage is Stage.SENDING:  # Some answer before they have read it all.
            self.reach(Stage.AWAITING)

    def reply(self, secrets: Secrets) -> HttpReply:
        """The answer, as far as it has come."""
        return HttpReply(
            status=self.status or 0,
            headers=self.headers,
            body=bytes(self.got),
            effect=self.effect,
            secrets=secrets,
        )

    @property
    def waited_ms(self) -> int:
        """How long the present stage has taken so far."""
        return round((self._loop.time() - self._stage_began) * 1000)

    def _until(self, allowed_ms: int) -> float:
        return min(self._ends, self._stage_began + allowed_ms / 1000)


def tracing() -> aiohttp.TraceConfig:
    """What has aiohttp tell each exchange, given as `trace_request_ctx`, how far it is."""
    config = aiohttp.TraceConfig()
    config.on_request_headers_sent.append(_headers_sent)  # Called before the headers are written.
    config.on_request_redirect.append(_redirected)
    return config


async def _headers_sent(_: aiohttp.ClientSession, context: SimpleNamespace, __: object) -> None:
    exchange: Exchange = context.trace_request_ctx
    exchange.send()


async def _redirected(
    _: aiohttp.ClientSession, context: SimpleNamespace, told: aiohttp.TraceRequestRedirectParams
) -> None:
    exchange: Exchange = context.trace_request_ctx
    try:
        target = told.url.join(URL(told.response.headers.get("Location", "")))
        elsewhere = target.origin() != told.url.origin()
    except ValueError:
        elsewhere = True
    if elsewhere:
        exchange.status = told.response.status
        raise LeadsElsewhere
    exchange.reach(Stage.CONNECTING)
