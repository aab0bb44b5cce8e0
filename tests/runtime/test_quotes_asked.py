"""`Engine.quotes`: what everybody would give now, as a decision would judge it, and nothing is carried out."""

from decimal import Decimal
from typing import Any

import pytest

from understudy.adapters.stores import MemoryLog
from understudy.engine import (
    Deadline,
    Effect,
    Engine,
    InvalidRequest,
    Operation,
    Policy,
    ProviderSettings,
    Quote,
    Reply,
    Request,
    Transient,
)
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import virtually

CONVERT = Operation(name="convert", effect=Effect.ONCE, quoted=True)
ASKED: dict[str, Any] = {"context": {"pair": "ETH/BTC"}, "amount": "2", "body": {"to_coin": "BTC"}}


class Quoting:
    def __init__(self, name: str, answer: Any) -> None:
        self.id = name
        self.answer = answer
        self.asked: list[Request] = []

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> None:
        raise AssertionError("nothing is carried out")

    async def quote(self, request: Request, *, deadline: Deadline) -> Any:
        self.asked.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Mute:
    id = "mute"

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> None: ...


def of(rate: str, **more: Any) -> Quote:
    return Quote(rate=Decimal(rate), **more)


def engine(*providers: Any, log: MemoryLog | None = None, **policy: Any) -> Engine:
    return Engine(
        providers=providers,
        log=log or MemoryLog(),
        policy=Policy(**policy),
        system=VirtualSystem(),
        operations=[CONVERT],
    )


@virtually
async def test_every_quote_is_judged_against_the_others_and_nothing_is_carried_out() -> None:
    many = [
        Quoting("a", of("0.0654")),
        Quoting("b", of("0.0652")),
        Quoting("c", of("0.09")),
        Quoting("d", of("0.0653")),
    ]
    log = MemoryLog()
    async with engine(*many, log=log, max_parallel_requests=1) as running:
        found = await running.quotes("convert", **ASKED)
        assert running.unsettled == ()
    assert [(one.provider, one.verdict, one.net) for one in found] == [
        ("a", "eligible", Decimal("0.1308")),
        ("b", "eligible", Decimal("0.1304")),
        ("c", "rate_outlier", Decimal("0.18")),
        ("d", "eligible", Decimal("0.1306")),
    ]
    assert [one.quote for one in found] == [one.answer for one in many]
    assert all(one.off_bp is not None and one.message is None and one.tier == 1 for one in found)
    assert [(one.amount, one.body, dict(one.context)) for one in many[0].asked] == [
        (Decimal(2), {"to_coin": "BTC"}, {"pair": "ETH/BTC"})
    ]
    with log.reader() as reader:
        kinds = [row.kind for row in reader.rows()]
    assert (kinds.count("call_started.v1"), kinds.count("request_accepted.v1")) == (4, 0)


@virtually
async def test_who_gives_no_quote_has_the_reason_beside_its_name() -> None:
    silent, ill = Quoting("silent", Reply(value={})), Quoting("ill", Transient("maintenance"))
    async with engine(Quoting("a", of("0.0654")), silent, ill, Mute(), trust_lone_quote=True) as running:
        found = {one.provider: one for one in await running.quotes("convert", **ASKED)}
    assert {name: (one.verdict, one.message) for name, one in found.items()} == {
        "a": ("eligible", None),
        "silent": ("no_quote", "it gave no quote"),
        "ill": ("no_quote", "maintenance"),
        "mute": ("cannot_quote", None),
    }
    assert (found["mute"].quote, found["ill"].net, found["ill"].off_bp) == (None, None, None)


@virtually
async def test_who_is_not_to_be_asked_is_not_asked() -> None:
    out, well = Quoting("out", of("0.0654")), Quoting("well", of("0.0654"))
    async with engine(out, well, trust_lone_quote=True) as running:
        running.override("out", "open", actor="ann", reason="invoice")
        found = await running.quotes("convert", **ASKED)
    assert [(one.provider, one.verdict) for one in found] == [("out", "forced_open"), ("well", "eligible")]
    assert out.asked == []


@virtually
async def test_a_quote_that_has_expired_by_the_time_of_judging_says_so() -> None:
    system = VirtualSystem()
    soon, later = of("1", expires_at_us=system.now_us()), of("1", expires_at_us=system.now_us() + 60_000_000)
    async with engine(Quoting("soon", soon), Quoting("later", later), trust_lone_quote=True) as running:
        found = await running.quotes("convert", **ASKED)
    assert [one.verdict for one in found] == ["quote_expired", "eligible"]


@virtually
async def test_fees_are_those_of_each_providers_settings() -> None:
    settings = ProviderSettings.model_validate({"id": "b", "fees": {"percent": 1, "withdrawal": {"BTC": "0.1"}}})
    policy: dict[str, Any] = {"providers": [ProviderSettings(id="a"), settings]}
    async with engine(Quoting("a", of("1")), Quoting("b", of("1")), **policy) as running:
        found = await running.quotes("convert", **ASKED)
    assert [one.net for one in found] == [Decimal(2), Decimal("1.88")]


@virtually
async def test_what_cannot_be_asked_about_is_refused_as_a_request_is() -> None:
    quoting = Quoting("a", of("1"))
    async with engine(quoting) as running:
        with pytest.raises(InvalidRequest, match="needs an amount"):
            await running.quotes("convert", context={"pair": "ETH/BTC"}, amount=0)
        with pytest.raises(InvalidRequest, match="did you mean 'convert'"):
            await running.quotes("convrt", **ASKED)
    assert quoting.asked == []


@virtually
async def test_what_is_sensitive_of_the_question_is_not_told_in_clear() -> None:
    secret = "bc1qsecretsecret"
    log = MemoryLog()
    running = Engine(
        providers=[Quoting("a", Transient(f"cannot pay {secret}"))],
        log=log,
        policy=Policy(),
        system=VirtualSystem(),
        operations=[Operation(name="convert", effect=Effect.ONCE, quoted=True, sensitive=frozenset({"address"}))],
    )
    async with running:
        (found,) = await running.quotes("convert", **{**ASKED, "body": {"address": secret}})
    with log.reader() as reader:
        assert not [row for row in reader.rows() if secret in row.payload]
    assert found.verdict == "no_quote"
