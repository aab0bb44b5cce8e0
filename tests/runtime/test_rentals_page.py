"""The page on rentals: its programs run, and its sentences are what the log tells."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli import listing
from cli.command_line import answered, said
from repository import ROOT
from test_pages import blocks, perform

from understudy.adapters.rental import rent_number_with_failover
from understudy.engine import NoProviderAvailable

PAGE = (ROOT / "docs" / "rentals.md").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


async def test_the_program_of_the_page_rents(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, used, _ = blocks(PAGE, "python")
    names: dict[str, Any] = {}
    await perform(made, names)
    await perform(used, names)
    rental = names["rental"]
    assert (
        capsys.readouterr().out == "rented from beta for 0.42\n" or rental.provider == "alpha"
    )  # The lists may be late.
    assert (rental.number, names["code"]) == ("+15550100", "482133")


async def test_bids_of_the_page_come_first_and_a_bid_too_low_rents_from_nobody(folder: Path) -> None:
    made, _, bids = blocks(PAGE, "python")
    names: dict[str, Any] = {}
    await perform(made, names)
    await perform(bids, names)
    async with names["bidding"] as engine:
        for shop in ("alpha", "beta"):
            await engine.ask(shop, "sync")
        won = await rent_number_with_failover("us", "wa", engine=engine)
        assert (won.provider, won.price) == ("alpha:free_price", Decimal("0.20"))
        names["alpha"].lowest = Decimal("0.60")
        outbid = await rent_number_with_failover("us", "wa", engine=engine)
        assert (outbid.provider, outbid.price, outbid.failovers) == ("beta", Decimal("0.42"), 1)
        with pytest.raises(Exception, match="outbid"):
            await rent_number_with_failover("us", "wa", engine=engine, max_price="0.10")
        engine.override("alpha:free_price", "open", actor="ann", reason="no bids today")
        with pytest.raises(NoProviderAvailable) as refused:
            await rent_number_with_failover("us", "wa", engine=engine, max_price="0.10")
    assert set(refused.value.vetoes.values()) == {"forced_open", "price_above_max"}


def test_the_story_of_a_rental_tells_what_was_believed_and_what_it_cost(folder: Path) -> None:
    listing.write(folder / "rentals.db")
    story = said("explain", "rentals.db", "last")
    assert blocks(PAGE, "")[-1].strip() in " ".join(story.split())
    assert "costs 0.42, reference beta-1" in story
    assert "cost per success: beta 0.42" in said("status", "rentals.db")
    costs = {one["provider"]: one["cost_per_success"] for one in answered("status", "rentals.db")["providers"]}
    assert costs == {"alpha": None, "beta": "0.42"}
    assert Decimal(costs["beta"]) == Decimal("0.42")
