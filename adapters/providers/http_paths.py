"""Places in JSON: `data.orders.0.id`. A number counts in a list from 0; `*` is the only entry of a list or object."""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

_INDEX: Final = re.compile(r"[0-9]{1,9}")
_DOT: Final = re.compile(r"\.(?![^{}]*\})")
"""Not one within a placeholder."""
ONLY: Final = "*"


def split(path: str) -> list[str]:
    """The parts of a path, in which there may be placeholders."""
    return _DOT.split(path)


def find(content: Any, parts: Sequence[str]) -> Any:
    """The value at a place; None where there is no such place, or the value is null."""
    for part in parts:
        content = _below(content, part)
        if content is None:
            return None
    return content


def _below(content: Any, part: str) -> Any:
    match content:
        case dict() if part == ONLY and ONLY not in content:
            return next(iter(content.values())) if len(content) == 1 else None
        case dict():
            return content.get(part)
        case list() if part == ONLY:
            return content[0] if len(content) == 1 else None
        case list() if _INDEX.fullmatch(part) and int(part) < len(content):
            return content[int(part)]
        case _:
            return None


def says(value: Any) -> bool:
    """Whether a value says anything: null, false, an empty text, list or object do not; a zero does."""
    return value is not None and value is not False and value not in ("", [], {})


def as_text(value: Any) -> str | None:
    """A plain value as text, for ids, codes and words come as text or as numbers; None for lists, objects and null."""
    match value:
        case bool():
            return str(value).lower()
        case str() | int():
            return str(value)
        case Decimal():
            return format(value, "f")
        case _:
            return None
