"""What commands print: answers on standard output, everything else on standard error."""

import errno
import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, NamedTuple

import click

from understudy.adapters.cli.exits import READER_GONE, Refused

WIDTH: Final = 100
"""Columns of an answer that no terminal shows."""
_GAP: Final = "  "
_CONTROL: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
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
        raise click.exceptions.Exit(READER_GONE) from None
    except OSError as error:
        # Whoever opens a file names it in the error, and a log tells of its own: this was an output of ours.
        if error.filename is not None or error.errno not in _NO_ROOM:
            raise
        raise Refused(f"the answer cannot be written: {error.strerror}") from error


def width() -> int:
    """The columns that there are for an answer: the terminal's, or WIDTH where it goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH


def answer(text: str = "") -> None:
    """Print a line of what was asked for."""
    click.echo(text)


def note(text: str) -> None:
    """Tell a person something beside the answer."""
    click.echo(text, err=True)


def answer_json(value: Mapping[str, object]) -> None:
    """Print the whole answer as one JSON object, in ASCII."""
    click.echo(json.dumps(value, indent=2, default=str))


def plain(text: str) -> str:
    """Text from outside, harmless: what would move a terminal's cursor or colour its text is shown as an escape."""
    return text.translate(_CONTROL)


def painted(text: str, colour: str) -> str:
    """Text in a colour, where there are colours: not in a pipe, nor with NO_COLOR."""
    return click.style(text, fg=colour)


def facts(pairs: Sequence[tuple[str, str]]) -> None:
    """Print names and values below each other."""
    width = max(len(name) for name, _ in pairs)
    for name, value in pairs:
        answer(f"  {name:<{width}}{_GAP}{value}".rstrip())


def table(header: Sequence[str], rows: Sequence[Sequence[str | Cell]], *, numbers: Sequence[str] = ()) -> None:
    """Print a table; the columns that `numbers` names are set to the right."""
    widths = _widths(header, rows)
    for row in [header, *rows]:
        cells = [
            _set(cell, width=width, right=name in numbers)
            for cell, width, name in zip(row, widths, header, strict=True)
        ]
        answer(_GAP.join(cells).rstrip())


def fits(header: Sequence[str], rows: Sequence[Sequence[str | Cell]]) -> bool:
    """Whether a table is no wider than what there is for it."""
    return sum(_widths(header, rows)) + len(_GAP) * (len(header) - 1) <= width()


def _widths(header: Sequence[str], rows: Sequence[Sequence[str | Cell]]) -> list[int]:
    texts = [[_text(cell) for cell in row] for row in rows]
    return [max(len(row[place]) for row in [list(header), *texts]) for place in range(len(header))]


def _text(cell: str | Cell) -> str:
    return cell.text if isinstance(cell, Cell) else cell


def _set(cell: str | Cell, *, width: int, right: bool) -> str:
    text = _text(cell)
    padded = text.rjust(width) if right else text.ljust(width)
    return painted(padded, cell.colour) if isinstance(cell, Cell) else padded
