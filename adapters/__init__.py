"""The outside world: stores, providers and the command line. No decision is made here."""

TYPE_CHECKING = False  # Of `typing` itself, the command line would hear Ctrl-C too late.
if TYPE_CHECKING:
    from understudy.adapters.stores import MemoryLog, SqliteLog, SqliteReader, put_command

__all__ = ["MemoryLog", "SqliteLog", "SqliteReader", "put_command"]


def __getattr__(name: str) -> object:
    """The stores, when somebody asks for one: the command line shows its help without them, and hears Ctrl-C sooner."""
    if name in __all__:
        from understudy.adapters import stores  # noqa: PLC0415 - See above.

        return getattr(stores, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
