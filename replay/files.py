"""Why a file cannot be read, in the words that every command has for it."""

from pathlib import Path


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
