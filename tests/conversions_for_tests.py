"""Conversions played on an engine with quoters: the act, its verdicts and its events."""

import asyncio
from collections.abc import Callable, Coroutine
from decimal import Decimal
from typing import Any

from quoters import CONVERT, ETH_BTC, Quoter

from understudy.adapters import MemoryLog
from understudy.engine import Answer, Engine, Policy, RateLimited, Strategy
from understudy.events.codec import decode
from understudy.events.decisions import DecisionMade
from understudy.events.fact import Fact
from understudy.events.quotes import Quote

POLICY = Policy(strategy=Strategy.WEIGHTED, retry_attempts=0)


def events(log: Any, kind: type[Fact]) -> list[Any]:
    with log.reader() as reader:
        return [event for row in reader.rows() if isinstance(event := decode(row), kind)]


async def convert(engine: Engine, amount: str | Decimal = "2", **more: Any) -> Answer:
    return await engine.call("convert", context=ETH_BTC, amount=amount, **more)


def played(
    stage: Any,
    *providers: Quoter,
    policy: Policy = POLICY,
    act: Callable[[Engine], Coroutine[Any, Any, Any]] = convert,
    log: MemoryLog | None = None,
) -> Any:
    """What an act on an engine with these providers returns."""

    async def play() -> Any:
        engine = stage.engine(*providers, policy=policy, operations=(CONVERT,), watch=False, log=log)
        async with engine:
            return await act(engine)

    return stage.play(play)


def verdicts(log: Any) -> dict[str, str]:
    return {one.provider: one.verdict for one in events(log, DecisionMade)[-1].candidates}


async def timed(engine: Engine) -> tuple[float, str]:
    began_s = asyncio.get_running_loop().time()
    answer = await convert(engine)
    return asyncio.get_running_loop().time() - began_s, answer.provider


def throttled_once(*, for_ms: int) -> Callable[[], Quote]:
    answers: list[Quote | RateLimited] = [RateLimited("slow down", retry_after_ms=for_ms)]

    def rate() -> Quote:
        answer = answers.pop() if answers else Quote(rate=Decimal("0.05"))
        if isinstance(answer, RateLimited):
            raise answer
        return answer

    return rate
