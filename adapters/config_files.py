"""Reading settings from a TOML or JSON file as plain values: numbers with a point become `Decimal`, digit for digit.

JSON may have comments.
"""

import json
import re
import tomllib
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final, NoReturn

from understudy.adapters.config_comments import without_comments
from understudy.adapters.config_faults import Fault, PolicyFileError
from understudy.replay.files import TEXT_LIMIT, TooLarge, read_text

_LAST_COMMA: Final = re.compile(r",\s*[}\]]")


def read_values(path: Path) -> dict[str, object]:
    """The values of a file, which is JSON if it is named so, or begins with a brace; else TOML.

    Errors: PolicyFileError if it cannot be read, or is neither.
    """
    text = _text(path)
    if path.suffix.lower() == ".json" or (path.suffix.lower() != ".toml" and text.lstrip().startswith("{")):
        return _json(path, text)
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, InvalidOperation, RecursionError) as error:
        _refuse(path, f"this is not valid TOML: {error}")


def json_values(text: str) -> object:
    """The value of a JSON text.

    Errors: ValueError with a sentence.
    """
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_without_repetition)
    except json.JSONDecodeError as error:
        raise ValueError(_in_words(error)) from error
    except (InvalidOperation, RecursionError) as error:
        raise ValueError("a number or a nesting is beyond all measure") from error


def _in_words(error: json.JSONDecodeError) -> str:
    """What is wrong with a JSON text, and where; for the commonest mistakes also what to do."""
    if not error.doc.strip():
        return "it is empty"
    comma = error.doc.rfind(",", 0, error.pos + 1)
    if comma >= 0 and _LAST_COMMA.match(error.doc, comma):
        line = error.doc.count("\n", 0, comma) + 1
        return f"a comma stands behind the last entry, before the closing bracket; take it out (at line {line})"
    return f"{error.msg} (at line {error.lineno}, column {error.colno})"


def _text(path: Path) -> str:
    try:
        if path.is_dir():
            _refuse(path, "this is a directory; name a file")
        return read_text(path, encoding="utf-8-sig")
    except TooLarge:
        _refuse(path, f"this is no file of settings: it is larger than {TEXT_LIMIT:,} bytes")
    except FileNotFoundError:
        _refuse(path, "there is no such file")
    except UnicodeDecodeError as error:
        _refuse(path, f"this is not UTF-8 text (byte {error.start})")
    except OSError as error:
        _refuse(path, f"this cannot be read: {error.strerror}")


def _json(path: Path, text: str) -> dict[str, object]:
    try:
        values = json_values(without_comments(text))
    except ValueError as error:
        _refuse(path, f"this is not valid JSON: {error}")
    if not isinstance(values, dict):
        _refuse(path, "settings are an object: it begins with {")
    return values


def _without_repetition(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice in the same object")
    return values


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number that JSON knows")


def _refuse(path: Path, what: str) -> NoReturn:
    raise PolicyFileError([Fault(source=str(path), where="", what=what)]) from None
