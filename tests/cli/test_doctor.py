"""`understudy doctor`: what is wrong with a log, and what should be known about it."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cli.command_line import answered, in_a_process, on_a_terminal, refused, run, said
from providers_for_tests import Told

from understudy.adapters import put_command
from understudy.adapters.cli import checkups
from understudy.adapters.stores import SqliteLog
from understudy.engine import Ambiguous, Engine, OutcomeUnknown, Policy
from understudy.events.operations import ClockStepped, EngineStarted

BY_VERSION = "sqlite"
"""What is found here depends on the machine: tests/stores/test_sqlite_defects.py."""


def findings(path: Path, *words: str, code: int = 0) -> dict[str, list[tuple[str, str]]]:
    """What is found of a log, by check-up: each finding's verdict and sentence."""
    found: dict[str, list[tuple[str, str]]] = {}
    for one in answered("doctor", path, *words, code=code)["checks"]:
        found.setdefault(one["check"], []).append((one["verdict"], one["says"]))
    return found


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


def test_a_log_in_good_health_is_fine_in_all_respects(short_log: Path) -> None:
    found = {name: said for name, said in findings(short_log).items() if "/" not in name}  # Its providers are not well.
    assert list(found) == [
        "file",
        "chain",
        "sqlite",
        "engine",
        "clock",
        "requests",
        "alerts",
        "snapshot",
        "inbox",
    ]
    assert {verdict for name, some in found.items() if name != BY_VERSION for verdict, _ in some} == {"fine"}
    assert found["chain"][0][1].startswith("all 92 events are as they were written; it ends in ")
    assert found["engine"][0][1].startswith("nobody owns the file; the last one (Understudy simulated, ")
    assert answered("doctor", short_log)["ok"] is True


def test_a_view_that_somebody_has_dropped_is_missed_until_the_next_start_lays_it_anew(own_log: Path) -> None:
    change(own_log, "DROP VIEW provider_health")
    ((verdict, says),) = findings(own_log, code=1)["views"]
    assert verdict == "wrong"
    assert says.startswith("provider_health, provider_health_insert, ")
    assert "lacks provider_health, which somebody has dropped" in refused("report", "providers", own_log)
    assert "lacks provider_health" in refused("report", "hourly", own_log), "the others may be told when all are there"
    said("override", own_log, "beta", "drain", "--reason", "x")
    assert "views" not in findings(own_log)
    assert len(answered("report", "providers", own_log)["providers"]) == 2
    with closing(sqlite3.connect(own_log)) as connection, pytest.raises(sqlite3.IntegrityError, match="is computed"):
        connection.execute("DELETE FROM provider_health")


def test_a_view_of_another_version_is_renewed_with_the_next_start(own_log: Path) -> None:
    change(own_log, "DROP VIEW provider_requests")
    change(own_log, "CREATE VIEW provider_requests AS SELECT 1 AS id")
    ((first, _), (second, says)) = findings(own_log, code=1)["views"]
    assert (first, second, says.partition(" ")[0]) == ("wrong", "advice", "provider_requests")
    said("override", own_log, "beta", "drain", "--reason", "x")
    assert "views" not in findings(own_log)
    assert len(answered("report", "hourly", own_log, "--since", "2020-01-01")["hourly"]) == 2


def test_it_is_said_in_lines_that_fit_and_summed_up(short_log: Path) -> None:
    lines = said("doctor", short_log, "--full").splitlines()
    assert max(len(line) for line in lines if str(short_log) not in line) <= 100
    assert lines[0] == f"{short_log}: 92 events in stream main"
    assert any(line.startswith("  fine    integrity  SQLite finds pages, indexes") for line in lines)
    assert lines[-1].startswith(f"{short_log}: nothing is wrong")


