"""`understudy completion`: the scripts, and what they complete, some of it asked of a real bash."""

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cli.command_line import PATIENCE_S, answered, refused, said
from click.testing import CliRunner

from understudy.adapters.cli.main import main

BASH = shutil.which("bash")


def offered(*words: str) -> list[str]:
    """What the command, run in this process, tells bash to offer for the last of the words."""
    asked = {
        "_UNDERSTUDY_COMPLETE": "bash_complete",
        "COMP_WORDS": shlex.join(["understudy", *words]),
        "COMP_CWORD": str(len(words)),
    }
    result = CliRunner().invoke(main, prog_name="understudy", env=asked)
    assert result.exit_code == 0, result.output
    return [line.partition(",")[2] for line in result.stdout.splitlines() if line]


def completed(*words: str, folder: Path) -> list[str]:
    """What bash offers for the last of the words, after the line that the documentation has for its start-up file."""
    command = folder / "understudy"
    command.write_text(f"#!{sys.executable}\nfrom understudy.adapters.cli.console import main\nmain()\n")
    command.chmod(0o755)
    asked = (
        'PATH="$1:$PATH"; shift; eval "$(understudy completion bash)"; COMP_WORDS=(understudy "$@"); COMP_CWORD=$#\n'
        '_understudy_completion understudy; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    assert BASH is not None
    done = subprocess.run(
        [BASH, "--norc", "-c", asked, "bash", str(folder), *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    return done.stdout.split()


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        ("bash", "complete -o nosort -F"),
        ("zsh", "#compdef understudy"),
        ("fish", "complete --no-files --command understudy"),
    ],
)
def test_each_shell_gets_a_script_for_our_command(shell: str, words: str) -> None:
    script = said("completion", shell)
    assert words in script
    assert "_UNDERSTUDY_COMPLETE" in script
    assert answered("completion", shell) == {"shell": shell, "script": script.removesuffix("\n")}


def test_another_shell_is_refused_with_those_there_are() -> None:
    assert "'bash', 'zsh', 'fish'" in refused("completion", "csh")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["sta"], ["status"]),
        (["events", "DB", "--fol"], ["--follow"]),
        (["events", "DB", "--kind", "call_f"], ["call_failed"]),
        (["events", "DB", "--outcome", "time"], ["timed_out"]),
        (["requests", "DB", "--provider", "al"], ["alpha"]),
        (["requests", "DB", "--limit", "3", "--provider", ""], ["alpha", "beta"]),
        (["requests", "nothing.db", "--provider", ""], []),
        (["explain", "DB", "last-"], ["last-failover"]),
        (["override", "DB", "b"], ["beta"]),
        (["override", "DB", "beta", "cl"], ["closed", "clear"]),
        (["resolve", "DB", "64"], ["647484658b52000000000004"]),
        (["resolve", "nothing.db", ""], []),
    ],
)
def test_what_can_stand_there_is_offered(words: list[str], expected: list[str], eventful_log: Path) -> None:
    assert offered(*(str(eventful_log) if word == "DB" else word for word in words)) == expected


@pytest.mark.skipif(BASH is None, reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "expected"),
    [(["sta"], ["status"]), (["requests", "DB", "--limit", "3", "--provider", ""], ["alpha", "beta"])],
)
def test_bash_completes(words: list[str], expected: list[str], eventful_log: Path, tmp_path: Path) -> None:
    typed = [str(eventful_log) if word == "DB" else word for word in words]
    assert completed(*typed, folder=tmp_path) == expected == offered(*typed)
