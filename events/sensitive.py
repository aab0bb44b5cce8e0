"""Values that the log must not hold: replaced by salted hashes, kept aside where they can be erased."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import Final

from pydantic import JsonValue
from pydantic_core import from_json, to_json

MARK: Final = "$sensitive"
"""The only key of the object that stands for a concealed value; its value is the token."""
_SHORTEST: Final = 4
_MARKED_BY: Final = 6


def token_of(salt: bytes, value: JsonValue) -> str:
    """The salted hash of a value, 32 hex digits; the same value has the same token in one store."""
    return hashlib.sha256(salt + to_json(value)).hexdigest()[:32]


def conceal(value: JsonValue, names: Collection[str], salt: bytes) -> tuple[JsonValue, dict[str, str]]:
    """A copy with the values of the named fields, at any depth, replaced by tokens; and those values as JSON."""
    taken: dict[str, str] = {}
    return (_concealed(value, names, salt, taken) if names else value), taken


def reveal(value: JsonValue, known: Mapping[str, str]) -> JsonValue:
    """A copy with the tokens replaced by what is known; erased values stay tokens."""
    match value:
        case {"$sensitive": str(token), **rest} if not rest:
            return from_json(known[token]) if token in known else value
        case dict():
            return {name: reveal(inner, known) for name, inner in value.items()}
        case list():
            return [reveal(inner, known) for inner in value]
        case _:
            return value


def tokens_in(value: JsonValue) -> set[str]:
    """All tokens in a value."""
    match value:
        case {"$sensitive": str(token), **rest} if not rest:
            return {token}
        case dict():
            return set[str]().union(*map(tokens_in, value.values()))
        case list():
            return set[str]().union(*map(tokens_in, value))
        case _:
            return set()


def shown(value: JsonValue, forgotten: Collection[str] = ()) -> str:
    """A value as people are shown it: text as it is, all else much as JSON, and a mark for what is concealed.

    The mark has the beginning of the token, enough to tell two values apart; the whole one is in the event. It says so
    where the token is among those whose value has been forgotten.
    """
    match value:
        case str():
            return value
        case {"$sensitive": str(token), **rest} if not rest:
            return f"«{'forgotten' if token in forgotten else 'hidden'} {token[:_MARKED_BY]}»"
        case dict():
            return "{" + ", ".join(f"{name}: {shown(inner, forgotten)}" for name, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(shown(inner, forgotten) for inner in value) + "]"
        case _:
            return to_json(value).decode()


def redact(text: str, values: Collection[str], limit: int) -> str:
    """A text without the sensitive values in it, cut to a length with a marker."""
    for form in sorted({form for value in values for form in _forms(from_json(value))}, key=len, reverse=True):
        text = text.replace(form, "[redacted]")
    return text if len(text) <= limit else f"{text[:limit]}…[cut, {len(text)} characters]"


def _forms(value: JsonValue) -> Iterator[str]:
    """How a value may stand in a text: as it is, and a phone number also as providers repeat it, without its plus.

    What is too short would be found in many a word that has nothing to do with it.
    """
    match value:
        case bool() | None:
            return
        case str():
            found = value
        case int() | float():
            found = to_json(value).decode()
        case dict() | list():
            for inner in value.values() if isinstance(value, dict) else value:
                yield from _forms(inner)
            return
    for form in (found, found.removeprefix("+")):
        if len(form) >= _SHORTEST:
            yield form


def _concealed(value: JsonValue, names: Collection[str], salt: bytes, taken: dict[str, str]) -> JsonValue:
    match value:
        case dict():
            concealed: dict[str, JsonValue] = {}
            for name, inner in value.items():
                if name in names and inner is not None:
                    token = token_of(salt, inner)
                    taken[token] = to_json(inner).decode()
                    concealed[name] = {MARK: token}
                else:
                    concealed[name] = _concealed(inner, names, salt, taken)
            return concealed
        case list():
            return [_concealed(inner, names, salt, taken) for inner in value]
        case _:
            return value
