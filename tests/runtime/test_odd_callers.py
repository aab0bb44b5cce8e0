"""Callers, adapters and receivers that do odd things: nobody else is harmed, and the log stays one that verifies."""

import asyncio
from typing import Any

import pytest
from providers_for_tests import Told, never

from understudy.engine import (
    AllProvidersFailed,
    Answer,
    EngineClosed,
    InvalidRequest,
    Operation,
    Policy,
    ProviderError,
    RequestError,
    Strategy,
    Transient,
    provider,
)

IN_ORDER = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"operation": None}, "operation must be text"),
        ({"operation": "lookup"}, "cannot be called 'lookup'"),
        ({"operation": "ping"}, "cannot be called 'ping'"),
        ({"amount": []}, "not a decimal number"),
        ({"amount": "1e1000000", "idempotency_key": "k"}, "more than 100 digits"),
        ({"subject": "\ud800"}, "subject must be"),
        ({"subject": 7}, "subject must be text"),
        ({"context": {"\ud800": "x"}}, "a name in context must be"),
        ({"context": {1: "x"}}, "a name in context must be text"),
        ({"preferred": ["a"]}, "preferred provider .* is unknown; known: a"),
        ({"context": {"pair": "ETH-BTC"}}, r"context\['pair'\] is a column of the log and would stand there in clear"),
    ],
)
def test_odd_arguments_are_refused_before_anything_happens(stage: Any, arguments: dict[str, Any], told: str) -> None:
    async def act() -> None:
        alpha = Told("a")
        async with stage.engine(
            alpha, operations=(Operation(name="x", sensitive=frozenset({"phone", "pair"})),)
        ) as engine:
            with pytest.raises(InvalidRequest, match=told):
                await engine.call(**{"operation": "x", "body": {"phone": "1"}, **arguments})
            assert (await engine.call("x")).provider == "a"
        assert len(alpha.calls) == 1

    stage.play(act)


def test_the_sensitive_names_of_an_operation_are_a_set() -> None:
    with pytest.raises(InvalidRequest, match=r"give the names in a set: \{'code'\}"):
        Operation(name="x", sensitive="code")  # type: ignore[arg-type]


def test_a_misspelt_operation_is_not_served_as_a_read(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("a")
        declared = (Operation(name="rent_number", effect="once"),)  # type: ignore[arg-type]
        async with stage.engine(alpha, operations=declared) as engine:
            with pytest.raises(InvalidRequest, match="did you mean 'rent_number'"):
                await engine.call("rent_numbr")
            with pytest.raises(InvalidRequest, match=r"declared are rent_number\."):
                await engine.call("zzz")
            assert (await engine.call("look_around", effect="read")).provider == "a"
        assert len(alpha.calls) == 1

    stage.play(act)


def test_a_plain_function_is_no_provider() -> None:
    with pytest.raises(TypeError, match="provider 'x': `call` must be an `async def`"):

        @provider("x")  # type: ignore[arg-type]
        def fetch(request: Any) -> int:
            return 1


def odd(**attributes: object) -> ProviderError:
    error = Transient("odd")
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


class Trap(Transient):
    """Raises when it is looked at."""

    @property
    def message(self) -> str:
        raise RuntimeError("do not look")

    @message.setter
    def message(self, _: str) -> None:
        pass


class Bare(Transient):
    """Forgets its own beginnings."""

    def __init__(self) -> None:
        pass


@pytest.mark.parametrize(
    "error",
    [
        odd(kind="transient"),
        odd(kind="quota"),
        odd(code=404),
        odd(message=7),
        odd(retry_after_ms="soon"),
        Bare(),
        Trap(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_that_an_adapter_has_bent_is_put_on_record_all_the_same(stage: Any, error: ProviderError) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", [error]), Told("b"), policy=IN_ORDER) as engine:
            assert (await engine.call("x")).provider == "b"
            assert engine.unsettled == ()

    stage.play(act)


def test_a_rejection_by_its_plain_name_is_one(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", [odd(kind="rejected")]), Told("b"), policy=IN_ORDER) as engine:
            with pytest.raises(RequestError, match="rejected"):
                await engine.call("x")

    stage.play(act)


@pytest.mark.parametrize("gap_s", [number * 0.00077 for number in range(1, 12)])
def test_a_limit_passes_at_whatever_instant_it_was_set(stage: Any, gap_s: float) -> None:
    async def act() -> None:
        policy = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, request_timeout_ms=200, max_failures=100)
        async with stage.engine(Told("a", default=never()), policy=policy, watch=False) as engine:
            for _ in range(3):
                await asyncio.sleep(gap_s)
                with pytest.raises(AllProvidersFailed):
                    await engine.call("x")

    stage.play(act)


def test_who_calls_again_and_again_does_not_keep_others_out_of_the_only_slot(stage: Any) -> None:
    async def act() -> None:
        policy = Policy(strategy=Strategy.IN_ORDER, max_in_flight=1)
        async with stage.engine(Told("a", delay_s=0.01), policy=policy, watch=False) as engine:

            async def greedy() -> None:
                for _ in range(100):
                    await engine.call("x", deadline_ms=5_000)

            running = asyncio.create_task(greedy())
            await asyncio.sleep(0.005)
            await engine.call("x", deadline_ms=500)
            assert not running.done()
            await running

    stage.play(act)


def test_the_mode_comes_back_when_a_forced_state_has_run_out(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a"), Told("b"), policy=IN_ORDER, watch=False) as engine:
            for one in ("a", "b"):
                engine.override(one, "open", actor="ann", reason="test", for_ms=1_000)
            assert engine.standing.mode == "emergency"
            await asyncio.sleep(3_600)
            await engine.call("x")
            assert engine.standing.mode == "normal"

    stage.play(act)


def test_a_receiver_may_stop_the_engine(stage: Any) -> None:
    async def act() -> None:
        stopped = asyncio.Event()

        async def stop(engine: Any, **_: Any) -> None:
            await engine.stop()
            stopped.set()

        engine = stage.engine(Told("a"), watch=False)
        await engine.start()
        engine.on("request:completed", stop)
        await engine.call("x")
        async with asyncio.timeout(2):
            await stopped.wait()
        with pytest.raises(EngineClosed):
            await engine.call("x")

    stage.play(act)


def test_a_receiver_that_lets_a_cancellation_escape_hears_what_comes_after(stage: Any) -> None:
    heard: list[int] = []

    async def first_fails(_: Any, *, seq: int, **__: Any) -> None:
        heard.append(seq)
        if len(heard) == 1:
            raise asyncio.CancelledError

    async def act() -> None:
        async with stage.engine(Told("a"), watch=False) as engine:
            engine.on("request:completed", first_fails)
            for _ in range(4):
                await engine.call("x")

    stage.play(act)
    assert len(heard) == 4


@pytest.mark.parametrize("turns", [0, 1, 3, 20])
@pytest.mark.parametrize("arguments", [{"idempotency_key": "k"}, {"effect": "once"}, {}])
def test_a_stop_lets_those_end_who_have_just_begun(stage: Any, turns: int, arguments: dict[str, str]) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", delay_s=0.1), log=stage.file(), watch=False) as engine:
            calling = asyncio.create_task(engine.call("x", **arguments))
            for _ in range(turns):
                await asyncio.sleep(0)
            await engine.stop(grace_ms=5_000)
            ended: object = (await asyncio.gather(calling, return_exceptions=True))[0]
            assert isinstance(ended, Answer) or (turns == 0 and isinstance(ended, EngineClosed))

    stage.play(act)
