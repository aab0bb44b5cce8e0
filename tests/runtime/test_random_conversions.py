"""Converters put together at random, on services that do anything: nothing moves twice, and every log replays."""

import asyncio
import random
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from quoters import CONVERT, Findable, Quoter

from understudy.adapters import MemoryLog
from understudy.engine import (
    Ambiguous,
    Finding,
    Found,
    InsufficientFunds,
    InvalidReply,
    Misconfigured,
    NotOffered,
    Policy,
    ProviderError,
    ProviderSettings,
    Quote,
    RateLimited,
    Rejected,
    Reply,
    Request,
    RequestError,
    ServicePriority,
    Strategy,
    TimedOut,
    Transient,
)
from understudy.engine.errors import EngineClosed
from understudy.events.codec import decode
from understudy.events.requests import RequestAccepted, RequestCompleted

PAIRS = ("ETH/BTC", "LTC/BTC")


class Wild(Findable):
    """A service that rolls its dice for everything, and tells its books the truth."""

    def __init__(self, name: str, dice: random.Random, **more: Any) -> None:
        super().__init__(name, **more)
        self.dice = dice
        self.done: dict[str, str] = {}
        """Request by key, of what was executed."""
        self.times = Counter[str]()

    async def quote(self, request: Request, *, deadline: Any) -> Any:
        await asyncio.sleep(self.dice.choice((0, 0.01, 0.3, 2, 9)))
        if self.dice.random() < 0.2:
            raise self.dice.choice((Transient, TimedOut, RateLimited, NotOffered, InvalidReply, Misconfigured))("no")
        rate = Decimal(50 + self.dice.randint(-1, 1)) / 1000
        if self.dice.random() < 0.1:
            rate *= self.dice.choice((2, Decimal("0.5"), Decimal("1.05")))
        at_us = deadline.at_us - round(deadline.remaining_s() * 1_000_000)
        expires_us = self.dice.choice((None, None, at_us + 1, at_us + 300_000, at_us + 60_000_000))
        amount_out = rate * (request.amount or 0) if self.dice.random() < 0.3 else None
        return Quote(rate=rate, expires_at_us=expires_us, amount_out=amount_out, min_amount=Decimal("0.5"))

    async def call(self, operation: str, request: Request, *, key: str, deadline: Any) -> Any:
        await asyncio.sleep(self.dice.choice((0, 0.01, 0.3, 9)))
        roll = self.dice.random()
        if roll < 0.2:
            kinds = (Transient, RateLimited, NotOffered, InsufficientFunds, Rejected)
            raise self.dice.choice(kinds)("no", retry_after_ms=self.dice.choice((None, 500)))
        if operation == "create":
            if roll < 0.3:
                raise self.dice.choice((Ambiguous, TimedOut))("what?")
            return Reply(value={"made": key}, reference=key)
        assert request.quote is not None
        if not 0.3 < roll < 0.4:
            self.times[key] += key not in self.done
            self.done[key] = request.request_id
        if roll < 0.4:
            raise self.dice.choice((Ambiguous, TimedOut, InvalidReply))("what?")
        if roll > 0.95:
            await asyncio.sleep(30)
        return Reply(reference=key, amount_out=Decimal(self.dice.randint(40, 60)) / 1000)

    async def lookup(self, operation: str, request: Request, *, key: str, deadline: Any) -> Found:
        await asyncio.sleep(self.dice.choice((0, 0.05)))
        if self.dice.random() < 0.2:
            raise Transient("busy")
        if key in self.done:
            return Found(finding=Finding.SUCCEEDED, reference=key, amount_out=Decimal("0.05"))
        return Found(finding=Finding.ABSENT)


