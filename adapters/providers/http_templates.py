"""Texts with placeholders: `/orders/{country}`, filled with what a request says. No expressions, no conditions.

`{name}` is a value of the request's context, `{amount}`, `{key}` (the provider-side idempotency key), `{operation}`,
`{request_id}`, `{body}` or a place in it (`{body.items.0.price}`), or `{secret.NAME}`. `{context.name}` is the value of
the context where a name means something else. `{name?}` may be lacking: its entry is left out then. `{name:number}` is
a number in JSON. `{{` and `}}` are braces.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from understudy.adapters.providers.http_paths import as_text, find
from understudy.engine.errors import NotOffered, Rejected
from understudy.engine.provider import Request
from understudy.events.quotes import Quote

_TOKEN: Final = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_INSIDE: Final = re.compile(r"(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)(?P<number>:number)?(?P<optional>\?)?")
_EARLIER: Final = frozenset({"created", "quote"})
_DOTS: Final = frozenset({".", ".."})
_SECRET: Final = "secret."  # noqa: S105 - how the names of secrets begin


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One `{…}` of a template."""

    name: str
    optional: bool
    number: bool

    @property
    def secret(self) -> str | None:
        """The name of the secret that it stands for; None if it stands for anything else."""
        return self.name.removeprefix(_SECRET) if self.name.startswith(_SECRET) else None


@lru_cache(maxsize=4096)
def pieces(text: str) -> tuple[str | Placeholder, ...]:
    """A template in pieces: literal text, and placeholders.

    Errors: ValueError with a sentence that does not repeat the text: it may hold a key.
    """
    found: list[str | Placeholder] = []
    end = 0
    for token in _TOKEN.finditer(text):
        found.append(text[end : token.start()])
        end = token.end()
        if token[0] in {"{{", "}}"}:
            found.append(token[0][0])
        elif token[1] is None:
            raise ValueError(f"has a single brace at character {token.start() + 1}; double it if it is meant as one")
        elif inside := _INSIDE.fullmatch(token[1]):
            found.append(Placeholder(inside["name"], bool(inside["optional"]), bool(inside["number"])))
        else:
            raise ValueError(
                f"has a placeholder without a proper name at character {token.start() + 1};"
                " a name is of letters, digits and any of _ . -"
            )
    return tuple(piece for piece in (*found, text[end:]) if piece != "")


def placeholders(content: Any) -> Iterator[Placeholder]:
    """All placeholders in a text, or in the texts of a JSON value at any depth."""
    match content:
        case str():
            yield from (piece for piece in pieces(content) if isinstance(piece, Placeholder))
        case dict():
            for inner in content.values():
                yield from placeholders(inner)
        case list() | tuple():
            for inner in content:
                yield from placeholders(inner)
        case _:
            pass


