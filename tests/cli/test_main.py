"""The command as a whole: its help, its exit codes, its manners in pipes and on terminals."""

import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from cli.command_line import (
    LONG,
    PATIENCE_S,
    ended_at_last,
    in_a_process,
    on_a_terminal,
    program,
    read_end,
    read_through,
    refused,
    run,
    said,
)
from click.testing import CliRunner
from repository import ROOT

from understudy.adapters.cli.main import COMMANDS, Commands, main

SOAK = pytest.mark.soak
"""Programs that are started for what others show already."""

EVERY_COMMAND = [
    ("simulate",),
    ("quote",),
    ("convert",),
    ("verify",),
    ("requests",),
    ("events",),
    ("explain",),
    ("status",),
    ("doctor",),
    ("override",),
    ("probe",),
    ("resolve",),
    ("policy", "check"),
    *(
        ("drill", word)
        for word in ("outage", "brownout", "throttle", "flap", "chaos", "load", "stop", "list", "report")
    ),
]


@pytest.mark.parametrize("words", EVERY_COMMAND, ids=" ".join)
def test_each_command_has_an_example_and_its_exit_codes_in_its_help(words: tuple[str, ...]) -> None:
    text = said(*words, "--help")
    assert "Example:\n" in text
    assert f"    understudy {' '.join(words)} " in text, "an example stands on a line of its own"
    assert "Exit codes: 0 " in text
    assert "--json" in text
    assert max(map(len, text.splitlines())) <= 88


@pytest.mark.parametrize("words", EVERY_COMMAND, ids=" ".join)
def test_each_option_is_in_the_documentation_of_its_command(words: tuple[str, ...]) -> None:
    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    section = text.partition(f"\n## {' '.join(words)}\n")[2].partition("\n## ")[0]
    command: click.Command | None = main
    for word in words:
        assert isinstance(command, click.Group)
        command = command.get_command(click.Context(command), word)
    assert command is not None
    options = [one.opts[-1] for one in command.params if isinstance(one, click.Option)]
    assert "--json" in options
    assert [option for option in options if option not in section] == []


def test_the_list_of_commands_says_of_each_what_it_does() -> None:
    text = said("--help")
    assert all(f"  {name} " in text for name in COMMANDS)


def test_without_a_command_the_help_is_shown_as_an_error() -> None:
    result = run()
    assert result.exit_code == 2
    assert "Commands:" in result.stderr


def test_an_unknown_command_is_refused_with_the_nearest() -> None:
    assert refused("verfy") == "there is no command 'verfy'; did you mean 'verify'?"
    assert refused("zzz") == f"there is no command 'zzz'; there are {', '.join(COMMANDS)}"


def test_an_unknown_option_is_refused_with_the_nearest() -> None:
    assert "--trough" in refused("verify", "calls.db", "--trough", "3")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("simulate", "--scenario", "outage", "--strategy", "fastst"), "fastest"),
        (("override", "DB", "alpha", "drian", "--reason", "x"), "drain"),
        (("requests", "DB", "--outcome", "serverd"), "served"),
        (("events", "DB", "--outcome", "time_out"), "timed_out"),
        (("completion", "bsh"), "bash"),
        (("silence", "DB", "fallback_shar", "--for", "1h", "--reason", "x"), "fallback_share"),
        (("doctor", "DB", "--check", "slow/netwrk"), "slow/network"),
    ],
    ids=lambda one: one[0] if isinstance(one, tuple) else one,
)
def test_a_misspelt_word_is_refused_with_the_one_that_was_meant(
    words: tuple[str, ...], meant: str, short_log: Path
) -> None:
    said = refused(*(str(short_log) if word == "DB" else word for word in words))
    assert re.fullmatch(
        rf"Invalid value for '[^']+': there is no '\w[^']*'; did you mean '{meant}'\?( There are .+)?", said
    )
    assert len(said) < 120, "and no long list"


