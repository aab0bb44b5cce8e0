"""The emergency tier is asked when nobody else can serve, and for small amounts only."""

from decimal import Decimal
from typing import Any

import pytest
from conversions_for_tests import POLICY, convert, played, throttled_once, timed
from quoters import Quoter

from understudy.engine import Engine, ProviderSettings, Transient


def test_the_emergency_tier_is_asked_when_nobody_else_can_and_bounded(stage: Any) -> None:
    policy = POLICY.model_copy(update={"max_emergency_amount": {"ETH": Decimal(5)}, "trust_lone_quote": True})
    first, last = Quoter("first", Transient("down")), Quoter("last", "0.05", priority=4)

    async def act(engine: Engine) -> str:
        answer = await convert(engine)
        with pytest.raises(Exception, match="last: emergency_amount"):
            await convert(engine, "5.1")
        return answer.provider

    assert played(stage, first, last, policy=policy, act=act) == "last"


def test_asking_for_quotes_up_to_a_limit_does_not_send_conversions_to_the_emergency_tier(stage: Any) -> None:
    once = [ProviderSettings(id=name, max_calls_per_second=Decimal(1), burst=1) for name in ("alpha", "beta")]
    alpha, beta = [Quoter(one.id, settings=one) for one in once]
    dex = Quoter("dex", priority=4)
    assert played(stage, alpha, beta, dex, act=timed)[0] == pytest.approx(1.1)
    assert dex.asked == 0


def test_the_emergency_tier_is_asked_where_the_others_limits_end_too_late(stage: Any) -> None:
    slow = ProviderSettings(id="slow", max_calls_per_second=Decimal("0.01"), burst=1)
    dex = Quoter("dex", priority=4)
    policy = POLICY.model_copy(update={"trust_lone_quote": True})
    assert played(stage, Quoter("slow", settings=slow), dex, policy=policy).provider == "dex"


def test_the_emergency_tier_is_asked_where_the_others_have_asked_for_patience(stage: Any) -> None:
    alpha, dex = Quoter("alpha", throttled_once(for_ms=16_000)), Quoter("dex", priority=4)
    policy = POLICY.model_copy(update={"trust_lone_quote": True})
    assert played(stage, alpha, dex, policy=policy, act=timed) == (pytest.approx(0.3), "dex")
