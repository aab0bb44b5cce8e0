"""Recorded quotes as a file: what it may look like, and what is refused."""

import gzip
from decimal import Decimal
from pathlib import Path

import pytest

from understudy.replay import quotes_file
from understudy.replay.simulate import TraceError, read_quotes

HEADER = "t_unix,provider,pair,close"


def quotes(path: Path, *lines: str, header: str = HEADER) -> Path:
    content = "\n".join((header, *lines)) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(content.encode()))
    else:
        path.write_text(content)
    return path


@pytest.mark.parametrize("name", ["quotes.csv", "quotes.csv.gz"])
def test_the_rows_of_an_instant_are_read_together_in_whichever_order_they_stand(tmp_path: Path, name: str) -> None:
    path = quotes(tmp_path / name, "120,b,A/B,2", "60,a,A/B,1.50", "120,a,A/B,1.6")
    found = read_quotes(path)
    assert (found.pair, found.providers) == ("A/B", ("b", "a"))
    assert [(one.at_us, one.rates) for one in found.minutes] == [
        (60_000_000, {"a": Decimal("1.50")}),
        (120_000_000, {"b": Decimal(2), "a": Decimal("1.6")}),
    ]


def test_a_pair_is_chosen_among_several_and_another_column_than_close(tmp_path: Path) -> None:
    path = quotes(tmp_path / "q.csv", "1,A/B,60,a,9", "2,C/D,60,c,8", header="high,pair,t_unix,provider,close")
    assert read_quotes(path, pair="C/D").minutes[0].rates == {"c": Decimal(8)}
    assert read_quotes(path, pair="C/D", column="high").minutes[0].rates == {"c": Decimal(2)}


def test_without_a_pair_among_several_and_with_an_unknown_one_all_there_are_are_named(tmp_path: Path) -> None:
    path = quotes(tmp_path / "q.csv", "60,a,BTC/USD,1", "60,a,BTC/EUR,1", "120,a,BTC/USD,1")
    with pytest.raises(TraceError, match=r"q\.csv has 2 pairs; name one .*: BTC/USD \(2 rows\), BTC/EUR \(1 rows\)$"):
        read_quotes(path)
    with pytest.raises(TraceError, match=r"there is no pair 'BTC/USDT'; did you mean 'BTC/USD'\?\nThere are BTC/USD "):
        read_quotes(path, pair="BTC/USDT")
    with pytest.raises(TraceError, match=r"there is no pair 'ETH'\.\nThere are BTC/USD "):
        read_quotes(path, pair="ETH")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("120,a,A/B,", r"q\.csv:3: close is ''; it must be a number above 0"),
        ("120,a,A/B,much", r":3: close is 'much'; it must be a number above 0"),
        ("120,a,A/B,0", r":3: close is '0'; it must be a number above 0"),
        ("120,a,A/B,-1", r":3: close is '-1'"),
        ("120,a,A/B,NaN", r":3: close is 'NaN'"),
        ("120,a,A/B,1e99", r":3: close is '1e99', which is no rate to reckon with"),
        (f"120,a,A/B,1.{'1' * 40}", r":3: close is '1\.1+', which is no rate"),
        ("soon,a,A/B,1", r":3: t_unix is 'soon'; it must be a number"),
        ("-60,a,A/B,1", r":3: t_unix is -60; it must be at least 0"),
        ("120,,A/B,1", r":3: the provider is empty"),
        ("120,a b,A/B,1", r":3: provider is 'a b'; it must be 1 to 100 letters"),
        ("120,a,AB,1", r":3: pair is 'AB'; it must be two coins such as BTC/USD"),
        ("120,a,/B,1", r":3: pair is '/B'"),
        ("120,a,A/B/C,1", r":3: pair is 'A/B/C'"),
        ("120,a,A/B", r":3: there are 3 fields where 4 are needed"),
        ("60,a,A/B,2", r":3: 'a' has a row of A/B at 60 already"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused_by_file_and_line(tmp_path: Path, line: str, told: str) -> None:
    with pytest.raises(TraceError, match=told):
        read_quotes(quotes(tmp_path / "q.csv", "60,a,A/B,1", line))


def test_a_file_without_the_column_without_quotes_or_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"q\.csv:1: there is no column 'low'; .*; this one has t_unix,provider,pair,"):
        read_quotes(quotes(tmp_path / "q.csv", "60,a,A/B,1"), column="low")
    with pytest.raises(TraceError, match="there is no quote in this file"):
        read_quotes(quotes(tmp_path / "q.csv"))
    with pytest.raises(TraceError, match=r"^there is no file .*absent\.csv$"):
        read_quotes(tmp_path / "absent.csv")


def test_more_instants_than_memory_may_hold_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotes_file, "INSTANTS_AT_MOST", 2)
    path = quotes(tmp_path / "q.csv", *[f"{60 * minute},a,A/B,1" for minute in range(3)])
    with pytest.raises(TraceError, match="A/B has 3 instants, and 2 are the most"):
        read_quotes(path)
