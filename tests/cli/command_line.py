"""The command, run in this process or in one of its own, and short scenarios to run it over."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from understudy.adapters.cli import main

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

LONG = SHORT.replace("duration_s = 8", "duration_s = 30_000").replace("state", "pings = 'fine', state")
"""Takes half a minute or more, and never much memory."""


def run(*words: str | Path, environment: dict[str, str] | None = None) -> Result:
    """Run the command in this process, as far as its environment goes without anything of ours in it."""
    clean: dict[str, str | None] = {name: None for name in os.environ if name.startswith("UNDERSTUDY_")}
    return CliRunner().invoke(main, [str(word) for word in words], env={**clean, **(environment or {})})


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
    return [sys.executable, "-c", "from understudy.adapters.cli import main; main()", *map(str, words)]
