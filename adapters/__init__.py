"""The outside world: stores, providers and the command line. No decision is made here."""

from understudy.adapters.stores import MemoryLog, SqliteLog, SqliteReader, put_command

__all__ = ["MemoryLog", "SqliteLog", "SqliteReader", "put_command"]
