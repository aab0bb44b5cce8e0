"""Operators' commands beside a real engine in another process: it runs, it hangs, it is killed, it starts meanwhile."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from cli.command_line import answered, ended_at_last, program, refused, run, said
from cli.engine_process import EngineProcess, running

from understudy.adapters.cli.delivery import MOST_S
from understudy.adapters.stores import SqliteReader
from understudy.events.codec import decode
from understudy.events.operations import OverrideSet
from understudy.replay.verify import verify

WHY = ("--reason", "maintenance", "--actor", "ann")
PATIENCE_S = 30
LISTENING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
"""A background shell has its children ignore SIGINT, which Python inherits."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calls.db"


@contextmanager
def started(*words: str | Path) -> Iterator["subprocess.Popen[str]"]:
    """A command in a process of its own, that goes on."""
    python, _, code, *more = program(*words)
    process = subprocess.Popen(
        [python, "-c", LISTENING + code, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with ended_at_last(process):
        yield process


def wait_for_the_command(path: Path) -> None:
    """Until somebody has put one into the inbox."""
    ends_s = time.monotonic() + PATIENCE_S
    with SqliteReader.open(path) as reader:
        while not reader.commands_waiting():
            assert time.monotonic() < ends_s, "nobody has put a command into the inbox"


def assert_sound(path: Path) -> None:
    with SqliteReader.open(path) as reader:
        verification = verify(reader)
        assert verification.ok, verification
        assert reader.commands_waiting() == 0


def verdict(path: Path, provider: str) -> str:
    found = answered("status", path)
    return next(str(one["verdict"]) for one in found["providers"] if one["provider"] == provider)


def held_by(engine: EngineProcess) -> str:
    """Make a request that is suspended; its id."""
    assert engine.ask("ill") == "ill"
    error, request_id = engine.ask("pay").split()
    assert error == "OutcomeUnknown"
    return request_id


def test_a_running_engine_takes_the_command_and_goes_by_it(path: Path) -> None:
    with running(path) as engine:
        assert engine.ask("call") == "alpha"
        found = answered("override", path, "alpha", "drain", "--for", "10m", *WHY)
        assert f"(process {engine.pid} on " in found["taken_by"]
        assert found["provider"]["circuit"] == "drained"
        assert engine.ask("call") == "beta"
        assert ", taken by '" in said("override", path, "alpha", "clear", *WHY)
        assert engine.ask("call") == "alpha"
        engine.stop()
    assert_sound(path)


def test_a_probe_beside_a_running_engine_tells_how_the_ping_ended(path: Path) -> None:
    with running(path) as engine:
        assert engine.ask("ill") == "ill"
        assert engine.ask("call") == "beta"
        failed = run("probe", path, "alpha")
        assert failed.exit_code == 1, failed.output
        assert "alpha was pinged: alpha failed after " in failed.stdout
        assert engine.ask("well") == "well"
        found = answered("probe", path, "alpha", *WHY)
        assert found["ping"]["kind"] == "call_succeeded.v1"
        assert found["provider"]["verdict"] == "probe"
        assert engine.ask("call") == "alpha"
        engine.stop()
    assert_sound(path)


def test_a_suspended_request_ends_in_the_running_engine(path: Path) -> None:
    with running(path) as engine:
        request_id = held_by(engine)
        found = answered("resolve", path, request_id[:20], "--executed", "bank-7", *WHY)
        assert (found["request"]["request_id"], found["request"]["outcome"]) == (request_id, "served")
        assert "served by alpha" in refused("resolve", path, request_id, "--not-executed", *WHY)
        assert engine.ask("well") == "well"
        said("probe", path, "alpha")
        assert engine.ask("call") == "alpha", "its circuit is closed again"
        other = held_by(engine)
        assert "now    failed: not_executed" in said("resolve", path, other, "--not-executed", *WHY)
        engine.stop()
    assert_sound(path)


def test_an_engine_that_does_not_answer_is_told_and_the_command_waits_for_the_next(path: Path) -> None:
    with running(path, "unwatched") as engine:
        result = run("override", path, "alpha", "open", "--wait", "200ms", *WHY)
        assert (result.exit_code, result.stdout) == (3, "")
        assert f"Error: command 1 waits in the inbox of {path}: '" in result.stderr
        assert f"(process {engine.pid} on " in result.stderr
        assert "has not taken it within 0.2 s; it is obeyed when that one comes to it, or at" in result.stderr
        found = answered("override", path, "beta", "open", "--wait", "0s", *WHY, code=3)
        assert (found["done"], found["command_id"], found["event"], found["provider"]) == (False, 2, None, None)
        engine.stop()
    with running(path) as engine:
        ends_s = time.monotonic() + PATIENCE_S
        while not engine.ask("call").startswith("NoProviderAvailable"):
            assert time.monotonic() < ends_s, "nobody has obeyed what waited"
        engine.stop()
    assert_sound(path)


def test_when_the_engine_is_killed_meanwhile_the_command_obeys_itself(path: Path) -> None:
    with running(path) as engine:
        engine.freeze()
        with started("override", path, "alpha", "open", "--json", *WHY) as command:
            wait_for_the_command(path)
            engine.kill()
            stdout, stderr = command.communicate(timeout=PATIENCE_S)
    assert (command.returncode, stderr) == (0, "")
    assert json.loads(stdout)["taken_by"] is None
    assert verdict(path, "alpha") == "forced_open"
    assert_sound(path)


def test_an_engine_that_comes_to_it_late_is_waited_for(path: Path) -> None:
    with running(path) as engine:
        engine.freeze()
        with started("override", path, "alpha", "open", *WHY) as command:
            wait_for_the_command(path)
            engine.thaw()
            stdout, _ = command.communicate(timeout=PATIENCE_S)
        assert command.returncode == 0
        assert f"(process {engine.pid} on " in stdout
        engine.stop()
    assert_sound(path)


def test_control_c_takes_the_command_back(path: Path) -> None:
    with running(path, "unwatched") as engine:
        with started("override", path, "alpha", "open", "--wait", "1h", *WHY) as command:
            wait_for_the_command(path)
            command.send_signal(signal.SIGINT)
            _, stderr = command.communicate(timeout=PATIENCE_S)
        assert command.returncode == 130
        assert "the command has been taken back" in stderr
        with SqliteReader.open(path) as reader:
            assert reader.commands_waiting() == 0
        engine.stop()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """As an engine leaves the file that is stopped in the midst of a commit."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


def test_where_the_inbox_cannot_be_reached_nothing_waits_and_nobody_waits_for_long(own_log: Path) -> None:
    with locked(own_log):
        began_s = time.monotonic()
        told = refused("override", own_log, "alpha", "open", "--wait", "100ms", *WHY)
        assert time.monotonic() - began_s < MOST_S
        assert "another program holds the file in a transaction" in told
    with SqliteReader.open(own_log) as reader:
        assert reader.commands_waiting() == 0


def test_control_c_is_heard_while_the_inbox_cannot_be_reached(own_log: Path) -> None:
    wish = "SetOverride(provider='alpha', state='open', actor='ann', reason='x')"
    script = f"{IMPORTS}\nprint('begun', flush=True)\ndeliver(Path(sys.argv[1]), {wish}, patience_s=60)"
    with (
        locked(own_log),
        subprocess.Popen(
            [sys.executable, "-c", LISTENING + script, str(own_log)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process,
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=0.5)
        process.send_signal(signal.SIGINT)
        began_s = time.monotonic()
        _, stderr = process.communicate(timeout=PATIENCE_S)
        assert time.monotonic() - began_s < MOST_S / 2
    assert b"KeyboardInterrupt" in stderr


IMPORTS = """
import sys
from pathlib import Path
from understudy.adapters.cli.delivery import Delivered, deliver
from understudy.engine.commands import SetOverride
"""
OPERATOR = f"""{IMPORTS}
for number in range(int(sys.argv[3])):
    wish = SetOverride(provider="alpha", state="drain", for_ms=1, actor=sys.argv[2], reason=str(number))
    done = deliver(Path(sys.argv[1]), wish, patience_s=30)
    assert isinstance(done, Delivered), done
"""


@pytest.mark.parametrize(
    "commands", [pytest.param(5, marks=pytest.mark.long), pytest.param(40, marks=pytest.mark.soak)]
)
def test_engines_that_start_and_stop_among_operators_all_start_and_each_command_is_obeyed_once(
    path: Path, commands: int
) -> None:
    """Nobody is refused because somebody else owns the log for an instant, and nothing is lost or done twice."""
    operators = ("ann", "bob", "cid")
    with running(path) as engine:
        engine.stop()
    with ThreadPoolExecutor() as pool:
        busy = [
            pool.submit(
                subprocess.run,
                [sys.executable, "-c", OPERATOR, str(path), name, str(commands)],
                capture_output=True,
                text=True,
                check=False,
            )
            for name in operators
        ]
        engines = 0
        while not all(one.done() for one in busy):
            with running(path) as engine:
                assert engine.ask("call") in {"alpha", "beta"}
                engine.kill() if engines % 2 else engine.stop()
            engines += 1
        ended: list[Any] = [one.result() for one in busy]
    assert [(one.returncode, one.stderr) for one in ended] == [(0, "")] * len(operators)
    assert engines > 1
    with SqliteReader.open(path) as reader:
        told = [decode(row) for row in reader.operations(OverrideSet.kind)]
    for name in operators:
        in_order = [int(one.reason) for one in told if isinstance(one, OverrideSet) and one.actor == name]
        assert in_order == list(range(commands))
    assert_sound(path)