def test_the_help_waits_for_no_command_to_be_loaded() -> None:
    code = (
        "import sys\nfrom understudy.adapters.cli.main import main\nmain(['--help'], standalone_mode=False)\n"
        "heavy = ('understudy.replay', 'understudy.engine', 'understudy.adapters.stores', 'pydantic', 'asyncio')\n"
        "print(*sorted(name for name in sys.modules if name.startswith(heavy)), 'end', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.split() == ["end"]


def test_an_answer_of_json_is_all_that_stands_on_standard_output(short_log: Path) -> None:
    done = in_a_process("verify", short_log, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["ok"] is True


def test_a_mistake_ends_a_process_with_2_and_a_sentence(tmp_path: Path) -> None:
    done = in_a_process("status", tmp_path / "nothing.db")
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"Error: there is no file .*nothing\.db; .*\n", done.stderr)


@pytest.mark.parametrize(
    "words",
    [
        ("explain", "DB", "last"),
        ("events", "DB", "--json"),
        ("--help",),
        pytest.param(("requests", "DB"), marks=SOAK),
        pytest.param(("status", "--help"), marks=SOAK),
    ],
    ids=" ".join,
)
def test_a_reader_that_goes_away_early_is_no_trouble(words: tuple[str, ...], short_log: Path) -> None:
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    with os.fdopen(writing_end, "w") as stdout:
        done = subprocess.run(
            program(*(str(short_log) if word == "DB" else word for word in words)),
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (141, ""), "1 would mean that the answer is no"


def test_a_sentence_that_nobody_reads_is_no_trouble_either() -> None:
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    with os.fdopen(writing_end, "w") as stderr:
        done = subprocess.run(program("verfy"), stdout=subprocess.PIPE, stderr=stderr, check=False)
    assert (done.returncode, done.stdout) == (141, b"")


@pytest.mark.parametrize(
    "words",
    [("events",), ("explain", "last"), *(pytest.param((one,), marks=SOAK) for one in ("status", "requests", "doctor"))],
    ids=" ".join,
)
def test_without_a_place_to_answer_to_a_command_ends_quietly(words: tuple[str, ...], short_log: Path) -> None:
    command, *rest = words
    line = shlex.join(program(command, str(short_log), *rest))
    done = subprocess.run(["/bin/sh", "-c", f"{line} >&-"], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device here that is always full")
@pytest.mark.parametrize(
    "words",
    [
        ("events", "DB"),
        ("requests", "DB", "--json"),
        ("--help",),
        pytest.param(("status", "DB"), marks=SOAK),
        pytest.param(("doctor", "DB"), marks=SOAK),
    ],
    ids=" ".join,
)
def test_an_answer_that_there_is_no_room_for_ends_with_2_and_a_sentence(
    words: tuple[str, ...], short_log: Path
) -> None:
    with Path("/dev/full").open("w") as stdout:
        done = subprocess.run(
            program(*(str(short_log) if word == "DB" else word for word in words)),
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (2, "Error: the answer cannot be written: No space left on device\n")


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_colours_are_for_terminals_and_not_for_those_who_want_none(
    no_color: str, coloured: bool, short_log: Path
) -> None:
    for command in ("status", "requests", "doctor"):
        assert ("\x1b[" in on_a_terminal(command, short_log, NO_COLOR=no_color)) is coloured
        assert "\x1b" not in run(command, short_log, environment={"NO_COLOR": no_color}).stdout


def test_a_program_shows_colours_on_its_terminal_and_none_in_a_pipe(short_log: Path) -> None:
    terminal, end = pty.openpty()
    with ended_at_last(subprocess.Popen(program("status", short_log), stdout=end, text=True)) as process:
        os.close(end)
        shown = read_through(terminal)
        assert process.wait(timeout=PATIENCE_S) == 0
    os.close(terminal)
    piped = in_a_process("status", short_log).stdout
    assert b"\x1b[" in shown
    assert "\x1b" not in piped
    assert b"alpha" in shown
    assert "alpha" in piped


def test_text_that_a_terminal_cannot_show_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "preis in €.toml"
    path.write_text("max_failures = 7\n")
    done = in_a_process("policy", "check", path, PYTHONIOENCODING="latin-1:strict")
    assert done.returncode == 0, done.stderr
    assert "preis in \\u20ac.toml" in done.stdout


def test_control_c_ends_a_long_run_with_130_after_its_progress_was_shown(tmp_path: Path) -> None:
    path = tmp_path / "long.toml"
    path.write_text(LONG)
    # A background shell has its children ignore SIGINT, which Python inherits.
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    python, _, code, *words = program("simulate", "--scenario", path)
    terminal, end = pty.openpty()
    with ended_at_last(
        subprocess.Popen([python, "-c", listening + code, *words], stdout=subprocess.PIPE, stderr=end, text=True)
    ) as process:
        os.close(end)
        shown = b""
        while b"simulating [" not in shown and (chunk := read_end(terminal)):
            shown += chunk
        process.send_signal(signal.SIGINT)
        while chunk := read_end(terminal):
            shown += chunk
        stdout, _ = process.communicate(timeout=PATIENCE_S)
    os.close(terminal)
    assert process.returncode == 130
    assert (stdout, b"Traceback" in shown) == ("", False)
    assert b"stopped" in shown


INTERRUPTING = """
import atexit, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # A background shell has its children ignore it.
where, sys.argv[0:2] = sys.argv[1], []
def interrupt():
    os.kill(os.getpid(), signal.SIGINT)
class Importing:
    def find_spec(self, name, path, target=None):
        if name == where:
            interrupt()
sys.meta_path.insert(0, Importing())
if where == "the end":
    atexit.register(interrupt)
"""


@pytest.mark.parametrize("where", ["click", "understudy.adapters.cli.verify", "pydantic_core", "asyncio", "sqlite3"])
def test_control_c_while_anything_is_imported_ends_with_130_and_one_line(where: str, short_log: Path) -> None:
    done = interrupted(where, short_log)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "\nstopped\n")


def test_control_c_before_it_listens_ends_so_too(short_log: Path) -> None:
    for where in ("understudy.adapters.cli.interrupts", "understudy.adapters.cli.main"):
        done = interrupted(where, short_log)
        assert (done.returncode, done.stdout, done.stderr) == (130, "", "\nstopped\n")


def test_control_c_when_all_is_said_shows_no_traceback(short_log: Path) -> None:
    done = interrupted("the end", short_log)
    assert (done.returncode, done.stderr) == (130, "\nstopped\n")
    assert "intact" in done.stdout


def interrupted(where: str, log: Path) -> "subprocess.CompletedProcess[str]":
    """Verify a log in a process that gets Ctrl-C as it begins to import a module, or at its end."""
    python, _, code, *words = program("verify", log)
    start = [python, "-c", INTERRUPTING + code, where, "understudy", *words]
    return subprocess.run(start, capture_output=True, text=True, check=False, timeout=60)


def test_nothing_is_imported_before_control_c_is_heard_but_what_python_has_anyway() -> None:
    code = (
        "import os, signal, sys\nthere = set(sys.modules)\nimport understudy.adapters.cli.interrupts\n"
        "import understudy.adapters.cli.console\nprint(*sorted(set(sys.modules) - there))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        "understudy",
        "understudy.adapters",
        "understudy.adapters.cli",
        "understudy.adapters.cli.console",
        "understudy.adapters.cli.interrupts",
    ]


def test_a_bug_of_ours_is_owned_up_to_and_ends_with_70() -> None:
    result = CliRunner().invoke(Broken("broken"), ["verify"])
    assert result.exit_code == 70
    assert "ZeroDivisionError" in result.stderr
    assert "bug in Understudy" in result.stderr


class Broken(Commands):
    """A group whose commands divide by nothing."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        return click.Command(cmd_name, callback=lambda: divmod(1, 0))
