"""A caller may be cancelled at any await: the request ends once, nothing is done twice, and the engine goes on."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

import pytest
from lifecycle.cancelling import cancelled_at
from lifecycle.leftovers import tasks_left
from providers_for_tests import Searchable

from understudy.engine import Ambiguous, Engine, Finding, Found, Policy, RequestError, Strategy, Transient

WAITS_AT_MOST = 100
POLICY = Policy(strategy=Strategy.IN_ORDER, request_timeout_ms=1_000, lookup_interval_ms=100)


class Executing(Searchable):
    """One that counts what it has executed, and whose first calls fail before and after that."""

    def __init__(self, provider_id: str, executed: Counter[str], *, moody: bool) -> None:
        acts = [Transient("busy"), self.execute_and_break] if moody else []
        super().__init__(provider_id, acts, default=self.execute, delay_s=0.01)
        self.executed = executed
        self.findings = [Found(finding=Finding.UNKNOWN), Found(finding=Finding.SUCCEEDED, value=1)]

    def execute(self) -> str:
        request_id, _ = self.calls[-1]
        self.executed[request_id] += 1
        return "done"

    def execute_and_break(self) -> None:
        self.execute()
        raise Ambiguous("reset after sending")


def fresh_engine(stage: Any, executed: Counter[str], log: Any) -> Engine:
    providers = [Executing("a", executed, moody=True), Executing("b", executed, moody=False)]
    engine: Engine = stage.engine(*providers, log=log, policy=POLICY)
    return engine


@pytest.mark.parametrize("key", [None, "k"])
@pytest.mark.parametrize("effect", ["read", "idempotent", "once"])
@pytest.mark.parametrize("store", ["memory", "file"])
def test_wherever_a_caller_is_cancelled_the_request_ends_and_is_executed_at_most_once(
    stage: Any, store: str, effect: str, key: str | None
) -> None:
    async def interrupt(at_wait: int) -> bool:
        executed: Counter[str] = Counter()
        log = stage.file(f"{at_wait}.db") if store == "file" else None
        async with fresh_engine(stage, executed, log) as engine:
            call = engine.call("x", effect=effect, idempotency_key=key)
            reached = await cancelled_at(call, at_wait=at_wait)
            await asyncio.sleep(20)
            assert engine.unsettled == (), "it ends without its caller, if it must"
            assert engine.standing.calls == {}, "no call is left open"
            assert all(name.startswith(("watch ", "writer ")) for name in tasks_left()), tasks_left()
            await engine.call("y", effect="once")
            if key is not None:
                await repeat(engine, effect, key)
        assert tasks_left() == []
        assert effect != "once" or set(executed.values()) == {1}
        return reached

    for at_wait in range(1, WAITS_AT_MOST):
        if not stage.play(lambda at_wait=at_wait: interrupt(at_wait)):
            break
    else:
        raise AssertionError("it waits for ever")
    assert at_wait > 1


async def repeat(engine: Engine, effect: str, key: str) -> None:
    """A repeat under the key joins whatever became of the first; it is not executed again."""
    before = engine.standing.totals.completed
    with suppress(RequestError):
        assert (await engine.call("x", effect=effect, idempotency_key=key)).joined
    assert engine.standing.totals.completed == before
