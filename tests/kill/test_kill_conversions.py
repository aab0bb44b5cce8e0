"""Money never moves twice: whatever services do after it has moved, and whenever the converter is killed."""

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest
from exchange_for_tests import Exchange
from kill.letting_down import FAULTS, LettingDown

from understudy.adapters import SqliteReader
from understudy.events.calls import CallStarted, CallSucceeded
from understudy.events.codec import decode
from understudy.events.requests import RequestAccepted, RequestCompleted, RequestFailed, RequestSuspended
from understudy.events.vocabulary import Finding
from understudy.replay.verify import verify

TESTS = Path(__file__).parents[1]
PATIENCE_S = 240
SETTINGS = {
    "requestTimeout": 200,
    "maxServiceFailures": 100_000,
    "deadlineMs": 8_000,
    "lookupIntervalMs": 20,
    "lookupIntervalCapMs": 100,
}
DOUBTFUL = """settle_ms = 1000
rules = [{ status = 500, kind = "ambiguous" }]
"""
"""What a service promises must hold while the cores are busy, too: an order that is starved of time comes late."""


async def work(config: Path, database: Path, payouts: int, *, killed_after_s: float | None) -> list[str]:
    """What callers were told before the worker ended, or was killed."""
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "kill.convert_worker", str(config), str(database), str(payouts)),
        cwd=TESTS,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    assert worker.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        assert await worker.stdout.readline() == b"open\n"
        if killed_after_s is not None:
            asyncio.get_running_loop().call_later(killed_after_s, _kill, worker)
        told = (await worker.stdout.read()).decode().splitlines()
        await worker.wait()
    if killed_after_s is None:
        assert worker.returncode == 0
        assert told.pop() == "end"
    return [line for line in told if line.startswith("told ")]


def _kill(worker: asyncio.subprocess.Process) -> None:
    if worker.returncode is None:
        worker.kill()


async def play(folder: Path, *faults: str, payouts: int, kills: int, with_lookup: bool = True, seed: int = 1) -> None:
    dice = random.Random(f"{faults}/{seed}")
    letting_down = LettingDown(faults, dice)
    with letting_down.exchange() as services:
        described = services.descriptions if with_lookup else services.descriptions_without_lookup
        (folder / "services.toml").write_text(described.replace("key_header", f"{DOUBTFUL}key_header"))
        entries = [{"id": name, "api": "services.toml"} for name in services.services]
        config = folder / "pool.json"
        config.write_text(json.dumps({"multiService": {**SETTINGS, "services": entries}}))
        for _ in range(kills):
            await work(config, folder / "calls.db", payouts, killed_after_s=dice.uniform(0.1, 1.5))
        told = await work(config, folder / "calls.db", payouts, killed_after_s=None)
    assert letting_down.met > payouts * letting_down.share / 3, "the fault has happened"
    check(folder / "calls.db", services, told, payouts=payouts)


def check(database: Path, services: Exchange, told: list[str], *, payouts: int) -> None:
    """The services' books, the log, and what callers were told, held against one another."""
    with SqliteReader.open(database) as reader:
        assert verify(reader).ok
        events = [decode(row) for row in reader.rows()]
    outcomes = {int(number): how for _, number, how in (line.split() for line in told)}
    assert sorted(outcomes) == list(range(payouts))
    assert set(outcomes.values()) <= {"served", "held"}
    orders = [order for service in services.services.values() for order in service.orders.values()]
    executed = Counter(order["amount"] for order in orders)
    assert [amount for amount, times in executed.items() if times > 1] == [], "no payout was executed twice"
    amounts = {Decimal(amount) for amount in executed}
    for number, how in outcomes.items():
        assert how == "held" or Decimal(1) + Decimal(number) / 1_000_000 in amounts
    assert paid_by_the_log(events, services) == sum(Decimal(one["toAmount"]) for one in orders)


def paid_by_the_log(events: Sequence[object], services: Exchange) -> Decimal:
    """What the log says was paid out: by what was answered or looked up, and by the books where it is held."""
    keys = {
        (one.request_id, one.provider): one.key
        for one in events
        if isinstance(one, CallStarted) and one.operation == "convert"
    }
    paid = {
        one.request_id: one.amount_out
        for one in events
        if isinstance(one, CallSucceeded) and one.operation != "quote" and one.finding in {None, Finding.SUCCEEDED}
    }
    ended = {one.request_id: one for one in events if isinstance(one, RequestCompleted | RequestFailed)}
    total = sum(
        (paid[one] or Decimal(0) for one, end in ended.items() if isinstance(end, RequestCompleted)), Decimal(0)
    )
    held = {one.request_id: one for one in events if isinstance(one, RequestSuspended) and one.request_id not in ended}
    assert {one.request_id for one in events if isinstance(one, RequestAccepted)} == {*ended, *held}
    for request_id, one in held.items():
        done = services.services[one.provider].orders.get(keys[request_id, one.provider])
        total += Decimal(done["toAmount"]) if done else 0
    return total


async def test_whatever_services_do_after_the_money_has_moved_it_moves_once(tmp_path: Path) -> None:
    await play(tmp_path, *FAULTS, payouts=60, kills=2)


@pytest.mark.soak
@pytest.mark.parametrize("fault", FAULTS)
async def test_of_a_thousand_conversions_with_crashes_in_between_each_moves_once(tmp_path: Path, fault: str) -> None:
    await play(tmp_path, fault, payouts=1_000, kills=8, seed=2)


@pytest.mark.soak
async def test_without_a_look_up_what_is_in_doubt_is_held_and_moved_once(tmp_path: Path) -> None:
    await play(tmp_path, *FAULTS, payouts=200, kills=4, with_lookup=False)
