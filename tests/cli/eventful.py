"""A log in which much has happened: served, failed over, failed, refused, held, and left open by a crash."""

import asyncio
import sqlite3
from contextlib import closing, suppress
from decimal import Decimal
from pathlib import Path

from providers_for_tests import Pingable, Told, never

from understudy.adapters.stores import SqliteLog
from understudy.engine import Ambiguous, Engine, Policy, Rejected, RequestError, Strategy, Transient
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual

POLICY = Policy(
    strategy=Strategy.IN_ORDER, retry_attempts=0, exploration=Decimal(0), max_failures=50, request_timeout_ms=2_000
)
STORY = (
    # What alpha does, what beta does, the effect, and what then became of the request.
    ("one", "two", "read", "served"),
    (Transient("503 Service Unavailable"), "two", "read", "served"),
    (Transient("503 Service Unavailable"), Transient("busy"), "read", "failed, exhausted"),
    (Ambiguous("connection reset"), "two", "once", "held, no lookup"),
    (Rejected("no such country"), "two", "read", "failed, rejected"),
    ("one", "two", "read", "served"),
    (never(), never(), "read", "open"),
)
"""A second passes between two requests; the last one hangs while the file is copied."""

CONTEXT = {"country": "us", "service": "wa"}
KEY = "order-17"
"""The idempotency key of the one that is held."""


def write(path: Path) -> None:
    """Write the log of STORY, as a crash in the middle of the last request would leave it."""
    log = SqliteLog(path.with_suffix(".whole"), salt=b"of no importance")

    async def live() -> None:
        alpha = Told("alpha", [act for act, *_ in STORY], delay_s=0.1)
        beta = Pingable("beta", [act for first, act, *_ in STORY if isinstance(first, Transient)], delay_s=0.2)
        engine = Engine(providers=[alpha, beta], log=log, policy=POLICY, system=VirtualSystem(seed=1), watch=False)
        async with engine:
            engine.override("beta", "closed", actor="ada", reason="trusted", for_ms=3_600_000)
            await engine.ask("beta", "ping")
            for _, _, effect, _ in STORY[:-1]:
                key = KEY if effect == "once" else None
                with suppress(RequestError):
                    await engine.call("rent", context=CONTEXT, effect=effect, idempotency_key=key)
                await asyncio.sleep(1)
            hanging = asyncio.create_task(engine.call("rent", context={"country": "de"}))
            await asyncio.sleep(1)
            await log.durable(log.head.seq)
            with closing(sqlite3.connect(log.path)) as source, closing(sqlite3.connect(path)) as copy:
                source.backup(copy)
            hanging.cancel()

    run_virtual(live(), busy=lambda: log.busy)
