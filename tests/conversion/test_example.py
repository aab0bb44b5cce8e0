"""The hierarchy that ships as an example is the documents' own: its tiers, weights, fees and thresholds."""

import runpy
from decimal import Decimal
from pathlib import Path

import pytest
from cli.command_line import answered
from repository import ROOT

from understudy.adapters.conversion import read_settings
from understudy.events.policy import Fees, Policy
from understudy.events.vocabulary import Strategy

EXAMPLE = ROOT / "examples" / "multi_service.json"
HIERARCHY = [
    ("btcpay_lightning", 1, "0.4", "0"),
    ("simpleswap", 1, "0.3", "0"),
    ("changenow", 1, "0.3", "0.5"),
    ("coinpayments", 2, "0.5", "0.5"),
    ("coingate", 2, "0.5", "1"),
    ("binance", 3, "0.6", "0.1"),
    ("kraken", 3, "0.4", "0.16"),
    ("dex", 4, "1", "0"),
]


def test_the_example_is_the_hierarchy_of_the_documents() -> None:
    policy = read_settings(EXAMPLE).policy
    told = [(one.id, int(one.priority), str(one.weight), str(one.fees.percent)) for one in policy.providers]
    assert told == HIERARCHY
    by_id = policy.by_id
    assert by_id["simpleswap"].fees.spread > 0
    assert [name for name, one in by_id.items() if one.fees.withdrawal] == ["binance", "kraken"]
    assert by_id["kraken"].fees.withdrawal["BTC"] == Decimal("0.0001")
    assert by_id["dex"].fees == Fees()


def test_the_thresholds_of_the_example_are_those_of_the_documents() -> None:
    policy = read_settings(EXAMPLE).policy
    own = {name: (one.max_failures, one.recovery_time_ms) for name, one in policy.by_id.items() if one.max_failures}
    assert own == {"btcpay_lightning": (3, 300_000), "simpleswap": (5, 600_000)}
    assert (policy.max_failures, policy.recovery_time_ms) == (3, 300_000)


def test_the_example_says_what_is_so_without_it_but_for_the_services() -> None:
    read = read_settings(EXAMPLE)
    assert (read.enabled, read.policy.parallel_queries) == (True, True)
    usual = Policy(strategy=Strategy.WEIGHTED, trust_ping=True, retry_attempts=0)
    assert read.policy.with_providers([]) == usual


@pytest.mark.long
def test_the_mining_pool_pays_out_through_the_whole_hierarchy_and_twice_to_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(ROOT / "examples" / "mining_pool_payouts.py"), run_name="__main__")
    told = capsys.readouterr().out
    assert told.count(" BTC by ") == 30
    assert [line.split()[1] for line in told.splitlines() if "**" in line] == [
        "mode:degraded,",
        "mode:emergency,",
        "mode:normal,",
    ]
    assert told.count(" refused, and nothing has moved: ") == 1
    assert told.count(" held: it may have been executed, ") == 1
    assert "31 conversions, 5 failovers" in told
    assert told.endswith("the services' own books have 31 conversions\n")
    assert answered("verify", "payouts.db")["ok"]
