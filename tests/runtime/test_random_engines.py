"""Random engines among providers that misbehave, operators and crashes: nothing wedges, nothing is executed twice.

A `World` knows what was really executed. Everybody who calls comes back in time; every log verifies.
"""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import pytest

from understudy.adapters import MemoryLog
from understudy.engine import (
    Ambiguous,
    Deadline,
    Engine,
    Finding,
    Found,
    InsufficientFunds,
    InvalidReply,
    InvalidRequest,
    KeyConflict,
    Misconfigured,
    OutcomeUnknown,
    OutOfStock,
    Policy,
    ProviderSettings,
    RateLimited,
    Rejected,
    Reply,
    Request,
    RequestError,
    Strategy,
    Transient,
)
from understudy.events.codec import recorded
from understudy.events.errors import UnderstudyError
from understudy.replay.verify import verify
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual

SLACK_S: Final = 0.3
SETTLE_S: Final = 2.0
SURELY_NOT: Final = (
    Transient("no"),
    Transient("cut", network=True),
    RateLimited("slow down", retry_after_ms=700),
    RateLimited("slow down"),
    OutOfStock("none"),
    InsufficientFunds("empty"),
    Misconfigured("key"),
    Rejected("nonsense"),
)


@dataclass
class World:
    """What was really done, by the body of the request: who did it, and under which key."""

    dice: random.Random
    done: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    until_s: float = 0.0
    """Until when providers misbehave."""

    def execute(self, request: Request, provider: str, key: str) -> None:
        body = str(request.body)
        self.ids[body] = request.request_id
        found = self.done.setdefault(body, [])
        if (provider, key) not in found:
            found.append((provider, key))

    def was_executed(self, body: str) -> bool:
        return body in self.done


