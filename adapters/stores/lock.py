"""Who owns a log: a lock that the kernel holds for as long as the owner lives, however it ends.

The lock is on a file of its own beside the database, `<db>.lock`, which is never deleted: a second owner
could otherwise lock a new file of the same name while the first still holds the old one. It is not on the
database itself, because closing any descriptor of that file would drop the locks that SQLite holds on it in
this process.
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

from understudy.events.errors import LogInUse, LogUnavailable

_ATTEMPTS: Final = 20
_PAUSE_S: Final = 0.005
"""Between attempts to take the lock, while somebody only looks whether it is held: that takes an instant."""


class InUseBriefly(LogInUse):
    """The owner will let go in an instant (an operator's command, while no engine runs), or has only just come."""


class OwnerLock:
    """The sole right to write to a log, until released."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, database: Path, *, writer: str, brief: bool = False) -> Self:
        """Become the owner; `brief` says that it is for an instant only, so that others had better wait for its end.

        Errors: LogInUse naming the owner, as that one wrote itself down; InUseBriefly if it is worth trying again
        in an instant; LogUnavailable if there can be no lock here.
        """
        path = database.with_name(database.name + ".lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise LogUnavailable(f"the lock file {path} cannot be opened: {error.strerror}") from error
        try:
            _lock(descriptor)
            _write_owner(descriptor, writer=writer, brief=brief)
        except BlockingIOError as error:
            found = _record(descriptor)
            os.close(descriptor)
            refusal = LogInUse if _stays(found) else InUseBriefly
            raise refusal(
                f"{database} is in use by {_told(found)}; stop that engine first, or use another file"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise LogUnavailable(f"{path} cannot be locked on this file system: {error.strerror}") from error
        return cls(descriptor)

    def release(self) -> None:
        """Let others have it. Safe to repeat."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.ftruncate(self._descriptor, 0)  # The next one has the lock before it has written itself down.
            os.close(self._descriptor)
            self._descriptor = -1


def owner_of(database: Path) -> str | None:
    """Who owns a log now, as that one wrote itself down; None if nobody does.

    Errors: LogUnavailable if that cannot be seen.
    """
    path = database.with_name(database.name + ".lock")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LogUnavailable(f"the lock file {path} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _told(_record(descriptor))
    except OSError as error:
        raise LogUnavailable(f"{path} cannot be locked on this file system: {error.strerror}") from error
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


def _write_owner(descriptor: int, *, writer: str, brief: bool) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    owner = {"writer": writer, "pid": os.getpid(), "host": socket.gethostname(), "since": since}
    if brief:
        owner["brief"] = True
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
