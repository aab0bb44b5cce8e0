"""What every adapter to an HTTP API shares: one session, one clear ending for each request, nothing sent twice."""

import asyncio
import ssl
from collections.abc import Callable, Collection, Iterable, Mapping
from types import TracebackType
from typing import ClassVar, Final, Self
from urllib.parse import parse_qsl

import aiohttp
from yarl import URL

from understudy.adapters.providers.http_exchange import PIECE, Exchange, HttpLimits, Stage, tracing
from understudy.adapters.providers.http_failures import FAILURES, broken, overdue
from understudy.adapters.providers.http_messages import Expect, HttpReply, Outgoing
from understudy.adapters.providers.http_request import check_headers, checked_url, compose, given, layered
from understudy.adapters.providers.http_status import KINDS, error_of, retry_after_ms
from understudy.adapters.providers.kept_connections import KeptConnections
from understudy.adapters.providers.redaction import Secrets
from understudy.engine.errors import InvalidReply, ProviderError, RateLimited, Transient
from understudy.engine.provider import Deadline
from understudy.events.vocabulary import Effect

_MOST_REDIRECTS: Final = 5
_SUCCESS: Final = 2
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)
_MISSHAPEN: Final = (LookupError, TypeError, ValueError, ArithmeticError, AttributeError)
"""What code raises that reads an answer which does not look as it should."""

Judge = Callable[[HttpReply], ProviderError | HttpReply | None]
"""Says what a complete answer is: an error, an answer whatever its status, or None to let the status speak."""


