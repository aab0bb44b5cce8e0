"""Whatever a provider returns or raises, its call has exactly one end in the log, and its request goes on."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from providers_for_tests import Searchable, Told

from understudy.engine import (
    Ambiguous,
    Finding,
    Found,
    OutcomeUnknown,
    Policy,
    ProviderError,
    RateLimited,
    Reply,
    Strategy,
    Transient,
)

IN_ORDER = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, request_timeout_ms=500)


class Wordless(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def ends(stage: Any) -> list[str]:
    with stage.logs[-1].reader() as reader:
        return [
            row.kind
            for row in reader.rows()
            if row.kind in {"call_succeeded.v1", "call_failed.v1", "call_abandoned.v1"}
        ]


@pytest.mark.parametrize(
    "answer",
    [
        Reply(value=1, reference=123),  # type: ignore[arg-type]
        Reply(value=1, cost="EUR 1"),  # type: ignore[arg-type]
        Reply(value=1, cost=Decimal("NaN")),
        Reply(value=1, stock="many"),  # type: ignore[arg-type]
        Reply(value=object()),
        Reply(value={1: {2, 3}}),
    ],
)
def test_a_sloppy_answer_is_a_success_all_the_same(stage: Any, answer: Reply) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", [answer]), policy=IN_ORDER) as engine:
            assert (await engine.call("x", effect="once")).provider == "a"
            assert engine.unsettled == ()

    stage.play(act)
    assert ends(stage) == ["call_succeeded.v1"]


@pytest.mark.parametrize(
    "raised",
    [Ambiguous(ValueError("reset")), ProviderError("plain"), Wordless(), Transient("x", retry_after_ms="soon")],  # type: ignore[arg-type]
)
def test_a_sloppy_failure_is_a_failure_and_nothing_worse(stage: Any, raised: Exception) -> None:
    async def act() -> None:
        found = Found(finding=Finding.SUCCEEDED, value=7)
        async with stage.engine(Searchable("a", [raised], findings=[found]), Told("b"), policy=IN_ORDER) as engine:
            assert (await engine.call("x", effect="once")).provider in {"a", "b"}
            assert engine.unsettled == ()

    stage.play(act)
    assert ends(stage)[0] == "call_failed.v1"


@pytest.mark.parametrize("pause_ms", [0, -1, float("inf"), float("nan")])
def test_who_throttles_without_naming_a_time_does_not_keep_the_request_from_the_next(
    stage: Any, pause_ms: float
) -> None:
    async def act() -> None:
        throttling = Told("a", default=RateLimited("slow", retry_after_ms=pause_ms))  # type: ignore[arg-type]
        async with stage.engine(throttling, Told("b"), policy=IN_ORDER) as engine:
            assert (await engine.call("x", effect="once")).provider == "b"
            assert (len(throttling.calls), engine.unsettled) == (1, ())

    stage.play(act)


def test_what_an_adapter_makes_of_our_own_cancellation_is_not_believed(stage: Any) -> None:
    async def swallow() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            raise Transient("surely not executed") from error

    async def act() -> None:
        other = Told("b")
        async with stage.engine(Told("a", [swallow]), other, policy=IN_ORDER) as engine:
            with pytest.raises(OutcomeUnknown):
                await engine.call("x", effect="once")
        assert other.calls == []

    stage.play(act)


def test_an_early_absence_proves_nothing_once_its_provider_is_gone(stage: Any) -> None:
    async def act() -> None:
        absent = Found(finding=Finding.ABSENT)
        slow = Searchable("a", [Ambiguous("reset")], findings=[absent] * 3)
        slow.settle_ms = 60_000  # type: ignore[attr-defined]
        async with stage.engine(slow, Told("b"), policy=IN_ORDER, log=stage.file()) as engine:
            with pytest.raises(OutcomeUnknown):
                await engine.call("x", effect="once", deadline_ms=3_000)
        async with stage.engine(Told("b"), policy=IN_ORDER, log=stage.file()) as engine:
            await asyncio.sleep(1)
            assert len(engine.unsettled) == 1

    stage.play(act)


def test_a_start_that_fails_leaves_the_log_free(stage: Any) -> None:
    async def act() -> None:
        log = stage.file()
        async with stage.engine(Told("a"), log=log):
            pass
        broken = stage.engine(Told("a"), log=log)
        broken._policy = None
        with pytest.raises(AttributeError):
            await broken.start()
        async with stage.engine(Told("a"), log=stage.file()) as engine:
            await engine.call("x")

    stage.play(act)


def test_where_a_foreign_exception_was_raised_can_be_read_and_nothing_of_its_values(
    stage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    value = "secret-4711"

    async def broken_here() -> None:
        raise TypeError(value)

    async def act() -> None:
        async with stage.engine(Told("a", default=broken_here), policy=IN_ORDER) as engine:
            with pytest.raises(OutcomeUnknown):
                await engine.call("x", effect="once")

    with caplog.at_level("DEBUG", logger="understudy.calls"):
        stage.play(act)
    told = [one.getMessage() for one in caplog.records if one.name == "understudy.calls"]
    assert "a raised TypeError in x" in told[0]
    assert "in broken_here" in told[0]
    assert value not in told[0]
