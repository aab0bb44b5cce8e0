"""`understudy verify`: what is intact is said to be, what is not is found and placed."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cli.command_line import answered, refused, run, said


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement).rowcount == 1


def test_a_log_that_nobody_touched_is_intact(short_log: Path) -> None:
    found = answered("verify", short_log)
    assert found["ok"] is True
    assert (found["broken"], found["differs"], found["first_difference"], found["damage"]) == (None, 0, None, [])
    assert found["identical"] > 16
    text = said("verify", short_log)
    assert f"{found['events']} events in stream main" in text
    assert f"intact, {found['head_chain']} at event {found['head_seq']}" in text
    assert f"{found['identical']} identical" in text


def test_a_changed_event_is_found_and_placed(own_log: Path) -> None:
    change(own_log, "UPDATE events SET at_us = at_us + 1 WHERE seq = 9")
    found = answered("verify", own_log, code=1)
    assert found["ok"] is False
    assert found["broken"]["seq"] == 9
    assert "broken at event 9: " in said("verify", own_log, code=1)


def test_a_missing_event_is_found_and_placed(own_log: Path) -> None:
    change(own_log, "DELETE FROM events WHERE seq = 20")
    assert answered("verify", own_log, code=1)["broken"]["seq"] == 20


def test_a_decision_that_comes_out_otherwise_is_shown(own_log: Path) -> None:
    change(
        own_log,
        """UPDATE events SET payload = replace(payload, '"order":["alpha"', '"order":["beta"')
           WHERE seq = (SELECT min(seq) FROM events WHERE kind = 'decision_made.v1')""",
    )
    text = said("verify", own_log, code=1)
    assert "1 come out otherwise" in text
    assert "payload.order[0] was logged as     beta" in text
    assert "payload.order[0] comes out now as  alpha" in text


def test_only_the_beginning_is_looked_at_on_request(own_log: Path) -> None:
    change(own_log, "UPDATE events SET at_us = at_us + 1 WHERE seq = 9")
    assert answered("verify", own_log, "--through", "8")["events"] == 8
    assert answered("verify", own_log, "--at", "2026-01-01T00:00:00Z")["events"] < 9


def test_an_end_that_was_cut_off_is_noticed_by_who_knows_how_long_the_log_was(short_log: Path) -> None:
    events = answered("verify", short_log)["events"]
    found = answered("verify", short_log, "--through", str(events + 1), code=1)
    assert found["broken"]["seq"] == events + 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--through", "0"), "Invalid value for '--through'"),
        (("--through", "3", "--at", "2026-01-01"), "name the place once"),
        (("--at", "yesterday"), "'yesterday' is not a time; write it like 2026-01-31T12:00:00Z"),
        (("--at", "2025-12-31T23:59"), "nothing had been written to this log by then; its first event is of 2026-01"),
    ],
)
def test_a_place_that_makes_no_sense_is_refused(words: tuple[str, ...], sentence: str, short_log: Path) -> None:
    assert sentence in refused("verify", short_log, *words)


def test_a_damaged_file_is_reported_without_a_traceback(own_log: Path) -> None:
    content = bytearray(own_log.read_bytes())
    for place in range(4096 * 2, len(content), 4096):
        content[place : place + 200] = bytes(200)
    own_log.write_bytes(content)
    result = run("verify", own_log)
    assert result.exit_code in {1, 2}
    assert "Traceback" not in result.output


def test_damage_outside_of_what_the_chain_covers_is_reported_too(own_log: Path) -> None:
    with closing(sqlite3.connect(own_log)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events_outcome'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    content = bytearray(own_log.read_bytes())
    content[page * size - 40 : page * size] = bytes(40)
    own_log.write_bytes(content)
    found = answered("verify", own_log, code=1)
    assert (found["ok"], found["broken"]) == (False, None)
    assert found["damage"]
    text = said("verify", own_log, code=1)
    assert "  file       row " in text
    assert text.count("  file       ") <= 6
