"""Archive and retention: what is old leaves the database for Parquet files, and is read as if it were still there."""

from understudy.adapters.archive.archiving import Archived, archive, planned
from understudy.adapters.archive.nightly import NightlyArchive
from understudy.adapters.archive.recording import NotYetRecorded
from understudy.adapters.archive.settings import ArchiveSettings
from understudy.adapters.stores.archive_file import ArchiveUnusable

__all__ = ["ArchiveSettings", "ArchiveUnusable", "Archived", "NightlyArchive", "NotYetRecorded", "archive", "planned"]
