"""The listening end of a demonstration server: open, refusing, or taking connections and saying nothing."""

import asyncio
import socket
import struct
from typing import TYPE_CHECKING, Final

from aiohttp import web

from understudy.adapters.demo.plan import Line

if TYPE_CHECKING:
    from collections.abc import Callable

HOST: Final = "127.0.0.1"
_MAY_SHARE: Final = hasattr(socket, "SO_REUSEPORT")


class Wire:
    """A port that stays ours whether anybody listens on it or not. Errors: OSError if it cannot be had."""

    def __init__(self, serve: web.Server, *, taken: "Callable[[], None]") -> None:
        """`taken` is told of each connection that is taken and left without a word."""
        self._serve = serve
        self._taken = taken
        self._keeper: socket.socket | None = None
        self._listener: asyncio.Server | None = None
        self._silent: set[asyncio.BaseTransport] = set()
        self.line: Line | None = None
        self.opened = asyncio.Event()
        self.port = 0

    async def change(self, line: Line) -> None:
        """Be open, refuse, or stall from now on. Connections that were there before are reset."""
        if line is self.line:
            return
        self._hang_up()
        self.line = line
        self.opened.clear()
        await asyncio.sleep(0)  # In the next turn of the loop the sockets are closed, and the resets on their way.
        if self._keeper is None:
            self._keeper = socket.socket()
            if _MAY_SHARE:  # While nobody listens, nobody else is given the port.
                self._keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            self._keeper.bind((HOST, 0))
            self.port = self._keeper.getsockname()[1]
            if not _MAY_SHARE:
                self._keeper.close()
        if line is not Line.REFUSES:
            made: Callable[[], asyncio.BaseProtocol] = self._serve if line is Line.OPEN else self._take_in_silence
            loop = asyncio.get_running_loop()
            self._listener = await loop.create_server(
                made, HOST, self.port, reuse_port=_MAY_SHARE or None, reuse_address=True
            )
        if line is Line.OPEN:
            self.opened.set()

    def close(self) -> None:
        """Stop listening and let the port go."""
        self._hang_up()
        self.line = None
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None

    def _take_in_silence(self) -> asyncio.BaseProtocol:
        self._taken()
        return _Silence(self._silent)

    def _hang_up(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()
        for connection in tuple(self._serve.connections):
            if connection.transport is not None:
                reset(connection.transport)
        for transport in tuple(self._silent):
            reset(transport)


class _Silence(asyncio.Protocol):
    def __init__(self, known: set[asyncio.BaseTransport]) -> None:
        self._known = known
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._known.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if self._transport is not None:
            self._known.discard(self._transport)


def reset(transport: asyncio.BaseTransport) -> None:
    """End a connection by a reset (RST), not in order (FIN)."""
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # Linger, for no time at all.
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