class Values:
    """What placeholders are filled with, for one request."""

    def __init__(
        self,
        operation: str,
        *,
        request: Request | None = None,
        key: str = "",
        secrets: Mapping[str, str],
        codes: Mapping[str, Mapping[str, str]] | None = None,
    ) -> None:
        """`codes` are a provider's own words for values of the context, by name and value."""
        self._operation, self._request, self._key = operation, request, key
        self._secrets, self._codes = secrets, codes or {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._operation!r})"

    @property
    def amount(self) -> Decimal | None:
        """The amount that the request is about."""
        return None if self._request is None else self._request.amount

    def text(self, template: str, *, spelt: Callable[[str], str] = str) -> str | None:
        """The template as text, each value `spelt` in some way; None if what it lacks is optional.

        Errors: Rejected for a value that the request lacks, or that is no text.
        """
        done = []
        for piece in pieces(template):
            if isinstance(piece, str):
                done.append(piece)
                continue
            value = self._value(piece)
            if value is None:
                return None
            done.append(spelt(self._as_text(piece, value)))
        return "".join(done)

    def texts(self, templates: Mapping[str, str]) -> dict[str, str]:
        """Several by name, without those whose value is optional and lacking. Errors: Rejected, as of `text`."""
        filled = ((name, self.text(template)) for name, template in templates.items())
        return {name: text for name, text in filled if text is not None}

    def path(self, template: str) -> str:
        """The path of a URL, in which each value is percent-encoded.

        Errors: Rejected for a value that is lacking or empty, or that would lead to another path (`..`).
        """
        filled = self.text(template, spelt=self._segment) or ""
        if not _DOTS.isdisjoint(filled.partition("?")[0].split("/")):
            raise self._rejected("would be sent to another path: a value is '.' or '..'")
        return filled

    def json(self, content: Any) -> bytes:
        """A JSON value in which texts are templates; one that is nothing but a placeholder keeps its value's type.

        Errors: Rejected for a value that the request lacks, or that is no number where one is asked for.
        """
        try:
            return _json(self._filled(content)).encode()
        except (TypeError, ValueError) as error:
            raise self._rejected("has a body that cannot be put into JSON") from error

    def _filled(self, content: Any) -> Any:
        match content:
            case str():
                parts = pieces(content)
                if len(parts) == 1 and isinstance(whole := parts[0], Placeholder):
                    value = self._value(whole)
                    return self._number(whole, value) if whole.number and value is not None else value
                return self.text(content)
            case dict():
                inner = ((name, self._filled(one), one) for name, one in content.items())
                return {name: filled for name, filled, one in inner if filled is not None or one is None}
            case list() | tuple():
                several = ((self._filled(one), one) for one in content)
                return [filled for filled, one in several if filled is not None or one is None]
            case _:
                return content

    def _segment(self, text: str) -> str:
        if not text:
            raise self._rejected("has an empty value where its path needs one")
        try:
            return quote(text, safe="")
        except UnicodeEncodeError as error:
            raise self._rejected("has a value that is no proper text") from error

    def _as_text(self, piece: Placeholder, value: Any) -> str:
        if (text := as_text(value)) is not None:
            return text
        match value:
            case float():
                return repr(value)
            case _:
                raise self._rejected(f"needs {piece.name!r} as text, and it is a list or an object")

    def _number(self, piece: Placeholder, value: Any) -> "_Number":
        try:
            number = _Number("nan" if isinstance(value, bool) else str(value))
        except InvalidOperation:
            number = _Number("nan")
        if not number.is_finite():
            raise self._rejected(f"needs {piece.name!r} as a number, and it is none")
        return number

    def _value(self, piece: Placeholder) -> Any:
        """What a placeholder stands for; None only where it may be lacking."""
        value = self._secrets[piece.secret] if piece.secret is not None else self._said(piece.name)
        if value is None and not piece.optional:
            raise self._rejected(f"needs {piece.name!r}, which the request lacks")
        return value

    def _said(self, name: str) -> Any:
        """What the request says under a name; None if nothing."""
        request = self._request
        first, _, rest = name.partition(".")
        match name:
            case "operation":
                return self._operation
            case "key":
                return self._key or None
            case _ if request is None:
                return None
            case "amount":
                return request.amount
            case "request_id":
                return request.request_id or None
            case _ if first == "body":
                return find(request.body, rest.split(".") if rest else ())
            case _ if first in _EARLIER:
                return _of_earlier(getattr(request, first), rest)
            case _ if first == "context" and rest:
                return request.context.get(rest)
            case _:
                return self._coded(name, request.context.get(name))

    def _coded(self, name: str, value: str | None) -> str | None:
        """A value of the context as the provider calls it.

        Errors: NotOffered for one that it has no word for.
        """
        codes = self._codes.get(name)
        if codes is None or value is None:
            return value
        if value not in codes:
            raise NotOffered(f"no code for this {name} is described; nothing was sent", code="NO_CODE")
        return codes[value]

    def _rejected(self, what: str) -> Rejected:
        return Rejected(f"{self._operation} {what}; nothing was sent", code="BAD_REQUEST")


def _of_earlier(said: Any, part: str) -> Any:
    """What was answered before: a quote, or the first part of the call; None where nothing was.

    Alone it is the reference; `{created.id}` is a place in that answer, `{quote.rate}` a share of the quote.
    """
    if isinstance(said, Quote):
        return getattr(said, part or "reference", None)
    if part in {"", "reference"}:
        return getattr(said, "reference", None)
    return find(getattr(said, "value", said), part.split("."))


class _Number(Decimal):
    """A number that is one in JSON, too, digit for digit: a float would not be exact. Other Decimals are text there."""


def _json(value: Any) -> str:
    match value:
        case _Number():
            return format(value, "f")
        case Decimal():
            return json.dumps(format(value, "f"))
        case dict():
            return "{" + ",".join(f"{json.dumps(str(name))}:{_json(inner)}" for name, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(_json, value)) + "]"
        case _:
            return json.dumps(value, allow_nan=False)
