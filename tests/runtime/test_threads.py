"""The executor whose work may hang: work that fails, that nobody wants any more, or that comes too late."""

import sys
import threading
from collections.abc import Iterator

import pytest

from understudy.engine.threads import AT_ONCE, Threads


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads()
    yield threads
    threads.shutdown()


def test_what_work_raises_is_told_to_who_asked_and_ends_no_thread(threads: Threads) -> None:
    failed = threads.submit(sys.exit, "done")
    assert isinstance(failed.exception(timeout=5), SystemExit)
    assert threads.submit(threading.current_thread).result(timeout=30).name == "understudy-hooks"


def test_work_that_is_cancelled_in_line_is_not_done(threads: Threads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.engine.threads.STUCK_S", 3_600.0)
    held, done = threading.Event(), threading.Event()
    busy = [threads.submit(held.wait, 60) for _ in range(AT_ONCE)]
    unwanted = threads.submit(done.set)
    assert unwanted.cancel()
    held.set()
    assert all(one.result(timeout=30) for one in busy)
    assert threads.submit(lambda: 1).result(timeout=30) == 1
    assert not done.is_set()


def test_after_the_end_nothing_is_taken(threads: Threads) -> None:
    threads.shutdown()
    with pytest.raises(RuntimeError, match="shut down"):
        threads.submit(print)


def test_without_another_thread_work_waits_for_one_of_those_there_are(
    threads: Threads, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()
    first = threads.submit(held.wait, 60)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        second = threads.submit(lambda: 2)
    held.set()
    assert (first.result(timeout=30), second.result(timeout=30)) == (True, 2)
