"""The limits that a service sets us hold for its quotes and its conversions together."""

import asyncio
from decimal import Decimal
from typing import Any

from conversions_for_tests import convert, events, played, timed
from quoters import Quoter

from understudy.engine import Answer, Engine, ProviderSettings
from understudy.events.decisions import DecisionMade


def limited(name: str, rate: str, **more: Any) -> Quoter:
    """A service that we may call once in ten seconds, three times at once."""
    settings = ProviderSettings(id=name, max_calls_per_second=Decimal("0.1"), **more)
    return Quoter(name, rate, settings=settings)


def test_a_service_at_its_rate_limit_is_passed_over_with_the_time_at_which_it_ends(stage: Any) -> None:
    async def act(engine: Engine) -> list[str]:
        return [(await convert(engine)).provider for _ in range(3)]

    others = Quoter("beta", "0.0500"), Quoter("gamma", "0.0499")
    assert played(stage, limited("alpha", "0.0501"), *others, act=act) == ["alpha", "beta", "beta"]
    passed_over = events(stage.logs[0], DecisionMade)[-1].candidates[0]
    assert passed_over.verdict == "rate_limit"
    assert passed_over.until_us is not None


def test_the_only_service_there_is_is_waited_for_at_its_rate_limit(stage: Any) -> None:
    async def act(engine: Engine) -> float:
        await convert(engine)
        return (await timed(engine))[0]

    assert 9 < played(stage, limited("alpha", "0.0501"), act=act) < 21


def test_no_more_calls_are_under_way_than_may_be_quotes_included(stage: Any) -> None:
    busy = Quoter("busy", settings=ProviderSettings(id="busy", max_in_flight=2))
    under_way = most = 0

    async def act(engine: Engine) -> list[Answer]:
        nonlocal under_way, most
        asked, called = busy.quote, busy.call

        def counted(function: Any) -> Any:
            async def count(*args: Any, **more: Any) -> Any:
                nonlocal under_way, most
                under_way, most = under_way + 1, max(most, under_way + 1)
                try:
                    return await function(*args, **more)
                finally:
                    under_way -= 1

            return count

        busy.quote, busy.call = counted(asked), counted(called)  # type: ignore[method-assign]
        return await asyncio.gather(*(convert(engine) for _ in range(20)))

    assert len(played(stage, busy, act=act)) == 20
    assert most == 2
