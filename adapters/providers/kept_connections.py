"""Connections that are kept for the next request, and looked at before they are used again."""

import asyncio
import weakref
from typing import Any, Final

import aiohttp
from aiohttp.connector import Connection

_TURNS: Final = 2
"""Turns of the loop in which a kept socket is asked, and in which its protocol is told what was found there."""


class KeptConnections(aiohttp.TCPConnector):
    """A connector that hears a server's good-bye before it gives a kept connection away.

    The good-bye may lie in the socket while the loop was busy. A write that is sent all the same is lost, but nobody
    can say so afterwards: its outcome would be unknown. What is still on its way to us cannot be heard, of course.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._used: weakref.WeakSet[asyncio.BaseProtocol] = weakref.WeakSet()

    async def connect(self, *request: Any, **more: Any) -> Connection:
        """A connection that is open as far as can be known; the next one where a kept one is not."""
        while True:
            connection = await super().connect(*request, **more)
            protocol = connection.protocol
            if protocol is None or protocol not in self._used:
                if protocol is not None:
                    self._used.add(protocol)
                return connection
            try:
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
            except asyncio.CancelledError:
                connection.close()
                raise
            if protocol.is_connected():
                return connection
            connection.close()
