"""What docs/cli.md shows of each command is what it prints: every command there is run, in the order of the page.

In what the page shows, `…` stands for whatever there is. What it shows last may be left out (`…` on a line of its own).
"""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli.command_line import run
from repository import ROOT

PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
GIVEN = {
    "policy.toml": "maxFailuers = 5\n",
    "two.toml": "recovery_time_ms = 5_000\n[providers.alpha]\n[providers.beta]\n",
}
"""Files that the page takes to be there."""


def shown(page: str) -> Iterator[tuple[str, str]]:
    """Each command of the page, and what is shown of its answer."""
    for block in re.findall(r"```\n(.*?)```", page, re.DOTALL):
        for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            words, _, answer = command.partition("\n")
            yield words, answer.strip("\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    for name, text in GIVEN.items():
        (folder / name).write_text(text)
    return folder


def test_the_page_shows_a_good_number_of_commands() -> None:
    assert len(list(shown(PAGE))) >= 7


def test_what_the_page_shows_is_what_the_commands_print(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", os.defpath)
    for command, expected in shown(PAGE):
        name, *words = shlex.split(command)
        assert name == "understudy"
        printed = "\n".join(line.rstrip() for line in run(*words).output.strip("\n").split("\n"))
        pattern = re.escape(expected).replace("…", ".*")
        if expected:
            assert re.fullmatch(pattern, printed, re.DOTALL), (
                f"$ {command}\n{printed}\n--- but the page has\n{expected}"
            )
