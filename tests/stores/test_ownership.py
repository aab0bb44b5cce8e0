"""One engine at a time owns a log, and whoever comes second is told who it is."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from stores.samples import NOON, alert

from understudy.adapters.stores import SqliteLog, holding
from understudy.adapters.stores.lock import InUseBriefly, OwnerLock, owner_of
from understudy.events.errors import LogInUse

OWNER = textwrap.dedent("""
    import asyncio, sys
    from understudy.adapters.stores import SqliteLog

    async def main():
        log = SqliteLog(sys.argv[1])
        await log.open("engine of the other process")
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.read)

    asyncio.run(main())
""")


async def test_a_second_log_of_this_process_is_refused_with_the_owners_name(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    first, second = SqliteLog(path), SqliteLog(path)
    await first.open("engine one")
    with pytest.raises(LogInUse, match=f"'engine one'.*process {os.getpid()}") as told:
        await second.open("engine two")
    assert "BlockingIOError" not in "".join(traceback.format_exception(told.value)), "the sentence tells it all"
    first.append(alert(), at_us=NOON)
    await first.close()
    await second.open("engine two")
    assert second.head.seq == 1
    await second.close()


async def test_a_link_to_the_file_is_the_same_log(tmp_path: Path) -> None:
    path, other = tmp_path / "calls.db", tmp_path / "other.db"
    first = SqliteLog(path)
    await first.open("engine one")
    other.symlink_to(path)
    with pytest.raises(LogInUse, match="engine one"):
        await SqliteLog(other).open("engine two")
    await first.close()


async def test_the_owner_may_be_another_process_until_it_dies(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    command = [sys.executable, "-c", OWNER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as owner:  # noqa: ASYNC220 - Nothing else runs in this loop.
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"open\n"
        log = SqliteLog(path)
        with pytest.raises(LogInUse, match=f"'engine of the other process'.*process {owner.pid}"):
            await log.open("this")
        owner.send_signal(signal.SIGKILL)
    await log.open("this")
    await log.close()


async def test_a_refused_opening_leaves_no_thread_and_can_be_repeated(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    first, second = SqliteLog(path), SqliteLog(path)
    await first.open("engine one")
    for _ in range(3):
        with pytest.raises(LogInUse):
            await second.open("engine two")
    assert len(asyncio.all_tasks()) == 2, "this test, and the writer of the first"
    await first.close()


async def test_the_lock_file_says_who_since_when_and_stays(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db")
    await log.open("engine ü")
    lock = tmp_path / "calls.db.lock"
    owner = json.loads(lock.read_text())
    assert (owner["writer"], owner["pid"]) == ("engine ü", os.getpid())
    assert owner.keys() == {"writer", "pid", "host", "since", "store"}
    inode = lock.stat().st_ino
    await log.close()
    await log.open("again")
    assert lock.stat().st_ino == inode
    await log.close()


def test_a_process_ends_after_close(tmp_path: Path) -> None:
    program = textwrap.dedent("""
        import asyncio, sys
        from understudy.adapters.stores import SqliteLog
        from understudy.events.operations import AlertCleared

        async def main():
            log = SqliteLog(sys.argv[1])
            await log.open("engine")
            log.append(AlertCleared(alert="a", subject="s"), at_us=1)
            await log.close()

        asyncio.run(main())
    """)
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "calls.db")], check=True, timeout=30)


async def test_whoever_looks_is_told_the_owner_while_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    assert owner_of(path) is None
    log = SqliteLog(path)
    await log.open("engine one")
    found = owner_of(path)
    await log.close()
    assert found is not None
    assert f"'engine one' (process {os.getpid()}" in found
    assert owner_of(path) is None


async def test_looking_at_the_lock_keeps_nobody_from_taking_it(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    log = SqliteLog(path)
    await log.open("engine one")
    await log.close()
    looks = 0
    stop = threading.Event()

    def look() -> None:
        nonlocal looks
        while not stop.is_set():
            owner_of(path)
            looks += 1

    with ThreadPoolExecutor(1) as lookers:
        lookers.submit(look)
        try:
            for _ in range(100):
                OwnerLock.take(path, writer="engine two").release()
        finally:
            stop.set()
    assert looks > 0


async def test_whoever_comes_while_somebody_owns_the_log_for_an_instant_waits_for_that(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    first, second = SqliteLog(path, brief=True), SqliteLog(path)
    await first.open("a command")
    coming = asyncio.create_task(second.open("an engine"))
    await asyncio.wait([coming], timeout=0.1)
    assert not coming.done()
    await first.close()
    await coming
    with pytest.raises(LogInUse, match="an engine"):
        await first.open("a command")
    await second.close()


async def test_a_brief_owner_that_does_not_let_go_is_named_in_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holding, "_ATTEMPTS", 3)
    path = tmp_path / "calls.db"
    first = SqliteLog(path, brief=True)
    await first.open("a command")
    with pytest.raises(LogInUse, match="a command"):
        await SqliteLog(path).open("an engine")
    await first.close()


@pytest.mark.parametrize("left", ["", "{}", '{"writer": "engine", "pid": %d, "host": "%s", "since": "then"}'])
def test_what_a_dead_owner_left_says_nothing_of_the_one_who_has_just_come(left: str, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    lock = tmp_path / "calls.db.lock"
    lock.write_text(left % (dead.pid, socket.gethostname()) if "%" in left else left)
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(InUseBriefly):
            OwnerLock.take(tmp_path / "calls.db", writer="this")


def test_an_owner_on_another_machine_is_believed_to_live(tmp_path: Path) -> None:
    lock = tmp_path / "calls.db.lock"
    lock.write_text('{"writer": "engine", "pid": 999999999, "host": "elsewhere", "since": "then"}')
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(LogInUse, match="process 999999999 on elsewhere") as told:
            OwnerLock.take(tmp_path / "calls.db", writer="this")
    assert not isinstance(told.value, InUseBriefly)
