"""Providers are asked for lists of all that they have on offer: at first, every six hours, and when somebody wants."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest
from conversions_for_tests import events
from shops import Shop

from understudy.adapters import MemoryLog, put_command
from understudy.engine import Engine, InvalidReply, InvalidRequest, Offer, Policy, Transient, provider
from understudy.events.calls import CallFailed, CallStarted, CallSucceeded
from understudy.events.decisions import DecisionMade
from understudy.events.operations import SyncRequested
from understudy.events.stock import OffersListed

HOUR_S = 3_600
WA = Offer(country="us", service="wa", stock=120, price=Decimal("0.42"))


class Lister(Shop):
    """A shop that lists its offers, or fails to."""

    listed: Any = (WA,)
    syncs = 0

    async def sync(self, *, deadline: Any) -> Any:
        self.syncs += 1
        await asyncio.sleep(2)
        if isinstance(self.listed, BaseException):
            raise self.listed
        return self.listed


def played(stage: Any, *shops: Any, act: Callable[[Engine], Awaitable[Any]], log: Any = None, **policy: Any) -> Any:
    async def run() -> Any:
        async with stage.engine(*shops, policy=Policy(**policy), log=log) as engine:
            return await act(engine)

    return stage.play(run)


def test_a_list_is_asked_for_at_first_and_every_six_hours(stage: Any) -> None:
    alpha = Lister("alpha")

    async def act(_: Engine) -> None:
        await asyncio.sleep(1)
        assert alpha.syncs == 1
        await asyncio.sleep(6 * HOUR_S - 2)
        assert alpha.syncs == 1
        await asyncio.sleep(2)
        assert alpha.syncs == 2

    played(stage, alpha, act=act)
    (first, *_) = [one for one in events(stage.logs[0], CallSucceeded) if one.operation == "sync"]
    assert first.reply == {"offers": 1, "parts": 1}


def test_a_restart_asks_for_no_list_that_is_not_due(stage: Any) -> None:
    alpha, log = Lister("alpha"), MemoryLog()

    async def act(_: Engine) -> None:
        await asyncio.sleep(60)

    played(stage, alpha, act=act, log=log)
    played(stage, alpha, act=act, log=log)
    assert alpha.syncs == 1


def test_a_list_that_failed_is_asked_for_again_after_a_rest_and_harms_nobody(stage: Any) -> None:
    alpha = Lister("alpha")
    alpha.listed = Transient("down")

    async def act(engine: Engine) -> None:
        await asyncio.sleep(299)
        assert alpha.syncs == 1
        await asyncio.sleep(2_000)
        assert alpha.syncs == 8
        assert [(one.verdict, one.success_bp) for one in engine.health()] == [("eligible", None)]

    played(stage, alpha, act=act, recovery_time_ms=300_000, max_failures=1)


def test_decisions_go_by_what_was_listed_and_tell_its_age(stage: Any) -> None:
    alpha, beta = Lister("alpha"), Lister("beta")
    beta.listed = [Offer(country="us", service="wa", stock=3, price=Decimal("0.10"))]

    async def act(engine: Engine) -> None:
        await asyncio.sleep(600)
        answer = await engine.call("rent", context={"country": "us", "service": "wa"}, effect="once")
        assert answer.provider == "beta"

    played(stage, alpha, beta, act=act, strategy="cheapest")
    (decision,) = events(stage.logs[0], DecisionMade)
    told = [(one.provider, one.stock, one.price, one.stock_age_us) for one in decision.candidates]
    assert told == [
        ("alpha", 120, Decimal("0.42"), 598_000_000),
        ("beta", 3, Decimal("0.10"), 598_000_000),
    ]


@pytest.mark.parametrize("count", [0, 1_000, 2_001])
def test_a_long_list_is_told_in_events_of_bounded_size(stage: Any, count: int) -> None:
    alpha = Lister("alpha")
    alpha.listed = (
        Offer(country=f"c{n % 200}", service=f"s{n // 200}", stock=n, price=Decimal(n) / 100) for n in range(count)
    )

    async def act(engine: Engine) -> None:
        await asyncio.sleep(3)
        assert len(engine.standing.stock) == count

    played(stage, alpha, act=act, log=stage.file())
    told = events(stage.logs[0], OffersListed)
    assert len(told) == -(-count // 1_000)
    with stage.logs[0].reader() as reader:
        assert max(len(row.payload) for row in reader.rows()) < 65_536


@pytest.mark.parametrize(
    "listed",
    [
        None,
        "wa",
        7,
        [WA, "wa"],
        [Offer(country="us", service="")],
        [Offer(country="us|de", service="wa")],
        [Offer(country="us", service="wa", stock=-1)],
        [Offer(country="us", service="wa", stock=1.5)],  # type: ignore[arg-type]
        [Offer(country="us", service="wa", price=Decimal("NaN"))],
        [Offer(country="us", service="wa", price=0.5)],  # type: ignore[arg-type]
    ],
)
def test_what_is_no_list_of_offers_is_an_invalid_reply_and_nothing_of_it_is_believed(stage: Any, listed: Any) -> None:
    alpha = Lister("alpha")
    alpha.listed = listed

    async def act(engine: Engine) -> None:
        with pytest.raises(InvalidReply):
            await engine.ask("alpha", "sync")
        assert engine.standing.stock == {}

    played(stage, alpha, act=act)
    assert {one.outcome for one in events(stage.logs[0], CallFailed)} == {"invalid_reply"}


def test_an_operator_who_wants_lists_gets_them_at_once(stage: Any) -> None:
    alpha, beta, log = Lister("alpha"), Lister("beta"), stage.file()

    async def act(_: Engine) -> None:
        await asyncio.sleep(10)
        await asyncio.to_thread(put_command, log.path, '{"command":"sync","actor":"ann","reason":"new prices"}')
        await asyncio.sleep(5)
        assert (alpha.syncs, beta.syncs) == (2, 2)
        await asyncio.to_thread(
            put_command, log.path, '{"command":"sync","provider":"beta","actor":"ann","reason":"new prices"}'
        )
        await asyncio.sleep(5)
        assert (alpha.syncs, beta.syncs) == (2, 3)

    played(stage, alpha, beta, Shop("gamma"), act=act, log=log)
    assert [one.provider for one in events(log, SyncRequested)] == [None, "beta"]


def test_nobody_is_asked_who_is_forced_open(stage: Any) -> None:
    alpha = Lister("alpha")

    async def act(engine: Engine) -> None:
        await asyncio.sleep(10)
        engine.override("alpha", "open", actor="ann", reason="left them")
        await asyncio.sleep(7 * HOUR_S)

    played(stage, alpha, act=act)
    assert alpha.syncs == 1


def test_a_list_is_a_call_of_its_own_class_that_says_nothing_of_serving(stage: Any) -> None:
    alpha = Lister("alpha")

    async def act(engine: Engine) -> None:
        await asyncio.sleep(3)
        assert ("alpha", "sync") in engine.standing.lanes.keys
        with pytest.raises(InvalidRequest, match="cannot be called 'sync'"):
            await engine.call("sync")

    played(stage, alpha, act=act)
    (call,) = [one for one in events(stage.logs[0], CallStarted) if one.operation == "sync"]
    assert (call.request_id, call.attempt) == (None, 0)


def test_a_function_can_be_the_list_of_a_provider(stage: Any) -> None:
    async def listed() -> list[Offer]:
        return [WA]

    @provider("alpha", sync=listed)
    async def alpha() -> str:
        return "ok"

    async def act(engine: Engine) -> None:
        await asyncio.sleep(1)
        assert len(engine.standing.stock) == 1

    played(stage, alpha, act=act)
