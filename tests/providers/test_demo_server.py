"""The demonstration servers do as planned or directed, and their books say what was done."""

import asyncio
import socket
from collections import Counter
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import pytest
from http_for_tests import error_of, limited, until

from understudy.adapters.demo import (
    Act,
    DemoShop,
    Fault,
    Line,
    Plan,
    ProviderServer,
    Spell,
    plan_of,
    read_books,
)
from understudy.engine import (
    Ambiguous,
    Effect,
    Finding,
    InsufficientFunds,
    InvalidReply,
    Misconfigured,
    NotOffered,
    OutOfStock,
    ProviderError,
    RateLimited,
    Rejected,
    Reply,
    Request,
    TimedOut,
    TooExpensive,
    Transient,
)
from understudy.replay.scenario import bundled_scenario

HASTY = limited(headers_ms=40, body_ms=40)
"""For those who get no answer; who does has all the time in the world."""
ONCE = Request(request_id="r-1", operation="rent", effect=Effect.ONCE)
ENDINGS: list[tuple[Fault, type[ProviderError] | None, int]] = [
    # what befalls it, how it ends for a write, how often it was executed
    (Fault.RESET, Ambiguous, 0),
    (Fault.HANG, TimedOut, 0),
    (Fault.LATE, TimedOut, 0),
    (Fault.TWICE, None, 2),
    (Fault.SLOW_BODY, TimedOut, 1),
    (Fault.TRUNCATED, InvalidReply, 1),
    (Fault.WRONG_TYPE, InvalidReply, 1),
    (Fault.NO_JSON, InvalidReply, 1),
    (Fault.NO_HTTP, InvalidReply, 1),
    (Fault.OVERSIZED, InvalidReply, 1),
    (Fault.REDIRECT, InvalidReply, 0),
    (Fault.ERROR_IN_200, Transient, 0),
    (Fault.SOLD_OUT, OutOfStock, 0),
    (Fault.NOT_OFFERED, NotOffered, 0),
    (Fault.TOO_EXPENSIVE, TooExpensive, 0),
    (Fault.REJECTED, Rejected, 0),
    (Fault.UNAUTHORIZED, Misconfigured, 0),
    (Fault.UNFUNDED, InsufficientFunds, 0),
    (Fault.THROTTLED, RateLimited, 0),
    (Fault.BROKEN, Ambiguous, 0),
    (Fault.UNAVAILABLE, Transient, 0),
]


async def order(shop: DemoShop, key: str = "k-1") -> Reply:
    return await shop.call("rent", ONCE, key=key, deadline=until())


@pytest.mark.parametrize(("fault", "kind", "executions"), ENDINGS)
async def test_each_fault_looks_on_the_wire_as_it_is_called(
    fault: Fault, kind: type[ProviderError] | None, executions: int
) -> None:
    limits = HASTY if kind is TimedOut else limited()
    async with ProviderServer("alpha") as server, DemoShop("alpha", server.url, limits=limits) as shop:
        server.will(fault)
        if kind is None:
            assert (await order(shop)).reference == "alpha-1"
        else:
            assert type(await error_of(order(shop))) is kind
        async with DemoShop("alpha", server.url) as another:
            assert (await order(another, "k-2")).reference is not None  # The next one is served as ever.
        assert server.books.executions.get("k-1", 0) == executions


def test_every_fault_is_tried_above() -> None:
    assert {fault for fault, _, _ in ENDINGS} == set(Fault)


@pytest.mark.parametrize("fault", [Fault.RESET, Fault.HANG, Fault.BROKEN])
async def test_a_fault_may_come_after_the_execution(fault: Fault) -> None:
    async with ProviderServer("alpha") as server, DemoShop("alpha", server.url) as shop:
        server.will(Act(fault=fault, executes=True))
        async with DemoShop("alpha", server.url, limits=HASTY) as hasty:
            await error_of(order(hasty))
        assert server.books.executions == {"k-1": 1}
        found = await shop.lookup("rent", ONCE, key="k-1", deadline=until())
        assert (found.finding, found.reference) == (Finding.SUCCEEDED, "alpha-1")


