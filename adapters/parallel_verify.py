"""Verifying a long log with several cores: in equal parts, a process for each part, summed up at the end.

A process that begins further on begins with the ledger that snapshots and sealed blocks tell of that place. Whether
that was the true one is seen when the process before arrives there; if not, the log is verified anew by one process,
from its rows alone. So what is found is what one process would find, to the last field.
"""

import gc
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import connection, resource_tracker
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Final

from understudy.adapters.stores import SqliteReader
from understudy.engine.restore import restored_without_rows
from understudy.events.errors import UnderstudyError, UnreadableEvent
from understudy.replay.verify import (
    ChainChecked,
    Recomputed,
    Verification,
    check_chain,
    handed_over,
    recompute,
    seam,
    summed_up,
    verify,
)

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""

SMALL: Final = 200_000
"""Events. A shorter log is verified before a second process has started."""

_FOLD_SHARE: Final = 0.45
"""What folding an event costs where nothing is kept of the log but its rows, as a share of asking the rules, too."""

Found = tuple[ChainChecked, Recomputed]


class WorkerLost(UnderstudyError):
    """A process that verified a part of the log ended before it was done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One worker's part: the events after `after` up to `through`, their chain and their decisions."""

    path: Path
    stream: str
    after: int
    through: int
    archive: Path | None = None

    @property
    def work(self) -> int:
        """How many rows it looks at: each twice, once for the chain and once for the decisions."""
        return 2 * (self.through - self.after)


def cores() -> int:
    """How many processes are worth starting here."""
    return os.cpu_count() or 1


def verify_file(
    path: Path,
    *,
    stream: str | None = None,
    after: int = 0,
    through: int | None = None,
    archive: Path | None = None,
    jobs: int,
    small: int = SMALL,
    progress: Progress | None = None,
) -> Verification:
    """Verify a log in a file with up to `jobs` processes; a log of fewer than `small` events with this one alone.

    It begins `after` an event, as `replay.verify.verify`; archived files are looked for in `archive`, too.
    Errors: as the reader's; WorkerLost, when a process was killed from outside or found a bug.
    """
    with SqliteReader.open(path, stream=stream, archive=archive) as reader:
        end = reader.head().seq if through is None else through
        shares = plan(reader, path, after=after, end=end, archive=archive, jobs=jobs) if end - after >= small else []
        if len(shares) < 2:  # noqa: PLR2004 - one share is no sharing.
            with _without_cycles():
                return verify(reader, after=after, through=end, progress=_alone(progress, end - after))
        chains, recomputed = zip(*shared_out(shares, progress), strict=True)
        if handed_over(recomputed):
            return summed_up(reader.stream, end, chains=chains, recomputed=recomputed)
        with _without_cycles():
            return verify(reader, after=after, through=end, progress=_alone(progress, end - after))


@contextmanager
def _without_cycles() -> Iterator[None]:
    """Do something that makes no reference cycles: looking for some would take a tenth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def plan(
    reader: SqliteReader, path: Path, *, after: int = 0, end: int, archive: Path | None = None, jobs: int
) -> list[Share]:
    """The shares of up to `jobs` workers; fewer where the log cannot be cut so often."""
    last = min(end, reader.head().seq)
    cuts = [after]
    for near in _places(reader, after=after, last=last, jobs=jobs):
        try:
            cut = seam(reader, near=near, through=last)
        except UnreadableEvent:  # The file is damaged there; whoever reads in order will tell.
            return []
        if cut is None or cut <= cuts[-1]:
            return []
        cuts.append(cut)
    return [
        Share(path=path, stream=reader.stream, after=start, through=through, archive=archive)
        for start, through in pairwise([*cuts, end])
    ]


def _places(reader: SqliteReader, *, after: int, last: int, jobs: int) -> list[int]:
    """Where to cut, so that all are done at the same time: whoever must fold all rows before its part gets less."""
    length = last - after
    if restored_without_rows(reader, through=after + length // 2) > after:
        return [after + length * place // jobs for place in range(1, jobs)]
    rest = 1 - _FOLD_SHARE
    return [after + int(length * (1 - rest**place) / (1 - rest**jobs)) for place in range(1, jobs)]


def _alone(progress: Progress | None, end: int) -> Callable[[int], None] | None:
    # Every event is looked at twice: once for the chain, once for the decisions.
    return None if progress is None else lambda done: progress(done, 2 * end)


def shared_out(shares: Sequence[Share], progress: Progress | None = None) -> list[Found]:
    """What each worker found, in the order of the log; the first one's error, if any had one."""
    total = sum(share.work for share in shares)
    done = [0] * len(shares)
    found: dict[int, Found | UnderstudyError] = {}
    with _started(shares) as workers:
        waiting = {pipe: place for place, (_, pipe) in enumerate(workers)}
        while waiting:
            for pipe in connection.wait(list(waiting)):
                assert isinstance(pipe, connection.Connection)  # noqa: S101 - nothing else is waited for.
                place = waiting[pipe]
                told = _told(workers[place][0], pipe)
                if not isinstance(told, int):
                    found[place] = told
                    del waiting[pipe]
                    continue
                done[place] = told
                if progress is not None:
                    progress(sum(done), total)
    parts = []
    for _, part in sorted(found.items()):
        if isinstance(part, UnderstudyError):
            raise part
        parts.append(part)
    return parts


def _told(process: SpawnProcess, pipe: connection.Connection) -> int | Found | UnderstudyError:
    try:
        told: int | Found | UnderstudyError = pipe.recv()
    except EOFError:
        process.join()
        raise WorkerLost(
            f"a process that verified a part of the log ended with code {process.exitcode} before it was done;"
            " verify with --jobs 1"
        ) from None
    return told


@contextmanager
def _started(shares: Sequence[Share]) -> Iterator[list[tuple[SpawnProcess, connection.Connection]]]:
    """A process for each share, and the pipe that it tells through. However it ends, none is left behind."""
    context = multiprocessing.get_context("spawn")  # A fork would share our connection to the file.
    workers: list[tuple[SpawnProcess, connection.Connection]] = []
    try:
        for share in shares:
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(share, theirs), daemon=True)
            workers.append((process, ours))
            with _deaf():
                process.start()
            theirs.close()  # So that its death is heard here.
        yield workers
    finally:
        for process, pipe in workers:
            pipe.close()
            if process.pid is not None:
                process.terminate()
                process.join()


@contextmanager
def _deaf() -> Iterator[None]:
    """Start a process that never hears Ctrl-C, not even while it imports: we answer that, and then end it.

    What comes meanwhile reaches us afterwards.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        # Else the first start would start that too, and Python lets Ctrl-C come again once it has.
        resource_tracker.ensure_running()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(share: Share, pipe: connection.Connection) -> None:
    """What a worker does. An error that is none of ours ends it with a traceback, and its pipe with it."""
    half = share.through - share.after
    try:
        with SqliteReader.open(share.path, stream=share.stream, archive=share.archive) as reader, _without_cycles():
            chain = check_chain(reader, after=share.after, through=share.through, progress=pipe.send)
            found = recompute(
                reader, after=share.after, through=share.through, progress=lambda done: pipe.send(half + done)
            )
    except UnderstudyError as error:
        pipe.send(error)
    else:
        pipe.send((chain, found))
