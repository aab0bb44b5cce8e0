"""Several engines, threads and processes: each log has one owner, and everybody else is told who that is."""

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from faults.at_work import Worker, executions, judge
from lifecycle.leftovers import is_locked, no_thread_left, tasks_left
from providers_for_tests import Told

from understudy.adapters import SqliteLog, SqliteReader
from understudy.engine import Engine
from understudy.events.errors import LogInUse
from understudy.replay.verify import verify


def engine(path: Path) -> Engine:
    return Engine(providers=[Told("a"), Told("b")], log=SqliteLog(path))


async def test_two_engines_on_two_files_do_not_know_of_each_other(tmp_path: Path) -> None:
    paths = [tmp_path / "one.db", tmp_path / "two.db"]
    with no_thread_left():
        async with engine(paths[0]) as one, engine(paths[1]) as two:
            await asyncio.gather(*(each.call("x", effect="once") for each in (one, two) * 50))
            one.override("a", "open", actor="ann", reason="test")
            assert [each.health()[0].verdict for each in (one, two)] == ["forced_open", "eligible"]
        assert tasks_left() == []
    for path in paths:
        with SqliteReader.open(path) as reader:
            assert verify(reader).ok
            assert sum(row.kind == "request_completed.v1" for row in reader.rows()) == 50


async def test_a_second_engine_on_the_same_file_is_told_who_has_it_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    async with engine(path) as one:
        with no_thread_left(), pytest.raises(LogInUse, match=rf"calls.db is in use by '.+:{os.getpid()}' .*stop that"):
            await engine(path).start()
        assert (await one.call("x", effect="once")).provider == "a"
    async with engine(path) as two:
        assert two.standing.totals.completed == 1


async def test_one_log_cannot_be_given_to_two_engines_at_once(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db")
    one, two = (Engine(providers=[Told("a")], log=log) for _ in range(2))
    async with one:
        with pytest.raises(LogInUse, match="is open here already, by"):
            await two.start()
        with pytest.raises(LogInUse, match="is open here already, by"):
            await one.start()
        await one.call("x", effect="once")
    async with two:
        await two.call("x", effect="once")
        assert two.standing.totals.completed == 2


def test_an_engine_in_a_thread_of_its_own_is_like_any_other(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"

    async def serve() -> None:
        async with engine(path) as running:
            for _ in range(20):
                await running.call("x", effect="once")

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    with no_thread_left():
        thread.start()
        thread.join(timeout=30)
    assert not is_locked(path)
    with SqliteReader.open(path) as reader:
        assert verify(reader).ok


def test_a_forked_child_is_told_to_keep_its_hands_off_and_does_no_harm(tmp_path: Path) -> None:
    path, books = tmp_path / "calls.db", tmp_path / "books.txt"
    with Worker(path, books) as worker:
        told = [worker.tell("once k1")]
        called, sentence, _, opened, refused = worker.tell("fork")
        assert called == "LogUnavailable"
        assert f"was opened by process {worker.process.pid}, of which this one is a fork" in sentence
        assert opened == "LogInUse"
        assert f"process {worker.process.pid} " in refused
        assert executions(books).total() == 1, "the child did nothing"
        told.append(worker.tell("once k2"))
        assert worker.tell("stop") == ["stopped"]
    judge(path, books, told)


def test_a_log_is_free_once_its_owner_is_gone_even_if_a_forked_child_lives_on(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    program = textwrap.dedent("""
        import asyncio, os, sys
        from understudy.adapters import SqliteLog

        async def main():
            log = SqliteLog(sys.argv[1])
            await log.open("parent")
            if os.fork() == 0:
                print("forked", flush=True)
                sys.stdin.read()
            os._exit(0)

        asyncio.run(main())
    """)
    command = [sys.executable, "-W", "ignore", "-c", program, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"forked\n"
        parent.wait()
        assert not is_locked(path)
