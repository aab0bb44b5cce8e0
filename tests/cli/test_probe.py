"""`understudy probe` where no engine runs: the rest ends, and the next engine does what is left to do."""

import asyncio
from pathlib import Path

import pytest
from cli.command_line import answered, refused, said
from providers_for_tests import Pingable, Told

from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.engine import Engine, Policy, Strategy, Transient
from understudy.replay.verify import verify

ONE_FAILURE_OPENS = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, max_failures=1)


async def opened(path: Path, alpha: Told) -> None:
    """A log at whose end the circuit of alpha is open."""
    async with Engine(providers=[alpha, Told("beta")], log=SqliteLog(path), policy=ONE_FAILURE_OPENS) as engine:
        assert (await engine.call("x")).provider == "beta"
        assert engine.health()[0].verdict == "circuit_open"


def assert_sound(path: Path) -> None:
    with SqliteReader.open(path) as reader:
        verification = verify(reader)
        assert verification.ok, verification
        assert reader.commands_waiting() == 0


async def test_the_next_request_of_the_next_engine_probes(tmp_path: Path) -> None:
    path, alpha = tmp_path / "calls.db", Told("alpha", [Transient("down")])
    await opened(path, alpha)
    text = await asyncio.to_thread(said, "probe", path, "alpha", "--actor", "ann")
    assert text.startswith(
        f"{path}: alpha cannot be pinged: the next request finds out\n  by     ann: is it well again?"
    )
    assert text.endswith("  now    unavailable: its circuit lets one request probe\n")
    async with Engine(providers=[alpha, Told("beta")], log=SqliteLog(path), policy=ONE_FAILURE_OPENS) as engine:
        assert (await engine.call("x")).provider == "alpha"
        assert engine.health()[0].verdict == "eligible"
    assert_sound(path)


async def test_the_next_engine_pings_at_once_whoever_can_be_pinged(tmp_path: Path) -> None:
    path, alpha = tmp_path / "calls.db", Pingable("alpha", [Transient("down")])
    await opened(path, alpha)
    found = await asyncio.to_thread(answered, "probe", path, "alpha")
    assert found["event"]["kind"] == "probe_requested.v1"
    assert (found["ping"], found["provider"]["verdict"]) == (None, "circuit_half_open_awaits_ping")
    pings = alpha.pings
    async with Engine(providers=[alpha, Told("beta")], log=SqliteLog(path), policy=ONE_FAILURE_OPENS) as engine:
        async with asyncio.timeout(20):
            while alpha.pings == pings:  # noqa: ASYNC110 - It is due at once, and nobody is told.
                await asyncio.sleep(0)
        assert engine.health()[0].verdict == "probe"
    assert_sound(path)


async def test_it_says_that_the_next_engine_pings(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    await opened(path, Pingable("alpha", [Transient("down")]))
    text = await asyncio.to_thread(said, "probe", path, "alpha", "--reason", "they say it is over")
    assert "alpha is pinged when the next engine starts\n" in text
    assert ": they say it is over\n" in text


async def test_a_probe_that_can_lead_to_nothing_is_refused_and_leaves_no_alert(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    await opened(path, Told("alpha", [Transient("down")]))
    sentence = await asyncio.to_thread(refused, "probe", path, "beta")
    assert sentence == "the circuit of 'beta' is closed, and it cannot be pinged: there is nothing to probe"
    await asyncio.to_thread(said, "override", path, "alpha", "open", "--reason", "invoice", "--actor", "bob")
    sentence = await asyncio.to_thread(refused, "probe", path, "alpha")
    assert sentence == "'alpha' is forced open by bob, so that no request may probe it; clear that first"
    assert (await asyncio.to_thread(answered, "status", path))["alerts"] == []
    assert_sound(path)


def test_an_unknown_provider_is_refused_with_the_nearest(own_log: Path) -> None:
    assert refused("probe", own_log, "alhpa") == ("the policy in force has no provider 'alhpa'; did you mean 'alpha'?")


@pytest.mark.parametrize("wait", ["soon", "-1s"])
def test_an_impossible_wait_is_refused(wait: str, own_log: Path) -> None:
    assert "is not a length of time" in refused("probe", own_log, "alpha", "--wait", wait)
