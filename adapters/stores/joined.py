"""Archive and log as one database, for questions that only SQL can answer: a temporary file with the rows of both."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Final

from understudy.adapters.stores import schema
from understudy.adapters.stores.archive import Archive
from understudy.adapters.stores.archive_file import ROWS_A_GROUP, ArchiveUnusable
from understudy.adapters.stores.faults import remedy
from understudy.events.log import Head

Progress = Callable[[int, int], None]

_INSERT: Final = (
    f"INSERT INTO events (position, stream, {schema.COLUMNS}, chain)"  # noqa: S608 - Our own names.
    f" VALUES ({', '.join('?' * (len(schema.COLUMNS.split(',')) + 3))})"
)
_COPY: Final = (
    f"INSERT INTO events (position, stream, {schema.COLUMNS}, chain)"  # noqa: S608 - As above.
    f" SELECT position, stream, {schema.COLUMNS}, chain FROM log.events WHERE stream = ? AND seq > ?"
    " ORDER BY position"
)


@contextmanager
def joined(
    database: Path, archive: Archive, *, stream: str, after: int, head: Head, progress: Progress
) -> Iterator[sqlite3.Connection]:
    """A database with every event behind `after`, from the archive and from the log as it is now, and the views on it.

    It lies where temporary files do, is as large as those rows, and is gone in the end.
    Errors: ArchiveUnusable.
    """
    with tempfile.TemporaryDirectory(prefix="understudy-") as folder:
        try:
            with closing(sqlite3.connect(Path(folder) / "joined.db", isolation_level=None, uri=True)) as connection:
                connection.execute("PRAGMA journal_mode = OFF")
                connection.execute("PRAGMA synchronous = OFF")
                schema.create(connection, stream=stream, salt=b"")
                _fill(connection, archive, stream=stream, after=after, head=head, progress=progress)
                _copy(connection, database, stream=stream, after=archive.through)
                connection.execute("PRAGMA query_only = ON")
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise ArchiveUnusable(f"archive and log cannot be joined in {folder}: {remedy(error)}") from error


def _fill(
    connection: sqlite3.Connection, archive: Archive, *, stream: str, after: int, head: Head, progress: Progress
) -> None:
    coming = archive.entries(after=after, through=archive.through)
    connection.execute("BEGIN")
    while group := list(islice(coming, ROWS_A_GROUP)):
        connection.executemany(_INSERT, [(position, stream, *row, chain) for position, row, chain in group])
        progress(group[-1].row.seq - after, head.seq - after)
    connection.execute("COMMIT")


def _copy(connection: sqlite3.Connection, database: Path, *, stream: str, after: int) -> None:
    connection.execute("ATTACH ? AS log", (f"{database.as_uri()}?mode=ro",))
    connection.execute("BEGIN")
    connection.execute(_COPY, (stream, after))
    connection.execute("INSERT INTO provider_facts SELECT * FROM log.provider_facts")
    connection.execute("COMMIT")
    connection.execute("DETACH log")
