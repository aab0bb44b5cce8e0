"""What docs/addresses.md shows is what happens."""

import re

import pytest
from repository import ROOT

from understudy.adapters.conversion import COINS, InvalidAddress, check_address

PAGE = (ROOT / "docs" / "addresses.md").read_text(encoding="utf-8")
BLOCKS = [text for _, text in re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)]


def test_the_program_of_the_page_prints_what_stands_below_it(capsys: pytest.CaptureFixture[str]) -> None:
    program, printed, _ = BLOCKS
    exec(compile(program, "<page>", "exec"), {})  # noqa: S102 - Our own page.
    assert capsys.readouterr().out == printed


def test_the_refusals_of_the_page_are_those_that_are_raised() -> None:
    asked = [
        ("1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMHx", "BTC"),
        ("tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", "BTC"),
        ("LVuDpNCSSj6pQ7t9Pv6d6sUkLKoqDEVUnJ", "BTC"),
        ("TMVQGm1qAQYVdetCeGRRkTWYYrLXuHK2HC", "USDT"),
    ]
    said = []
    for address, coin in asked:
        with pytest.raises(InvalidAddress) as refusal:
            check_address(address, coin)
        said.append(str(refusal.value))
    assert said == BLOCKS[2].splitlines()


def test_the_page_lists_every_coin_with_its_decimals_and_networks() -> None:
    listed = {}
    for tickers, decimals, networks in re.findall(
        r"^\| ([A-Z, ]+?)(?: \(.*?\))? \| (\d+) \| (.*?) \|$", PAGE, re.MULTILINE
    ):
        for ticker in tickers.split(", "):
            named = (ticker,) if networks == "its own" else tuple(re.findall(r"\b[A-Z]{3,}\b", networks))
            listed[ticker] = (int(decimals), named)
    assert listed == {one.ticker: (one.decimals, one.networks) for one in COINS.values()}
