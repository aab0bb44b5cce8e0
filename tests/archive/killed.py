"""Archives logs, each in a process that is killed at a given touch of the file system, and then once more to the end.

    python -m archive.killed FOLDER LOG AGE_MS NOW_US TOUCH…

A touch is whatever Python tells an audit hook: a file opened, renamed or removed, a database connected to, a lock
taken. So a kill comes between any two steps, wherever they are. With a negative TOUCH the kill comes so many
hundredths of a millisecond after the start, with 0 not at all: it is said how many touches there are. Says for each
TOUCH how the process ended, and whether everything was `kept`.
"""

import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from archive.stretches import Original, in_the_database

from understudy.adapters.archive import archive
from understudy.adapters.stores import SqliteReader

MOST = 90
"""Events a file: a few files for each log."""


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def in_a_child(work: Callable[[], None]) -> int:
    """Do something in a process of its own; how it ended."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - The process ends here.
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def count_touches(at: Callable[[int], None]) -> None:
    """Tell of each touch from now on which one it is."""
    count = 0

    def see(event: str, _: object) -> None:
        nonlocal count
        if event.startswith(("open", "os.", "sqlite3.", "fcntl.", "shutil.")):
            count += 1
            at(count)

    sys.addaudithook(see)


def main() -> None:
    folder, source = Path(sys.argv[1]), Path(sys.argv[2])
    age_ms, now_us = int(sys.argv[3]), int(sys.argv[4])
    touches = list(map(int, sys.argv[5:]))
    counted = list[int]()

    def run(path: Path) -> None:
        archive(path, older_than_ms=age_ms, now_us=now_us, most=MOST)

    def killed_at(path: Path, touch: int) -> None:
        if touch == 0:
            count_touches(counted.append)
        elif touch < 0:
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            signal.setitimer(signal.ITIMER_REAL, -touch / 100_000)
        else:
            count_touches(lambda count: os.kill(os.getpid(), signal.SIGKILL) if count == touch else None)
        run(path)
        if touch == 0:
            say(f"touches {counted[-1]}")

    def judge(path: Path) -> None:
        original = Original(source)
        run(path)
        original.assert_kept(path)
        with SqliteReader.open(path) as reader:
            assert reader.archive is not None
            files = {one.path for one in reader.archive.segments}
        assert set((path.parent / f"{path.name}.archive").iterdir()) == files, "files on no record"
        assert len(in_the_database(path)) < len(original.rows), "rows that are left"

    for place, touch in enumerate(touches):
        path = folder / f"copy-{place}" / "calls.db"
        path.parent.mkdir()
        shutil.copy(source, path)
        ended = in_a_child(lambda: killed_at(path, touch))  # noqa: B023 - It is called at once.
        said = "kept" if in_a_child(lambda: judge(path)) == 0 else "not kept"  # noqa: B023 - As above.
        say(f"{touch} {'killed' if ended == -signal.SIGKILL else f'ended with {ended}'}, {said}")


if __name__ == "__main__":
    main()
