"""What the commands tell of a rental: of its own requests as of any other, and of a shop that is sold out."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from cli.command_line import answered, said
from cli.listing import Lister

from understudy.adapters.rental import RENTALS, rent_number_with_failover
from understudy.adapters.stores import SqliteLog
from understudy.engine import Engine
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A number rented, read and finished with, where one of two shops has none."""
    path = tmp_path_factory.mktemp("rentals") / "calls.db"
    log = SqliteLog(path, salt=b"of no importance")
    shops = [Lister("empty", left=0), Lister("stocked", codes=["1234"])]

    async def live() -> None:
        async with Engine(
            providers=shops, log=log, operations=RENTALS, system=VirtualSystem(seed=1), watch=False
        ) as engine:
            for shop in shops:
                await engine.ask(shop.id, "sync")
            rental = await rent_number_with_failover("us", "wa", engine=engine)
            assert await rental.code() == "1234"
            await rental.finish()
            await asyncio.sleep(1)

    run_virtual(live(), busy=lambda: log.busy)
    return path


def test_what_is_asked_about_a_rental_is_a_call_like_any_other(log: Path) -> None:
    found: list[dict[str, Any]] = answered("requests", log)["requests"]
    assert [(one["operation"], one["calls"], one["called"]) for one in found] == [
        (operation, 1, ["stocked"]) for operation in ("finish", "code", "rent")
    ]


def test_who_has_nothing_in_stock_scores_nothing(log: Path) -> None:
    story = said("explain", log, answered("requests", log)["requests"][-1]["request_id"])
    (line,) = [one.split() for one in story.splitlines() if "out of stock" in one and one.strip().startswith("-")]
    assert line[:6] == ["-", "empty", "1", "out", "of", "stock"]
    assert line[6] == "0.0"
    assert "recent success; 0 where nothing is in stock" in " ".join(story.split())
