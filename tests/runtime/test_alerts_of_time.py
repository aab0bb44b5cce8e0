"""The alert that time alone raises follows from no event: neither replay nor a later start asks an older one again."""

import asyncio
from decimal import Decimal

from providers_for_tests import Pingable, Told
from runtime.conftest import Stage
from runtime.test_cut_off import beginning, rows_in

from understudy.engine import Policy, ProviderSettings, RateLimited, ServicePriority, Strategy, Transient
from understudy.events.operations import AlertRaised
from understudy.events.row import Row

ANN = {"actor": "ann", "reason": "they migrate"}


def policy(*providers: ProviderSettings, open_s: int) -> Policy:
    """In order, whose circuits open at the first failure and are told of after a while."""
    return Policy(
        strategy=Strategy.IN_ORDER,
        exploration=Decimal(0),
        retry_attempts=0,
        max_failures=1,
        alert_circuit_open_ms=open_s * 1000,
        alert_min_calls=100,
        providers=providers,
    )


def raised(stage: Stage) -> list[str]:
    return [row.payload for row in rows_in(stage.logs[0]) if row.kind == AlertRaised.kind]


def test_a_circuit_is_told_of_after_a_long_throttle_has_run_out_between_two_pings(stage: Stage) -> None:
    async def act() -> None:
        providers = (
            Pingable("alpha", [RateLimited("slow", retry_after_ms=300_500)]),
            Told("gamma", [Transient("no")]),
            Told("beta"),
        )
        told = policy(
            ProviderSettings(id="alpha", has_ping=True),
            ProviderSettings(id="gamma"),
            ProviderSettings(id="beta"),
            open_s=308,
        )
        async with stage.engine(*providers, policy=told) as engine:
            await asyncio.sleep(1)
            await engine.call("x")
            await asyncio.sleep(600)
            await engine.call("x")

    stage.play(act)
    assert any("circuit_open" in payload for payload in raised(stage)), "or the test shows nothing"


def forced_for_a_while(stage: Stage) -> list[Row]:
    """A log in which a forced state runs out before a circuit is told of, and nothing happens in between."""

    async def act() -> None:
        told = policy(
            ProviderSettings(id="alpha", priority=ServicePriority.PRIMARY),
            ProviderSettings(id="gamma", priority=ServicePriority.SECONDARY),
            ProviderSettings(id="beta", priority=ServicePriority.SECONDARY, has_ping=True),
            open_s=17,
        )
        shops = (Told("alpha"), Told("gamma", [Transient("no")]), Pingable("beta"))
        async with stage.engine(*shops, policy=told) as engine:
            await asyncio.sleep(11)
            engine.override("alpha", "open", for_ms=19_000, **ANN)
            await asyncio.sleep(5)
            await engine.call("x")
            await asyncio.sleep(60)
            await engine.call("x")

    stage.play(act)
    return rows_in(stage.logs[0])


def test_a_circuit_is_told_of_after_a_forced_state_has_run_out_between_two_pings(stage: Stage) -> None:
    forced_for_a_while(stage)
    assert len(raised(stage)) == 1, "or the test shows nothing"


def test_a_start_after_a_crash_right_behind_it_adds_nothing_to_what_came_before(stage: Stage) -> None:
    rows = forced_for_a_while(stage)
    end = next(row.seq for row in rows if row.kind == AlertRaised.kind and "circuit_open" in row.payload)

    async def act() -> None:
        log = await beginning(rows[:end])
        async with stage.engine(Told("alpha"), Told("gamma"), Pingable("beta"), log=log, watch=False):
            pass
        assert rows_in(log)[end].kind == "engine_started.v1"

    stage.play(act)
