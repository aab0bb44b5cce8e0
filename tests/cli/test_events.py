"""`understudy events`: the log event by event, only what is asked for, and what is written meanwhile."""

import asyncio
import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest
from cli.command_line import PATIENCE_S, answered, ended_at_last, on_a_terminal, plans, program, refused, run, said
from event_samples import EXAMPLES
from providers_for_tests import Told

from understudy.adapters.cli.event_words import told
from understudy.adapters.stores import SqliteLog, SqliteReader, event_search
from understudy.adapters.stores.event_search import Wanted
from understudy.engine import Engine
from understudy.engine.decide import RULES_VERSION
from understudy.events.codec import encode


def numbers(path: Path, *filters: str) -> list[int]:
    return [one["seq"] for one in answered("events", path, *filters)["events"]]


def test_events_stand_in_their_order_each_in_a_sentence(eventful_log: Path) -> None:
    lines = said("events", eventful_log).splitlines()
    assert len(lines) == 46
    assert lines[13] == (
        "14  2026-01-01T00:00:01.200Z  64748463108e000000000002"
        "  alpha failed after 100 ms: transient (503 Service Unavailable)"
    )
    assert [line[56:] for line in lines[:5]] == [
        f"the engine starts, as simulation (Understudy simulated, rules {RULES_VERSION}, Python simulated)",
        lines[1][56:],
        "ada forces beta to closed until 2026-01-01T01:00:00.000Z: trusted",
        "ping: begins at beta",
        "ping: beta answered after 0.0 ms",
    ]
    assert lines[1][56:].startswith("policy ")
    assert lines[32][56:].startswith("alert suspended about 647484658b52000000000004: rent at alpha may")


def test_its_json_is_each_event_as_it_is_stored(eventful_log: Path) -> None:
    failed = answered("events", eventful_log, "--kind", "call_failed", "--limit", "1")["events"][0]
    assert failed == {
        "seq": 37,
        "at": "2026-01-01T00:00:04.900Z",
        "at_us": 1_767_225_604_900_000,
        "kind": "call_failed.v1",
        "told": "alpha failed after 100 ms: rejected (no such country)",
        "event": failed["event"],
    }
    with SqliteReader.open(eventful_log) as reader:
        (row,) = reader.rows(after=36, through=37)
    assert failed["event"] == {
        "request_id": row.request_id,
        "provider": "alpha",
        "operation": "rent",
        "attempt": 1,
        "retry": 0,
        "latency_us": 100_000,
        "outcome": "rejected",
        "service": "wa",
        "country": "us",
        **json.loads(row.payload),
    }


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--kind", "call_failed"], [14, 22, 25, 31, 37]),
        (["--kind", "call-failed", "--kind", "callAbandoned", "--kind", "alert_raised.v1"], [14, 22, 25, 31, 33, 37]),
        (["--kind", "engine_started"], [1]),
        (["--kind", "engine_started", "--kind", "override_set"], [1, 3]),
        (["--kind", "clock_stepped"], []),
        (["--provider", "beta"], [3, 4, 5, 15, 16, 17, 18, 23, 24, 25]),
        (["--provider", "beta", "--outcome", "success"], [5, 17]),
        (["--provider", "alpha", "--kind", "call_failed", "--kind", "call_succeeded"], [9, 14, 22, 31, 37, 42]),
        (["--outcome", "transient"], [14, 22, 25]),
        (["--operation", "ping"], [4, 5]),
        (["--operation", "rent", "--outcome", "success"], [9, 17, 42]),
        (["--request", "64748467"], [39, 40, 41, 42, 43]),
        (["--request", "last", "--kind", "call_started"], [46]),
        (["--request", "last-failover", "--provider", "beta"], [15, 16, 17, 18]),
        (["--since", "2026-01-01T00:00:05.9Z"], [39, 40, 41, 42, 43, 44, 45, 46]),
        (["--until", "2026-01-01T00:00:00Z"], [1, 2, 3, 4, 5, 6, 7, 8]),
        (["--since", "2026-01-01T00:00:01Z", "--until", "2026-01-01T00:00:01.2Z"], [11, 12, 13, 14, 15, 16]),
        (["--after", "44"], [45, 46]),
        (["--after", "99"], []),
        (["--limit", "3"], [44, 45, 46]),
        (["--limit", "2", "--kind", "call_failed"], [31, 37]),
        (["--limit", "1", "--provider", "beta", "--outcome", "success"], [17]),
    ],
    ids=lambda one: " ".join(one) if one and isinstance(one[0], str) else "",
)
def test_only_those_are_shown_that_are_asked_for(filters: list[str], expected: list[int], eventful_log: Path) -> None:
    assert numbers(eventful_log, *filters) == expected