async def test_what_comes_late_is_pending_until_it_is_done() -> None:
    async with ProviderServer("alpha") as server, DemoShop("alpha", server.url) as shop:
        server.will(Fault.LATE)
        async with DemoShop("alpha", server.url, limits=HASTY) as hasty:
            await error_of(order(hasty))
        assert (await shop.lookup("rent", ONCE, key="k-1", deadline=until())).finding is Finding.PENDING
        assert (await shop.lookup("rent", ONCE, key="k-2", deadline=until())).finding is Finding.ABSENT
        server.finish_late()
        assert (await shop.lookup("rent", ONCE, key="k-1", deadline=until())).finding is Finding.SUCCEEDED
        assert server.books.executions == {"k-1": 1}


async def test_a_server_that_knows_repeats_executes_once_for_a_key() -> None:
    async with ProviderServer("alpha", Plan(dedupes=True)) as server, DemoShop("alpha", server.url) as shop:
        server.will(Fault.TWICE)
        first = await order(shop)
        assert (await order(shop)) == first
        assert server.books.executions == {"k-1": 1}
        assert len(server.books.delivered()) == 3


async def test_a_line_that_refuses_keeps_its_port_and_can_be_opened_again() -> None:
    async with ProviderServer("alpha") as server, DemoShop("alpha", server.url) as shop:
        address = server.url
        for _ in range(3):
            await order(shop)
            await server.change(Line.REFUSES)
            error = await error_of(order(shop))
            assert (type(error), getattr(error, "code", None)) == (Transient, "ECONNREFUSED")
            await server.change(Line.OPEN)
        assert server.url == address
        assert len(server.books.delivered()) == 3


async def test_nobody_else_is_given_the_port_meanwhile() -> None:
    async with ProviderServer("alpha") as server:
        await server.change(Line.REFUSES)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(("127.0.0.1", int(server.url.rpartition(":")[2])))


async def test_a_line_that_stalls_takes_connections_and_says_nothing() -> None:
    async with ProviderServer("alpha", Plan(spells=(Spell(line=Line.STALLS),))) as server:
        async with DemoShop("alpha", server.url, limits=HASTY) as shop:
            assert isinstance(await error_of(order(shop)), TimedOut)
        async with DemoShop("alpha", server.url.replace("http:", "https:"), limits=limited(connect_ms=40)) as shop:
            assert isinstance(await error_of(order(shop)), Transient)
        assert [one.what for one in server.books.entries] == ["connected", "connected"], "and nothing was delivered"


async def test_outages_come_and_go_as_planned() -> None:
    down = Spell(from_s=0, until_s=0.06, line=Line.REFUSES)
    async with ProviderServer("alpha", Plan(spells=(Spell(), down))) as server, DemoShop("alpha", server.url) as shop:
        assert isinstance(await error_of(order(shop)), Transient)
        async with asyncio.timeout(5):
            await server.opened.wait()
        assert (await order(shop)).reference == "alpha-1"


async def test_more_calls_than_a_second_may_have_are_throttled() -> None:
    plan = Plan(spells=(Spell(calls_per_second=2, retry_after="3"),))
    async with ProviderServer("alpha", plan) as server, DemoShop("alpha", server.url) as shop:
        await order(shop, "k-1")
        await order(shop, "k-2")
        error = await error_of(order(shop, "k-3"))
        assert (type(error), error.retry_after_ms) == (RateLimited, 3_000)
        assert sorted(server.books.executions) == ["k-1", "k-2"]


async def test_what_there_is_runs_out_and_stock_says_so() -> None:
    async with ProviderServer("alpha", Plan(units=2)) as server, DemoShop("alpha", server.url) as shop:
        await order(shop, "k-1")
        assert (await shop.stock(ONCE, deadline=until())).stock == 1
        await order(shop, "k-2")
        assert isinstance(await error_of(order(shop, "k-3")), OutOfStock)
        assert (await shop.stock(ONCE, deadline=until())).stock == 0


