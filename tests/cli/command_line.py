"""The command, run in this process or in one of its own, and short scenarios to run it over."""

import json
import os
import pty
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from click.testing import CliRunner, Result

from understudy.adapters.cli.main import main
from understudy.adapters.stores import SqliteReader

SHORT = """
name = "short"
description = "The first of two fails from the third second on."
duration_s = 8
arrivals = { per_second = 2 }

[policy]
strategy = "in_order"
min_success_rate = 0
retry_attempts = 0
exploration = 0
recovery_time_ms = 60_000

[[providers]]
id = "alpha"
phases = [{ latency_ms = 80 }, { from_s = 3, state = "refuses" }]

[[providers]]
id = "beta"
phases = [{ latency_ms = 150 }]
"""

RESTING = """
name = "resting"
description = "The first of two fails twice, and then is left alone for as long as a circuit rests."
duration_s = 25
arrivals = { per_second = 2 }

[policy]
strategy = "round_robin"
retry_attempts = 0
recovery_time_ms = 10_000

[[providers]]
id = "alpha"
phases = [{ latency_ms = 80 }, { from_s = 8, until_s = 10, state = "refuses", pings = "fine" }]

[[providers]]
id = "beta"
phases = [{ latency_ms = 150 }]
"""

QUOTES = """t_unix,provider,pair,close,high
60,alpha,BTC/USD,100,101
60,beta,BTC/USD,100.1,101
60,gamma,BTC/USD,100.2,101
120,alpha,BTC/USD,100,101
120,beta,BTC/USD,150,151
120,gamma,BTC/USD,100.1,101
180,gamma,BTC/USD,100.1,101
"""

PATIENCE_S = 30
"""After so long without a word, a program is held to be stuck."""

LONG = SHORT.replace("duration_s = 8", "duration_s = 30_000").replace("state", "pings = 'fine', state")
"""Takes half a minute or more, and never much memory."""


def run(*words: str | Path, environment: dict[str, str] | None = None) -> Result:
    """Run the command in this process, as far as its environment goes without anything of ours in it."""
    clean: dict[str, str | None] = {name: None for name in os.environ if name.startswith("UNDERSTUDY_")}
    return CliRunner().invoke(
        main, [str(word) for word in words], env={**clean, "COLUMNS": None, **(environment or {})}
    )


def answered(*words: str | Path, code: int = 0) -> dict[str, Any]:
    """What the command answers with `--json`: one object on standard output, nothing else."""
    result = run(*words, "--json")
    assert result.exit_code == code, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def said(*words: str | Path, code: int = 0) -> str:
    """What the command prints on standard output."""
    result = run(*words)
    assert result.exit_code == code, result.output
    return result.stdout


def refused(*words: str | Path, environment: dict[str, str] | None = None) -> str:
    """What it says on standard error when it can do nothing: no answer, exit code 2, and a sentence."""
    result = run(*words, environment=environment)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert "Traceback" not in result.stderr
    return result.stderr.rpartition("Error: ")[2].strip()


def in_a_process(*words: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the command as a program of its own."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("UNDERSTUDY_")}
    return subprocess.run(
        program(*words), env={**kept, **environment}, capture_output=True, text=True, check=False, timeout=60
    )


def program(*words: str | Path) -> list[str]:
    """The words with which a shell starts the command."""
    return [sys.executable, "-c", "from understudy.adapters.cli.console import main; main()", *map(str, words)]


def plans(reader: SqliteReader, look: Callable[[], object]) -> list[str]:
    """What SQLite does for all that is asked of it meanwhile, step by step."""
    asked: list[str] = []
    reader._connection.set_trace_callback(asked.append)
    look()
    reader._connection.set_trace_callback(None)
    return [
        str(step[-1])
        for query in asked
        for step in reader._connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
    ]


def on_a_terminal(*words: str | Path, **environment: str) -> str:
    """What the command, run in this process, prints when standard output is a terminal."""
    terminal, end = pty.openpty()
    with (
        patch.dict(os.environ, environment),
        ThreadPoolExecutor(1) as reader,
        os.fdopen(terminal, "rb", buffering=0),
    ):
        shown = reader.submit(read_through, terminal)
        with os.fdopen(end, "w") as stdout, redirect_stdout(stdout), pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        assert ended.value.code == 0
        return shown.result().decode()


def read_through(terminal: int) -> bytes:
    """All that is shown until the other side lets go."""
    return b"".join(iter(lambda: read_end(terminal), b""))


@contextmanager
def ended_at_last(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """A process that does not outlive its test, whatever happens in it."""
    with process:
        try:
            yield process
        finally:
            process.kill()


def read_end(terminal: int) -> bytes:
    """What comes next; nothing, once the other side has let go: Linux makes an error of that.

    Errors: TimeoutError if nothing comes and nobody lets go.
    """
    if not select.select([terminal], [], [], PATIENCE_S)[0]:
        raise TimeoutError(f"nothing was shown for {PATIENCE_S} s")
    try:
        return os.read(terminal, 1_000)
    except OSError:
        return b""
