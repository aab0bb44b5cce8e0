"""`understudy report`: every question is answered in every form, and what is wrong is said."""

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cli.command_line import answered, refused, run, said

from understudy.adapters.stores.reports import REPORTS

EVER = ("--since", "2020-01-01")


@pytest.mark.parametrize("name", REPORTS)
def test_each_report_says_the_same_as_a_table_in_json_in_csv_and_at_a_prompt(name: str, short_log: Path) -> None:
    found = answered("report", name, short_log, *EVER)[name]
    in_csv = list(csv.DictReader(io.StringIO(said("report", name, short_log, *EVER, "--csv"))))
    assert len(in_csv) == len(found)
    if found and name != "providers":  # Which tells how long ago something was.
        assert in_csv == [{key: "" if value is None else str(value) for key, value in one.items()} for one in found]
        sql = said("report", name, short_log, *EVER, "--sql")
        with closing(sqlite3.connect(short_log)) as connection:
            cursor = connection.execute(sql)
            names = [column[0] for column in cursor.description]
            assert [dict(zip(names, row, strict=True)) for row in cursor.fetchall()] == found
    table = run("report", name, short_log, *EVER)
    assert table.exit_code == 0
    assert all(str(one["provider"]) in table.stdout for one in found if "provider" in one)


def test_the_page_for_the_morning_has_a_table_of_each_kind(short_log: Path) -> None:
    page = said("report", "daily", short_log, *EVER)
    assert [line for line in page.splitlines() if "?" in line] == [
        "How do the providers compare? (as of now)",
        "What do providers fail with? (since 2020-01-01T00:00:00.000Z)",
        "From whom to whom do requests fail over, why, and what does it cost in time? (since 2020-01-01T00:00:00.000Z)",
        "Which operations are slow? (since 2020-01-01T00:00:00.000Z)",
        "What does each provider charge, in all and for a success? (since 2020-01-01T00:00:00.000Z)",
    ]
    assert list(answered("report", "daily", short_log, *EVER)) == [
        "log",
        "providers",
        "failures",
        "failovers",
        "slowest",
        "cost",
    ]


def test_a_failover_is_told_from_whom_to_whom_with_its_reason_and_its_share(short_log: Path) -> None:
    (one,) = answered("report", "failovers", short_log, *EVER)["failovers"]
    assert (one["from_provider"], one["to_provider"], one["share"]) == ("alpha", "beta", 100.0)
    assert one["failovers"] == sum(
        other["occurrences"] for other in answered("report", "failures", short_log, *EVER)["failures"]
    )


def at_a_prompt(path: Path, statement: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.row_factory = sqlite3.Row
        return [dict(one) for one in connection.execute(statement)]


def test_a_simulated_log_says_at_a_prompt_what_status_says_of_its_end(own_log: Path) -> None:
    standing = answered("status", own_log)["providers"]
    found = at_a_prompt(own_log, "SELECT * FROM provider_health")
    same = ("provider", "status", "success_rate", "circuit", "score", "verdict")
    expected = [
        {**one, "circuit": one["circuit"].replace("_", "-"), "score": round(one["score"], 2)} for one in standing
    ]
    assert [[one[name] for name in same] for one in found] == [[one[name] for name in same] for one in expected]
    assert found[0]["verdict"] == "circuit_open"
    assert [one["until"] for one in found] == [one["until"] and one["until"][:-1].replace("T", " ") for one in standing]
    assert {one["last_checked_at"][:13] for one in found} == {"2026-01-01 00"}
    assert len(answered("report", "providers", own_log)["providers"]) == len(standing)
    at_a_prompt(own_log, "UPDATE provider_preferences SET preferred_provider = 'beta'")


def test_a_simulated_log_that_is_written_to_is_judged_as_of_now(own_log: Path) -> None:
    said("override", own_log, "beta", "drain", "--reason", "x", "--actor", "ann")
    alpha, beta = at_a_prompt(own_log, "SELECT * FROM provider_health ORDER BY provider")
    assert (beta["verdict"], beta["status"]) == ("drained", "unavailable")
    assert (alpha["verdict"], alpha["success_rate"]) == ("probe", None), "its circuit has rested for long"


def test_nothing_in_the_last_day_is_said_to_be_so(short_log: Path) -> None:
    result = run("report", "hourly", short_log)
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"The latest event of {short_log} is of 2026-01-01T00:00:0" in result.stderr
    assert "--since 2026-01-01 shows that day." in result.stderr
    assert said("report", "hourly", short_log, "--since", "2026-01-01") != ""


def test_no_such_calls_in_a_log_that_is_young_enough_is_told_with_the_instant(short_log: Path) -> None:
    result = run("report", "cost", short_log, "--since", "2026-01-01")
    told = f"There were no such calls; {short_log} begins 2026-01-01T00:00:00.000Z."
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", f"{told}\n"), "there is nothing further back"
    result = run("report", "cost", short_log, "--since", "2026-01-01T00:00:00.001Z")
    assert "There were no such calls since 2026-01-01T00:00:00.001Z; --since goes further back." in result.stderr


def test_a_report_that_is_as_of_now_says_that_since_changes_nothing(short_log: Path) -> None:
    assert "providers is as of now, whatever --since says" in run("report", "providers", short_log, *EVER).stderr
    assert run("report", "providers", short_log).stderr == ""


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("hourly", "--csv", "--json"), "choose one of --json, --csv and --sql"),
        (("daily", "--csv"), "a page of several tables is no CSV; name one of them"),
        (("hurly",), "'hurly' is not one of"),
        (("hourly", "--since", "yesterday"), "'yesterday' is not a time"),
    ],
)
def test_wrong_usage_is_answered_with_what_would_be_right(words: tuple[str, ...], told: str, short_log: Path) -> None:
    name, *options = words
    result = run("report", name, short_log, *options)
    assert (result.exit_code, told in result.stderr) == (2, True), result.stderr


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no log at all, but a text that is long enough to be something else" * 20)
    assert "is not a log" in refused("report", "hourly", path)


def test_an_empty_answer_in_json_is_an_empty_list(short_log: Path) -> None:
    assert json.loads(said("report", "hourly", short_log, "--json"))["hourly"] == []
