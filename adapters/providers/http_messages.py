"""What is sent to a provider over HTTP, and what comes back."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from understudy.adapters.providers.redaction import Secrets
from understudy.engine.errors import InvalidReply
from understudy.events.vocabulary import Effect

_EMPTY_ON_PURPOSE: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT})
_SHOWN: Final = 80
"""Characters of an answer that a message repeats."""


class Expect(StrEnum):
    """What a good answer to a request is."""

    JSON = "json"
    """JSON, declared as such; or nothing at all under a status that says so (204)."""
    TEXT = "text"
    """Some text that is no HTML page."""
    ANYTHING = "anything"
    """The status alone counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A request as it will stand on the wire: what `HttpProvider.sign` returns is sent to the byte.

    Shape:  `url` is absolute, with its query, percent-encoded already.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path of the URL, as it is sent."""
        return urlsplit(self.url).path

    @property
    def query(self) -> str:
        """The query of the URL as it is sent, without the question mark; empty if there is none."""
        return urlsplit(self.url).query


@dataclass(frozen=True, kw_only=True)
class HttpReply:
    """A complete answer.

    Shape:  `headers` are looked up without regard to case. `effect` is that of the request: what an error means
            depends on whether something may have been executed. `secrets` are those of the request, which no error
            may show that is made of this answer.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    effect: Effect = Effect.READ
    secrets: Secrets = field(default_factory=Secrets, repr=False, compare=False)

    @property
    def json(self) -> Any:
        """The body as JSON; None if it is none (see `flaw`), or is `null`. Numbers with a point are Decimals."""
        return self._parsed[0]

    @cached_property
    def text(self) -> str:
        """The body as text in the charset that the answer names, else in UTF-8; what cannot be read is replaced."""
        _, _, charset = self.headers.get("Content-Type", "").lower().partition("charset=")
        try:
            return self.body.decode(charset.split(";")[0].strip(" \"'") or "utf-8", errors="replace")
        except (LookupError, ValueError):  # Codecs that are none, or none for text.
            return self.body.decode(errors="replace")

    @property
    def content_type(self) -> str:
        """The media type without its parameters, in small letters; empty if the answer names none."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def at(self, *path: str | int) -> Any:
        """The value at a place in the JSON: `reply.at("orders", 0, "id")`.

        Errors: InvalidReply if there is no such place.
        """
        value = self.json
        for number, part in enumerate(path, start=1):
            try:
                value = value[part]
            except (LookupError, TypeError) as error:
                raise InvalidReply(f"the answer has no {_place(path[:number])}: {self.beginning}") from error
        return value

    def string(self, *path: str | int) -> str:
        """The text at a place; a whole number counts as its digits, for ids come as either.

        Errors: InvalidReply if there is none, or something else.
        """
        value = self.at(*path)
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return str(value)
        raise InvalidReply(f"{_place(path)} is no text: {self.beginning}")

    def decimal(self, *path: str | int) -> Decimal:
        """The exact number at a place, be it written as a number or as text.

        Errors: InvalidReply if there is none, or something else.
        """
        value = self.at(*path)
        try:
            exact = None if isinstance(value, bool) else Decimal(value)
        except (InvalidOperation, TypeError, ValueError):
            exact = None
        if exact is None or not exact.is_finite():
            raise InvalidReply(f"{_place(path)} is no number: {self.beginning}")
        return exact

    def flaw(self, expects: Expect, json_types: Collection[str] = ()) -> str | None:
        """What keeps the answer from being what was expected; None if nothing does."""
        if expects is Expect.ANYTHING or (self.status in _EMPTY_ON_PURPOSE and not self.body):
            return None
        kind = self.content_type
        if expects is Expect.TEXT:
            return f"is {kind}: {self.beginning}" if kind.endswith(("html", "xml")) else None
        if kind != "application/json" and not kind.endswith("+json") and kind not in json_types:
            return f"is {kind or 'of no declared type'}, not JSON: {self.beginning}"
        return self._parsed[1]

    @cached_property
    def _parsed(self) -> tuple[Any, str | None]:
        """The value, and why there is none."""
        try:
            return json.loads(self.body, parse_float=Decimal, parse_constant=_refuse), None
        except (ValueError, RecursionError) as error:
            reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
            return None, f"is no valid JSON ({reason}): {self.beginning}"

    @property
    def beginning(self) -> str:
        """How the answer begins, for a message: quoted, without secrets."""
        text = self.secrets.hide(self.text)  # Before it is cut: half a secret would not be known for one.
        return repr(text[:_SHOWN]) + ("…" if len(text) > _SHOWN else "")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _place(path: Collection[str | int]) -> str:
    return ".".join(map(str, path)) or "value"
