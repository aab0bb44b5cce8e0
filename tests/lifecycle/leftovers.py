"""What a piece of work has left behind in this process: tasks, threads, and locks on a log."""

import asyncio
import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_S = 5.0


@contextmanager
def no_thread_left() -> Iterator[None]:
    """Every thread that is started inside has ended, or is about to."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), f"{thread.name} goes on"


def tasks_left() -> list[str]:
    """The names of all tasks but the current one."""
    return sorted(task.get_name() for task in asyncio.all_tasks() - {asyncio.current_task()})


def is_locked(database: Path) -> bool:
    """Whether somebody owns the log."""
    try:
        with database.with_name(database.name + ".lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
