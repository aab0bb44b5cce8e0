"""`understudy forget`: what was sensitive is nowhere in the files any more, and all else is as it was."""

import asyncio
import json
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from cli.command_line import answered, refused, run, said
from click.testing import CliRunner
from providers_for_tests import Told

from understudy.adapters.cli.exits import WAITS
from understudy.adapters.cli.main import main
from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.engine import Ambiguous, Engine, Operation, OutcomeUnknown, Policy, Rejected, Reply, RequestError
from understudy.replay.verify import verify
from understudy.replay.virtual_system import VirtualSystem
from understudy.replay.virtual_time import run_virtual

ANN, BOB, NUMBER = "ann@example.org", "bob@example.org", "+15550100234"
RENT = Operation(name="rent", sensitive=frozenset({"mail", "number", "pin"}))


def shop(path: Path, *answers: Any) -> Engine:
    return Engine(
        providers=[Told("alpha", list(answers), default=Reply(value={"number": NUMBER, "left": 3}, reference="r-1"))],
        log=SqliteLog(path),
        operations=[RENT],
        policy=Policy(retry_attempts=0),
        watch=False,
    )


@pytest.fixture
def log(lived: Path, tmp_path: Path) -> Path:
    """A copy of what is in `lived`."""
    return Path(shutil.copy(lived, tmp_path / "calls.db"))


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ann and Bob have rented the same number, one after the other; then a provider has repeated what it was given."""
    path = tmp_path_factory.mktemp("lived") / "calls.db"

    async def live() -> None:
        async with shop(path) as engine:
            await engine.call(
                "rent", body={"mail": ANN, "pin": 471100}, context={"country": "us"}, subject="customer-1"
            )
            await engine.call("rent", body={"to": [{"mail": BOB}]}, subject="customer-2")
        async with shop(path, Rejected(f"{ANN} with 471100 is barred", code=ANN)) as engine:
            with pytest.raises(RequestError):
                await engine.call("rent", body={"mail": ANN, "pin": 471100}, subject="customer-1")

    asyncio.run(live())
    return path


def holds(path: Path, text: str) -> bool:
    """Whether a text is in the log's file, or in anything beside it."""
    return any(text.encode() in one.read_bytes() for one in path.parent.iterdir() if one.is_file())


def read_elsewhere(path: Path) -> bytes:
    """The same bytes, read by another process: who closes a file loses this one's locks on it, an engine's too."""
    return subprocess.run(["/bin/cat", *path.parent.iterdir()], capture_output=True, check=True).stdout


def forget(path: Path, *words: str) -> dict[str, Any]:
    return answered("forget", path, *words, "--reason", "asked to", "--actor", "eve")


def test_a_value_is_gone_from_every_file_and_the_log_is_as_valid_as_before(log: Path) -> None:
    assert holds(log, ANN)
    found = forget(log, ANN)
    assert (found["forgotten"], found["waits"]) == (1, None)
    assert not holds(log, ANN)
    assert holds(log, BOB)
    with SqliteReader.open(log) as reader:
        assert verify(reader).ok
    ((event),) = [one["event"] for one in found["events"]]
    assert {name: event[name] for name in ("values", "actor", "reason")} == {
        "values": 1,
        "actor": "eve",
        "reason": "asked to",
    }


def test_whose_values_they_are_may_be_named_and_what_another_one_has_too_stays_his(log: Path) -> None:
    assert forget(log, "customer-1")["forgotten"] == 3
    assert not holds(log, ANN)
    assert not holds(log, "471100")
    assert holds(log, NUMBER)  # It is Bob's now.
    assert forget(log, "customer-2")["forgotten"] == 2
    assert not holds(log, NUMBER)
    assert not holds(log, "customer-")


def test_a_value_that_is_named_itself_is_everybodys(log: Path) -> None:
    assert forget(log, NUMBER)["forgotten"] == 2
    assert not holds(log, NUMBER)


def test_a_number_is_found_as_it_is_typed(log: Path) -> None:
    assert forget(log, "471100")["forgotten"] == 1
    assert not holds(log, "471100")


