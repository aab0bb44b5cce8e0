"""`understudy release` where no engine runs: the next one asks for the quotes again."""

import asyncio
from pathlib import Path

from cli.command_line import answered, refused, said
from quoters import CONVERT, ETH_BTC, Quoter

from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.engine import Engine, Policy
from understudy.replay.verify import verify


async def confined(path: Path) -> None:
    """A log at whose end `liar` is in quarantine."""
    providers = [
        Quoter(name, rate, quote_s=0, call_s=0) for name, rate in (("liar", "0.06"), ("a", "0.05"), ("b", "0.05"))
    ]
    policy = Policy(quarantine_after=1)
    async with Engine(providers=providers, log=SqliteLog(path), policy=policy, operations=(CONVERT,)) as engine:
        await engine.call("convert", context=ETH_BTC, amount=1)
        assert engine.standing.quotes.quarantines.keys() == {"liar|ETH/BTC"}


async def test_it_is_released_and_the_alert_is_over(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    await confined(path)
    found = await asyncio.to_thread(answered, "status", path)
    assert found["alerts"] == ["quarantine liar ETH/BTC"]
    words = ("release", path, "liar", "ETH/BTC", "--reason", "fixed", "--actor", "ann")
    text = await asyncio.to_thread(said, *words)
    assert text.startswith(f"{path}: liar is out of quarantine for ETH/BTC: its quotes count again\n")
    found = await asyncio.to_thread(answered, "status", path)
    assert found["alerts"] == []
    assert await asyncio.to_thread(refused, *words) == "'liar' is not in quarantine for 'ETH/BTC'; it is in none"
    with SqliteReader.open(path) as reader:
        assert verify(reader).ok


async def test_the_pair_may_be_typed_in_any_case(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    await confined(path)
    text = await asyncio.to_thread(said, "release", path, "liar", "eth/Btc", "--reason", "fixed")
    assert f"{path}: liar is out of quarantine for ETH/BTC: " in text
    assert (await asyncio.to_thread(answered, "status", path))["alerts"] == []


async def test_a_pair_without_quarantine_is_refused_as_it_was_typed(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    await confined(path)
    told = await asyncio.to_thread(refused, "release", path, "liar", "eth/btx", "--reason", "fixed")
    assert told == "'liar' is not in quarantine for 'eth/btx'; it is for ETH/BTC"
    told = await asyncio.to_thread(refused, "release", path, "a", "eth/btc", "--reason", "fixed")
    assert told == "'a' is not in quarantine for 'eth/btc'; it is in none"


async def test_a_quarantine_is_shown_with_its_pair_and_its_end_as_long_as_it_lasts(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    await confined(path)
    found = await asyncio.to_thread(answered, "status", path)
    liar, honest, _ = found["providers"]
    ((pair, until),) = [(one["pair"], one["until"]) for one in liar["quarantines"]]
    assert (pair, honest["quarantines"]) == ("ETH/BTC", [])
    assert liar["reason"].startswith(f"in quarantine for ETH/BTC, until {until} (in ")
    assert f"in quarantine for ETH/BTC, until {until}" in await asyncio.to_thread(said, "status", path)
    later = await asyncio.to_thread(answered, "status", path, "--at", "2100-01-01")
    assert (later["providers"][0]["quarantines"], later["providers"][0]["reason"]) == ([], None)


async def test_as_json_it_tells_the_event(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    await confined(path)
    told = await asyncio.to_thread(answered, "release", path, "liar", "ETH/BTC", "--reason", "fixed", "--actor", "ann")
    assert (told["done"], told["event"]["kind"]) == (True, "quarantine_released.v1")
    assert told["event"]["told"] == "liar is out of quarantine for ETH/BTC, by ann: fixed"
    sentence = await asyncio.to_thread(refused, "release", path, "lair", "ETH/BTC", "--reason", "fixed")
    assert "did you mean 'liar'?" in sentence
