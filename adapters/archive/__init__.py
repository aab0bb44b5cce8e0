"""Archive and retention: what is old leaves the database for Parquet files, and is read as if it were still there."""

from understudy.adapters.archive.archiving import Archived, archive, planned
from understudy.adapters.stores.archive_file import ArchiveUnusable

__all__ = ["ArchiveUnusable", "Archived", "archive", "planned"]
