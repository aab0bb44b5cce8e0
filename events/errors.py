"""What can go wrong with events and their log, and who deals with it.

UnderstudyError
├─ EventRefused     a request's event is too large or malformed  → the caller, before anything happened
├─ UnreadableEvent  unknown name, newer version, broken payload  → whoever reads; names the place
├─ LogUnavailable   the log cannot be written now                → the caller; no new work is accepted
│  └─ LogDamaged    its file is not what was written             → whoever has a backup; `verify` names the place
├─ LogInUse         another engine owns the log                  → whoever starts the second one
└─ NotALog          the file is something else, or from a newer version
"""


class UnderstudyError(Exception):
    """The root of all errors that Understudy raises on purpose."""


class EventRefused(UnderstudyError):
    """A request cannot be written down: too large, not a number, malformed. Nothing has happened yet."""


class UnreadableEvent(UnderstudyError):
    """A stored event cannot be read; the message names its place, its kind, and what would be needed."""


class LogUnavailable(UnderstudyError):
    """The log cannot be written: nothing new may start, because it could not be put on record."""


class LogDamaged(LogUnavailable):
    """The log's file is damaged: not all that was written can be read any more."""


class LogInUse(UnderstudyError):
    """Another engine owns this log; the message names it."""


class NotALog(UnderstudyError):
    """The file is not an event log of ours, or was written by a newer version."""