def services(dice: random.Random) -> list[Quoter]:
    found: list[Quoter] = []
    for name in ("alpha", "beta", "gamma", "delta", "epsilon")[: dice.randint(1, 5)]:
        settings = ProviderSettings(
            id=name,
            priority=ServicePriority(dice.choice((1, 1, 2, 4))),
            weight=Decimal(dice.randint(0, 3)),
            max_in_flight=dice.choice((None, None, 2)),
            max_calls_per_second=dice.choice((None, None, Decimal(5))),
        )
        one = Wild(name, random.Random(dice.random()), settings=settings)
        one.two_part = dice.random() < 0.4  # type: ignore[attr-defined]
        one.settle_ms = dice.choice((0, 500))
        found.append(one)
    return found


def policy(dice: random.Random) -> Policy:
    return Policy(
        strategy=dice.choice(list(Strategy)),
        retry_attempts=dice.choice((0, 0, 1)),
        fallback_enabled=dice.random() < 0.9,
        max_parallel_requests=dice.randint(1, 4),
        parallel_queries=dice.random() < 0.7,
        always_use_best_rate=dice.random() < 0.6,
        quote_grace_ms=dice.choice((None, 0, 200)),
        quote_max_age_ms=dice.choice((1, 2_000, 15_000)),
        trust_lone_quote=dice.random() < 0.5,
        quarantine_after=dice.choice((1, 3)),
        quarantine_ms=5_000,
        stuck_after_ms=1_000,
        max_failures=dice.choice((1, 3)),
        recovery_time_ms=3_000,
        request_timeout_ms=1_000,
        deadline_ms=dice.choice((1_500, 8_000)),
        explore_once=dice.random() < 0.2,
        exploration=Decimal("0.3"),
        max_emergency_amount=dice.choice((None, Decimal(2))),
        last_resort_ms=dice.choice((None, 500)),
    )


async def call_on(engine: Any, dice: random.Random, *, calls: int) -> None:
    for number in range(calls):
        task = asyncio.create_task(
            engine.call(
                "convert",
                context={"pair": PAIRS[number % 2]},
                amount=("0.1", "1", "3")[number % 3],
                idempotency_key=dice.choice((None, f"{number}")),
            )
        )
        if dice.random() < 0.1:
            await asyncio.sleep(dice.choice((0, 0.2, 1)))
            task.cancel()
        try:
            await task
        except (RequestError, ProviderError, EngineClosed):
            pass
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                raise
        await asyncio.sleep(dice.choice((0, 0.5, 3)))


def play(stage: Any, seed: int, *, calls: int = 12) -> None:
    dice = random.Random(seed)
    found, rules, log = services(dice), policy(dice), MemoryLog()

    async def act() -> None:
        for run in range(3):
            engine = stage.engine(
                *found, policy=rules, operations=(CONVERT,), log=log, watch=run == 1, seed=dice.randint(1, 999)
            )
            async with engine:
                rolls = [random.Random(dice.random()) for _ in range(3)]
                callers = [asyncio.create_task(call_on(engine, one, calls=calls)) for one in rolls]
                if run < 2 and dice.random() < 0.5:
                    await asyncio.sleep(dice.choice((0.5, 5)))
                    await engine.stop(grace_ms=0)
                await asyncio.gather(*callers)
                if run == 2:
                    await asyncio.sleep(600)
                    assert engine.unsettled == ()

    stage.play(act)
    executed = Counter(request for one in found for request in one.done.values())  # type: ignore[attr-defined]
    assert [request for request, times in executed.items() if times > 1] == []
    assert all(times == 1 for one in found for times in one.times.values())  # type: ignore[attr-defined]
    with log.reader() as reader:
        events = [decode(row) for row in reader.rows()]
    served = {one.request_id for one in events if isinstance(one, RequestCompleted)}
    assert served == set(executed) & {one.request_id for one in events if isinstance(one, RequestAccepted)}


@pytest.mark.parametrize("seed", range(12))
def test_nothing_moves_twice_and_the_log_replays(stage: Any, seed: int) -> None:
    play(stage, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(1_000, 1_300))
def test_of_hundreds_of_converters_none_moves_anything_twice(stage: Any, seed: int) -> None:
    play(stage, seed)
