"""What is asked about something that a provider has given goes to that provider, and to nobody else."""

from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

import pytest
from conversions_for_tests import events
from shops import US_WA, Shop

from understudy.engine import (
    AllProvidersFailed,
    Engine,
    InsufficientFunds,
    InvalidRequest,
    NoProviderAvailable,
    OutOfStock,
    Policy,
    ProviderSettings,
    ServicePriority,
    Strategy,
    Transient,
)
from understudy.events.calls import CallStarted
from understudy.events.decisions import DecisionMade

RENTED = {**US_WA, "rental_id": "beta-1"}


def shops() -> tuple[Shop, Shop]:
    alpha, beta = Shop("alpha"), Shop("beta")
    beta.rented["beta-1"] = ["", "open"]
    return alpha, beta


def played(
    stage: Any, alpha: Shop, beta: Shop, act: Callable[[Engine], Coroutine[Any, Any, None]], **policy: Any
) -> None:
    async def run() -> None:
        async with stage.engine(alpha, beta, policy=Policy(**policy)) as engine:
            await act(engine)

    stage.play(run)


@pytest.mark.parametrize("strategy", list(Strategy))
def test_it_goes_to_that_provider_whatever_the_strategy(stage: Any, strategy: Strategy) -> None:
    alpha, beta = shops()

    async def act(engine: Engine) -> None:
        answer = await engine.call("cancel", context=RENTED, effect="idempotent", only="beta")
        assert answer.provider == "beta"

    providers = (
        ProviderSettings(id="alpha"),
        ProviderSettings(id="beta", priority=ServicePriority.SECONDARY, weight=Decimal(0)),
    )
    played(stage, alpha, beta, act, strategy=strategy, providers=providers)
    assert (alpha.calls, beta.books) == ([], {"beta-1": "cancelled"})
    (decision,) = events(stage.logs[0], DecisionMade)
    assert [(one.provider, one.verdict) for one in decision.candidates] == [
        ("alpha", "bound_elsewhere"),
        ("beta", "eligible"),
    ]


def test_nobody_else_is_asked_when_that_provider_fails(stage: Any) -> None:
    alpha, beta = shops()
    beta.cancels = [Transient("busy")] * 9

    async def act(engine: Engine) -> None:
        with pytest.raises(AllProvidersFailed, match="busy"):
            await engine.call("cancel", context=RENTED, effect="idempotent", only="beta", free_to_abandon=True)

    played(stage, alpha, beta, act)
    assert (len(alpha.calls), len(beta.calls)) == (0, 3)


@pytest.mark.parametrize("against", [OutOfStock("none left"), InsufficientFunds("empty"), Transient("down")])
def test_what_speaks_against_new_requests_is_no_obstacle(stage: Any, against: Exception) -> None:
    alpha, beta = shops()
    beta.acts = [against] * 20

    async def act(engine: Engine) -> None:
        for _ in range(4):
            answer = await engine.call("rent", context=US_WA, effect="once", preferred="beta")
            assert answer.provider == "alpha"
        assert (await engine.call("code", context=RENTED, only="beta")).provider == "beta"

    played(stage, alpha, beta, act)


def test_a_drained_provider_is_still_asked_about_what_it_has_given_and_one_forced_open_is_not(stage: Any) -> None:
    alpha, beta = shops()

    async def act(engine: Engine) -> None:
        engine.override("beta", "drain", actor="ann", reason="leaving them")
        assert (await engine.call("code", context=RENTED, only="beta")).provider == "beta"
        engine.override("beta", "open", actor="ann", reason="never again")
        with pytest.raises(NoProviderAvailable) as refused:
            await engine.call("code", context=RENTED, only="beta")
        assert refused.value.vetoes == {"alpha": "bound_elsewhere", "beta": "forced_open"}

    played(stage, alpha, beta, act)


def test_asking_for_a_code_a_hundred_times_says_nothing_of_how_well_renting_goes(stage: Any) -> None:
    alpha, beta = shops()
    beta.acts = [Transient("down")]

    async def act(engine: Engine) -> None:
        await engine.call("rent", context=US_WA, effect="once", preferred="beta")
        before = {one.provider: (one.success_bp, one.score) for one in engine.health()}
        for _ in range(100):
            await engine.call("code", context=RENTED, only="beta")
        assert {one.provider: (one.success_bp, one.score) for one in engine.health()} == before

    played(stage, alpha, beta, act, retry_attempts=0)


def test_a_repeat_under_a_key_that_names_another_provider_is_another_request(stage: Any) -> None:
    alpha, beta = shops()
    alpha.rented["beta-1"] = ["", "open"]

    async def act(engine: Engine) -> None:
        asked: dict[str, Any] = {"context": RENTED, "effect": "idempotent", "idempotency_key": "k"}
        await engine.call("cancel", only="beta", **asked)
        with pytest.raises(Exception, match="a key belongs to one request"):
            await engine.call("cancel", only="alpha", **asked)
        assert (await engine.call("cancel", only="beta", **asked)).joined

    played(stage, alpha, beta, act)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"operation": "code"}, "say which one has, only="),
        ({"operation": "code", "only": "gamma"}, "only 'gamma' is unknown; known: alpha, beta"),
        ({"operation": "quote", "only": "beta"}, "cannot be called 'quote'"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_happens(stage: Any, asked: dict[str, Any], says: str) -> None:
    async def act(engine: Engine) -> None:
        with pytest.raises(InvalidRequest, match=says):
            await engine.call(**asked)

    played(stage, *shops(), act)
    assert events(stage.logs[0], CallStarted) == []
