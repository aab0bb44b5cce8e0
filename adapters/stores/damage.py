"""Where a log's file itself is damaged, as far as can be seen: cut, overwritten, or otherwise than SQLite left it."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final

from understudy.adapters.stores.reading import leaving_no_trace

_MOST: Final = 10
"""Faults that SQLite is asked for; the first ones say where, the rest follow from them."""
_LONGEST: Final = 300
"""Characters of SQLite's own words that are passed on."""
_HEADER_BYTES: Final = 100
_MAGIC: Final = b"SQLite format 3\x00"
_KEEPS: Final = {
    "events": "the events",
    "claims": "the idempotency keys in use",
    "sensitive": "the concealed values",
    "inbox": "the commands that wait",
    "snapshots": "snapshots, which save time at the start",
    "sealed_blocks": "blocks, which save time at the start",
    "meta": "the store's own id and salt",
}


def file_damage(path: Path) -> Sequence[str]:
    """What is wrong with the file of a log that cannot be opened, or not be gone through, in words.

    Takes as long as reading the file, unless its beginning is damaged already.
    """
    found = list(_of_the_ends(path))
    path = path.absolute()
    with leaving_no_trace(path), closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return [*found, *damage_of(connection)]


def damage_of(connection: sqlite3.Connection) -> Iterator[str]:
    """What SQLite finds wrong with its pages and indexes, and which tables are affected; nothing if all is well."""
    faults = list(_faults(connection, f"PRAGMA integrity_check({_MOST})"))
    if not faults:
        return
    try:
        tables = [str(name) for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    except sqlite3.Error as error:
        yield f"the list of its tables cannot be read, which is on the first page: {error}"
        return
    for table in tables:
        if any(_faults(connection, f"PRAGMA integrity_check({table})")):
            yield f"the table {table} or an index of it is damaged: {_KEEPS.get(table, 'a part of SQLite itself')}"
    yield from faults


def _faults(connection: sqlite3.Connection, question: str) -> Iterator[str]:
    """What SQLite answers, a fault each, without its headline."""
    try:
        answers = [str(answer) for (answer,) in connection.execute(question)]
    except sqlite3.Error as error:
        answers = [str(error)]
    lines = (line.strip() for answer in answers for line in answer.splitlines())
    faults = (line[:_LONGEST] for line in lines if line not in {"", "ok"} and not line.startswith("***"))
    yield from islice(faults, _MOST)


def _of_the_ends(path: Path) -> Iterator[str]:
    """What the first bytes say, compared with what there is: beginning overwritten, end cut off."""
    with path.open("rb") as file:
        header = file.read(_HEADER_BYTES)
    if header[: len(_MAGIC)] != _MAGIC:
        yield "its first bytes are not those of a SQLite database any more"
        return
    page_bytes, pages, size = int.from_bytes(header[16:18]), int.from_bytes(header[28:32]), path.stat().st_size
    page_bytes = 65_536 if page_bytes == 1 else page_bytes  # As SQLite writes a number that two bytes cannot hold.
    if size < page_bytes * pages:
        yield f"its end is cut off: {size:,} of {page_bytes * pages:,} bytes are there"
