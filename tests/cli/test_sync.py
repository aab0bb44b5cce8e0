"""`understudy sync` where no engine runs: the next one asks for the lists."""

import asyncio
from pathlib import Path

from cli.command_line import answered, refused, said
from cli.listing import Lister
from shops import Shop

from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.engine import Engine
from understudy.replay.verify import verify


async def until_listed(path: Path, *shops: Shop, times: int) -> None:
    async with Engine(providers=shops, log=SqliteLog(path)) as engine, asyncio.timeout(20):
        listers = [one for one in shops if isinstance(one, Lister)]
        while any(one.syncs < times for one in listers) or not engine.standing.stock:  # noqa: ASYNC110 - Nobody is told.
            await asyncio.sleep(0.01)


async def test_the_next_engine_asks_for_the_lists_again(tmp_path: Path) -> None:
    path, alpha, beta = tmp_path / "calls.db", Lister("alpha"), Lister("beta")
    await until_listed(path, alpha, beta, Shop("gamma"), times=1)
    text = await asyncio.to_thread(said, "sync", path, "--actor", "ann")
    assert text.startswith(
        f"{path}: alpha, beta are asked when the next engine starts for a list of what is on offer\n"
        "  by     ann: what is on offer?\n"
    )
    await until_listed(path, alpha, beta, Shop("gamma"), times=2)
    assert (alpha.syncs, beta.syncs) == (2, 2)
    with SqliteReader.open(path) as reader:
        assert verify(reader).ok


async def test_one_provider_alone_may_be_asked_and_only_one_that_can_list(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    await until_listed(path, Lister("alpha"), Shop("gamma"), times=1)
    found = await asyncio.to_thread(answered, "sync", path, "alpha", "--reason", "new prices", "--actor", "ann")
    assert (found["done"], found["providers"], found["event"]["kind"]) == (True, ["alpha"], "sync_requested.v1")
    assert found["event"]["told"] == "ann wants the lists of alpha at once: new prices"
    told = await asyncio.to_thread(refused, "sync", path, "gamma")
    assert told == "'gamma' cannot list what it has on offer; who can: alpha"
    found = await asyncio.to_thread(answered, "events", path, "--kind", "offers_listed")
    assert "alpha lists 1 offer" in str(found)