def test_the_values_of_one_request_are_forgotten_by_its_id(log: Path) -> None:
    bobs = answered("requests", log)["requests"][1]["request_id"]
    assert forget(log, "--request", bobs[:20])["forgotten"] == 2
    assert (holds(log, BOB), holds(log, NUMBER), holds(log, ANN)) == (False, True, True)


def test_a_request_without_a_subject_is_its_own(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"

    async def live() -> None:
        async with shop(path) as engine:
            await engine.call("rent", body={"mail": ANN})

    asyncio.run(live())
    assert forget(path, "--request", answered("requests", path)["requests"][0]["request_id"])["forgotten"] == 2
    assert not holds(path, ANN)


def test_a_second_time_nothing_is_left_and_nothing_is_written(log: Path) -> None:
    forget(log, ANN)
    before = answered("doctor", log)["head"]["seq"]
    words = ("forget", log, ANN, "--reason", "again", "--actor", "eve")
    assert said(*words) == f"{log}: already forgotten, by event {before:,}\n"
    assert answered("doctor", log)["head"]["seq"] == before


def test_a_mistyped_name_is_told_apart_from_one_that_is_forgotten_already(log: Path) -> None:
    why = ("--reason", "asked to", "--actor", "eve")
    assert said("forget", log, "custommer-1", *why) == f"{log}: nothing is known of this name\n"
    assert (forget(log, "custommer-1")["known"], forget(log, "customer-1")["known"]) == (False, True)
    assert said("forget", log, "customer-1", *why).startswith(f"{log}: already forgotten, by event ")
    assert said("forget", log, ANN, *why) == f"{log}: nothing is left to forget\n"  # It went with the customer.


async def test_while_an_engine_does_not_come_to_it_nothing_is_said_to_be_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    log = SqliteLog(path)
    alpha = Told("alpha", default={"number": NUMBER})
    async with Engine(providers=[alpha], log=log, operations=[RENT], watch=False) as engine:
        await engine.call("rent", body={"mail": ANN})
        await log.durable(log.head.seq)
        words = ("forget", path, ANN, "--reason", "asked to", "--wait", "100ms")
        result = await asyncio.to_thread(run, *words)
    assert (result.exit_code, result.stdout) == (WAITS, f"{path}: not yet\n")
    assert "waits in the inbox" in result.stderr


def test_what_comes_again_is_kept_again(log: Path) -> None:
    forget(log, ANN)

    async def live() -> None:
        async with shop(log) as engine:
            await engine.call("rent", body={"mail": ANN}, subject="customer-1")

    asyncio.run(live())
    assert holds(log, ANN)
    assert forget(log, ANN)["forgotten"] == 1
    assert not holds(log, ANN)


def test_a_story_tells_that_values_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"

    async def live() -> None:
        async with shop(path) as engine:
            await engine.call("rent", context={"mail": ANN}, body={"pin": 12})

    asyncio.run(live())
    assert "mail «hidden " in said("explain", path, "last")
    forget(path, ANN)
    text = said("explain", path, "last")
    assert "mail «forgotten " in text
    assert "1 of its 3 sensitive values is forgotten" in text
    assert len(answered("explain", path, "last")["forgotten"]) == 1


async def test_a_running_engine_takes_it_and_nothing_is_left_while_it_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    alpha = Told("alpha", default={"number": NUMBER})
    log = SqliteLog(path)
    async with Engine(providers=[alpha], log=log, operations=[RENT]) as engine:
        await engine.call("rent", body={"mail": ANN})
        await log.durable(log.head.seq)
        found = await asyncio.to_thread(forget, path, ANN)
        assert (found["forgotten"], found["waits"]) == (1, None)
        assert ANN.encode() not in await asyncio.to_thread(read_elsewhere, path)
        await engine.call("rent", body={"mail": BOB})
    assert holds(path, BOB)
    with SqliteReader.open(path) as reader:
        assert verify(reader).ok


def test_what_an_archived_request_has_is_forgotten_too_and_no_archive_ever_had_it(tmp_path: Path) -> None:
    path, archive = tmp_path / "calls.db", tmp_path / "archive"
    log = SqliteLog(path)
    alpha = Told("alpha", default={"number": NUMBER})
    engine = Engine(providers=[alpha], log=log, operations=[RENT], system=VirtualSystem(seed=1), watch=False)

    async def live() -> None:
        async with engine:
            await engine.call("rent", context={"mail": ANN}, subject="customer-1")
            for _ in range(30):
                await asyncio.sleep(1)
                await engine.call("rent")

    run_virtual(live(), busy=lambda: log.busy)
    request_id = answered("requests", path, "--limit", "0")["requests"][-1]["request_id"]
    answered("archive", path, "--older-than", "1s", "--to", archive)
    assert not any(ANN.encode() in one.read_bytes() for one in archive.iterdir())
    assert "mail «hidden " in said("explain", path, request_id)
    assert forget(path, "--request", request_id)["forgotten"] == 2
    assert not holds(path, ANN)
    assert "mail «forgotten " in said("explain", path, request_id)
    with SqliteReader.open(path) as reader:
        assert verify(reader).ok


def test_what_an_open_request_needs_is_not_taken_from_it(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    once = Operation(name="rent", effect="once", sensitive=frozenset({"mail"}))  # type: ignore[arg-type]

    async def live() -> None:
        alpha = Told("alpha", default=Ambiguous("reset"))
        async with Engine(providers=[alpha], log=SqliteLog(path), operations=[once], watch=False) as engine:
            with pytest.raises(OutcomeUnknown):
                await engine.call("rent", body={"mail": ANN})

    asyncio.run(live())
    held = answered("requests", path)["requests"][0]["request_id"]
    told = refused("forget", path, ANN, "--reason", "asked to")
    assert told.startswith(f"the command was refused: request {held} has not ended and still needs it; resolve that")
    assert holds(path, ANN)
    said("resolve", path, held, "--not-executed", "--reason", "they say so")
    forget(path, ANN)
    assert not holds(path, ANN)


def test_while_somebody_reads_older_pages_it_is_not_done(log: Path) -> None:
    with closing(sqlite3.connect(log)) as connection, reading_on(connection):
        result = run("forget", log, ANN, "--reason", "asked to", "--wait", "100ms")
        assert (result.exit_code, "1 value is forgotten" in result.stdout) == (WAITS, True)
        assert "a reader of" in result.stderr
    assert forget(log, ANN)["forgotten"] == 0
    assert not holds(log, ANN)


def test_killed_before_the_files_were_clean_it_is_run_again(log: Path, tmp_path: Path) -> None:
    (later := tmp_path / "later").mkdir()
    with closing(sqlite3.connect(log)) as connection, reading_on(connection):
        assert run("forget", log, ANN, "--reason", "asked to", "--wait", "10ms").exit_code == WAITS
        for file in (log, log.with_name(f"{log.name}-wal")):
            shutil.copy(file, later)
    assert holds(later / log.name, ANN)
    assert forget(later / log.name, ANN)["forgotten"] == 0
    assert not holds(later / log.name, ANN)


@contextmanager
def reading_on(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM events").fetchone()
    yield
    connection.execute("COMMIT")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "name either a SUBJECT or a --request"),
        ((ANN, "--request", "x"), "name either a SUBJECT or a --request"),
        (("",), "SUBJECT is empty"),
        (("asked",), "they must not name what is to be forgotten"),
        (("--request", "nope"), "no request has the id or the key 'nope'"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(words: tuple[str, ...], told: str, log: Path) -> None:
    assert told in refused("forget", log, *words, "--reason", "she Asked to", "--actor", "eve")


def test_the_subject_may_come_by_standard_input(log: Path) -> None:
    words = ["forget", str(log), "-", "--reason", "asked to", "--json"]
    assert json.loads(CliRunner().invoke(main, words, input=f"{ANN}\n").stdout)["forgotten"] == 1
