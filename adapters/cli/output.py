"""What commands print: answers on standard output, everything else on standard error."""

import errno
import io
import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, islice
from typing import Final, NamedTuple, TextIO

import click

from understudy.adapters.cli.exits import READER_GONE, Refused

WIDTH: Final = 100
"""Columns of sentences that no terminal shows."""
_GAP: Final = "  "
_CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_TOGETHER: Final = 256
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})


class Cell(NamedTuple):
    """A cell of a table that has a colour."""

    text: str
    colour: str


@contextmanager
def answering() -> Iterator[None]:
    """End in good order where what is printed cannot be written.

    Errors: click's Exit with READER_GONE, in silence, if nobody reads it; Refused if there is no room for it.
    """
    try:
        yield
    except BrokenPipeError:
        forget_the_rest(sys.stdout)
        raise click.exceptions.Exit(READER_GONE) from None
    except OSError as error:
        # Whoever opens a file names it in the error, and a log tells of its own: this was an output of ours.
        if error.filename is not None or error.errno not in _NO_ROOM:
            raise
        forget_the_rest(sys.stdout)
        raise Refused(f"the answer cannot be written: {error.strerror}") from error


def forget_the_rest(*streams: TextIO) -> None:
    """Let what is still to be printed go nowhere: Python tries once more when it ends, and would complain."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            with suppress(OSError):  # It may stand for no file at all.
                os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def columns() -> int | None:
    """The columns that there are for an answer: as the variable COLUMNS says, else the terminal's; None for no end."""
    wanted = os.environ.get("COLUMNS", "")
    if wanted.isdecimal() and int(wanted):
        return int(wanted)
    return shutil.get_terminal_size().columns if sys.stdout is not None and sys.stdout.isatty() else None


def width() -> int:
    """The columns that sentences keep to: those that there are, or WIDTH where there is no end of them."""
    return columns() or WIDTH


def answer(text: str = "") -> None:
    """Print a line of what was asked for."""
    click.echo(text)


def answer_lines(lines: Iterable[str]) -> None:
    """Print lines, many at a time: each print is a call of the system, and there may be millions."""
    waiting: list[str] = []
    try:
        for line in lines:
            waiting.append(line)
            if len(waiting) == _TOGETHER:
                answer("\n".join(waiting))
                waiting.clear()
    finally:  # What was found before a fault is shown, too.
        if waiting:
            answer("\n".join(waiting))


def note(text: str) -> None:
    """Tell a person something beside the answer."""
    click.echo(text, err=True)


def answer_json(value: Mapping[str, object]) -> None:
    """Print the whole answer as one JSON object, in ASCII."""
    click.echo(json.dumps(value, indent=2, default=str))


def plain(text: str) -> str:
    """Text from outside, harmless: what would move a terminal's cursor or colour its text is shown as an escape."""
    return text.translate(_CONTROL)


def answer_json_list(
    name: str,
    items: Iterable[Mapping[str, object]],
    *,
    head: Mapping[str, object],
    tail: Callable[[], Mapping[str, object]],
) -> None:
    """Print the whole answer as one JSON object with a list in it, an item a line, each as soon as it is there.

    `head` stands before the list; `tail` is asked for what stands behind it once the list has ended.
    """
    opening = json.dumps(head, indent=2, default=str).removesuffix("\n}")
    answer(f"{opening},\n  {json.dumps(name)}: [")
    answer_lines(_with_commas(f"    {json.dumps(item, default=str)}" for item in items))
    closing = json.dumps(tail(), indent=2, default=str).removeprefix("{\n")
    answer(f"  ],\n{closing}")


def _with_commas(items: Iterable[str]) -> Iterator[str]:
    last = None
    for item in items:
        if last is not None:
            yield f"{last},"
        last = item
    if last is not None:
        yield last


def painted(text: str, colour: str) -> str:
    """Text in a colour, where there are colours: not in a pipe, nor with NO_COLOR."""
    return click.style(text, fg=colour)


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and values below each other."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        answer(f"  {name:<{width}}{_GAP}{value}".rstrip())


def table(
    header: Sequence[str],
    rows: Iterable[Sequence[str | Cell]],
    *,
    numbers: Sequence[str] = (),
    measured: int | None = None,
) -> None:
    """Print a table; the columns that `numbers` names are set to the right.

    The first `measured` rows, all by default, say how wide the columns are; the others are printed as they come.
    """
    answer_lines(table_lines(header, rows, numbers=numbers, measured=measured))


def table_lines(
    header: Sequence[str],
    rows: Iterable[Sequence[str | Cell]],
    *,
    numbers: Sequence[str] = (),
    measured: int | None = None,
) -> Iterator[str]:
    """The lines of a table as `table` prints them."""
    coming = iter(rows)
    first = list(islice(coming, measured))
    widths = _widths(header, first)
    for row in chain([header], first, coming):
        yield _GAP.join(
            _set(cell, width=width, right=name in numbers)
            for cell, width, name in zip(row, widths, header, strict=True)
        ).rstrip()


def fits(header: Sequence[str], rows: Sequence[Sequence[str | Cell]]) -> bool:
    """Whether a table is no wider than what there is for it."""
    most = columns()
    return most is None or sum(_widths(header, rows)) + len(_GAP) * (len(header) - 1) <= most


def stacked(
    header: Sequence[str],
    rows: Sequence[Sequence[str | Cell]],
    *,
    numbers: Sequence[str],
    together: Sequence[Sequence[str]],
) -> None:
    """Print a table that fits; columns for which there is no room go into further tables below it.

    Each table begins with the first column, and has as many of the groups in `together` as fit, one at least.
    """
    columns = {name: [row[place] for row in rows] for place, name in enumerate(header)}
    waiting = list(together)
    while waiting:
        shown = [header[0], *waiting.pop(0)]
        while waiting and fits(more := [*shown, *waiting[0]], _across(columns, more)):
            shown = more
            waiting.pop(0)
        table(shown, _across(columns, shown), numbers=numbers)
        if waiting:
            answer()


def _across(columns: Mapping[str, Sequence[str | Cell]], names: Sequence[str]) -> list[tuple[str | Cell, ...]]:
    return list(zip(*(columns[name] for name in names), strict=True))


def answer_wrapped(text: str) -> None:
    """Print a sentence: in lines that fit, each further one set in, or on one line where there is no end of columns."""
    most = columns()
    fits_in = most is None or len(text) <= most
    answer(text if fits_in else "\n".join(wrapped(text, columns=width(), then=_GAP)))


def wrapped(text: str, *, columns: int, then: str = "") -> list[str]:
    """A text in lines of so many columns, all but the first one behind `then`.

    Only what has no space in it may be longer.
    """
    return textwrap.wrap(text, max(columns, 20), subsequent_indent=then, break_long_words=False, break_on_hyphens=False)


def _widths(header: Sequence[str], rows: Sequence[Sequence[str | Cell]]) -> list[int]:
    texts = [[_text(cell) for cell in row] for row in rows]
    return [max(len(row[place]) for row in [list(header), *texts]) for place in range(len(header))]


def _text(cell: str | Cell) -> str:
    return cell.text if isinstance(cell, Cell) else cell


def _set(cell: str | Cell, *, width: int, right: bool) -> str:
    text = _text(cell)
    padded = text.rjust(width) if right else text.ljust(width)
    return painted(padded, cell.colour) if isinstance(cell, Cell) else padded
