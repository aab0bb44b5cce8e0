"""A segment of a log as a Parquet file: every column of the envelope, the exact payload, the chain value of each row.

From a file each row can be made again to the bit, and the chain recomputed over them. Whatever reads Parquet can read
it, too. `pyarrow` is imported where a file is written or read, and nowhere else.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import file_digest
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from understudy.adapters.stores.faults import remedy
from understudy.events.errors import LogUnavailable
from understudy.events.row import Row

ROWS_A_GROUP: Final = 16_384
"""Rows that are written, and read, at a time; of each group the file tells the smallest and largest values."""
PARTIAL: Final = ".partial"
"""What the name of a file ends in until it is whole and durable."""

_NUMBERS: Final = frozenset({"seq", "at_us", "attempt", "retry", "latency_us"})
_NEEDED: Final = frozenset({"seq", "at_us", "kind", "payload"})
_CHAIN_BYTES: Final = 32
_COLUMNS: Final = ("position", *Row._fields, "chain")


class ArchiveUnusable(LogUnavailable):
    """A file of the archive that is needed is not there, is not what was written, or cannot be read or written here."""


class Entry(NamedTuple):
    """A row with its position in the database, which is never used twice, and its chain value."""

    position: int
    row: Row
    chain: bytes

    @property
    def seq(self) -> int:
        """The row's place in its stream."""
        return self.row.seq


def expect_parquet() -> None:
    """See that files can be written and read.

    Errors: ArchiveUnusable, with what to install.
    """
    _parquet()


def write(path: Path, entries: Iterable[Entry], *, about: Mapping[str, str]) -> None:
    """Write a file whose content is durable when this returns; `about` stands in its footer.

    Errors: ArchiveUnusable.
    """
    arrow, parquet = _parquet()
    schema = _schema(arrow).with_metadata({f"understudy.{name}": value for name, value in about.items()})
    coming = iter(entries)
    with _told(path, "written"), path.open("wb") as file:
        with parquet.ParquetWriter(file, schema, compression="zstd", write_page_checksum=True) as writer:
            while group := list(islice(coming, ROWS_A_GROUP)):
                writer.write_batch(_batch(arrow, group, schema))
        file.flush()
        os.fsync(file.fileno())


def rename_durably(path: Path, name: str) -> Path:
    """Give a file its final name; done once the directory says so on the disk.

    Errors: ArchiveUnusable.
    """
    final = path.with_name(name)
    with _told(final, "written"):
        path.replace(final)
        sync_folder(path.parent)
    return final


def sync_folder(folder: Path) -> None:
    """Make durable which files there are in a directory. Errors: OSError."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(path: Path) -> str:
    """The hash of a whole file, in hex.

    Errors: ArchiveUnusable.
    """
    with _told(path, "read"), path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def entries(path: Path, *, after: int = 0, through: int | None = None) -> Iterator[Entry]:
    """The rows of a file with `after` < seq <= `through`, in order; groups outside are not read.

    Errors: ArchiveUnusable.
    """
    _, parquet = _parquet()
    with _told(path, "read"), parquet.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            low, high = _range(file.metadata.row_group(group), "seq")
            if low is not None and (high <= after or (through is not None and low > through)):
                continue
            for entry in _entries(file.read_row_group(group, columns=list(_COLUMNS)).columns):
                if entry.row.seq > after and (through is None or entry.row.seq <= through):
                    yield entry


def of_requests(path: Path, *, first: str, behind: str) -> Iterator[Row]:
    """The rows of the requests whose ids are not before `first`, and before `behind`, in order.

    Errors: ArchiveUnusable.
    """
    _, parquet = _parquet()
    with _told(path, "read"), parquet.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            low, high = _range(file.metadata.row_group(group), "request_id")
            if low is not None and (high < first or low >= behind):
                continue
            for entry in _entries(file.read_row_group(group, columns=list(_COLUMNS)).columns):
                if entry.row.request_id is not None and first <= entry.row.request_id < behind:
                    yield entry.row


def column(path: Path, *names: str) -> Iterator[Sequence[Any]]:
    """The values of some columns, group by group: a sequence for each column, in the order in which they are named.

    Errors: ArchiveUnusable.
    """
    _, parquet = _parquet()
    with _told(path, "read"), parquet.ParquetFile(path, page_checksum_verification=True) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=list(names))
            yield [table.column(name).to_pylist() for name in names]


def about(path: Path) -> Mapping[str, str]:
    """What stands in the footer of a file.

    Errors: ArchiveUnusable.
    """
    _, parquet = _parquet()
    with _told(path, "read"):
        found = parquet.read_schema(path).metadata or {}
    lead = b"understudy."
    return {name.removeprefix(lead).decode(): value.decode() for name, value in found.items() if name.startswith(lead)}


def _entries(columns: Sequence[Any]) -> Iterator[Entry]:
    values = [one.to_pylist() for one in columns]
    for position, *row, chain in zip(*values, strict=True):
        yield Entry(position, Row(*row), chain)


def _batch(arrow: Any, group: Sequence[Entry], schema: Any) -> Any:
    rows = [(position, *row, chain) for position, row, chain in group]
    arrays = [
        arrow.array(values, type=field.type) for values, field in zip(zip(*rows, strict=True), schema, strict=True)
    ]
    return arrow.record_batch(arrays, schema=schema)


def _schema(arrow: Any) -> Any:
    fields = [
        arrow.field(name, arrow.int64() if name in _NUMBERS else arrow.string(), nullable=name not in _NEEDED)
        for name in Row._fields
    ]
    return arrow.schema(
        [
            arrow.field("position", arrow.int64(), nullable=False),
            *fields,
            arrow.field("chain", arrow.binary(_CHAIN_BYTES), nullable=False),
        ]
    )


def _range(group: Any, name: str) -> tuple[Any, Any]:
    """The smallest and the largest value of a column in a group; None where that is not told."""
    statistics = group.column(_COLUMNS.index(name)).statistics
    return (statistics.min, statistics.max) if statistics is not None and statistics.has_min_max else (None, None)


def _parquet() -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise ArchiveUnusable(
            "an archive is written and read with pyarrow, which is not installed here: pip install"
            ' "understudy[archive]"'
        ) from error


@contextmanager
def _told(path: Path, what: str) -> Iterator[None]:
    """Faults of the disk and of the file as one error, which says what to do."""
    arrow, _ = _parquet()
    try:
        yield
    except FileNotFoundError as error:
        raise ArchiveUnusable(f"the archive's file {path} is not there") from error
    except arrow.ArrowException as error:
        raise ArchiveUnusable(
            f"the archive's file {path} cannot be {what}: {str(error).splitlines()[0]}; restore it from a backup"
        ) from error
    except OSError as error:
        raise ArchiveUnusable(f"the archive's file {path} cannot be {what}: {remedy(error)}") from error
