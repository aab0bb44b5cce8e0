"""A log in which hours have passed: much is old, something is not settled, and something was confidential."""

import asyncio
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
from providers_for_tests import Told

from understudy.adapters.stores import SqliteLog
from understudy.engine import Ambiguous, Effect, Engine, Operation, Policy, RequestError, Strategy, Transient
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual

REQUESTS = 60


def live(path: Path, *, requests: int, seed: int) -> None:
    """An engine that serves a request every four minutes; one of them early is held, and one has a key."""
    log = SqliteLog(path)

    async def serve() -> None:
        acts: list[object] = [Transient("busy") if count % 7 == 3 else {"n": count} for count in range(requests)]
        acts[5] = Ambiguous("connection reset")
        providers = [Told("alpha", acts), Told("beta", [{"n": -1}] * requests)]
        rent = Operation(name="rent", effect=Effect.ONCE, sensitive=frozenset({"phone"}))
        engine = Engine(
            providers=providers,
            log=log,
            policy=Policy(strategy=Strategy.IN_ORDER, retry_attempts=0, max_failures=50),
            system=VirtualSystem(seed=seed),
            operations=[rent, Operation(name="find")],
            watch=False,
        )
        async with engine:
            for count in range(requests):
                name, body = ("rent", {"phone": f"+49 30 {count:06}"}) if count % 10 == 5 else ("find", None)
                with suppress(RequestError):
                    await engine.call(name, body=body, idempotency_key=f"k{count}" if count == 15 else None)
                await asyncio.sleep(240)

    run_virtual(serve(), busy=lambda: log.busy)


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lived") / "calls.db"
    live(path, requests=REQUESTS, seed=1)
    return path


@pytest.fixture
def old_log(lived: Path, tmp_path: Path) -> Path:
    path = tmp_path / "shop" / "calls.db"
    path.parent.mkdir()
    shutil.copy(lived, path)
    return path
