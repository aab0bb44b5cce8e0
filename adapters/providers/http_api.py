"""A provider from a description alone: any HTTP API that answers one request with one answer, without code."""

import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Self

from understudy.adapters.providers.credentials import Credentials
from understudy.adapters.providers.description_faults import described_by, secrets_of
from understudy.adapters.providers.http_answers import Reading
from understudy.adapters.providers.http_description import (
    LOOKUP,
    PING,
    QUOTE,
    STOCK,
    ApiDescription,
    OperationDescription,
    Rule,
)
from understudy.adapters.providers.http_exchange import HttpLimits
from understudy.adapters.providers.http_messages import Expect, HttpReply
from understudy.adapters.providers.http_provider import HttpProvider
from understudy.adapters.providers.http_request import check_headers
from understudy.adapters.providers.http_rules import error_of, first_hit
from understudy.adapters.providers.http_templates import Values
from understudy.engine.errors import InvalidReply, NotOffered, ProviderError, Rejected
from understudy.engine.provider import Deadline, Found, Reply, Request
from understudy.events.vocabulary import Effect, Finding


class HttpApi(HttpProvider):
    """A provider as its description says. It has `ping`, `lookup`, `stock` and `quote` only where they are described.

    Shape:  `description` names secrets, and has none. A subclass may override `sign`, for APIs that want signatures.
    Errors: a call raises what `HttpProvider` does; `Rejected`, before anything is sent, for a value that the request
            lacks; `NotOffered` for an operation that is not described.
    """

    ping: Callable[[], Awaitable[None]]
    lookup: Callable[..., Awaitable[Found]]
    stock: Callable[..., Awaitable[Reply]]
    quote: Callable[..., Awaitable[Reply]]

    def __init__(
        self, description: ApiDescription, *, credentials: Credentials, tls: ssl.SSLContext | None = None
    ) -> None:
        """All secrets are asked for now, and kept.

        Errors: DescriptionError for secrets that are not there, or cannot be kept out of messages.
        """
        self.id, self.description, self.settle_ms = description.id, description, description.settle_ms
        self.key_header, self.json_types = description.key_header, description.json_types
        self.two_part = description.two_part
        self._filled = secrets_of(description, credentials)
        super().__init__(
            description.base_url,
            headers=self._constant_headers(),
            secrets=[*self._filled.values(), *self._passwords()],
            limits=HttpLimits(**description.limits),
            tls=tls,
        )
        if PING in description.operations:
            self.ping = self._ping
        if description.lookups:
            self.lookup = self._lookup
        if STOCK in description.operations:
            self.stock = partial(self._side_call, STOCK)
        if QUOTE in description.operations:
            self.quote = partial(self._side_call, QUOTE)

    @classmethod
    def from_mapping(
        cls,
        described: Mapping[str, Any],
        *,
        credentials: Credentials,
        tls: ssl.SSLContext | None = None,
    ) -> Self:
        """A provider from a description as it comes out of TOML or JSON.

        Errors: DescriptionError with all that is wrong.
        """
        return cls(described_by(described), credentials=credentials, tls=tls)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:
        """Carry a described operation out."""
        described = self.description.operations.get(operation)
        if described is None:
            known = ", ".join(self.description.operations)
            raise NotOffered(f"{self.id} describes no operation {operation!r}, only {known}; nothing was sent")
        values = self._values(operation, request, key=key)
        return await self._asked(described, values, effect=request.effect, deadline=deadline, key=key)

    async def _ping(self) -> None:
        await self._asked(self.description.operations[PING], Values(PING, secrets=self._filled))

    async def _side_call(self, operation: str, request: Request, *, deadline: Deadline) -> Reply:
        described = self.description.operations[operation]
        return await self._asked(described, self._values(operation, request), deadline=deadline)

    async def _lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:
        asked_about = self.description.operations.get(operation)
        described = self.description.operations.get(LOOKUP if asked_about is None else asked_about.lookup)
        if described is None:
            return Found(finding=Finding.UNKNOWN)  # Other operations can be looked up, this one cannot.
        values = self._values(operation, request, key=key)
        reading = Reading(described.reply, expects=_expected(described), values=values)
        answer = await self._send(described, values, deadline=deadline)
        hit = first_hit(self._rules(described), answer)
        try:
            return reading.found(answer, by_rule=None if hit is None else hit.rule.finding, hide=self._secrets)
        except InvalidReply as error:
            failure = self._told(error, described, answer)
        raise failure

    async def _asked(
        self,
        described: OperationDescription,
        values: Values,
        *,
        effect: Effect = Effect.READ,
        deadline: Deadline | None = None,
        key: str | None = None,
    ) -> Reply:
        """Send, and read the answer."""
        reading = Reading(described.reply, expects=_expected(described), values=values)
        answer = await self._send(described, values, effect=effect, deadline=deadline, key=key)
        try:
            return reading.reply(answer, hide=self._secrets)
        except InvalidReply as error:
            failure = self._told(error, described, answer)
        raise failure

    async def _send(
        self,
        described: OperationDescription,
        values: Values,
        *,
        effect: Effect = Effect.READ,
        deadline: Deadline | None = None,
        key: str | None = None,
    ) -> HttpReply:
        """Send a request as it is described. Errors: Rejected, before it is sent, for what the request lacks."""
        headers = values.texts(described.headers)
        try:
            check_headers(headers)
        except ValueError as error:
            raise Rejected(f"{error}; nothing was sent", code="BAD_REQUEST") from None
        return await self.send(
            described.method,
            values.path(described.path),
            effect=effect,
            deadline=deadline,
            key=key,
            params=values.texts(described.query),
            json=None if described.body is None else values.json(described.body),
            form=None if described.form is None else values.texts(described.form),
            headers=headers,
            expects=_expected(described),
            judge=partial(self._judge, self._rules(described)),
            known_as=_label(described),
        )

    def _judge(self, rules: tuple[Rule, ...], reply: HttpReply) -> ProviderError | HttpReply | None:
        """What the rules say that an answer is; None if they say nothing."""
        hit = first_hit(rules, reply)
        if hit is None:
            return None
        if hit.rule.kind is None:
            return reply
        return error_of(hit, hit.rule.kind, reply, pause_ms=self.retry_after_ms(reply))

    def _values(self, operation: str, request: Request, *, key: str = "") -> Values:
        return Values(operation, request=request, key=key, secrets=self._filled, codes=self.description.codes)

    def _rules(self, described: OperationDescription) -> tuple[Rule, ...]:
        return (*described.rules, *self.description.rules)

    def _told(self, error: InvalidReply, described: OperationDescription, answer: HttpReply) -> ProviderError:
        """An answer that is not what was described, as every error is told."""
        return answer.secrets.cleaned(error, before=f"{described.method} {_label(described)}: ")

    def _constant_headers(self) -> dict[str, str]:
        """The headers of every request."""
        values = Values("every request", secrets=self._filled)
        headers = values.texts(self.description.headers)
        basic = self.description.basic_auth
        if basic is not None:
            pair = f"{values.text(basic.user)}:{values.text(basic.password)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        return headers

    def _passwords(self) -> list[str]:
        """A password that somebody has written into the description itself is one nevertheless."""
        basic = self.description.basic_auth
        values = Values("every request", secrets=self._filled)
        return [] if basic is None else [values.text(basic.password) or ""]


def _label(described: OperationDescription) -> str:
    """What errors call a request: its path as described, for the filled one may hold what a log must not."""
    return described.path.partition("?")[0]


def _expected(described: OperationDescription) -> Expect:
    """What a good answer is: a pattern is proof enough by itself, whatever type the answer declares."""
    return described.expects or (Expect.JSON if described.reply.pattern is None else Expect.ANYTHING)
