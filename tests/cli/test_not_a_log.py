"""Every command tells in a sentence that a file is no log."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from cli.command_line import refused, run

READERS = [("verify",), ("requests",), ("events",), ("explain", "last"), ("status",), ("doctor",)]
WRITERS = [
    ("override", "alpha", "open", "--reason", "x"),
    ("probe", "alpha"),
    ("resolve", "0646", "--not-executed", "--reason", "x"),
]
EXAMINERS = {("verify",), ("doctor",)}
"""Whose answer it is that a log is damaged."""
COMMANDS = READERS + WRITERS


def nothing(path: Path) -> None:
    """There is no file."""


def empty(path: Path) -> None:
    path.touch()


def zeros(path: Path) -> None:
    path.write_bytes(bytes(8_192))


def folder(path: Path) -> None:
    path.mkdir()


def prose(path: Path) -> None:
    path.write_text("The quick brown fox jumps over the lazy dog.\n" * 200)


def of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE birds (name TEXT)")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (nothing, "there is no file"),
        (empty, "is empty: no engine has written to it yet"),
        (folder, "is a directory; name a file"),
        (prose, "is not a log: it is not even a SQLite database; name another file"),
        (zeros, "it is not even a SQLite database; name another file, or restore a backup if it was one"),
        (of_another_program, "is a SQLite database, but of another program, not a log of Understudy; name another"),
    ],
)
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_file_that_is_no_log_is_told_in_a_sentence(
    command: tuple[str, ...], make: Callable[[Path], None], sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "calls.db"
    make(path)
    said = refused(command[0], path, *command[1:])
    assert sentence in said
    assert str(path) in said
    assert "\n" not in said


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_name_that_no_file_can_have_is_told_in_a_sentence(command: tuple[str, ...], tmp_path: Path) -> None:
    assert "File name too long" in refused(command[0], tmp_path / ("x" * 5_000), *command[1:])
    assert "File name too long" in refused("simulate", "--scenario", "outage", "--log", tmp_path / ("x" * 5_000))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_log_of_a_newer_version_is_told_to_be_one(command: tuple[str, ...], own_log: Path) -> None:
    with closing(sqlite3.connect(own_log)) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert "was written by a newer Understudy" in refused(command[0], own_log, *command[1:])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_event_of_a_newer_version_is_told_and_no_traceback(command: tuple[str, ...], own_log: Path) -> None:
    with closing(sqlite3.connect(own_log)) as connection, connection:
        connection.execute("UPDATE events SET kind = 'request_accepted.v9' WHERE kind = 'request_accepted.v1'")
        connection.execute("DELETE FROM snapshots")
        connection.execute("DELETE FROM sealed_blocks")
    if command in {("verify",), ("events",), ("doctor",)}:
        return  # They go on: see the tests of each.
    if command[0] == "resolve":
        return  # It reads nothing but the rows of its request.
    assert refused(command[0], own_log, *command[1:])


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_log_that_has_lost_its_own_name_is_told_to_be_damaged(command: tuple[str, ...], own_log: Path) -> None:
    with closing(sqlite3.connect(own_log)) as connection, connection:
        connection.execute("DELETE FROM meta WHERE name = 'store_id'")
    result = run(command[0], own_log, *command[1:])
    assert "the log's own store_id is missing from its file" in " ".join(result.output.split())
    assert result.exit_code == (1 if command in EXAMINERS else 2)


@pytest.mark.parametrize("change", ["at_us = 'noon'", "kind = x'00'", "payload = x'00'", "provider = x'ff'"], ids=str)
@pytest.mark.parametrize("command", [("requests",), ("events",)], ids=" ".join)
def test_an_event_with_something_else_in_its_columns_is_named(
    command: tuple[str, ...], change: str, own_log: Path
) -> None:
    with closing(sqlite3.connect(own_log)) as connection, connection:
        connection.execute(f"UPDATE events SET {change} WHERE seq = 80")
    result = run(command[0], own_log)
    assert (result.exit_code, "Traceback" in result.stderr) == (2, False)
    assert "event 80 is not stored as an event is; somebody has changed it" in result.stderr
