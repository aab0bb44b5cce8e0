"""Where events are kept: in memory, or in a SQLite file."""

from understudy.adapters.stores.inbox import put_command
from understudy.adapters.stores.memory import MemoryLog
from understudy.adapters.stores.sqlite import SqliteLog
from understudy.adapters.stores.sqlite_reader import SqliteReader

__all__ = ["MemoryLog", "SqliteLog", "SqliteReader", "put_command"]
