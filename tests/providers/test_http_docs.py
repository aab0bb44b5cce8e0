"""What the page on HTTP adapters shows is what runs."""

import ast
import re
import subprocess
import sys

from repository import ROOT

from understudy.adapters.providers import HttpLimits

PAGE = (ROOT / "docs" / "http-adapters.md").read_text(encoding="utf-8")
EXAMPLE = ROOT / "examples" / "http_provider.py"


def test_the_example_prints_what_the_page_says() -> None:
    done = subprocess.run([sys.executable, "-W", "error", EXAMPLE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"$ .venv/bin/python examples/http_provider.py\n{done.stdout}```" in PAGE


def test_the_adapter_on_the_page_is_the_one_that_runs() -> None:
    shown = PAGE.partition("class MyShop")[2].partition("```")[0].strip()
    assert shown in EXAMPLE.read_text(encoding="utf-8")


def test_the_page_gives_every_limit_with_its_default() -> None:
    for name in HttpLimits.__slots__:
        assert f"| `{name}` | {getattr(HttpLimits(), name):,} |" in PAGE


def test_each_of_the_sixteen_faults_has_its_tests() -> None:
    source = (ROOT / "tests" / "faults" / "test_provider_faults.py").read_text(encoding="utf-8")
    there = {node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.AsyncFunctionDef)}
    table = PAGE.partition("| fault | what becomes of it | test |\n")[2]
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    assert len(rows) == 16
    named = {row: re.findall(r"`(test_\w+)`", row) for row in rows}
    assert [row for row, tests in named.items() if not tests and not row.endswith("| the same |")] == []
    assert {test for tests in named.values() for test in tests} - there == set()
