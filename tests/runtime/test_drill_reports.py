"""What is told of drills and loads afterwards, held against what a test has had happen."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from conversions_for_tests import events
from providers_for_tests import Told

from understudy.engine import Engine, InvalidRequest, Operation, Policy, ProviderSettings, RequestError, Strategy
from understudy.events.calls import CallStarted
from understudy.events.drills import DrillEnd, DrillEnded
from understudy.replay.drill_report import DrillReport, drills_of, report_on
from understudy.replay.load_report import LoadReport, load_report_on

WHO: Any = {"actor": "ann", "reason": "to see"}
POLICY = Policy(strategy=Strategy.IN_ORDER, exploration=Decimal(0), retry_attempts=0, max_failures=2)
OPERATIONS = (Operation(name="look"), Operation(name="rent", effect="once"))  # type: ignore[arg-type]


def played(stage: Any, *shops: Any, act: Callable[[Engine], Awaitable[Any]], policy: Policy = POLICY) -> Any:
    async def run() -> Any:
        async with stage.engine(*shops, policy=policy, operations=OPERATIONS) as engine:
            return await act(engine)

    return stage.play(run)


def told(stage: Any) -> DrillReport:
    with stage.logs[0].reader() as reader:
        return report_on(reader, drills_of(reader)[-1])


async def ask(engine: Engine, times: int) -> None:
    for _ in range(times):
        with suppress(RequestError):
            await engine.call("look")
        await asyncio.sleep(1)


def test_an_outage_is_told_from_the_first_fault_to_the_first_answer_after_it(stage: Any) -> None:
    async def act(engine: Engine) -> None:
        await ask(engine, 1)
        engine.drill("outage", "alpha", for_ms=10_000, **WHO)
        await asyncio.sleep(0.5)
        await ask(engine, 12)

    played(stage, Told("alpha", delay_s=0.1), Told("beta", delay_s=0.2), act=act)
    report = told(stage)
    # Requests at 0.5, 1.7 and 2.9 s: the first two meet alpha, and open its circuit; the ninth comes after the end.
    assert (report.requests, report.touched, report.failed, report.lost) == (8, 2, 2, 0)
    assert report.stood_in == {"beta": 2}
    assert (report.to_detect_us, report.noticed_by) == (1_200_000, "its circuit opened")
    assert report.to_recover_us == 200_000
    assert report.added_us == [0, 0]


def test_requests_that_nobody_could_serve_are_lost_and_the_mode_is_told_of(stage: Any) -> None:
    async def act(engine: Engine) -> None:
        engine.drill("outage", "alpha", for_ms=10_000, even_the_last=True, **WHO)
        await ask(engine, 3)

    played(stage, Told("alpha"), act=act, policy=POLICY.model_copy(update={"fallback_enabled": False}))
    report = told(stage)
    assert (report.touched, report.lost, report.stood_in) == (2, 2, {})
    assert report.serves_again_us is None


def test_what_is_held_back_is_told_with_how_long(stage: Any) -> None:
    async def act(engine: Engine) -> None:
        engine.drill("brownout", "alpha", for_ms=10_000, share="0.01", delay_ms=700, seed=1, **WHO)
        await ask(engine, 3)

    played(stage, Told("alpha"), Told("beta"), act=act)
    report = told(stage)
    assert (report.failed, report.held_back, report.lost, report.added_us) == (0, 3, 0, [700_000] * 3)


def load_of(stage: Any) -> LoadReport:
    with stage.logs[0].reader() as reader:
        return load_report_on(reader, drills_of(reader)[-1])


def test_a_load_is_sent_evenly_and_told_with_what_it_came_to(stage: Any) -> None:
    async def act(engine: Engine) -> None:
        engine.drill("load", for_ms=10_000, operation="look", per_second=20, context={"country": "us"}, **WHO)
        await asyncio.sleep(11)

    played(stage, Told("alpha", delay_s=0.3), act=act)
    report = load_of(stage)
    assert (report.sent, report.served, report.failed, report.by_provider) == (200, 200, 0, {"alpha": 200})
    assert (report.took(50), report.took(99), report.most) == (300_000, 300_000, 20)
    assert {(one.country, one.drill) for one in events(stage.logs[0], CallStarted)} == {("us", None)}


def test_a_load_keeps_to_the_limits_and_gives_way_to_whoever_waits(stage: Any) -> None:
    policy = POLICY.with_providers([ProviderSettings(id="alpha", max_in_flight=2)])

    async def act(engine: Engine) -> None:
        engine.drill("load", for_ms=60_000, operation="look", per_second=50, **WHO)
        await asyncio.sleep(5.1)
        assert "retry_scheduled" not in stage.kinds()  # None of its requests has waited.
        await engine.call("rent", idempotency_key="k1")
        assert not engine.standing.courses

    played(stage, Told("alpha", delay_s=0.5), act=act, policy=policy)
    (ended,) = events(stage.logs[0], DrillEnded)
    assert ended.cause is DrillEnd.GAVE_WAY
    assert load_of(stage).sent == pytest.approx(20, abs=3)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"operation": "rent"}, "of a declared `read` operation only, not 'rent'; there are look"),
        ({"operation": "pay"}, "of a declared `read` operation only, not 'pay'"),
        ({"per_second": 11}, "the limits allow 10 calls a second, not 11"),
        ({"context": {"": "c"}}, "a name in context"),
    ],
)
def test_a_load_that_must_not_be_is_refused(stage: Any, fields: dict[str, Any], says: str) -> None:
    policy = POLICY.with_providers([ProviderSettings(id="alpha", max_calls_per_second=10)])  # type: ignore[arg-type]

    async def act(engine: Engine) -> None:
        with pytest.raises(InvalidRequest, match=says):
            engine.drill("load", **{"for_ms": 1_000, "operation": "look", "per_second": 5, **WHO, **fields})

    played(stage, Told("alpha"), act=act, policy=policy)
