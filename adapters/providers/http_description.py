"""An HTTP API described as data: where it is, what is sent, where an answer has what, which answers are failures.

Every model refuses what it does not know, with the name that was most likely meant.
"""

import re
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from understudy.adapters.providers.http_fields import (
    Body,
    FixedPath,
    Limits,
    Pattern,
    ReplyPath,
    Statuses,
    Template,
    UrlPath,
    ValuePath,
    Words,
)
from understudy.adapters.providers.http_messages import Expect
from understudy.adapters.providers.http_quotes import QuoteDescription
from understudy.adapters.providers.http_request import flaw_of_url
from understudy.adapters.providers.http_templates import Placeholder, placeholders
from understudy.events.names import did_you_mean
from understudy.events.policy import Milliseconds, PositiveMilliseconds, ProviderId, Settings
from understudy.events.vocabulary import FailureKind, Finding

LOOKUP: Final = "lookup"
PING: Final = "ping"
STOCK: Final = "stock"
QUOTE: Final = "quote"
TWO_PARTS: Final = frozenset({"create", "commit"})
"""The operations of a service that has both: the first moves nothing, the second does, once."""


class Misplaced(ValueError):
    """Something is wrong below the table that found it: `place` is the way down to it."""

    def __init__(self, what: str, *place: str) -> None:
        super().__init__(what)
        self.place = place


class Rule(Settings):
    """Which answers are a failure of some kind, or what a look-up has found. All conditions that are given must hold.

    Shape:  `field` is a place in the JSON. Alone, it holds where something is said there: not null, false, or empty.
            `pattern` is searched in that field, or else in the whole text. `kind` is the failure, or `finding` the
            look-up's result. `code`, `message` and `retry_after` are places too, or groups of `pattern` of that name.
    Units:  `retry_after` points at seconds; `pause_ms` is for APIs that name no time.
    """

    status: Statuses = ()
    field: FixedPath | None = None
    equals: Words = ()
    missing: bool = False
    pattern: Pattern | None = None
    kind: FailureKind | None = None
    finding: Finding | None = None
    code: FixedPath | None = None
    message: FixedPath | None = None
    retry_after: FixedPath | None = None
    pause_ms: PositiveMilliseconds | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.kind is None) == (self.finding is None):
            raise ValueError("must say what the answer is: either a kind of failure, or a finding of a look-up")
        if not (self.status or self.field or self.pattern):
            raise ValueError("has no condition: give a status, a field or a pattern")
        if (self.equals or self.missing) and self.field is None:
            raise ValueError("has equals or missing without a field that they are about")
        if bool(self.equals) + self.missing + (self.pattern is not None and self.field is not None) > 1:
            raise ValueError("has more than one of equals, missing and pattern about its field; keep one")
        return self


class ReplyDescription(Settings):
    """Where an answer has what. A place that it lacks makes it an invalid reply, unless the place ends in `?`.

    Shape:  `value` is a path, or a table of paths by name; without one it is the whole answer. With a `pattern`, the
            answer is text: groups of that name are reference, cost, stock, finding and value, and without a group
            `value` all groups together are the value; a group `rate` makes it a quote. `findings` says what the words
            of `finding` mean. `amount_out` is what arrives of a conversion, net of all fees.
    """

    value: ValuePath = None
    reference: ReplyPath | None = None
    cost: ReplyPath | None = None
    stock: ReplyPath | None = None
    finding: ReplyPath | None = None
    findings: dict[str, Finding] = Field(default_factory=dict)
    quote: QuoteDescription | None = None
    amount_out: ReplyPath | None = None
    pattern: Pattern | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.pattern is not None and self.paths:
            raise ValueError("has a pattern, for text, and paths, for JSON; keep one of the two")
        return self

    def has(self, share: str) -> bool:
        """Whether an answer says what is asked for: one of value, reference, cost, stock, finding, quote."""
        if self.pattern is not None:
            return ("rate" if share == QUOTE else share) in re.compile(self.pattern).groupindex
        return getattr(self, share) is not None

    @property
    def paths(self) -> tuple[str, ...]:
        """All places that are named."""
        values = self.value.values() if isinstance(self.value, dict) else (self.value,)
        singles = (self.reference, self.cost, self.stock, self.finding, self.amount_out)
        quoted = () if self.quote is None else self.quote.paths
        return (*(one for one in (*values, *singles) if one is not None), *quoted)