class HttpProvider:
    """The base of adapters to HTTP APIs. A subclass has an `id` and `async def call`, and sends by `self.send`.

    Shape:  `key_header` names the header that carries the provider-side idempotency key, if the API has one.
            `statuses` says what statuses mean where the usual table (`http_status.KINDS`) is wrong for this API.
            `json_types` are media types under which it sends JSON, besides the proper ones.
    Source: the engine calls; nothing is opened before the first request, and one session serves all of them.
    """

    id: str = ""
    key_header: str | None = None
    statuses: ClassVar[Mapping[int, type[ProviderError]]] = {}
    json_types: Collection[str] = ()

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        secrets: Collection[str] = (),
        limits: HttpLimits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`headers` go with every request. `secrets` are never shown, nor are headers like `Authorization`.

        Errors: ValueError for an address or a header that cannot be used, TypeError for a class without an id.
        """
        if not self.id:
            raise TypeError(f"{type(self).__name__} needs an id: the provider's name, for ever the same in the log")
        self.limits = limits or HttpLimits()
        self._base_url = checked_url(base_url, self.id)
        self._headers = layered({"Accept": "application/json", "User-Agent": "understudy"}, headers or {})
        check_headers(self._headers)
        self._secrets = Secrets(secrets).with_headers(self._headers)
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def __aenter__(self) -> Self:
        self._closed = False
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections. What is sent afterwards fails as transient; `async with` opens it again."""
        self._closed = True
        await self._let_go()

    async def _let_go(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def sign(self, outgoing: Outgoing) -> Outgoing:
        """For a subclass: add a signature to a request, which is sent exactly as it is returned."""
        return outgoing

    def fault_in(self, reply: HttpReply) -> ProviderError | None:  # noqa: ARG002 - for a subclass
        """For a subclass: the error that a complete answer is, whatever its status; None to let the status speak."""
        return None

    def retry_after_ms(self, reply: HttpReply) -> int | None:
        """For a subclass: how long an answer asks us to stay away, in ms; by default its Retry-After header."""
        return retry_after_ms(reply.headers.get("Retry-After"), date=reply.headers.get("Date"))

    async def send(
        self,
        method: str,
        path: str,
        *,
        effect: Effect = Effect.READ,
        deadline: Deadline | None = None,
        key: str | None = None,
        params: Mapping[str, object] | None = None,
        json: object = None,
        form: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        expects: Expect = Expect.JSON,
        answers: Collection[int] = (),
        judge: Judge | None = None,
        known_as: str | None = None,
    ) -> HttpReply:
        """Make one request and return its answer, if it is a good one.

        `effect` is what this very request does: `read` unless it moves something. `params` and `form` leave out what
        is None; Decimals in `json` become text, bytes are JSON already. `answers` are statuses that are answers here,
        as 404 to a look-up. `judge` is asked instead of `fault_in`; an answer that it returns is a good one. Errors
        call the request `known_as`, or else by its path.
        Errors: ProviderError of the kind that fits, with every secret taken out.
        """
        own = {} if key is None or self.key_header is None else {self.key_header: key}
        every = layered(self._headers, own, headers or {})
        secrets = self._and_those_in(every, [*given(params).items(), *given(form).items()], known=self._secrets)
        address = self._base_url + path
        outcome: HttpReply | ProviderError
        try:
            outgoing = self.sign(compose(method, address, headers=every, params=params, json=json, form=form))
            check_headers(outgoing.headers)
        except ProviderError as error:
            outcome = error
        except _MISSHAPEN as error:
            outcome = Transient(f"cannot be put into words: {type(error).__name__}: {error}; nothing was sent")
        else:
            secrets = self._and_those_in(outgoing.headers, parse_qsl(outgoing.query), known=secrets)
            budget_s = self.limits.total_ms / 1000 if deadline is None else deadline.remaining_s()
            exchange = Exchange(effect, self.limits, budget_s=budget_s, body_bytes=len(outgoing.body))
            failure = await self._carry_out(outgoing, exchange)
            outcome = failure or self._judged(exchange.reply(secrets), expects=expects, answers=answers, judge=judge)
        if isinstance(outcome, HttpReply):
            return outcome
        # Not within a handler: the error that was handled there, which may show a URL, is not to be its context.
        raise secrets.cleaned(outcome, before=f"{method.upper()} {known_as or path.partition('?')[0]}: ")

    def _and_those_in(
        self, headers: Mapping[str, str], fields: Iterable[tuple[str, str]], *, known: Secrets
    ) -> Secrets:
        """The secrets that are known, and those that headers and fields give away by their names."""
        return known.with_headers(headers, leave=self.key_header).with_fields(fields)

    async def _carry_out(self, outgoing: Outgoing, exchange: Exchange) -> ProviderError | None:
        """Make the request; the error that it ended in, None if there is an answer to judge."""
        if self._closed:
            return Transient(f"{self.id} has been closed; nothing was sent")
        failure: ProviderError | None = None
        try:
            async with exchange.limit:
                await self._converse(outgoing, exchange)
        except TimeoutError as error:
            failure = overdue(exchange) if exchange.limit.expired() else broken(error, exchange)
        except FAILURES as error:
            failure = broken(error, exchange)
        if failure is None and len(exchange.got) > self.limits.reply_bytes:
            failure = InvalidReply(f"the answer is longer than {self.limits.reply_bytes} bytes")
        return failure

    async def _converse(self, outgoing: Outgoing, exchange: Exchange) -> None:
        """Send and receive; whatever comes is noted in the exchange."""
        body = outgoing.body
        headers = {**outgoing.headers, "Content-Length": str(len(body))} if body else outgoing.headers
        session = await self._session_here()
        async with session.request(
            outgoing.method,
            URL(outgoing.url, encoded=True),
            headers=headers,
            data=(body if len(body) <= PIECE else exchange.pieces(body)) if body else None,
            allow_redirects=exchange.effect is Effect.READ,
            max_redirects=_MOST_REDIRECTS,
            trace_request_ctx=exchange,
        ) as response:
            exchange.status, exchange.headers = response.status, response.headers
            exchange.reach(Stage.READING)
            while piece := await response.content.readany():
                exchange.got += piece
                if len(exchange.got) > self.limits.reply_bytes:
                    return  # With an answer that is not read to its end, the connection is given up.

    def _judged(
        self, reply: HttpReply, *, expects: Expect, answers: Collection[int], judge: Judge | None
    ) -> HttpReply | ProviderError:
        """An answer, if it is a good one; else the error that it is."""
        if reply.status in answers:
            return reply
        try:
            fault = (judge or self.fault_in)(reply)
            pause_ms = self.retry_after_ms(reply)
        except ProviderError as error:
            return error
        except _MISSHAPEN as error:
            return InvalidReply(f"the answer does not look as it should: {type(error).__name__}: {error}")
        if isinstance(fault, HttpReply):
            return fault
        if fault is not None:
            if isinstance(fault, RateLimited) and fault.retry_after_ms is None:
                fault.retry_after_ms = pause_ms
            return fault
        if reply.status // 100 != _SUCCESS:
            return error_of(reply, {**KINDS, **self.statuses}, retry_after_ms=pause_ms)
        flaw = reply.flaw(expects, self.json_types)
        return reply if flaw is None else InvalidReply(f"the answer {flaw}", code=reply.status)

    async def _session_here(self) -> aiohttp.ClientSession:
        """The session of the running loop, opened at its first request."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._session is not None and self._loop is not None and not self._loop.is_closed():
                raise Transient(f"{self.id} is in use by another event loop; give each loop a provider of its own")
            self._loop = loop
            await self._let_go()  # What was opened in a loop that has ended.
        if self._session is None:
            idle_s = self.limits.idle_ms / 1000
            connector = KeptConnections(
                limit=self.limits.connections,
                ssl=self._tls or True,
                force_close=not idle_s,
                keepalive_timeout=idle_s or None,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=_NO_TIMEOUT,
                trace_configs=[tracing()],
            )
        return self._session