def test_it_is_said_whether_there_are_earlier_ones(eventful_log: Path) -> None:
    assert answered("events", eventful_log, "--limit", "45")["more"] is True
    assert answered("events", eventful_log, "--limit", "46")["more"] is False
    assert run("events", eventful_log, "--limit", "4").stderr == (
        "earlier ones match, too; --limit 40 shows more, --limit 0 all\n"
    )
    result = run("events", eventful_log, "--kind", "clock_stepped")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no event matches\n")


def test_what_is_misspelt_is_refused_with_what_was_meant(eventful_log: Path) -> None:
    assert "did you mean 'call_failed'?" in refused("events", eventful_log, "--kind", "call_faild")
    assert "there are alert_channels_set, " in refused("events", eventful_log, "--kind", "zzz")
    assert "did you mean 'beta'?" in refused("events", eventful_log, "--provider", "betta")
    assert refused("events", eventful_log, "--request", "f00").startswith("no request has the id or the key 'f00'")
    assert "leave one out" in refused("events", eventful_log, "--follow", "--until", "2026-01-01")


def test_an_event_that_this_version_cannot_read_is_shown_as_it_is_stored(own_log: Path) -> None:
    with closing(sqlite3.connect(own_log)) as connection, connection:
        connection.execute("UPDATE events SET payload = json_set(payload, '$.message', 'a' || char(27) || '[2J')")
        connection.execute("UPDATE events SET kind = 'request_accepted.v9' WHERE seq = 3")
        connection.execute("UPDATE events SET payload = '[1,' WHERE seq = 4")
    lines = said("events", own_log, "--limit", "0").splitlines()
    assert "request_accepted.v9 is newer than this version of Understudy can read" in lines[2]
    assert "broken payload" in lines[3]
    assert lines[3].endswith(": [1,")
    assert not any("\x1b" in line for line in lines)
    found = answered("events", own_log, "--after", "2", "--limit", "0", "--kind", "request_accepted")["events"][0]
    assert (found["kind"], found["event"]["operation"]) == ("request_accepted.v9", "fetch")


@pytest.mark.parametrize("kind", EXAMPLES)
def test_every_kind_of_event_has_a_sentence_of_its_own(kind: str) -> None:
    for event in EXAMPLES[kind]:
        words = told(encode(event, seq=1, at_us=1))
        assert kind not in words
        assert "{" not in words


def test_however_short_the_looks_are_the_events_are_the_same(
    eventful_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every_way = [
        Wanted(),
        Wanted(provider="alpha"),
        Wanted(provider="alpha", outcome="transient"),
        Wanted(kinds=("call_failed",), provider="beta"),
        Wanted(kinds=("engine_started",)),
        Wanted(request_id="64748463108e000000000002"),
    ]
    with SqliteReader.open(eventful_log) as reader:
        whole = [[row.seq for row in reader.search(wanted)] for wanted in every_way]
        monkeypatch.setattr(event_search, "PAGE", 2)
        for window in (1, 3, 20):
            monkeypatch.setattr(event_search, "WINDOW", window)
            for wanted, seqs in zip(every_way, whole, strict=True):
                assert [row.seq for row in reader.search(wanted)] == seqs
                for count in range(len(seqs) + 2):
                    before = reader.before_newest(wanted, count)
                    assert before == (seqs[-count - 1] if count < len(seqs) else None)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(request_id="64748463108e000000000002"), "INDEX events_request (request_id=?)"),
        (Wanted(provider="alpha", outcome="transient"), "INDEX events_outcome (provider=? AND at_us>?)"),
        (Wanted(provider="alpha", kinds=("call_failed",)), "INDEX events_outcome (provider=? AND at_us>?)"),
        (Wanted(kinds=("clock_stepped",)), "INDEX events_operations (kind>? AND kind<?)"),
        (Wanted(provider="alpha"), "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (Wanted(kinds=("request_failed",)), "INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    ],
)
def test_each_question_is_answered_by_the_index_that_serves_it(wanted: Wanted, index: str, eventful_log: Path) -> None:
    with SqliteReader.open(eventful_log) as reader:
        steps = plans(reader, lambda: [list(reader.search(wanted)), reader.before_newest(wanted, 1)])
    looks = [step for step in steps if "events" in step and "COVERING" not in step and "stream=?" not in step]
    assert {step.partition(" USING ")[2] for step in looks} == {index}
    assert any("sqlite_autoindex" in step for step in steps), "the place of an event is looked up by its number"


# Following


