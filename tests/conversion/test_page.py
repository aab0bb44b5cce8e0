"""The page on conversions: its program runs, its files can be loaded, its refusals are what is said."""

import re
from pathlib import Path
from typing import Any

import pytest
from repository import ROOT
from test_pages import blocks, perform

from understudy.adapters.conversion import SettingsError, read_settings
from understudy.adapters.conversion.conversion import Conversion

PAGE = (ROOT / "docs" / "conversions.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_the_program_of_the_page_converts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, used, _ = blocks(PAGE, "python")
    names: dict[str, Any] = {}
    await perform(made, names)
    await perform(used, names)
    result = names["result"]
    assert isinstance(result, Conversion)
    assert (result.service, result.reference) == ("btcpay_lightning", "btcpay_lightning-1")
    assert capsys.readouterr().out == "Conversion completed via btcpay_lightning\n"
    assert {one.verdict for one in names["offers"]} == {"eligible"}
    assert names["stats"]["totalConversions"] == 1


async def test_the_file_and_the_descriptions_of_the_page_make_a_converter(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (settings,), (described,) = blocks(PAGE, "json"), blocks(PAGE, "toml")
    (folder / "pool.json").write_text(settings)
    (folder / "services.toml").write_text(described)
    monkeypatch.setenv("SIMPLESWAP_KEY", "a-key-of-ours")
    names: dict[str, Any] = {}
    await perform("from understudy.adapters.conversion import MultiServiceConverter", names)
    await perform("from understudy.adapters import SqliteLog", names)
    await perform(blocks(PAGE, "python")[2], names)
    policy = names["converter"].policy
    assert [(one.id, one.has_lookup, one.two_part) for one in policy.providers] == [
        ("simpleswap", True, False),
        ("kraken", True, True),
    ]


def test_the_refusals_of_the_page_are_what_is_said(folder: Path) -> None:
    text = '{\n"multiService": {\n\n"maxFailuers": 3,\n"services": [\n\n\n\n{"id": "kraken", "weight": -1}]}}'
    Path("pool.json").write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_settings(Path("pool.json"))
    shown = next(block for block in blocks(PAGE, "") if block.startswith("pool.json"))
    assert str(caught.value) == shown.strip()


def test_every_setting_of_the_documents_is_on_the_page() -> None:
    table = PAGE.partition("| setting |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`([A-Za-z]+)`", "\n".join(line.split("|")[1] for line in table.splitlines()[2:])))
    assert named == {
        *("enabled", "parallelQueries", "maxParallelRequests", "requestTimeout", "loadBalancing", "autoFailover"),
        *(
            "alwaysUseBestRate",
            "maxRateDifference",
            "maxServiceFailures",
            "serviceRecoveryTime",
            "secrets",
            "services",
            "alerts",
            "archive",
        ),
    }