def test_what_a_crash_left_and_what_is_held_is_told_as_advice(eventful_log: Path) -> None:
    found = findings(eventful_log)
    ((verdict, says),) = found["engine"]
    assert verdict == "advice"
    assert says.startswith("nobody owns the file, and the last engine (Understudy simulated, Python simulated) did not")
    held, left = found["requests"]
    assert held[1].startswith(
        "whether 1 request was executed is not known: 647484658b52000000000004 (rent at alpha, 2026-01-01T00:00:03.7"
    )
    assert left == ("advice", "1 request left open: the next start settles what is left")
    assert found["alerts"] == [("advice", "suspended about 647484658b52000000000004, since 2026-01-01T00:00:03.800Z")]
    assert found["snapshot"][0][1] == "none, blocks sealed up to event 0; the next start folds 46 events"


async def test_beside_a_running_engine_the_owner_is_named_and_its_work_is_fine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "calls.db"
    log = SqliteLog(path)
    called = asyncio.Event()

    async def hang() -> None:
        called.set()
        await asyncio.Event().wait()

    async with Engine(providers=[Told("alpha", [hang])], log=log, watch=False) as engine:
        hanging = asyncio.create_task(engine.call("fetch"))
        await called.wait()
        await log.durable(log.head.seq)
        put_command(path, json.dumps({"command": "clear_override", "provider": "a", "actor": "ada", "reason": "done"}))
        monkeypatch.setattr(checkups, "_WAL_TOO_LONG", 1_000)
        found = findings(path, code=1)
        hanging.cancel()
    assert found["engine"][0][0] == "fine"
    assert "the file is owned by '" in found["engine"][0][1]
    assert found["requests"] == [("fine", "1 request under way")]
    ((verdict, says),) = found["inbox"]
    assert verdict == "wrong"
    assert says.startswith("1 command waits, and the engine that owns the log has not taken them for 2 s: ")
    assert (
        "advice",
        "the write-ahead log is long: some program keeps a transaction open, so that it cannot be emptied",
    ) in (found["file"])


def test_commands_without_an_engine_wait_for_the_next_start(own_log: Path) -> None:
    for _ in range(2):
        put_command(own_log, "{}")
    assert findings(own_log)["inbox"] == [
        ("advice", "2 commands wait; taken at the next start, or with the next command")
    ]


def test_a_changed_event_near_the_end_is_wrong_and_ends_with_1(own_log: Path) -> None:
    change(own_log, "UPDATE events SET latency_us = 1 WHERE seq = 90")
    found = findings(own_log, code=1)
    ((verdict, says),) = found["chain"]
    assert verdict == "wrong"
    assert says.startswith("broken at event 90: the event or its chain value is not what was written; keep a copy")
    result = run("doctor", own_log)
    assert (result.exit_code, "Traceback" in result.output) == (1, False)
    assert ": 1 thing is wrong" in result.stdout.splitlines()[-1]


def test_what_is_far_from_the_end_is_seen_by_a_full_examination(own_log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkups, "TAIL", 20)
    assert findings(own_log)["chain"][0][1].startswith("the last 20 of 92 events are as they were written")
    change(own_log, "UPDATE events SET payload = replace(payload, 'fetch', 'fetch') || ' ' WHERE seq = 7")
    assert findings(own_log)["chain"][0][0] == "fine"
    assert findings(own_log, "--full", code=1)["chain"][0][1].startswith("broken at event 7: ")


def test_a_tail_that_was_cut_off_is_wrong(own_log: Path) -> None:
    change(own_log, "DELETE FROM events WHERE seq > 85")
    assert [verdict for verdict, _ in findings(own_log, code=1)["chain"]] == ["wrong", "wrong", "fine"]


def test_a_damaged_index_is_seen_by_a_full_examination(own_log: Path) -> None:
    with closing(sqlite3.connect(own_log)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, '(at_us)', '(seq)') WHERE name = 'events_at'")
        connection.commit()
    assert "integrity" not in findings(own_log)
    assert {verdict for verdict, _ in findings(own_log, "--full", code=1)["integrity"]} == {"wrong"}


