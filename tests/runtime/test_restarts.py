"""An engine that starts again goes on as if it had never stopped: from a snapshot, from the rows, after a crash."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from providers_for_tests import Pingable, Searchable, Told

from understudy.adapters import SqliteReader
from understudy.engine import Ambiguous, Finding, Found, Policy, RateLimited, RequestError, Strategy, Transient
from understudy.engine.caches import dump
from understudy.engine.restore import restore


def moody(provider_id: str, dice: random.Random) -> Told:
    """A provider that fails in all kinds of ways."""

    def act() -> Any:
        luck = dice.random()
        if luck < 0.10:
            raise Transient("no", network=luck < 0.05)
        if luck < 0.13:
            raise RateLimited("slow down", retry_after_ms=int(luck * 10_000))
        if luck < 0.16:
            raise Ambiguous("reset")
        return {"luck": int(luck * 100)}

    found = [Found(finding=dice.choice(list(Finding)), value=1) for _ in range(500)]
    kinds: dict[str, type[Told]] = {"a": Pingable, "b": Searchable}
    made = kinds.get(provider_id, Told)(provider_id, default=act, delay_s=0.2)
    if isinstance(made, Searchable):
        made.findings = list(found)
    return made


@pytest.mark.parametrize("strategy", sorted(Strategy))
def test_decisions_after_restarts_replay_from_the_rows_alone(stage: Any, strategy: Strategy) -> None:
    policy = Policy(
        strategy=strategy, max_failures=2, recovery_time_ms=20_000, lane_by=("country",), stale_after_ms=90_000
    )
    dice = random.Random(7)

    async def act() -> None:
        for _ in range(3):
            providers = [moody(name, dice) for name in "abc"]
            async with stage.engine(*providers, log=stage.file(), policy=policy, seed=dice.randrange(100)) as engine:
                for _ in range(25):
                    country = dice.choice(["us", "de"])
                    effect = dice.choice(["read", "idempotent", "once"])
                    try:
                        await engine.call("x", context={"country": country}, effect=effect)
                    except RequestError:
                        continue
                    if dice.random() < 0.05:
                        engine.override("c", "open", actor="ann", reason="test", for_ms=30_000)

    stage.play(act)
    with stage.logs[0].reader() as reader:
        assert sum(row.kind == "decision_made.v1" for row in reader.rows()) > 60


def test_a_ledger_from_a_snapshot_or_from_blocks_is_the_ledger_from_the_rows(stage: Any) -> None:
    async def act() -> None:
        dice = random.Random(3)
        async with stage.engine(*(moody(name, dice) for name in "abc"), log=stage.file()) as engine:
            for _ in range(100):
                try:
                    await engine.call("x", effect="once")
                except RequestError:
                    continue

    stage.play(act)
    with SqliteReader.open(stage.logs[0].path) as reader:
        head = reader.head()
        long_way = restore(_Cacheless(reader))
        for shortcut in (restore(reader), restore(_Snapshotless(reader))):
            assert shortcut.requests == long_way.requests
            assert dump(shortcut, head) == dump(long_way, head)


class _Snapshotless:
    """A reader whose snapshots are gone."""

    def __init__(self, reader: SqliteReader) -> None:
        self._reader = reader

    def snapshot(self, **_: Any) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)


class _Cacheless(_Snapshotless):
    """A reader whose blocks are gone, too."""

    def blocks(self, **_: Any) -> Iterator[Any]:
        return iter(())
