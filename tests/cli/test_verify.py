"""`understudy verify`: what is intact is said to be, what is not is found and placed."""

import os
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
    assert refused("verify", short_log, "--through", str(events + 1)) == (
        f"the log ends at event {events}, before --through {events + 1}; name an earlier place, or restore a backup if"
        " this log has been longer"
    )
    assert refused("verify", short_log, "--json", "--through", str(events + 9_000)).startswith("the log ends at event ")
    assert answered("verify", short_log, "--through", str(events))["head_seq"] == events


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


PAGE = 4_096


def zero_page_of(table: str, path: Path) -> None:
    """Overwrite the root page of a table or index."""
    with closing(sqlite3.connect(path)) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    overwrite(path, (page - 1) * PAGE, bytes(PAGE))


def overwrite(path: Path, place: int, what: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(what)


def damage(path: Path, where: str) -> None:
    match where:
        case "every page":
            for place in range(PAGE * 2, path.stat().st_size, PAGE):
                overwrite(path, place, bytes(200))
        case "cut":
            os.truncate(path, path.stat().st_size // 2)
        case "the beginning":
            overwrite(path, 0, b"?" * 16)
        case table:
            zero_page_of(table, path)


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("every page", "the list of its tables cannot be read, which is on the first page"),
        ("cut", "its end is cut off: "),
        ("the beginning", "its first bytes are not those of a SQLite database any more"),
        ("sqlite_master", "the list of its tables cannot be read, which is on the first page"),
        ("events", "the table events or an index of it is damaged: the events"),
        ("sqlite_autoindex_events_1", "the table events or an index of it is damaged: the events"),
        ("meta", "the table meta or an index of it is damaged: the store's own id and salt"),
        ("claims", "the table claims or an index of it is damaged: the idempotency keys in use"),
        ("snapshots", "the table snapshots or an index of it is damaged"),
    ],
)
def test_a_damaged_file_is_a_broken_log_and_the_place_is_named(where: str, sentence: str, own_log: Path) -> None:
    if where == "sqlite_master":
        overwrite(own_log, 100, b"\xff" * 200)
    else:
        damage(own_log, where)
    for command in (("verify",), ("doctor", "--full")):
        result = run(command[0], own_log, *command[1:])
        words = " ".join(result.stdout.split())
        assert (result.exit_code, result.stderr) == (1, ""), result.output
        assert sentence in words
        assert "keep a copy" in words
    found = answered("verify", own_log, code=1)
    assert found["ok"] is False
    assert any(sentence in one for one in found["damage"])
    assert answered("doctor", own_log, "--full", code=1)["ok"] is False


def test_where_the_first_damaged_event_is_not_known_no_number_is_made_up(own_log: Path) -> None:
    damage(own_log, "cut")
    found = answered("verify", own_log, code=1)
    assert found["broken"]["seq"] is None
    assert "broken: " in said("verify", own_log, code=1)


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
    assert "  file        row " in text
    assert text.count("  file        ") <= 6
