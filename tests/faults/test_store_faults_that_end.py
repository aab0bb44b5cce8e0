"""While the log cannot be written nothing is begun; what was under way is kept; and once the cause is gone it goes on.

The faults are real ones, on a real engine in a process of its own. The judge is the provider's own account of what it
has executed.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults import disasters
from faults.at_work import Worker, executions, judge
from faults.disasters import Disaster

FAULTS = {
    "disk full": (disasters.full_disk, "the disk or its quota is full; free some space"),
    "quota": (disasters.quota, "a limit on the size of files is reached .* raise the limit"),
    "foreign transaction": (disasters.foreign_transaction, "another program holds the file .* end that transaction"),
    "moved away": (disasters.moved_away, "was removed or moved away while in use; put it back"),
    "replaced": (disasters.replaced, "was replaced by another one while in use; put the first one back"),
}


@pytest.fixture(params=list(FAULTS))
def fault(request: pytest.FixtureRequest) -> tuple[Disaster, str]:
    return FAULTS[request.param]


@pytest.fixture
def database(fault: tuple[Disaster, str], tmp_path: Path) -> Iterator[Path]:
    """Where the log is to be; on a small disk of its own, if it is to be filled."""
    if fault[0] is not disasters.full_disk:
        yield tmp_path / "calls.db"
        return
    disk = tmp_path / "disk"
    disk.mkdir()
    with disasters.small_disk(disk, size="2m"):
        yield disk / "calls.db"


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """What the provider says that it has executed; on another disk, and out of every quota's reach."""
    return tmp_path / "books.txt"


def is_refused(words: list[str], sentence: str) -> bool:
    return words[0] == "LogUnavailable" and re.search(sentence, words[1]) is not None


def call_until_refused(worker: Worker, sentence: str) -> list[list[str]]:
    """What callers were told before the fault made itself felt: a full disk still has room in SQLite's own files."""
    told: list[list[str]] = []
    for number in range(200):
        words = worker.tell(f"once before-{number}")
        if words[0] == "OutcomeUnknown" and re.search(sentence, words[1]):
            told.append(["served", words[2]])  # It struck between the order and the record of its end.
            continue
        if words[0] != "served":
            assert is_refused(words, sentence), words
            return told
        told.append(words)
    raise AssertionError("nothing was refused")


def test_nothing_is_begun_while_it_lasts_and_everything_goes_on_afterwards(
    fault: tuple[Disaster, str], database: Path, books: Path
) -> None:
    begin, sentence = fault
    with Worker(database, books) as worker:
        told = [worker.tell("read r1"), worker.tell("once k1")]  # All of it is on the disk when it strikes.
        with begin(database, worker.process.pid):
            told += call_until_refused(worker, sentence)
            done = executions(books)
            assert done.total() == len(told), "the provider was not asked"
            for line in ("once k3", "read r2", "once k2"):
                assert is_refused(worker.tell(line), sentence)
            assert executions(books) == done
        assert worker.tell("recovered") == ["recovered"]
        again = [worker.tell("once k1"), worker.tell("once k4"), worker.tell("read r3")]
        assert again[0] == told[1], "a repeat joins what was done before"
        told += again[1:]
        assert {words[0] for words in told} == {"served"}
        assert worker.tell("stop") == ["stopped"]
    judge(database, books, told)
    assert executions(books).total() == len(told)


def test_what_was_executed_when_it_struck_is_kept_and_put_on_record(
    fault: tuple[Disaster, str], database: Path, books: Path
) -> None:
    begin, sentence = fault
    with Worker(database, books) as worker:
        assert worker.tell("hold k1") == ["executed"]
        with begin(database, worker.process.pid):
            told = call_until_refused(worker, sentence)
            error, said, request_id = worker.tell("release")
            assert error == "OutcomeUnknown"
            assert re.search(f"has ended, but the log cannot be written: .*{sentence}", said)
        assert worker.tell("recovered") == ["recovered"]
        told.append(worker.tell("once k2"))
        assert worker.tell("stop") == ["stopped"]
    judge(database, books, [["served", request_id], *told])


def test_killed_while_it_lasts_it_finds_out_at_the_next_start(
    fault: tuple[Disaster, str], database: Path, books: Path
) -> None:
    begin, sentence = fault
    with Worker(database, books) as worker:
        told = [worker.tell("once k1")]
        assert worker.tell("hold k2") == ["executed"]
        with begin(database, worker.process.pid):
            told += call_until_refused(worker, sentence)
            worker.kill()
    with Worker(database, books) as worker:
        assert worker.opened == ["open"]
        assert worker.tell("settled") == ["settled"]
        assert worker.tell("once k1") == told[0]
        told.append(worker.tell("once k3"))
        assert {words[0] for words in told} == {"served"}
        assert worker.tell("stop") == ["stopped"]
    judge(database, books, told)
    assert executions(books).total() == len(told) + 1
