"""An outage of everybody, and how soon it is over when it is over."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from providers_for_tests import Told

from understudy.engine import AllProvidersFailed, Engine, NoProviderAvailable, Policy, RequestError, Transient

OUT_FROM_S, OUT_UNTIL_S, ENDS_S = 5, 15, 30


def out_for_a_while(name: str) -> Told:
    async def acts() -> str:
        if OUT_FROM_S <= asyncio.get_running_loop().time() < OUT_UNTIL_S:
            raise Transient("500")
        return "done"

    return Told(name, default=acts, delay_s=0.02)


async def ask_on(engine: Engine) -> list[tuple[float, str]]:
    """Ten requests a second; when each ended, and how."""
    told = []
    while (now_s := asyncio.get_running_loop().time()) < ENDS_S:
        try:
            await engine.call("x")
            told.append((now_s, "served"))
        except RequestError as error:
            told.append((now_s, type(error).__name__))
        await asyncio.sleep(0.1)
    return told


@pytest.mark.parametrize(("pause_ms", "over_within_s"), [(500, 1.0), (2_000, 3.0)])
def test_an_outage_of_everybody_is_over_soon_after_it_is_over(stage: Any, pause_ms: int, over_within_s: float) -> None:
    async def act() -> None:
        both = [out_for_a_while("a"), out_for_a_while("b")]
        policy = Policy(last_resort_ms=pause_ms, retry_attempts=0)
        async with stage.engine(*both, policy=policy, watch=False) as engine:
            told = await ask_on(engine)
            asked = sum(len(one.calls) for one in both)
        assert {how for at_s, how in told if at_s < OUT_FROM_S} == {"served"}
        assert {how for at_s, how in told if at_s > OUT_UNTIL_S + over_within_s} == {"served"}
        kinds = Counter(how for at_s, how in told if OUT_FROM_S < at_s < OUT_UNTIL_S)
        assert kinds.keys() == {AllProvidersFailed.__name__, NoProviderAvailable.__name__}
        asked_in_vain = asked - sum(how == "served" for _, how in told)
        assert asked_in_vain <= 2 * (3 + (OUT_UNTIL_S - OUT_FROM_S) * 1_000 / pause_ms)

    stage.play(act)


def test_without_a_last_resort_it_lasts_as_long_as_the_rest(stage: Any) -> None:
    async def act() -> None:
        policy = Policy(retry_attempts=0)
        async with stage.engine(out_for_a_while("a"), out_for_a_while("b"), policy=policy, watch=False) as engine:
            told = await ask_on(engine)
        assert {how for at_s, how in told if at_s > OUT_UNTIL_S} == {NoProviderAvailable.__name__}

    stage.play(act)
