"""The directory into which the files of a log go: which one that is, and whether files can be put there."""

import os
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Final

from understudy.adapters.stores.archive_file import ArchiveUnusable, sync_folder
from understudy.adapters.stores.faults import remedy

_TRIAL: Final = ".understudy-trial-"
"""How the name of a directory begins that is made to see whether one can be, and is gone at once."""


def folder_for(path: Path, to: Path | None) -> Path:
    """Where the files of a log go: to a directory that somebody names, else to one beside the log."""
    return path.with_name(f"{path.name}.archive") if to is None else Path(os.path.realpath(to))


def prepare(folder: Path) -> None:
    """Make the directory, and make that durable.

    Errors: ArchiveUnusable if there can be none.
    """
    try:
        _nearest(folder)
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)
    except OSError as error:
        raise ArchiveUnusable(f"no file can be put in {folder}: {remedy(error)}") from error


def try_out(folder: Path) -> None:
    """See by doing it whether a file can be put in a directory, be it that this has to be made first.

    What permissions say is not enough: they allow root everything, and know of no full disk. Nothing is left behind,
    and the directory itself is not made, as somebody else may be about to use it.
    Errors: ArchiveUnusable, with what is in the way.
    """
    where = ""
    try:
        there = _nearest(folder)
        where = "" if there == folder else f" nothing can be made in {there}:"
        place = nullcontext(str(there)) if there == folder else TemporaryDirectory(prefix=_TRIAL, dir=there)
        with place as made, TemporaryFile(dir=made, buffering=0) as file:
            file.write(b"\0")
    except OSError as error:
        advice = "name another directory if that cannot be changed"
        raise ArchiveUnusable(f"no file can be put in {folder}:{where} {remedy(error)}; {advice}") from error


def _nearest(folder: Path) -> Path:
    """The directory itself, or the nearest one above it that exists.

    Errors: ArchiveUnusable if something else is in its place; OSError.
    """
    there = next(one for one in (folder, *folder.parents) if _exists(one))
    if not there.is_dir():
        raise ArchiveUnusable(
            f"no file can be put in {folder}: {there} is a file, and no directory; name another directory, or move that"
            " file away"
        )
    return there


def _exists(path: Path) -> bool:
    """Whether something has that name. Errors: OSError where that cannot be seen, or nothing can have it."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