@pytest.mark.parametrize(("pings", "ok"), [("as_calls", False), ("fine", True), ("fail", False)])
async def test_pings_are_answered_as_planned(pings: str, *, ok: bool) -> None:
    plan = Plan(spells=(Spell(shares={Fault.HANG: 1}, pings=pings),))
    limits = limited() if ok else HASTY
    async with ProviderServer("alpha", plan) as server, DemoShop("alpha", server.url, limits=limits) as shop:
        if ok:
            await shop.ping()
        else:
            assert isinstance(await error_of(shop.ping()), TimedOut | Transient)
        assert [one.kind for one in server.books.delivered("ping")] == ["ping"]


async def test_the_books_are_in_the_file_as_soon_as_something_has_happened(tmp_path: Path) -> None:
    file = tmp_path / "alpha.jsonl"
    async with ProviderServer("alpha", books=file) as server, DemoShop("alpha", server.url) as shop:
        server.will(Act(), Fault.RESET)
        await order(shop)
        await error_of(order(shop, "k-2"))
        assert [(one.what, one.key) for one in read_books(file)][:3] == [
            ("delivered", "k-1"),
            ("executed", "k-1"),
            ("delivered", "k-2"),
        ]
    assert read_books(file) == server.books.entries
    file.write_bytes(file.read_bytes()[:-5])
    assert len(read_books(file)) == len(server.books.entries) - 1


async def test_servers_leave_nothing_behind() -> None:
    before = asyncio.all_tasks()
    async with ProviderServer("alpha") as server, DemoShop("alpha", server.url) as shop:
        server.will(Fault.HANG, Fault.LATE)
        hanging = [asyncio.create_task(error_of(order(shop, f"k-{n}"))) for n in range(2)]
        async with asyncio.timeout(5):
            await server.books.until(2)
    await asyncio.gather(*hanging)
    assert asyncio.all_tasks() == before


def test_latencies_and_faults_have_the_planned_distribution() -> None:
    spell = Spell(latency_ms=100, p95_ms=400, shares={Fault.RESET: 0.2, Fault.BROKEN: 0.1}, executed_share=0.5)
    dice = Random(7)
    acts = [spell.roll(dice, under_way=0) for _ in range(4_000)]
    waits = sorted(one.wait_ms for one in acts)
    assert 90 < median(waits) < 110
    assert 350 < waits[round(0.95 * len(waits))] < 450
    faults = Counter(one.fault for one in acts)
    assert 0.17 < faults[Fault.RESET] / len(acts) < 0.23
    assert 0.08 < faults[Fault.BROKEN] / len(acts) < 0.12
    executed = [one.does_it for one in acts if one.fault is Fault.RESET]
    assert 0.4 < sum(executed) / len(executed) < 0.6


def test_a_spell_that_flaps_is_open_and_refusing_by_turns() -> None:
    spell = Spell(from_s=10, up_s=3, down_s=2)
    assert [spell.line_at(second) for second in (10, 12.9, 13, 14.9, 15)] == [
        Line.OPEN,
        Line.OPEN,
        Line.REFUSES,
        Line.REFUSES,
        Line.OPEN,
    ]


def test_the_last_of_overlapping_spells_counts() -> None:
    plan = Plan(spells=(Spell(latency_ms=1), Spell(from_s=5, until_s=10, latency_ms=2)))
    assert [plan.at(second).latency_ms for second in (0, 5, 9.9, 10)] == [1, 2, 2, 1]


@pytest.mark.parametrize("name", ["outage", "throttling", "ambiguous-once", "phantom-stock", "flapping", "brown-out"])
async def test_a_bundled_scenario_can_be_played_on_the_wire(name: str) -> None:
    scenario = bundled_scenario(name)
    plans: dict[str, Any] = {script.id: plan_of(script, seed=scenario.seed) for script in scenario.providers}
    for script in scenario.providers:
        spells = plans[script.id].spells
        assert [spell.latency_ms for spell in spells] == [phase.latency_ms for phase in script.phases]
        for spell, phase in zip(spells, script.phases, strict=True):
            assert (spell.line is Line.REFUSES) == (phase.state == "refuses")
            share = 1 if phase.state == "hangs" else float(sum(phase.failures.values()))
            assert sum(spell.shares.values()) == pytest.approx(share)
        async with ProviderServer(script.id, plans[script.id]) as server:
            assert server.url.startswith("http://127.0.0.1:")
