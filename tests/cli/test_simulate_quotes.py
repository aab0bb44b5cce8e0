"""`understudy simulate --quotes`: recorded quotes in, what conversions would have got out."""

import gzip
from pathlib import Path

import pytest
from cli.command_line import QUOTES, answered, refused, said


@pytest.fixture
def quotes(tmp_path: Path) -> Path:
    path = tmp_path / "quotes.csv.gz"
    path.write_bytes(gzip.compress(QUOTES.encode()))
    return path


def test_recorded_quotes_are_converted_at_the_best_honest_rate(quotes: Path) -> None:
    found = answered("simulate", "--quotes", quotes)
    figures = ("requests", "success_rate", "excluded", "false_exclusions", "bp_to_best_honest", "by_provider")
    assert [found[name] for name in figures[:4]] == [3, 1.0, 1, 0]
    assert {name: one["taken"] for name, one in found["by_provider"].items()} == {"alpha": 0, "beta": 0, "gamma": 3}
    assert found["verify"] == {"identical": 3, "differs": 0}
    assert found["exclusions"] == [
        {
            "at_us": 120_000_000,
            "provider": "beta",
            "reason": "rate_outlier",
            "rate": "150",
            "off_bp": pytest.approx(4992.5, abs=0.1),
            "honest": False,
        }
    ]


def test_a_buyer_takes_the_lowest_price_and_an_amount_is_of_the_coin_sold(quotes: Path) -> None:
    words = ("simulate", "--quotes", quotes, "--side", "buy", "--amount", "1000", "--pair", "BTC/USD")
    found = answered(*words)
    assert (found["pair"], found["by_provider"]["alpha"]["taken"]) == ("USD/BTC", 2)
    assert "1000 USD into BTC each time, strategy weighted, seed 0:" in said(*words)


def test_the_exclusions_are_listed_with_their_reasons(quotes: Path, tmp_path: Path) -> None:
    text = said("simulate", "--quotes", quotes)
    (line,) = [one for one in text.splitlines() if one.startswith("1970-01-01T00:02:00Z")]
    assert line.split()[1:4] == ["beta", "rate_outlier", "150"]
    rows = "".join(
        f"{minute * 60},{name},A/B,{rate}\n"
        for minute in range(1, 13)
        for name, rate in zip("abc", (1, 1, 2), strict=True)
    )
    (tmp_path / "many.csv").write_text("t_unix,provider,pair,close\n" + rows)
    cut = said("simulate", "--quotes", tmp_path / "many.csv")
    assert cut.endswith("… and 2 more: --list shows all, and --json has them, too\n")
    every = said("simulate", "--quotes", tmp_path / "many.csv", "--list").splitlines()
    assert [line.split()[2] for line in every[-12:]] == ["rate_outlier"] * 5 + ["quarantined"] * 7


def test_another_column_and_a_policy_may_be_named(quotes: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("max_rate_difference = 0.6\nalways_use_best_rate = true\n")
    words = ("simulate", "--quotes", quotes, "--policy", tmp_path / "policy.toml")
    assert answered(*words)["by_provider"]["beta"]["taken"] == 1
    assert answered(*words, "--column", "high")["excluded"] == 0
    assert refused("simulate", "--quotes", quotes, "--column", "low").endswith(
        "quotes.csv.gz:1: there is no column 'low'; a file of quotes has t_unix,provider,pair,low;"
        " this one has t_unix,provider,pair,close,high"
    )


def test_a_log_of_conversions_is_kept_and_verifies_again_from_its_file(quotes: Path, tmp_path: Path) -> None:
    said("simulate", "--quotes", quotes, "--log", tmp_path / "calls.db")
    found = answered("verify", tmp_path / "calls.db")
    assert (found["ok"], found["identical"]) == (True, 3)
    assert "served by gamma" in said("explain", tmp_path / "calls.db", "last")
