"""Who owns a log: a lock that the kernel holds for as long as the owner lives, however it ends.

The lock is on a file of its own beside the database, `<db>.lock`, which is never deleted: a second owner
could otherwise lock a new file of the same name while the first still holds the old one. It is not on the
database itself, because closing any descriptor of that file would drop the locks that SQLite holds on it in
this process. A forked child has no part in it: the lock ends with the process that took it.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self
from weakref import WeakSet

from understudy.adapters.stores.faults import remedy
from understudy.events.errors import LogInUse, LogUnavailable

_ATTEMPTS: Final = 20
_PAUSE_S: Final = 0.005
"""Between attempts to take the lock, while somebody only looks whether it is held: that takes an instant."""


class InUseBriefly(LogInUse):
    """The owner will let go in an instant (an operator's command, while no engine runs), or has only just come."""


class OwnerLock:
    """The sole right to write to a log, until released."""

    def __init__(self, database: Path, *, writer: str, brief: bool, descriptor: int) -> None:
        self._database = database
        self._writer = writer
        self._brief = brief
        self._descriptor = descriptor
        self._ours = os.fstat(descriptor)
        self._pid = os.getpid()
        self.inherited_from: int | None = None
        """The process that took the lock, if this one is a fork of it; None in the owner itself."""
        _HELD.add(self)

    @classmethod
    def take(cls, database: Path, *, writer: str, brief: bool = False) -> Self:
        """Become the owner; `brief` says that it is for an instant only, so that others had better wait for its end.

        Errors: LogInUse naming the owner, as that one wrote itself down; InUseBriefly if it is worth trying again
        in an instant; LogUnavailable if there can be no lock here.
        """
        descriptor = _locked(database, writer=writer, brief=brief)
        return cls(database, writer=writer, brief=brief, descriptor=descriptor)

    def note_store(self, store_id: str) -> None:
        """Write down which log is locked, so that it is missed if its file should be found empty one day."""
        with suppress(OSError):  # On a full disk, the lock holds all the same.
            _write_owner(self._descriptor, writer=self._writer, brief=self._brief, store=store_id)

    def is_displaced(self) -> bool:
        """Whether its file is not the one any more that others would lock.

        Errors: OSError if that cannot be looked up.
        """
        try:
            there = _lock_file(self._database).stat()
        except (FileNotFoundError, NotADirectoryError):
            return True
        return not os.path.samestat(there, self._ours)

    def renew(self) -> None:
        """Take it anew, on the file that others would lock now.

        Errors: as of `take`, if somebody else was quicker.
        """
        anew = _locked(self._database, writer=self._writer, brief=self._brief)
        os.close(self._descriptor)
        self._descriptor = anew
        self._ours = os.fstat(anew)

    def pass_by(self) -> None:
        """In a child that was forked from the owner: have no part in it."""
        self.inherited_from = self._pid
        self.release()

    def release(self) -> None:
        """Let others have it. Safe to repeat."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


_HELD: Final[WeakSet[OwnerLock]] = WeakSet()
"""The locks of this process: a fork shares them with it, and would keep them when it has ended."""


def _let_go_in_child() -> None:
    for lock in _HELD:
        lock.pass_by()


os.register_at_fork(after_in_child=_let_go_in_child)


def _lock_file(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


def _locked(database: Path, *, writer: str, brief: bool) -> int:
    path = _lock_file(database)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LogUnavailable(f"the lock file {path} cannot be opened: {remedy(error)}") from error
    try:
        _lock(descriptor)
        _write_owner(descriptor, writer=writer, brief=brief)
    except BlockingIOError:
        time.sleep(_PAUSE_S)  # Whoever has only just come writes itself down meanwhile.
        found = _record(descriptor)
        os.close(descriptor)
        refusal = LogInUse if _stays(found) else InUseBriefly
        raise refusal(f"{database} is in use by {_told(found)}; stop that engine first, or use another file") from None
    except OSError as error:
        os.close(descriptor)
        raise LogUnavailable(f"{path} cannot be locked: {remedy(error)}") from error
    return descriptor


def store_last_locked(database: Path) -> str | None:
    """The id of the log that was last locked under this name; None if there was none."""
    try:
        found = json.loads(_lock_file(database).read_bytes())["store"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(found)


def owner_of(database: Path) -> str | None:
    """Who owns a log now, as that one wrote itself down; None if nobody does.

    Errors: LogUnavailable if that cannot be seen.
    """
    path = _lock_file(database)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LogUnavailable(f"the lock file {path} cannot be opened: {remedy(error)}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _told(_record(descriptor))
    except OSError as error:
        raise LogUnavailable(f"{path} cannot be locked: {remedy(error)}") from error
    finally:
        os.close(descriptor)
    return None


def _lock(descriptor: int) -> None:
    """Take the lock, past those who only look at it: they share it, which no owner lets them do.

    Errors: BlockingIOError if there is an owner.
    """
    for _ in range(_ATTEMPTS):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            time.sleep(_PAUSE_S)
        else:
            return
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _write_owner(descriptor: int, *, writer: str, brief: bool, store: str | None = None) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    owner = {"writer": writer, "pid": os.getpid(), "host": socket.gethostname(), "since": since}
    if brief:
        owner["brief"] = True
    if store is not None:
        owner["store"] = store
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(owner).encode(), 0)


def _record(descriptor: int) -> dict[str, object]:
    """What the owner has written of itself; nothing, if it has not come to that yet."""
    try:
        found = json.loads(os.pread(descriptor, 4096, 0))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _stays(owner: Mapping[str, object]) -> bool:
    """Whether a record is an engine's that lives; else another owner has come, and has not written itself down yet."""
    if not owner or owner.get("brief") is True or not isinstance(pid := owner.get("pid"), int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return owner.get("host") != socket.gethostname()
    except OSError:
        pass
    return True


def _told(owner: Mapping[str, object]) -> str:
    try:
        return f"{owner['writer']!r} (process {owner['pid']} on {owner['host']}, since {owner['since']})"
    except KeyError:
        return "an engine that has only just started"
