"""What the page on HTTP adapters shows is what runs."""

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