@contextmanager
def following(*words: str | Path) -> Iterator["subprocess.Popen[str]"]:
    """The command that follows a log, in a process of its own."""
    # A background shell has its children ignore SIGINT, which Python inherits.
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    python, _, code, *rest = program("events", *words, "--follow")
    with ended_at_last(
        subprocess.Popen(
            [python, "-c", listening + code, *rest], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    ) as process:
        yield process


def shown_until(process: "subprocess.Popen[str]", last: str) -> list[str]:
    """The lines up to the first that has the words in it."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if last in line:
            return lines
    raise AssertionError(f"{last!r} was never shown, but {lines}")


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[Engine]:
    async with Engine(providers=[Told("alpha")], log=SqliteLog(path), watch=False) as engine:
        yield engine


async def test_what_an_engine_writes_is_shown_as_it_comes_through_its_restart_and_ctrl_c_ends_it_well(
    tmp_path: Path,
) -> None:
    path = tmp_path / "calls.db"
    async with running(path) as engine:
        await engine.call("fetch", effect="once")
        with following(path) as process:
            seen = await asyncio.to_thread(shown_until, process, "served by alpha")
            await engine.call("rent", effect="once")
            seen += await asyncio.to_thread(shown_until, process, "served by alpha")
            await engine.stop()
            async with running(path) as another:
                await another.call("renew", effect="once")
                seen += await asyncio.to_thread(shown_until, process, "served by alpha")
            process.send_signal(signal.SIGINT)
            rest, errors = await asyncio.to_thread(process.communicate, timeout=PATIENCE_S)
    assert (process.returncode, errors) == (0, "")
    lines = [*seen, *rest.splitlines()]
    assert [int(line.split()[0]) for line in lines[: len(seen)]] == list(range(1, len(seen) + 1))
    assert [
        word for word in ("fetch", "rent", "renew") if any(f"{word} (once) accepted" in line for line in lines)
    ] == [
        "fetch",
        "rent",
        "renew",
    ]


async def test_followed_as_json_each_line_is_an_object_and_filters_hold(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    async with running(path) as engine:
        await engine.call("fetch", effect="once")
        with following(path, "--json", "--kind", "request_completed", "--limit", "1") as process:
            await asyncio.to_thread(shown_until, process, "request_completed.v1")
            await engine.call("rent", effect="once")
            (line,) = await asyncio.to_thread(shown_until, process, "request_completed.v1")
            process.send_signal(signal.SIGINT)
            rest, errors = await asyncio.to_thread(process.communicate, timeout=PATIENCE_S)
    assert json.loads(line)["event"]["operation"] == "rent"
    assert (process.returncode, rest, errors) == (0, "", "")


def test_following_a_file_that_is_replaced_ends_with_a_sentence(own_log: Path, short_log: Path) -> None:
    with following(own_log, "--limit", "1") as process:
        shown_until(process, "stopped")
        shutil.copy(short_log, own_log.with_suffix(".new"))
        own_log.with_suffix(".new").replace(own_log)
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "has been removed or replaced" in errors


def test_following_ends_when_the_reader_has_gone(tmp_path: Path, short_log: Path) -> None:
    reading_end, writing_end = os.pipe()
    os.close(reading_end)
    with os.fdopen(writing_end, "w") as stdout:
        done = subprocess.run(
            program("events", short_log, "--follow"), stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (141, "")


def test_on_a_narrow_terminal_what_an_event_says_stands_below_it_and_in_a_pipe_beside_it(eventful_log: Path) -> None:
    wide = said("events", eventful_log, "--limit", "0").splitlines()
    assert len(wide) == 46
    narrow = on_a_terminal("events", eventful_log, "--limit", "0", COLUMNS="60", NO_COLOR="1").splitlines()
    assert max(map(len, narrow)) <= 60
    assert len(narrow) > 2 * len(wide)
    assert " ".join(" ".join(narrow).split()) == " ".join(" ".join(wide).split())


def test_a_misspelt_operation_is_said_to_match_nothing_for_that_reason_the_nearest_first(eventful_log: Path) -> None:
    for more in ((), ("--json",)):
        result = run("events", eventful_log, "--operation", "rnt", *more)
        assert result.exit_code == 0
        assert result.stderr.startswith("this log has no operation 'rnt'; there are rent, ping\n")
    assert run("events", eventful_log, "--operation", "pin").stderr.startswith(
        "this log has no operation 'pin'; there are ping, rent\n"
    )
    known = run("events", eventful_log, "--operation", "rent", "--after", "46")
    assert (known.stdout, known.stderr) == ("", "no event matches\n")


def test_operations_are_found_in_looks_of_any_length(eventful_log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SqliteReader.open(eventful_log) as reader:
        for window in (1, 7, 20_000):
            monkeypatch.setattr(event_search, "WINDOW", window)
            assert sorted(reader.operations_called()) == ["ping", "rent"]