class OperationDescription(Settings):
    """One request: what is sent, and what its answers mean.

    Shape:  `body` is sent as JSON, `form` url-encoded. `rules` come before those of the whole API; the first that holds
            counts, whatever the status. `lookup` names the operation that finds out what became of this one.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    path: UrlPath
    query: dict[str, Template] = Field(default_factory=dict)
    headers: dict[str, Template] = Field(default_factory=dict)
    body: Body = None
    form: dict[str, Template] | None = None
    expects: Expect | None = None
    reply: ReplyDescription = Field(default_factory=ReplyDescription)
    rules: tuple[Rule, ...] = ()
    lookup: str = LOOKUP

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.body is not None and self.form is not None:
            raise ValueError("has a body and a form; a request has one of the two")
        if self.reply.pattern is not None and self.expects not in {None, Expect.TEXT, Expect.ANYTHING}:
            raise ValueError("expects JSON, and its reply has a pattern, which is for text")
        return self

    @property
    def placeholders(self) -> tuple[Placeholder, ...]:
        """All that are to be filled."""
        sent = (self.path, self.query, self.headers, self.body, self.form)
        return tuple(placeholders([*sent, *self.reply.paths]))


class BasicAuth(Settings):
    """The user and password of an API that wants `Authorization: Basic …`."""

    user: Template
    password: Template


class ApiDescription(Settings):
    """One API, which is one provider.

    Shape:  `headers` and `basic_auth` go with every request, so that they may have secrets as their only placeholders.
            `key_header` carries the provider-side idempotency key of calls. `json_types` are media types under which
            this API sends JSON, besides the proper ones. `rules` are for all operations, after their own. `codes` say
            what this API calls values of the context: `codes.country.gb = "16"`; what is not there is not offered.
    Units:  `settle_ms` is how long after a call an "absent" of the look-up is not yet to be believed.
    """

    id: ProviderId
    base_url: str
    headers: dict[str, Template] = Field(default_factory=dict)
    basic_auth: BasicAuth | None = None
    key_header: str | None = None
    json_types: tuple[str, ...] = ()
    settle_ms: Milliseconds = 0
    codes: dict[str, dict[str, str]] = Field(default_factory=dict)
    limits: Limits = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    operations: dict[str, OperationDescription] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        flaw = flaw_of_url(self.base_url)
        if flaw is not None:
            raise Misplaced(flaw, "base_url")
        for name, template in {**self.headers, **self._basic}.items():
            if any(one.secret is None for one in placeholders(template)):
                raise Misplaced("goes with every request: it may have no placeholders but secrets", "headers", name)
        for name, operation in self.operations.items():
            self._check(name, operation)
        used = {one.name for operation in self.operations.values() for one in operation.placeholders}
        for name in self.codes:
            if name not in used:
                raise Misplaced(f"belongs to no placeholder{did_you_mean(name, used)}", "codes", name)
        return self

    def _check(self, name: str, operation: OperationDescription) -> None:
        if operation.lookup != LOOKUP and operation.lookup not in self.operations:
            raise Misplaced(f"is {operation.lookup!r}, and no operation has that name", "operations", name, "lookup")
        rules = (*operation.rules, *self.rules)
        finds = operation.reply.has("finding") or any(one.finding for one in rules)
        if name in self.lookups and not finds:
            raise Misplaced("is a look-up that finds nothing: give it a reply.finding, or rules", "operations", name)
        if name not in self.lookups and (operation.reply.has("finding") or any(one.finding for one in operation.rules)):
            raise Misplaced("has a finding, and is no look-up: no operation names it", "operations", name)
        if name == STOCK and not operation.reply.has(STOCK):
            raise Misplaced("has no place for the stock: give it a reply.stock", "operations", name)
        if name == QUOTE and not operation.reply.has(QUOTE):
            raise Misplaced("has no place for the quote: give it a reply.quote", "operations", name)
        asked = next((one for one in operation.placeholders if one.secret is None and not one.optional), None)
        if name == PING and asked is not None:
            raise Misplaced(f"is about no request, which {{{asked.name}}} would be taken from", "operations", name)

    @property
    def two_part(self) -> bool:
        """Whether a conversion is first created, and then committed."""
        return self.operations.keys() >= TWO_PARTS

    @property
    def lookups(self) -> frozenset[str]:
        """The operations that are look-ups."""
        return frozenset({LOOKUP, *(one.lookup for one in self.operations.values())} & self.operations.keys())

    @property
    def secrets(self) -> frozenset[str]:
        """The names of all secrets that are needed."""
        sent = [one for operation in self.operations.values() for one in operation.placeholders]
        return frozenset(
            one.secret for one in (*sent, *placeholders([self.headers, self._basic])) if one.secret is not None
        )

    @property
    def _basic(self) -> dict[str, str]:
        basic = self.basic_auth
        return {} if basic is None else {"user": basic.user, "password": basic.password}
