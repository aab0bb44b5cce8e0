"""Defects of SQLite itself that concern a log, by the version that Python is linked with."""

from collections.abc import Iterator
from typing import Final

Version = tuple[int, int, int]

_WAL_RESET_FROM: Final = (3, 7, 0)
_WAL_RESET_UNTIL: Final = (3, 51, 2)
_WAL_RESET_MENDED_IN: Final = ((3, 44, 6), (3, 50, 7))
"""Later versions of these branches have the correction, too."""
_WITHDRAWN: Final = (3, 52, 0)
_OLDEST: Final = (3, 24, 0)
"""Idempotency keys are claimed by an upsert, which SQLite has known since then."""


def defects(version: Version) -> Iterator[str]:
    """Each a sentence: the defect, when it can strike, and what to do. Nothing for a version without one."""
    shown = ".".join(map(str, version))
    if version < _OLDEST:
        yield f"SQLite {shown} is too old to keep idempotency keys; at least 3.24.0 is needed"
    if _WAL_RESET_FROM <= version <= _WAL_RESET_UNTIL and not _mended(version):
        yield (
            f"SQLite {shown} has the WAL-reset defect of 3.7.0 to 3.51.2: where two connections write or checkpoint"
            " at the same time, pages may be lost. An engine is the only one that does either; let no other program"
            " write to the file or checkpoint it while one runs, and link 3.51.3 or newer (3.50.7 and 3.44.6 have the"
            " correction, too, and so may your distribution's own version)"
        )
    if version == _WITHDRAWN:
        yield f"SQLite {shown} was withdrawn by its makers; link 3.53.0 or newer, or 3.51.3"


def _mended(version: Version) -> bool:
    return any(version[:2] == branch[:2] and version >= branch for branch in _WAL_RESET_MENDED_IN)
