"""The end of a drill takes back what the drill has brought about, and nothing that is real."""

import asyncio
import logging
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from providers_for_tests import Told

from understudy.adapters.cli.finding import Verdict
from understudy.adapters.cli.under_drill import alert_found
from understudy.engine import AllProvidersFailed, Engine, Misconfigured, Policy, RateLimited, Strategy, Transient

WHO: Any = {"actor": "ann", "reason": "to see"}
RULES: Any = {"strategy": Strategy.IN_ORDER, "exploration": Decimal(0), "retry_attempts": 0, "alert_min_calls": 4}
BY_RATE = Policy(**RULES, max_failures=1_000, alert_fallback_share=Decimal(1), alert_success_margin=Decimal(5))
BY_SHARE = Policy(
    **RULES,
    max_failures=1_000,
    alert_success_rate=Decimal(0),
    alert_fallback_share=Decimal("0.3"),
    alert_fallback_requests=50,
)


async def hold_one_that_touches_nothing(engine: Engine, provider: str) -> None:
    engine.drill("brownout", provider, for_ms=60_000, share="0.01", delay_ms=1, **WHO)
    await asyncio.sleep(61)


def test_a_success_rate_between_its_marks_stays_an_alert(stage: Any) -> None:
    alpha, beta = Told("alpha", [Transient("down")] * 6), Told("beta")

    async def act() -> None:
        async with stage.engine(alpha, beta, policy=BY_RATE) as engine:
            for _ in range(62):  # Of the last 62 calls 90.3 % have succeeded: above 90 %, and not above 95 %.
                with suppress(AllProvidersFailed):
                    await engine.call("rent", only="alpha")
            assert "success_rate|alpha" in engine.standing.alerts
            await hold_one_that_touches_nothing(engine, "alpha")
            assert "success_rate|alpha" in engine.standing.alerts

    stage.play(act)


def test_a_provider_that_has_not_answered_since_its_ban_stays_an_alert(stage: Any) -> None:
    alpha, beta = Told("alpha", [RateLimited("ban", retry_after_ms=301_000)]), Told("beta")

    async def act() -> None:
        async with stage.engine(alpha, beta, policy=Policy(**RULES)) as engine:
            await engine.call("rent")
            await asyncio.sleep(300)
            await hold_one_that_touches_nothing(engine, "alpha")
            assert "long_throttle|alpha" in engine.standing.alerts

    stage.play(act)


def test_good_requests_during_a_drill_elsewhere_count_in_the_share_of_failovers(stage: Any) -> None:
    alpha, beta, gamma = Told("alpha", [Transient("down")] * 40), Told("beta"), Told("gamma")

    async def act() -> None:
        async with stage.engine(alpha, beta, gamma, policy=BY_SHARE) as engine:
            for _ in range(40):
                await engine.call("rent")
            assert "fallback_share|rent" in engine.standing.alerts
            engine.drill("outage", "gamma", for_ms=600_000, **WHO)
            for _ in range(50):
                await engine.call("rent")
            engine.stop_drill(**WHO)
            alpha.acts[:] = [Transient("down")]
            await engine.call("rent")
            assert "fallback_share|rent" not in engine.standing.alerts, "one of the last fifty"

    stage.play(act)


@pytest.mark.parametrize("also_fails_otherwise", [False, True])
def test_a_share_that_is_real_outlasts_a_drill_that_adds_to_it(stage: Any, *, also_fails_otherwise: bool) -> None:
    alpha, beta, gamma = Told("alpha", [Transient("down")] * 40), Told("beta"), Told("gamma")

    async def act() -> None:
        async with stage.engine(alpha, beta, gamma, policy=BY_SHARE) as engine:
            for _ in range(20 if also_fails_otherwise else 0):
                await engine.call("rent")
            alpha.acts.clear()
            engine.drill("outage", "alpha", for_ms=600_000, **WHO)
            for _ in range(20):
                await engine.call("rent")
            assert "fallback_share|rent" in engine.standing.alerts
            engine.stop_drill(**WHO)
            assert ("fallback_share|rent" in engine.standing.alerts) == also_fails_otherwise

    stage.play(act)


class Slow(Told):
    """Answers after two seconds."""

    def __init__(self, provider_id: str) -> None:
        super().__init__(provider_id, delay_s=2)


def test_what_a_drill_has_touched_counts_in_no_share_however_late_it_ends(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("alpha"), Slow("beta"), policy=BY_SHARE) as engine:
            engine.drill("outage", "alpha", for_ms=60_000, **WHO)
            calls = [asyncio.create_task(engine.call("rent")) for _ in range(20)]
            await asyncio.sleep(1)
            engine.stop_drill(**WHO)
            await asyncio.gather(*calls)
            assert "fallback_share|rent" not in engine.standing.alerts
            assert engine.standing.alerting.touched == {}

    stage.play(act)


@pytest.mark.parametrize("ends", ["at once", "with its engine"])
def test_the_logging_names_the_drill_of_an_alert_that_is_over_before_it_is_durable(
    stage: Any, caplog: pytest.LogCaptureFixture, ends: str
) -> None:
    caplog.set_level(logging.INFO)

    async def act() -> None:
        async with stage.engine(Told("alpha"), Told("beta"), policy=BY_RATE, log=stage.file()) as engine:
            engine.drill("outage", "alpha", for_ms=55_000, **WHO)
            for _ in range(4):
                await engine.call("rent")
            if ends == "at once":
                engine.stop_drill(**WHO)

    stage.play(act)
    (line,) = [one for one in caplog.messages if "less than" in one]
    assert "(drill " in line


def test_doctor_excuses_no_alert_that_a_drill_cannot_bring_about(stage: Any) -> None:
    alpha = Told("alpha", [Misconfigured("key revoked")])

    async def act() -> None:
        async with stage.engine(alpha, Told("beta"), policy=Policy(**RULES)) as engine:
            engine.drill("brownout", "alpha", for_ms=60_000, share="0.01", delay_ms=1, **WHO)
            await engine.call("rent")
            (name,) = engine.standing.alerts
            assert name == "misconfigured|alpha"
            assert alert_found(engine.standing, name, since_us=engine.standing.at_us).verdict is Verdict.ADVICE

    stage.play(act)
