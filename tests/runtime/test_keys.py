"""Requests with an idempotency key, and operations that are declared: what is joined, and what is refused."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from providers_for_tests import Told

from understudy.engine import (
    Ambiguous,
    Effect,
    InvalidRequest,
    KeyConflict,
    NoProviderAvailable,
    Operation,
    OutcomeUnknown,
    Policy,
    ProviderSettings,
    RequestInterrupted,
    Strategy,
)
from understudy.engine.key_conflict import Terms, difference

IN_ORDER = Policy(strategy=Strategy.IN_ORDER, retry_attempts=0)


def test_a_repeat_may_name_things_in_another_order(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a")) as engine:
            first = await engine.call(
                "pay",
                context={"b": "1", "a": "2"},
                body={"x": 1, "y": [2]},
                amount=Decimal("1.50"),
                idempotency_key="k",
            )
            again = await engine.call(
                "pay", context={"a": "2", "b": "1"}, body={"y": [2], "x": 1}, amount="1.50", idempotency_key="k"
            )
        assert (again.request_id, again.joined) == (first.request_id, True)

    stage.play(act)


def test_a_repeat_of_a_request_that_nobody_could_serve_hears_the_same_reasons(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a"), Told("b"), policy=IN_ORDER) as engine:
            for one in ("a", "b"):
                engine.override(one, "open", actor="ann", reason="maintenance")
            seen = []
            for _ in range(2):
                with pytest.raises(NoProviderAvailable, match="a: forced_open; b: forced_open") as caught:
                    await engine.call("x", idempotency_key="k")
                seen.append((caught.value.request_id, caught.value.vetoes))
        assert seen[0] == seen[1]

    stage.play(act)


def test_a_request_that_is_held_for_longer_than_a_key_lives_keeps_its_key(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("a", [Ambiguous("the line broke")])
        async with stage.engine(alpha, policy=IN_ORDER, watch=False) as engine:
            with pytest.raises(OutcomeUnknown) as first:
                await engine.call("pay", effect="once", idempotency_key="k")
            await asyncio.sleep(timedelta(days=31).total_seconds())
            with pytest.raises(OutcomeUnknown) as again:
                await engine.call("pay", effect="once", idempotency_key="k")
            with pytest.raises(KeyConflict, match=rf"\({first.value.request_id}\), which differs in its body;"):
                await engine.call("pay", effect="once", idempotency_key="k", body="another")
        assert again.value.request_id == first.value.request_id
        assert len(alpha.calls) == 1

    stage.play(act)


def test_it_keeps_its_key_over_a_restart_too_and_gives_it_back_once_it_is_settled(stage: Any) -> None:
    async def act() -> None:
        alpha, log = Told("a", [Ambiguous("the line broke")]), stage.file()
        async with stage.engine(alpha, policy=IN_ORDER, log=log, watch=False) as engine:
            with pytest.raises(OutcomeUnknown) as first:
                await engine.call("pay", effect="once", idempotency_key="k")
        async with stage.engine(alpha, policy=IN_ORDER, log=log, watch=False) as engine:
            await asyncio.sleep(timedelta(days=31).total_seconds())
            with pytest.raises(OutcomeUnknown) as again:
                await engine.call("pay", effect="once", idempotency_key="k")
            assert again.value.request_id == first.value.request_id
            engine.resolve(first.value.request_id, executed=False, actor="ann", reason="statement")
            await asyncio.sleep(1)
            anew = await engine.call("pay", effect="once", idempotency_key="k")
            assert anew.request_id != first.value.request_id
        assert len(alpha.calls) == 2

    stage.play(act)


def test_a_declared_operation_cannot_be_called_with_another_effect(stage: Any) -> None:
    async def act() -> None:
        alpha = Told("a")
        async with stage.engine(alpha, operations=(Operation(name="pay", effect=Effect.ONCE),)) as engine:
            with pytest.raises(InvalidRequest, match="pay is declared as once; leave `effect` out"):
                await engine.call("pay", effect="read")
            assert alpha.calls == []
            assert (await engine.call("pay", effect="once")).provider == "a"
            assert (await engine.call("look", effect="idempotent")).provider == "a"

    stage.play(act)


def test_an_operation_is_declared_with_an_effect_that_there_is() -> None:
    with pytest.raises(InvalidRequest, match="did you mean 'once'"):
        Operation(name="pay", effect="onse")  # type: ignore[arg-type]


def test_a_key_whose_request_has_left_no_trace_is_not_served_anew(stage: Any) -> None:
    alpha = Told("a")

    async def pay() -> Any:
        async with stage.engine(alpha, log=stage.file()) as engine:
            return await engine.call("pay", effect="once", idempotency_key="k")

    stage.play(pay)
    with closing(sqlite3.connect(stage.logs[0].path)) as stranger, stranger:
        stranger.execute("UPDATE claims SET request_id = 'gone'")
    with pytest.raises(OutcomeUnknown, match="request gone under this key has no end in the log"):
        stage.play(pay)
    assert len(alpha.calls) == 1


@dataclass(frozen=True)
class Number:
    text: str
    digits: tuple[int, ...]
    price: Decimal


def test_a_repeat_is_given_the_json_of_the_first_reply_and_while_it_is_under_way_the_very_same_object(
    stage: Any,
) -> None:
    async def act() -> None:
        original = Number("+1 555", (1, 5, 5, 5), Decimal("0.25"))
        async with stage.engine(Told("a", [original], delay_s=1)) as engine:
            under_way = [asyncio.create_task(engine.call("rent", idempotency_key="k")) for _ in range(2)]
            first, joins = [await one for one in under_way]
            later = await engine.call("rent", idempotency_key="k")
        assert (first.reply is original, joins.reply is original) == (True, True)
        assert later.reply == {"text": "+1 555", "digits": [1, 5, 5, 5], "price": "0.25"}
        assert [one.joined for one in (first, joins, later)] == [False, True, True]

    stage.play(act)


RENT = Operation(name="rent", effect=Effect.ONCE, sensitive=frozenset({"phone", "pin"}))
FIRST: dict[str, Any] = {
    "context": {"country": "us", "phone": "+49 30 1"},
    "body": {"plan": "A", "days": 1, "pin": "1234"},
    "amount": "1.50",
}


@pytest.mark.parametrize(
    ("other", "differing"),
    [
        ({"context": {"country": "de", "phone": "+49 30 1"}}, "its context (country)"),
        ({"context": {"phone": "+49 30 2", "team": "x"}}, "its context (country, phone, team)"),
        ({"body": {"plan": "B", "days": 1, "pin": "9876"}}, "its body (pin, plan)"),
        ({"body": {"plan": "A", "days": True, "pin": "1234"}}, "its body (days)"),
        ({"body": ["A"]}, "its body"),
        ({"amount": "2", "body": None}, "its amount, its body"),
        ({"max_price": "0.50"}, "its max_price"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_conflict_names_what_differs_and_shows_no_value(other: dict[str, Any], differing: str, stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a", delay_s=1), operations=(RENT,), log=stage.file()) as engine:
            under_way = asyncio.create_task(engine.call("rent", idempotency_key="k", **FIRST))
            await asyncio.sleep(0)
            for when in ("under way", "ended"):
                with pytest.raises(KeyConflict) as caught:
                    await engine.call("rent", idempotency_key="k", **{**FIRST, **other})
                first = "one that is under way" if when == "under way" else (await under_way).request_id
                assert str(caught.value) == (
                    f"idempotency key 'k' was used before for another rent ({first}), which differs in {differing};"
                    " a key belongs to one request"
                )
                await under_way

    stage.play(act)


def test_a_conflict_in_the_effect_names_both(stage: Any) -> None:
    async def act() -> None:
        async with stage.engine(Told("a")) as engine:
            await engine.call("pay", effect="once", idempotency_key="k")
            with pytest.raises(KeyConflict, match=r"differs in its effect \(once, now read\); a key"):
                await engine.call("pay", effect="read", idempotency_key="k")

    stage.play(act)


def test_a_conflict_about_what_two_providers_have_given_says_so(stage: Any) -> None:
    async def act() -> None:
        operation = Operation(name="code", effect=Effect.IDEMPOTENT)
        async with stage.engine(Told("a"), Told("b"), operations=(operation,)) as engine:
            await engine.call("code", only="a", idempotency_key="k")
            with pytest.raises(KeyConflict, match="differs in the provider that it is about; a key"):
                await engine.call("code", only="b", idempotency_key="k")

    stage.play(act)


def test_what_is_not_known_is_not_made_up() -> None:
    terms = Terms(Effect.READ, {}, None, None)
    assert difference(None, terms) == difference(terms, terms) == "what the log does not show"


def test_a_repeat_of_a_request_that_a_stop_has_cut_off_in_line_is_told_what_to_do(stage: Any) -> None:
    async def act() -> None:
        busy = Told("a", delay_s=50, settings=ProviderSettings(id="a", max_in_flight=1))
        async with stage.engine(busy, log=stage.file()) as engine:
            calls = [asyncio.create_task(engine.call("x", effect="once", idempotency_key=key)) for key in ("1", "2")]
            await asyncio.sleep(0.1)
            await engine.stop(grace_ms=0)
            await asyncio.gather(*calls, return_exceptions=True)
        async with stage.engine(Told("a"), log=stage.file()) as engine:
            with pytest.raises(
                RequestInterrupted, match=r"nobody was asked \(a: max_in_flight\).*ask anew, under a new key"
            ):
                await engine.call("x", effect="once", idempotency_key="2")

    stage.play(act)
