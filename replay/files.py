"""Files that people name: read no further than makes sense, and why they cannot be, in the same words everywhere."""

import errno
from pathlib import Path
from typing import Final

TEXT_LIMIT: Final = 10_000_000
"""Bytes. A policy of ten thousand providers, or the longest scenario that makes sense, has a tenth of that."""


class TooLarge(OSError):
    """A file or pipe gives more than anybody would have written."""


def read_text(path: Path, *, encoding: str = "utf-8") -> str:
    """The whole text of a file, or of a pipe, which may be endless: no more than `TEXT_LIMIT` bytes are read.

    Errors: TooLarge; OSError and UnicodeDecodeError as reading raises them.
    """
    with path.open("rb") as file:
        read = file.read(TEXT_LIMIT + 1)
    if len(read) > TEXT_LIMIT:
        raise TooLarge(errno.EFBIG, f"it is larger than {TEXT_LIMIT:,} bytes", str(path))
    return read.decode(encoding).replace("\r\n", "\n")


def unreadable(path: Path, error: Exception) -> str:
    """A sentence for what reading a file has raised."""
    match error:
        case FileNotFoundError():
            return f"there is no file {path}"
        case IsADirectoryError():
            return f"{path} is a directory; name a file"
        case UnicodeDecodeError():
            return f"{path} is not text: its byte {error.start:,} is not UTF-8"
        case OSError(strerror=str(reason)):
            return f"{path} cannot be read: {reason}"
        case _:
            return f"{path} cannot be read: {error}"