def test_an_event_that_cannot_be_read_spoils_only_the_check_ups_that_need_it(own_log: Path) -> None:
    change(own_log, "UPDATE events SET kind = 'request_accepted.v9' WHERE kind = 'request_accepted.v1'")
    change(own_log, "DELETE FROM snapshots")
    change(own_log, "DELETE FROM sealed_blocks")
    found = findings(own_log, code=1)
    assert found["requests"][0][0] == "wrong"
    assert "request_accepted.v9 is newer than this version" in found["requests"][0][1]
    assert found["inbox"] == [("fine", "no command waits")]


async def test_steps_of_the_clock_are_counted_and_a_log_ahead_of_it_is_told(tmp_path: Path) -> None:
    path, at_us = tmp_path / "calls.db", 4_000_000_000_000_000
    log = SqliteLog(path)
    await log.open("test")
    log.append(EngineStarted(version="1", rules_version=99, python="3", writer="test"), at_us=at_us)
    log.append(ClockStepped(step_us=250_000), at_us=at_us)
    log.append(ClockStepped(step_us=-3_600_000_000), at_us=at_us + 1_000_000)
    log.append(ClockStepped(step_us=5_000_000), at_us=at_us + 2_000_000)
    await log.close()
    found = findings(path)
    assert found["clock"][0][1] == (
        "the wall clock was set 3 times, lastly at 2096-10-02T07:06:42.000Z, the largest back by 3,600,000 ms at"
        " 2096-10-02T07:06:41.000Z; see what sets it"
    )
    assert "ahead of this machine's clock" in found["clock"][1][1]
    assert found["engine"][1][1].startswith("its last engine decided by rules 99, this version by rules ")


def test_a_snapshot_of_another_log_is_told_not_to_be_used(own_log: Path) -> None:
    change(own_log, "UPDATE snapshots SET chain = zeroblob(32)")
    assert findings(own_log)["snapshot"] == [
        ("advice", "that of event 92 does not belong to this log, and is not used; blocks are sealed up to event 92")
    ]


def test_a_file_that_is_not_as_an_engine_leaves_it_is_told(own_log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(own_log)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    monkeypatch.setattr(checkups, "_LITTLE_ROOM", 2**63)
    says = [words for verdict, words in findings(own_log)["file"] if verdict == "advice"]
    assert says[0] == "somebody has set journal_mode delete; the next engine sets it to wal again"
    assert says[1].startswith("its disk has only ")


async def test_an_engine_that_was_never_started_is_no_trouble(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    log = SqliteLog(path)
    await log.open("test")
    await log.close()
    found = findings(path)
    assert found["chain"][0][1].startswith("all 0 events are as they were written")
    assert found["engine"] == [("fine", "nobody owns the file; none so far")]


async def test_many_held_requests_are_told_in_part(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    alpha = Told("alpha", default=Ambiguous("reset"))
    async with Engine(providers=[alpha], log=SqliteLog(path), policy=Policy(max_failures=50), watch=False) as engine:
        for _ in range(7):
            with pytest.raises(OutcomeUnknown):
                await engine.call("rent", effect="once")
    ((_, says),) = findings(path)["requests"]
    assert says.startswith("whether 7 requests were executed is not known: ")
    assert "(rent at alpha, 20" in says
    assert " and 2 more; ask there" in says


def test_an_examination_changes_nothing(own_log: Path) -> None:
    before = own_log.read_bytes()
    assert in_a_process("doctor", own_log, "--full").returncode == 0
    assert own_log.read_bytes() == before


def test_findings_fit_a_narrow_terminal_but_for_what_must_be_copied_whole(short_log: Path) -> None:
    lines = on_a_terminal("doctor", short_log, COLUMNS="60", NO_COLOR="1").splitlines()
    too_long = {line.split(" -> ")[-1].strip() for line in lines[1:-1] if len(line) > 60}
    assert too_long - {str(short_log)} == {answered("doctor", short_log)["head"]["chain"]}
