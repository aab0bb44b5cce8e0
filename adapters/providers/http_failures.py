"""What a broken or overdue request means: surely not executed, or possibly."""

import errno
import os
import socket
import ssl
from typing import Final

import aiohttp

from understudy.adapters.providers.http_exchange import Exchange, LeadsElsewhere, SentAlready, Stage
from understudy.adapters.providers.http_status import unsure
from understudy.engine.errors import InvalidReply, ProviderError, TimedOut, Transient

FAILURES: Final = (aiohttp.ClientError, aiohttp.http.HttpProcessingError, OSError, SentAlready, LeadsElsewhere)
"""What a request may end in, besides an answer and running out of time.

Their own texts are never repeated: they show the URL, and a URL may hold a key.
"""
_SUCCESS: Final = 2


def overdue(exchange: Exchange) -> ProviderError | None:
    """A stage has taken too long; None if the status, which has come, says enough."""
    waited = f"after {exchange.waited_ms} ms"
    if not exchange.sent:
        return Transient(f"no connection {waited}; nothing was sent", code="CONNECT_TIMEOUT", network=True)
    if exchange.stage is Stage.READING:
        if _has_failed_anyway(exchange):
            return None
        return TimedOut(
            f"the answer was not complete {waited}; {len(exchange.got)} bytes had come", code="BODY_TIMEOUT"
        )
    what = "not all of it was taken" if exchange.stage is Stage.SENDING else "no answer"
    return TimedOut(f"{what} {waited}", code="SEND_TIMEOUT" if exchange.stage is Stage.SENDING else "ANSWER_TIMEOUT")


def broken(error: Exception, exchange: Exchange) -> ProviderError | None:
    """The connection failed; None if the status, which has come, says enough."""
    match error:
        case LeadsElsewhere():
            return InvalidReply(
                f"{exchange.status}: leads to another host, which is not followed", code=exchange.status
            )
        case aiohttp.TooManyRedirects():
            return InvalidReply("leads from one redirect to the next", code=error.status)
        case SentAlready():
            # What aiohttp would have repeated has failed on a kept connection.
            return unsure(exchange.effect, "the connection was closed; sent once, not repeated", network=True)
        case _ if not exchange.sent:
            why, code = _connecting(error)
            return Transient(f"{why}; nothing was sent", code=code, network=True)
        case _ if exchange.stage is Stage.READING:
            if _has_failed_anyway(exchange):
                return None
            return InvalidReply(f"the answer broke off after {len(exchange.got)} bytes", code=_name(error))
        case aiohttp.ClientResponseError() | aiohttp.http.HttpProcessingError():
            return InvalidReply("the answer is no HTTP")
        case _:
            why = _reason(error) or "closed without an answer"
            return unsure(
                exchange.effect, f"the connection broke after sending: {why}", code=_name(error), network=True
            )


def _has_failed_anyway(exchange: Exchange) -> bool:
    """Whether the status tells of a failure: how its page ends does not matter then."""
    return exchange.status is not None and exchange.status // 100 != _SUCCESS


def _connecting(error: Exception) -> tuple[str, str | None]:
    """Why there is no connection, and a short code for it."""
    match error:
        case aiohttp.ClientConnectorError(os_error=socket.gaierror()):
            return "the host's name is not known", "DNS"
        case aiohttp.ClientConnectorCertificateError(certificate_error=cause):
            return f"the host's certificate is not valid: {getattr(cause, 'verify_message', '') or 'refused'}", "TLS"
        case aiohttp.ClientSSLError(os_error=ssl.SSLError(reason=reason)):
            return f"no TLS with the host: {reason or 'handshake failed'}", "TLS"
        case _:
            return f"cannot connect: {_reason(error) or 'closed at once'}", _name(error)


def _reason(error: BaseException) -> str:
    """An error of the operating system in its own words; empty for any other."""
    number = _number(error)
    return os.strerror(number) if number else ""


def _name(error: BaseException) -> str | None:
    return errno.errorcode.get(_number(error))


def _number(error: BaseException) -> int:
    """The number of an operating system's error, also of one that another error stands for; 0 if there is none."""
    causes = (error, getattr(error, "os_error", None), error.__cause__)
    numbers = (one.errno for one in causes if isinstance(one, OSError) and isinstance(one.errno, int))
    return next((number for number in numbers if number in errno.errorcode), 0)
