"""What readers cost an engine under full load: the loss of throughput, against the same engine without them.

Run: `make bench`, or this file alone, with `--seconds N` for each stretch. A hundred callers on five providers that
answer at once, over a SQLite file. Stretches without a reader and with one take turns in the same run, so that a log
that grows and a machine that is shared fall on both. The reader is a process of its own, and asks in turn for
`understudy status`, `understudy requests` and an SQL query over the last minute: once a second each, as somebody who
watches, or without a pause, as nobody should. A third one is a foreign client: a bare `sqlite3` connection that reads
`provider_health` and the failures of the last minute, and updates `provider_preferences`, once a second each. The loss
is given by the clock, which counts the reader's use of a core that both need, and by the engine's own time, which
counts only that it works harder. Also prints how long the reader's answers took, and the largest write-ahead log, which
only begins anew when nobody reads it.
"""

import argparse
import asyncio
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner
from full_load import Load, under_load, wal_bytes

from understudy.adapters.cli.main import main as understudy
from understudy.engine import Engine

TURNS = 6
QUERY = (
    "SELECT provider, count(*), avg(latency_us) FROM events"
    " WHERE outcome IS NOT NULL AND provider IS NOT NULL AND at_us > (SELECT max(at_us) FROM events) - 60000000"
    " GROUP BY provider"
)


def ask_command(database: Path, *words: str) -> None:
    """One of the commands, as typed."""
    answer = CliRunner().invoke(understudy, [words[0], str(database), *words[1:], "--json"])
    if answer.exit_code != 0:
        raise SystemExit(answer.output)


def ask_sql(database: Path) -> None:
    """Somebody at an SQL prompt."""
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        connection.execute(QUERY).fetchall()


def foreign(database: Path, sql: str) -> None:
    """A client that knows nothing of us but what docs/sql.md says."""
    with closing(sqlite3.connect(database, timeout=5, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute(sql).fetchall()


UPDATE = "UPDATE provider_preferences SET retry_delay_ms = 500 + abs(random()) % 500"
FAILURES = (
    "SELECT provider, error_message, COUNT(*) FROM provider_requests WHERE success = 0"
    " AND at_us > (SELECT max(at_us) FROM events) - 60000000 GROUP BY provider, error_message"
)
QUESTIONS: Mapping[str, Mapping[str, Callable[[Path], None]]] = {
    "reader": {
        "status": lambda database: ask_command(database, "status"),
        "requests": lambda database: ask_command(database, "requests"),
        "SQL": ask_sql,
    },
    "foreign": {
        "health": lambda database: foreign(database, "SELECT * FROM provider_health"),
        "failures": lambda database: foreign(database, FAILURES),
        "update": lambda database: foreign(database, UPDATE),
    },
}


def read_on_and_on(database: Path, *, who: str, pause_s: float) -> None:
    """Ask until killed; a line for each answer."""
    questions = QUESTIONS[who]
    while True:
        for name, ask in questions.items():
            began_s = time.perf_counter()
            ask(database)
            took_s = time.perf_counter() - began_s
            print(f"{name} {took_s}", flush=True)
            time.sleep(max(0.0, pause_s / len(questions) - took_s))


class Stretch(NamedTuple):
    """Calls a second of the clock, and a second of this process's own time; the largest write-ahead log, in bytes."""

    rate: float
    rate_of_own_time: float
    wal: int


async def stretch(load: Load, path: Path, *, seconds: float) -> Stretch:
    """Let the load go on for so long."""
    del load.took_s[:]
    largest = 0
    began_s, own_s = time.perf_counter(), time.process_time()
    for _ in range(20):
        await asyncio.sleep(seconds / 20)
        largest = max(largest, wal_bytes(path))
    calls = len(load.took_s)
    return Stretch(calls / (time.perf_counter() - began_s), calls / (time.process_time() - own_s), largest)


async def compare(path: Path, *, seconds: float, guests: Mapping[str, tuple[str, float]]) -> None:
    """Take turns, and print."""

    async def watch(engine: Engine, load: Load) -> None:
        del engine
        await stretch(load, path, seconds=seconds)  # Caches fill.
        for name, (who, pause_s) in guests.items():
            alone, read, answers = [], [], ""
            for _ in range(TURNS):
                alone.append(await stretch(load, path, seconds=seconds))
                command = [sys.executable, __file__, "--read", str(path), "--who", who, "--pause", str(pause_s)]
                with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as reader:  # noqa: ASYNC220 - Once.
                    await asyncio.sleep(1)  # It imports everything first.
                    read.append(await stretch(load, path, seconds=seconds))
                    reader.terminate()
                    answers += reader.communicate()[0]
            print_loss(name, alone, read)
            print_answers(answers)

    await under_load(path, callers=100, watch=watch)


def print_loss(name: str, alone: Sequence[Stretch], read: Sequence[Stretch]) -> None:
    """What is lost, by the median of the pairs of stretches."""
    pairs = list(zip(read, alone, strict=True))
    loss = 1 - statistics.median(one.rate / other.rate for one, other in pairs)
    own = 1 - statistics.median(one.rate_of_own_time / other.rate_of_own_time for one, other in pairs)
    print(
        f"{name}: {statistics.median(one.rate for one in alone):,.0f} calls/s alone,"
        f" {statistics.median(one.rate for one in read):,.0f} with it, loss {loss:.1%} ({own:.1%} by the engine's own"
        f" time); largest write-ahead log {max(one.wal for one in (*alone, *read)) / 1e6:.0f} MB"
    )


def print_answers(answers: str) -> None:
    """How often each question was answered, and how long that took."""
    took_s: dict[str, list[float]] = {}
    for line in answers.splitlines():
        name, _, seconds = line.partition(" ")
        took_s.setdefault(name, []).append(float(seconds))
    for name, several in took_s.items():
        print(f"  {name:<9} {len(several):>5} answers, median {statistics.median(several) * 1000:,.0f} ms")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--who", choices=QUESTIONS, help=argparse.SUPPRESS)
    parser.add_argument("--pause", type=float, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.read is not None:
        read_on_and_on(wanted.read, who=wanted.who, pause_s=wanted.pause)
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as folder:
        guests = {
            "a reader that asks once a second": ("reader", 1.0),
            "a reader without a pause": ("reader", 0.0),
            "a foreign client that asks and updates once a second": ("foreign", 1.0),
        }
        asyncio.run(compare(Path(folder, "calls.db"), seconds=wanted.seconds, guests=guests))


if __name__ == "__main__":
    main()
