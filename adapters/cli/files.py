"""Files that a command is told to read or to make: what will not do is refused in the same words everywhere."""

import stat
from pathlib import Path
from typing import Final

from understudy.adapters.cli.exits import Refused
from understudy.replay.files import unreadable

STANDARD_INPUT: Final = Path("/dev/stdin")


def readable_once(path: Path) -> Path:
    """The path of something that can be read: a file, a pipe, or for `-` standard input, whatever that is.

    Errors: Refused with a sentence.
    """
    if str(path) == "-":
        return STANDARD_INPUT
    mode = _mode(path)
    if not (stat.S_ISREG(mode) or stat.S_ISFIFO(mode) or path == STANDARD_INPUT):
        raise Refused(f"{path} is not a regular file")
    return path


def readable_again(path: Path) -> Path:
    """The path of a file that can be read more than once.

    Errors: Refused with a sentence.
    """
    if not stat.S_ISREG(_mode(path)):
        raise Refused(f"{path} is not a regular file; it is read more than once: save it in one first")
    return path


def expect_place_for_a_log(path: Path) -> None:
    """Refuse a path at which no file can be made. Errors: Refused with a sentence."""
    try:
        path.exists()
    except OSError as error:
        raise Refused(f"{path} cannot be opened: {error.strerror}") from error
    if path.is_dir():
        raise Refused(f"{path} is a directory; name a file")
    if not path.absolute().parent.is_dir():
        raise Refused(f"the directory {path.parent} does not exist; create it first")


def _mode(path: Path) -> int:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
    except OSError as error:
        raise Refused(unreadable(path, error)) from error
    return mode
