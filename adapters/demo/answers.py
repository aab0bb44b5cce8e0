"""How each fault looks on the wire."""

import asyncio
import json
from typing import Any, Final

from aiohttp import web

from understudy.adapters.demo.plan import Act, Fault
from understudy.adapters.demo.wire import reset

_STATUSES: Final = {
    Fault.REJECTED: (400, "BAD_REQUEST", "no such country"),
    Fault.UNAUTHORIZED: (401, "BAD_KEY", "the key is not valid"),
    Fault.UNFUNDED: (402, "NO_BALANCE", "the balance is too low"),
    Fault.THROTTLED: (429, "TOO_MANY", "too many requests"),
    Fault.BROKEN: (500, "INTERNAL", "something broke"),
    Fault.UNAVAILABLE: (503, "UNAVAILABLE", "down for maintenance, nothing was done"),
    Fault.ERROR_IN_200: (200, "INTERNAL", "something broke"),
    Fault.SOLD_OUT: (200, "SOLD_OUT", "none left"),
    Fault.NOT_OFFERED: (200, "NOT_OFFERED", "not sold here"),
    Fault.TOO_EXPENSIVE: (200, "TOO_EXPENSIVE", "not sold at that price"),
}
_OVERSIZE_BYTES: Final = 5_000_000


async def answered(request: web.BaseRequest, act: Act, content: Any, *, over: asyncio.Event) -> web.StreamResponse:
    """Answer a request with `content`, or as its fault demands; what hangs does so until the client goes, or `over`."""
    body = json.dumps(content).encode()
    match act.fault:
        case None | Fault.TWICE:
            return web.Response(body=body, content_type="application/json")
        case Fault.RESET:
            return _cut_off(request)
        case Fault.HANG | Fault.LATE:
            await over.wait()
            return _cut_off(request)
        case Fault.SLOW_BODY | Fault.TRUNCATED:
            return await _in_part(request, body, over=over if act.fault is Fault.SLOW_BODY else None)
        case Fault.WRONG_TYPE:
            return web.Response(body=b"<html>Welcome to the captive portal</html>", content_type="text/html")
        case Fault.NO_JSON:
            return web.Response(body=body[:-1], content_type="application/json")
        case Fault.NO_HTTP:
            return _babble(request)
        case Fault.OVERSIZED:
            return web.Response(body=b'"' + b"x" * _OVERSIZE_BYTES + b'"', content_type="application/json")
        case Fault.REDIRECT:
            return web.Response(status=302, headers={"Location": "http://elsewhere.example/orders"})
        case _:
            return refusal(act.fault, retry_after=act.retry_after)


def refusal(fault: Fault, *, retry_after: str | None = None) -> web.Response:
    """An error in words, under the status that belongs to it."""
    status, code, message = _STATUSES[fault]
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    body = json.dumps({"error": {"code": code, "message": message}}).encode()
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


async def _in_part(request: web.BaseRequest, body: bytes, *, over: asyncio.Event | None) -> web.StreamResponse:
    """Half of an answer: the other half never comes, or the connection is closed."""
    response = web.StreamResponse(headers={"Content-Length": str(len(body)), "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if over is not None:
        await over.wait()
    if request.transport is not None:
        request.transport.close()
    return response


def _babble(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.write(b"220 mail.example ESMTP ready\r\n")
        request.transport.close()
    return web.Response()  # Nobody hears it.


def _cut_off(request: web.BaseRequest) -> web.StreamResponse:
    if request.transport is not None:
        reset(request.transport)
    return web.Response()  # Nobody hears it.
