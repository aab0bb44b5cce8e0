"""What the single keys of a description may be: templates, paths into answers, statuses, patterns, limits.

Each refuses with a sentence that goes on from the key's name, and does not repeat what may hold a key.
"""

import re
from collections.abc import Iterable
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, JsonValue

from understudy.adapters.providers.http_exchange import HttpLimits
from understudy.adapters.providers.http_paths import as_text, split
from understudy.adapters.providers.http_templates import Placeholder, pieces, placeholders
from understudy.events.names import did_you_mean

_CLASS: Final = re.compile(r"([1-5])xx")
_STATUSES: Final = range(100, 600)


def _statuses(value: object) -> object:
    """A status, several, or a whole class of them (`5xx`), as single ones."""
    found: list[int] = []
    for one in value if isinstance(value, list | tuple) else (value,):
        whole = _CLASS.fullmatch(one) if isinstance(one, str) else None
        if whole is not None:
            found += range(int(whole[1]) * 100, int(whole[1]) * 100 + 100)
        elif isinstance(one, int) and not isinstance(one, bool) and one in _STATUSES:
            found.append(one)
        else:
            raise ValueError("must be a status from 100 to 599, a class such as '5xx', or a list of them")
    return tuple(found)


def _words(value: object) -> object:
    """A plain value, or a list of them, as texts."""
    words = tuple(map(as_text, value if isinstance(value, list | tuple) else (value,)))
    if None in words:
        raise ValueError("must be a text, a number, true or false, or a list of them")
    return words


def _plain(value: object) -> object:
    """Numbers, true and false among parameters, as they will be sent."""
    text = as_text(value)
    if text is None:
        raise ValueError("must be a text, a number, true or false")
    return text


def _template(text: str) -> str:
    if any(isinstance(piece, Placeholder) and piece.number for piece in pieces(text)):
        raise ValueError("has ':number', which is for values of a JSON body only; text has no types")
    return text


def _url_path(text: str) -> str:
    if not text.startswith("/"):
        raise ValueError("must begin with '/'; it is put behind base_url")
    if any(isinstance(piece, Placeholder) and piece.optional for piece in pieces(text)):
        raise ValueError("has an optional placeholder; a path needs all of its parts (a query does not)")
    return _template(text)


def _json_body(content: JsonValue) -> JsonValue:
    for text in _texts(content):
        parts = pieces(text)
        if len(parts) > 1 and any(isinstance(one, Placeholder) and one.number for one in parts):
            raise ValueError("has ':number' within a text; a number stands alone, as in \"{amount:number}\"")
    return content


def _texts(content: JsonValue) -> Iterable[str]:
    match content:
        case str():
            yield content
        case dict():
            for inner in content.values():
                yield from _texts(inner)
        case list():
            for inner in content:
                yield from _texts(inner)
        case _:
            pass


def _reply_path(text: str) -> str:
    """A place in an answer; `?` at its end says that it may be lacking."""
    parts = split(text.removesuffix("?"))
    if "" in parts:
        raise ValueError("must be names with dots between them, as in 'data.orders.0.id'")
    for one in placeholders(text):
        if one.optional or one.number or one.secret is not None or one.name == "key":
            raise ValueError("may have plain placeholders only, such as {country}")
    return text


def _fixed_path(text: str) -> str:
    if next(placeholders(text), None) is not None:
        raise ValueError("may have no placeholders: a rule is the same for all requests")
    if text.endswith("?"):
        raise ValueError("may not end in '?': what a rule looks for may always be lacking")
    return _reply_path(text)


def _value_path(value: object) -> object:
    match value:
        case str():
            return _reply_path(value)
        case dict() if value and all(isinstance(inner, str) for inner in value.values()):
            return {str(name): _reply_path(inner) for name, inner in value.items()}
        case _:
            raise ValueError("must be a path into the answer, or a table of paths by name")


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from error
    return text


def _limits(values: dict[str, int]) -> dict[str, int]:
    known = HttpLimits.__slots__
    for name in values:
        if name not in known:
            raise ValueError(f"has an unknown limit {name!r}{did_you_mean(name, known)}")
    HttpLimits(**values)
    return values


Template = Annotated[str, BeforeValidator(_plain), AfterValidator(_template)]
UrlPath = Annotated[str, AfterValidator(_url_path)]
ReplyPath = Annotated[str, AfterValidator(_reply_path)]
FixedPath = Annotated[str, AfterValidator(_fixed_path)]
Pattern = Annotated[str, AfterValidator(_regex)]
Statuses = Annotated[tuple[int, ...], BeforeValidator(_statuses)]
Words = Annotated[tuple[str, ...], BeforeValidator(_words)]
Body = Annotated[JsonValue, AfterValidator(_json_body)]
ValuePath = Annotated[Any, BeforeValidator(_value_path)]
Limits = Annotated[dict[str, int], AfterValidator(_limits)]
