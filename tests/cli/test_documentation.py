"""What docs/cli.md shows of each command is what it prints: every command there is run, in the order of the page.

In what the page shows, `…` stands for whatever there is. What it shows last may be left out (`…` on a line of its own).
Run as a program, it brings the page up to date: `PYTHONPATH=tests .venv/bin/python tests/cli/test_documentation.py`.
"""

import os
import re
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli import drilled, eventful, listing
from cli.command_line import run
from exchange_for_tests import Exchange, exchange, truthful
from repository import ROOT

from understudy.adapters.cli.main import COMMANDS

pytestmark = pytest.mark.xdist_group("demo")  # It plays one, in real time: not while another one is measured.

PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
GIVEN = {
    "policy.toml": "maxFailuers = 5\n",
    "quotes.csv": """t_unix,provider,pair,close
1678803780,alpha,BTC/USDC,26030
1678803780,beta,BTC/USDC,26012
1678803780,gamma,BTC/USDC,26021
1678803840,alpha,BTC/USDC,31000
1678803840,beta,BTC/USDC,26034
1678803840,gamma,BTC/USDC,26050
""",
    "lies.csv": "t_unix,provider,pair,close\n"
    + "".join(
        f"{1678803780 + 60 * minute},{name},ETH/BTC,{rate}\n"
        for minute in range(6)
        for name, rate in (("alpha", "0.0710"), ("beta", "0.0652"), ("gamma", "0.0654"))
    ),
    "two.toml": "recovery_time_ms = 5_000\n[providers.alpha]\n[providers.beta]\n",
}
"""Files that the page takes to be there, beside `shop.db`, a log with a suspended request, and what follows."""
SETTINGS = """// The pool's own settings.
{ "multiService": { "services": [
  { "id": "btcpay_lightning", "weight": 0.4, "api": "services.toml" },
  { "id": "simpleswap", "weight": 0.3, "api": "services.toml" },
  { "id": "changenow", "weight": 0.3, "fees": { "percent": 0.5 }, "api": "services.toml" }
] } }
"""
GROUPS = {
    "drill": ["drill chaos", "drill list", "drill report"],
    "policy": ["policy check"],
    "preferences": ["preferences get", "preferences set"],
}
"""Commands of two words, but for those that only do anything beside an engine."""
RATES = {"btcpay_lightning": "0.0654", "simpleswap": "0.0652", "changenow": "0.0451"}
"""What the conversion services of `config/default.json` offer: one of them cannot be believed."""


def shown(page: str) -> Iterator[tuple[str, str]]:
    """Each command of the page, and what is shown of its answer."""
    for block in re.findall(r"```\n(.*?)```", page, re.DOTALL):
        for command in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            words, _, answer = command.partition("\n")
            yield words, answer.strip("\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("page")
    with exchange(truthful, **RATES) as services:
        lay_out(folder, services)
        yield folder


def lay_out(folder: Path, services: Exchange) -> None:
    (folder / "config").mkdir()
    given = {**GIVEN, "config/default.json": SETTINGS, "config/services.toml": services.descriptions}
    for name, text in given.items():
        (folder / name).write_text(text)
    eventful.write(folder / "shop.db")
    listing.write(folder / "rentals.db")
    drilled.write(folder / "drilled.db")


def test_the_page_shows_a_good_number_of_commands() -> None:
    assert len(list(shown(PAGE))) >= 7


def printed(command: str) -> str:
    """What a command prints, in the folder where we are."""
    return performed(command)[0]


def performed(command: str) -> tuple[str, int]:
    """The same, and its exit code."""
    name, *words = shlex.split(command)
    assert name == "understudy"
    result = run(*words)
    return "\n".join(line.rstrip() for line in result.output.strip("\n").split("\n")), result.exit_code


def used(command: str) -> str:
    """Which command it is: one word, or the two of a command of a group."""
    words = shlex.split(command)[1:]
    return " ".join(words[:2]) if words[0] in GROUPS else words[0]


def fits(expected: str, answer: str) -> bool:
    return re.fullmatch(re.escape(expected).replace("…", ".*"), answer, re.DOTALL) is not None


def test_what_the_page_shows_is_what_the_commands_print(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", os.defpath)
    codes: dict[str, set[int]] = {}
    for command, expected in shown(PAGE):
        answer, code = performed(command)
        codes.setdefault(used(command), set()).add(code)
        assert not expected or fits(expected, answer), f"$ {command}\n{answer}\n--- but the page has\n{expected}"

    names = {each for name in COMMANDS for each in GROUPS.get(name, [name])}
    assert {name for name in names if 0 not in codes.get(name, ())} == set(), "a right use of each"
    assert {name for name in names if not codes.get(name, set()) & {1, 2}} == set(), "and a wrong one"


def renewed(expected: str, answer: str) -> str:
    """What the page is to show: its own lines as far as they fit, else what was printed, long hashes shortened."""
    if not expected or fits(expected, answer):
        return expected
    old, new = expected.split("\n"), answer.split("\n")
    while len(old) < len(new):
        old.insert(len(old), "")
    lines = [was if was and fits(was, now) else now for was, now in zip(old, new, strict=False)]
    return re.sub(r"\b([0-9a-f]{8})[0-9a-f]{52}([0-9a-f]{4})\b", r"\1…\2", "\n".join(lines))


def renew() -> None:
    page = PAGE
    with tempfile.TemporaryDirectory() as name, exchange(truthful, **RATES) as services:
        lay_out(Path(name), services)
        os.chdir(name)
        for command, expected in shown(PAGE):
            page = page.replace(expected, renewed(expected, printed(command)), 1) if expected else page
    (ROOT / "docs" / "cli.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    renew()