@dataclass
class Moody:
    """A provider with moods. What it has executed under a key it does not execute again."""

    id: str
    world: World
    settings: ProviderSettings

    async def call(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Reply:
        dice = self.world.dice
        late_s = dice.choice((0.0, 0.01, 0.05, 0.3, 1.5, 9.0)) if self._moody() else 0.02
        mood = dice.random() if self._moody() else 0.0
        before = dice.random() < 0.5
        if mood < 0.75:  # Whether anybody still listens or not.
            wait_s = 0.0 if before else late_s
            asyncio.get_running_loop().call_later(wait_s, self.world.execute, request, self.id, key)
        await asyncio.sleep(late_s)
        if mood < 0.6:
            return Reply(value="done", reference=key[:6])
        if mood < 0.68:
            raise Ambiguous("reset")
        if mood < 0.75:
            raise dice.choice((InvalidReply("garbage"), ValueError("a bug")))
        raise dice.choice(SURELY_NOT)

    async def ping(self) -> None:
        await asyncio.sleep(0.01)
        if self._moody() and self.world.dice.random() < 0.3:
            raise ConnectionRefusedError("down")

    def _moody(self) -> bool:
        return asyncio.get_running_loop().time() < self.world.until_s


@dataclass
class Searchable(Moody):
    """One that can be asked what became of a call: what it says is true, once it has settled."""

    settle_ms = int(SETTLE_S * 1000) + 9_000

    async def lookup(self, operation: str, request: Request, *, key: str, deadline: Deadline) -> Found:
        dice = self.world.dice
        await asyncio.sleep(dice.choice((0.01, 0.2, 3.0)) if self._moody() else 0.02)
        if self._moody() and dice.random() < 0.3:
            raise dice.choice((Transient("no"), RateLimited("slow down", retry_after_ms=400), ValueError("a bug")))
        if (self.id, key) in self.world.done.get(str(request.body), []):
            return Found(finding=Finding.SUCCEEDED, reference=key[:6])
        return Found(finding=Finding.ABSENT)


def a_policy(dice: random.Random) -> Policy:
    return Policy.model_validate(
        {
            "strategy": dice.choice(list(Strategy)),
            "fallback_enabled": dice.random() < 0.8,
            "exploration": dice.choice((0, 0.3)),
            "retry_attempts": dice.randrange(3),
            "max_failures": dice.choice((1, 3)),
            "recovery_time_ms": dice.choice((200, 3_000)),
            "request_timeout_ms": dice.choice((400, 2_000)),
            "deadline_ms": dice.choice((800, 6_000, 20_000)),
            "throttle_ms": dice.choice((0, 300)),
            "lookup_interval_cap_ms": 5_000,
            "max_in_flight": dice.choice((None, None, 2)),
            "max_calls_per_second": dice.choice((None, None, 20)),
            "lane_by": dice.choice(((), ("country",))),
            "probe_permit_ms": dice.choice((500, 30_000)),
            "max_providers": dice.choice((None, None, 1, 2)),
            "trust_ping": dice.random() < 0.3,
            "local_fault_min_providers": 2,
        }
    )


def some_providers(dice: random.Random, world: World) -> list[Moody]:
    found: list[Moody] = []
    for name in ("a", "b", "c", "d")[: dice.randint(1, 4)]:
        limits = {
            "priority": dice.choice((1, 1, 2, 4)),
            "max_in_flight": dice.choice((None, None, 1, 3)),
            "max_calls_per_second": dice.choice((None, None, 5)),
        }
        settings = ProviderSettings.model_validate({"id": name, **limits})
        found.append(dice.choice((Moody, Searchable))(name, world, settings))
    return found


class Play:
    """One life of several engines over what is one log."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.world = World(self.dice)
        self.policy = a_policy(self.dice)
        self.providers = some_providers(self.dice, self.world)
        self.logs: list[MemoryLog] = []
        self.numbers = iter(range(10_000))
        self.salt = b"salt" * 8
        self.lost: set[str] = set()
        self.callers: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        self.world.until_s = asyncio.get_running_loop().time() + 60
        log = MemoryLog(salt=self.salt)
        for life in range(3):
            self.logs.append(log)
            system = VirtualSystem(seed=self.dice.randrange(1_000))
            engine = Engine(providers=self.providers, log=log, policy=self.policy, system=system)
            async with engine:
                await self.live(engine, log)
                after = await self.as_crashed(log) if life < 2 and self.dice.random() < 0.6 else None
                if after is None and life < 2 and self.dice.random() < 0.5:
                    await engine.stop(grace_ms=self.dice.choice((0, 50, 3_000)))
            log = after or log
            await asyncio.sleep(0.01)  # Ids on virtual time differ by the instant.
        await self.quiet(log)
        for caller in self.callers:
            with suppress(asyncio.CancelledError):
                await caller

    async def live(self, engine: Engine, log: MemoryLog) -> None:
        callers = [asyncio.create_task(self.caller(engine)) for _ in range(self.dice.randint(1, 12))]
        for _ in range(self.dice.randint(0, 12)):
            await asyncio.sleep(self.dice.choice((0.0, 0.05, 0.5, 3.0)))
            self.operate(engine, log)
            if self.dice.random() < 0.2:
                self.dice.choice(callers).cancel()
        if self.dice.random() < 0.5:
            await asyncio.gather(*callers, return_exceptions=True)
        self.callers += callers

    async def caller(self, engine: Engine) -> None:
        for _ in range(self.dice.randint(1, 8)):
            await self.call(engine)
            await asyncio.sleep(self.dice.choice((0.0, 0.02, 0.4)))

    async def call(self, engine: Engine) -> None:
        dice = self.dice
        effect = dice.choice(("read", "idempotent", "once", "once"))
        body = f"{effect} {next(self.numbers)}"
        deadline_ms = dice.choice((None, 5, 300, 5_000))
        limit_s = (deadline_ms or self.policy.deadline_ms) / 1000
        began_s = asyncio.get_running_loop().time()
        try:
            await engine.call(
                "pay",
                effect=effect,
                body=body,
                deadline_ms=deadline_ms,
                context={"country": dice.choice("xy")},
                idempotency_key=dice.choice((None, body)),
                preferred=dice.choice((None, None, "a")),
                free_to_abandon=effect == "idempotent" and dice.random() < 0.5,
            )
        except OutcomeUnknown:
            pass
        except RequestError as error:
            if effect == "once" and self.world.was_executed(body):
                raise AssertionError(f"{body} was executed, and yet: {error}") from error
        except (UnderstudyError, KeyConflict):
            return
        took_s = asyncio.get_running_loop().time() - began_s
        assert took_s <= limit_s + SLACK_S, f"{body} took {took_s} s of {limit_s}"

    def operate(self, engine: Engine, log: MemoryLog) -> None:
        dice, ann = self.dice, {"actor": "ann", "reason": "test"}
        provider = dice.choice(self.providers).id
        with suppress(InvalidRequest):
            match dice.randrange(6):
                case 0:
                    state = dice.choice(("open", "closed", "drain"))
                    engine.override(provider, state, for_ms=dice.choice((None, 300, 2_000)), **ann)
                case 1 | 2:
                    engine.clear_override(provider, **ann)
                case 3:
                    engine.probe(provider, **ann)
                case 4:
                    log.put_command(dice.choice(('{"command":"dance"}', "{", '{"command":"probe"}')))
                case _:
                    self.resolve(engine)

    def resolve(self, engine: Engine) -> None:
        """Say the truth about a request that has been held so long that it is known."""
        for request_id, state in list(engine._running().runner.journal.ledger.requests.items()):
            accepted = state.progress.accepted
            if getattr(state, "held", False) and engine.standing.at_us - accepted.deadline_at_us > 12_000_000:
                executed = self.world.was_executed(str(accepted.body))
                with suppress(InvalidRequest):
                    engine.resolve(request_id, executed=executed, actor="ann", reason="looked")

    async def as_crashed(self, log: MemoryLog) -> MemoryLog:
        """The same log as a crash leaves it just now; what the old engine still writes goes elsewhere."""
        after = MemoryLog(salt=self.salt)
        await after.open("crashed")
        with log.reader() as reader:
            rows = list(reader.rows())
        end = len(rows) - self.dice.choice((0, 0, 1, 2, 7))
        for row in rows[:end]:
            after.append(recorded(row).event, at_us=row.at_us)
        await after.close()
        # A real log does not lose what a `once` call has waited for; this one may, and knows nothing of it any more.
        self.lost |= {row.request_id for row in rows[end:] if row.request_id is not None}
        return after

    async def quiet(self, log: MemoryLog) -> None:
        """Everybody behaves: what is open is settled, and a call is served."""
        await asyncio.sleep(max(0.0, self.world.until_s - asyncio.get_running_loop().time()) + 700)
        self.logs.append(log)
        engine = Engine(providers=self.providers, log=log, policy=self.policy, system=VirtualSystem(seed=7))
        async with engine:
            for one in self.providers:
                engine.clear_override(one.id, actor="ann", reason="quiet")
            await asyncio.sleep(60)
            self.resolve(engine)
            await asyncio.sleep(60)
            for request_id in engine.unsettled:
                with suppress(InvalidRequest):
                    engine.resolve(request_id, executed=False, actor="ann", reason="the end")
            await asyncio.sleep(10)
            assert engine.unsettled == ()
            await engine.call("pay", body="probe", deadline_ms=60_000)
            last = [engine.call("pay", body=f"last {n}", deadline_ms=60_000) for n in range(9)]
            assert len(await asyncio.gather(*last)) == len(last)


def play(seed: int) -> None:
    one = Play(seed)
    run_virtual(one.run())
    for body, by in one.world.done.items():
        if body.startswith("once") and one.world.ids[body] not in one.lost:
            assert len(by) == 1, f"{body} was executed by {by}"
    for log in one.logs:
        with log.reader() as reader:
            verification = verify(reader)
        assert verification.ok, verification


@pytest.mark.parametrize("seed", range(8))
def test_random_engines(seed: int) -> None:
    play(seed)


@pytest.mark.soak
def test_hundreds_of_random_engines() -> None:
    for seed in range(1_000, 1_300):
        play(seed)
