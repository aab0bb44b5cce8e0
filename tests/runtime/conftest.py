"""Every engine that a test runs writes a log, and every log must replay to the same decisions afterwards."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from understudy.adapters import MemoryLog, SqliteLog
from understudy.engine import Engine, Operation, Policy
from understudy.replay.verify import verify
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual


class Stage:
    """Engines on virtual time over logs that are verified in the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.logs: list[MemoryLog | SqliteLog] = []

    def engine(
        self,
        *providers: Any,
        log: MemoryLog | SqliteLog | None = None,
        policy: Policy | None = None,
        operations: tuple[Operation, ...] = (),
        seed: int = 1,
        watch: bool = True,
        others: bool = False,
    ) -> Engine:
        """An engine over a fresh memory log, unless another is given.

        `others` are those who send commands into a log in memory, or set the clock.
        """
        log = log or MemoryLog()
        if log not in self.logs:
            self.logs.append(log)
        return Engine(
            providers=providers,
            log=log,
            policy=policy,
            operations=operations,
            system=VirtualSystem(seed=seed, alone=type(log) is MemoryLog and not others),
            watch=watch,
        )

    def file(self, name: str = "calls.db") -> SqliteLog:
        """A log in a file; asked again for the same name, it is the same file in another hand."""
        log = SqliteLog(self._folder / name)
        self.logs.append(log)
        return log

    def play(self, act: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Run an act on virtual time."""
        return run_virtual(act(), busy=lambda: any(log.busy for log in self.logs))

    @property
    def now_s(self) -> float:
        """Virtual seconds since the act began; asked within it."""
        return asyncio.get_running_loop().time()

    def kinds(self, log: MemoryLog | SqliteLog | None = None) -> list[str]:
        """The kinds of the events in a log, versions left out."""
        with (log or self.logs[-1]).reader() as reader:
            return [row.kind.rpartition(".")[0] for row in reader.rows()]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage; what was played on it must verify."""
    made = Stage(tmp_path)
    yield made
    for log in made.logs:
        with log.reader() as reader:
            verification = verify(reader)
        assert verification.ok, verification
