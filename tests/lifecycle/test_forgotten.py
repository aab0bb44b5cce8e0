"""Engines and logs that nobody closes: nothing hangs, nothing is half written, and whoever forgot is told."""

import asyncio
import gc
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from lifecycle.leftovers import is_locked, no_thread_left, tasks_left
from providers_for_tests import Told
from stores.samples import NOON, alert, assert_whole, until

from understudy.adapters import SqliteLog, SqliteReader
from understudy.engine import Engine
from understudy.events.errors import LogUnavailable
from understudy.replay.verify import verify

PATIENCE_S = 30

BEGINNING = textwrap.dedent("""
    import asyncio, os, sys
    from understudy.adapters import SqliteLog
    from understudy.engine import Engine

    class Prompt:
        id = "prompt"
        async def call(self, operation, request, *, key, deadline):
            return "done"

    async def begin():
        engine = Engine(providers=[Prompt()], log=SqliteLog(sys.argv[1]))
        await engine.start()
        await engine.call("x")
        print((await engine.call("x", effect="once")).request_id, flush=True)
        return engine
""")

FORGETFUL = {
    "the program ends": "asyncio.run(begin())",
    "the engine lives on as a global": "engine = asyncio.run(begin())",
    "the program leaves from inside": textwrap.dedent("""
        async def main():
            engine = await begin()
            sys.exit(0)
        asyncio.run(main())
    """),
    "a call is under way": textwrap.dedent("""
        async def main():
            engine = await begin()
            calls = [asyncio.ensure_future(engine.call("x", effect=effect)) for effect in ("read", "once") * 5]
            await asyncio.sleep(0)
        asyncio.run(main())
    """),
    "the loop is closed early": textwrap.dedent("""
        loop = asyncio.new_event_loop()
        engine = loop.run_until_complete(begin())
        loop.close()
    """),
    "the loop is closed early, and the engine is dropped": textwrap.dedent("""
        import gc
        loop = asyncio.new_event_loop()
        engine = loop.run_until_complete(begin())
        loop.close()
        del engine
        gc.collect()
    """),
    "the loop is closed early with calls under way": textwrap.dedent("""
        loop = asyncio.new_event_loop()
        engine = loop.run_until_complete(begin())
        calls = [loop.create_task(engine.call("x", effect=effect)) for effect in ("read", "once") * 5]
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()
    """),
    "the loop runs in a thread that nobody waits for": textwrap.dedent("""
        import threading
        began = threading.Event()
        async def main():
            engine = await begin()
            began.set()
            await asyncio.Event().wait()
        threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
        began.wait()
    """),
}


@pytest.mark.parametrize("how", FORGETFUL)
def test_a_program_that_forgets_to_stop_its_engine_ends_and_leaves_a_whole_log(how: str, tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    program = BEGINNING + FORGETFUL[how]
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "coroutine ignored" not in done.stderr
    assert not is_locked(path)
    with SqliteReader.open(path) as reader:
        assert verify(reader).ok
        assert reader.damage() == []
        rows = {row.request_id for row in reader.rows() if row.kind == "request_completed.v1"}
    assert done.stdout.strip() in rows, "what was acknowledged is there"


async def test_a_log_that_is_dropped_is_closed_behind_its_owners_back_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    with no_thread_left():
        log = SqliteLog(path)
        await log.open("forgetful")
        for number in range(100):
            log.append(alert(number), at_us=NOON)
        with pytest.warns(ResourceWarning, match=r"calls.db was not closed: stop its engine"):  # noqa: PT031
            del log
            gc.collect()  # Some Pythons look for what is unused only now.
        await until(lambda: tasks_left() == [])
    assert not is_locked(path)
    with SqliteReader.open(path) as reader:
        assert assert_whole(reader) == 100


async def test_a_log_that_was_closed_is_dropped_in_silence(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db")
    await log.open("mindful")
    await log.close()
    del log
    never_opened = SqliteLog(tmp_path / "other.db")
    del never_opened
    gc.collect()


async def test_an_idle_log_is_not_collected_while_somebody_holds_it(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db")
    await log.open("patient")
    for _ in range(3):
        await asyncio.sleep(0)
        gc.collect()
    log.append(alert(), at_us=NOON)
    await log.durable(1)
    await log.close()


@pytest.mark.parametrize("appended", [0, 100])
def test_a_log_whose_loop_was_closed_can_be_closed_in_another_one(tmp_path: Path, appended: int) -> None:
    path = tmp_path / "calls.db"
    log = SqliteLog(path)

    async def append() -> None:
        await log.open("early")
        log.append(alert(), at_us=NOON)
        await log.durable(1)
        for _ in range(appended):
            log.append(alert(), at_us=NOON)

    with no_thread_left():
        loop = asyncio.new_event_loop()
        loop.run_until_complete(append())
        loop.close()
        assert is_locked(path)
        asyncio.run(log.close())
    assert not is_locked(path)
    with SqliteReader.open(path) as reader:
        assert assert_whole(reader) == 1 + appended


@pytest.mark.parametrize("watch", [True, False])
def test_an_engine_whose_loop_was_closed_lets_its_log_go_when_it_is_stopped_in_another_one(
    tmp_path: Path, watch: bool
) -> None:
    path = tmp_path / "calls.db"
    engine = Engine(providers=[Told("a")], log=SqliteLog(path), watch=watch)

    async def serve() -> None:
        await engine.start()
        await engine.call("x", effect="once")

    with no_thread_left():
        loop = asyncio.new_event_loop()
        loop.run_until_complete(serve())
        loop.close()
        with pytest.raises((RuntimeError, LogUnavailable), match=r"loop .*is closed"):
            asyncio.run(engine.stop())
    assert not is_locked(path)
    with SqliteReader.open(path) as reader:
        assert verify(reader).ok


def test_an_engine_whose_loop_was_torn_down_puts_on_record_what_it_breaks_off(tmp_path: Path) -> None:
    """`asyncio.run` cancels everything at once: what the requests have to say still comes before the log closes."""
    path = tmp_path / "calls.db"
    program = BEGINNING.replace('return "done"', "await asyncio.sleep(request.context.get('x') and 60 or 0)") + (
        textwrap.dedent("""
        async def main():
            engine = await begin()
            call = asyncio.ensure_future(engine.call("x", context={"x": "slow"}))
            await asyncio.sleep(0.01)
        asyncio.run(main())
        """)
    )
    subprocess.run([sys.executable, "-c", program, str(path)], timeout=PATIENCE_S, check=True, capture_output=True)
    with SqliteReader.open(path) as reader:
        kinds = [row.kind for row in reader.rows()]
    assert kinds[-3:] == ["call_abandoned.v1", "request_cancelled.v1", "request_failed.v1"]
