"""Recorded files: CSV, plain or gzipped, with named columns in any order; what is wrong is told by file and line."""

import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import IO, Final

from pydantic import TypeAdapter, ValidationError

from understudy.events.errors import UnderstudyError
from understudy.events.policy import ProviderId
from understudy.replay.files import unreadable

_BEYOND_MEASURE: Final = 1e12
_ID: Final = TypeAdapter[str](ProviderId)


class TraceError(UnderstudyError):
    """A recorded file cannot be read; the message names the file, the line, and what is wrong there."""


def read_columns(path: Path, columns: Sequence[str], *, what: str) -> Iterator[tuple[int, list[str]]]:
    """The number of each line and its values of these columns, in their order; `what` names such a file.

    Errors: TraceError naming file and line.
    """
    try:
        with _opened(path) as file:
            rows = csv.reader(file)
            places = _places(path, next(rows, []), columns, what)
            most = max(places)
            for number, row in enumerate(rows, start=2):
                if not row:
                    continue
                if len(row) <= most:
                    raise wrong(path, number, f"there are {len(row)} fields where {most + 1} are needed")
                yield number, [row[place].strip() for place in places]
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise TraceError(unreadable(path, error)) from error


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open("rt", encoding="utf-8-sig", newline="")


def _places(path: Path, header: list[str], columns: Sequence[str], what: str) -> tuple[int, ...]:
    names = [name.strip() for name in header]
    missing = [name for name in columns if name not in names]
    if missing:
        there = f"; this one has {','.join(names)[:200]}" if any(names) else ""
        raise wrong(path, 1, f"there is no column {missing[0]!r}; {what} has {','.join(columns)}{there}")
    return tuple(names.index(name) for name in columns)


def number_in(path: Path, line: int, name: str, text: str) -> float:
    """The number that a field holds.

    Errors: TraceError naming file and line.
    """
    try:
        value = float(text)
    except ValueError:
        raise wrong(path, line, f"{name} is {text!r}; it must be a number") from None
    if not -_BEYOND_MEASURE < value < _BEYOND_MEASURE:  # Neither is NaN in between.
        raise wrong(path, line, f"{name} is {text!r}, which is beyond all measure")
    return value


def provider_in(path: Path, line: int, text: str) -> str:
    """The provider that a field names.

    Errors: TraceError naming file and line.
    """
    if not text:
        raise wrong(path, line, "the provider is empty")
    if not _is_id(text):
        what = "1 to 100 letters, digits and any of _ . : -, beginning with a letter or a digit"
        raise wrong(path, line, f"provider is {text!r}; it must be {what}")
    return text


@lru_cache(maxsize=1_000)
def _is_id(text: str) -> bool:
    """Whether a provider may have this id; remembered, because a file has few of them and many lines."""
    try:
        _ID.validate_python(text)
    except ValidationError:
        return False
    return True


def wrong(path: Path, line: int, what: str) -> TraceError:
    """The error for a line that makes no sense."""
    return TraceError(f"{path}:{line}: {what}")
