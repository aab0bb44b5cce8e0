"""A plain function is a provider, and is given what it names."""

import functools
from typing import Any

import pytest

from understudy.engine import Deadline, Policy, Reply, provider


def test_a_plain_function_is_a_provider_and_gets_what_it_names(stage: Any) -> None:
    async def fetch(request: Any) -> str:
        return f"{request.context['country']}!"

    async def act() -> None:
        async with stage.engine(provider("alpha", priority=2)(fetch)) as engine:
            assert (await engine.call("x", context={"country": "us"})).reply == "us!"
            assert engine.policy.providers[0].priority == 2

    stage.play(act)


async def as_offered(operation: str, request: Any, *, key: str, deadline: Deadline) -> list[Any]:
    return [operation, request.operation, len(key), deadline.remaining_s() > 0]


async def by_place(operation: str, request: Any, key: str, deadline: Deadline) -> list[Any]:
    return await as_offered(operation, request, key=key, deadline=deadline)


async def by_name(*, operation: str, request: Any, key: str, deadline: Deadline) -> list[Any]:
    return await as_offered(operation, request, key=key, deadline=deadline)


async def in_any_order(deadline: Deadline, key: str, request: Any, operation: str) -> list[Any]:
    return await as_offered(operation, request, key=key, deadline=deadline)


async def whatever_there_is(**offered: Any) -> list[Any]:
    return await by_name(**offered)


@functools.wraps(as_offered)
async def in_another_coat(**offered: Any) -> list[Any]:
    return await by_name(**offered)


async def the_rest(operation: str, request: Any, **offered: Any) -> list[Any]:
    return await as_offered(operation, request, **offered)


SHAPES = [as_offered, by_place, by_name, in_any_order, whatever_there_is, in_another_coat, the_rest]


@pytest.mark.parametrize("function", SHAPES)
def test_a_function_may_take_what_there_is_in_any_way(stage: Any, function: Any) -> None:
    async def act() -> None:
        async with stage.engine(provider("alpha")(function)) as engine:
            assert (await engine.call("rent")).reply == ["rent", "rent", 32, True]

    stage.play(act)


def test_functions_are_given_what_they_name_or_everything_that_there_is(stage: Any) -> None:
    given: list[set[str]] = []

    async def ping() -> None:
        given.append(set())

    async def stock(**everything: Any) -> Reply:
        given.append({*everything})
        return Reply(stock=7)

    @provider("a", ping=ping, stock=stock)
    async def alpha(deadline: Any, key: str) -> float:
        given.append({"deadline", "key"})
        return float(deadline.remaining_s())

    async def act() -> None:
        async with stage.engine(alpha, watch=False, policy=Policy(request_timeout_ms=700)) as engine:
            await engine.ask("a", "ping")
            assert (await engine.ask("a", "stock")).stock == 7
            assert (await engine.call("x")).reply == pytest.approx(0.7)

    stage.play(act)
    assert given == [set(), {"request", "deadline"}, {"deadline", "key"}]


def test_a_function_that_cannot_serve_is_refused_where_it_is_named() -> None:
    async def asks_for_more(request: Any, price: int) -> None:
        """Nobody gives a price."""

    def does_not_await() -> None:
        """As plain as can be."""

    with pytest.raises(TypeError, match="it cannot be given 'price'"):
        provider("a")(asks_for_more)
    with pytest.raises(TypeError, match="provider 'a': `ping` must be an `async def`"):
        provider("a", ping=does_not_await)
