"""`understudy requests`: which requests there were, what became of each, and only those that are asked for."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cli.command_line import SHORT, answered, on_a_terminal, plans, refused, run, said
from cli.eventful import KEY, STORY

from understudy.adapters.cli import requests
from understudy.adapters.stores import SqliteReader, event_search, request_search
from understudy.adapters.stores.request_search import RequestsWanted

NEWEST_FIRST = [became for *_, became in reversed(STORY)]


def outcomes(found: dict[str, Any]) -> list[str]:
    return [
        one["outcome"] if one["reason"] is None else f"{one['outcome']}, {one['reason']}" for one in found["requests"]
    ]


def test_all_requests_are_listed_newest_first_with_what_became_of_each(eventful_log: Path) -> None:
    header, *lines = said("requests", eventful_log).splitlines()
    assert header.split() == ["accepted", "request", "outcome", "by", "calls", "ms", "operation"]
    assert [line[48:].partition("  ")[0] for line in lines] == NEWEST_FIRST
    hanging, _, rejected, held, exhausted, failed_over, first = (line[48:].split() for line in lines)
    assert first == ["served", "alpha", "1", "100", "rent", "wa", "us"]
    assert failed_over == ["served", "beta", "2", "300", "rent", "wa", "us"]
    assert exhausted[2:5] == ["beta", "2", "300"]
    assert held[3:6] == ["alpha", "1", "-"]
    assert rejected[2:5] == ["alpha", "1", "100"]
    assert hanging == ["open", "alpha", "1", "-", "rent", "de"]


def test_the_list_fits_a_hundred_columns(eventful_log: Path) -> None:
    assert max(map(len, said("requests", eventful_log).splitlines())) <= 100


def test_in_a_pipe_each_request_has_one_line_however_wide_unless_columns_are_set(tmp_path: Path) -> None:
    scenario, path = tmp_path / "wide.toml", tmp_path / "wide.db"
    context = f"duration_s = 2\ncontext = {{ customer = '{'c' * 90}' }}"
    scenario.write_text(SHORT.replace("duration_s = 8", context))
    run("simulate", "--scenario", scenario, "--log", path)
    header, *lines = said("requests", path).splitlines()
    assert (len(lines), header.split()[-1]) == (4, "operation")
    assert all(line.endswith("c" * 90) and len(line) > 150 for line in lines)
    narrow = run("requests", path, environment={"COLUMNS": "100"}).stdout.splitlines()
    assert len(narrow) == 2 * len([header, *lines])
    for nothing in ("", "0", "wide"):
        assert run("requests", path, environment={"COLUMNS": nothing}).stdout.splitlines() == [header, *lines]


@pytest.mark.parametrize("columns", [60, 80])
def test_on_a_narrow_terminal_each_request_has_two_lines_and_nothing_is_lost(columns: int, eventful_log: Path) -> None:
    wide = on_a_terminal("requests", eventful_log, COLUMNS="120", NO_COLOR="1").splitlines()
    narrow = on_a_terminal("requests", eventful_log, COLUMNS=str(columns), NO_COLOR="1").splitlines()
    assert max(map(len, narrow)) <= 60
    assert len(narrow) == 2 * len(wide)
    for line, *two in zip(wide, narrow[::2], narrow[1::2], strict=True):
        assert sorted(line.split()) == sorted(" ".join(two).split())


def test_a_list_longer_than_what_is_measured_is_whole_on_a_narrow_terminal_too(
    eventful_log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "_MEASURED", 2)
    monkeypatch.setattr(requests, "fits", lambda *_: False)
    lines = said("requests", eventful_log).splitlines()
    assert len(lines) == 2 * (1 + len(STORY))
    assert [line.partition("  ")[2].strip() for line in lines[2::2]] == NEWEST_FIRST


def test_its_json_tells_of_each_request_what_a_script_may_want(eventful_log: Path) -> None:
    found = answered("requests", eventful_log)
    assert found["more"] is False
    failed_over = found["requests"][-2]
    assert failed_over == {
        "request_id": failed_over["request_id"],
        "accepted": "2026-01-01T00:00:01.100Z",
        "accepted_us": 1_767_225_601_100_000,
        "operation": "rent",
        "effect": "read",
        "key": None,
        "context": {"service": "wa", "country": "us"},
        "outcome": "served",
        "reason": None,
        "provider": "beta",
        "called": ["alpha", "beta"],
        "calls": 2,
        "drills": [],
        "failovers": 1,
        "took_ms": 300.0,
        "ended": "2026-01-01T00:00:01.400Z",
    }


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (["--outcome", "served"], ["served", "served", "served"]),
        (["--outcome", "failed"], ["failed, rejected", "failed, exhausted"]),
        (["--outcome", "exhausted"], ["failed, exhausted"]),
        (["--outcome", "held"], ["held, no_lookup"]),
        (["--outcome", "open"], ["open"]),
        (["--outcome", "deadline"], []),
        (["--provider", "beta"], ["failed, exhausted", "served"]),
        (["--provider", "beta", "--outcome", "failed"], ["failed, exhausted"]),
        (["--key", KEY], ["held, no_lookup"]),
        (["--key", KEY, "--outcome", "served"], []),
        (["--key", KEY[:-1]], []),
        (["--since", "2026-01-01T00:00:05Z"], ["open", "served"]),
        (["--until", "2026-01-01T00:00:01.100Z"], ["served", "served"]),
        (["--since", "2026-01-01T00:00:01Z", "--until", "2026-01-01T00:00:02Z"], ["served"]),
        (["--since", "2030-01-01"], []),
        (["--until", "2020-01-01"], []),
        (["--limit", "2"], ["open", "served"]),
        (["--limit", "1", "--outcome", "failed"], ["failed, rejected"]),
    ],
    ids=lambda one: " ".join(one) if one and one[0].startswith("--") else "",
)
def test_only_those_are_listed_that_are_asked_for(filters: list[str], expected: list[str], eventful_log: Path) -> None:
    assert outcomes(answered("requests", eventful_log, *filters)) == expected


def test_it_is_said_whether_there_are_more(eventful_log: Path, short_log: Path) -> None:
    assert answered("requests", eventful_log, "--limit", "3")["more"] is True
    assert answered("requests", eventful_log, "--limit", "7")["more"] is False
    result = run("requests", short_log, "--limit", "3")
    assert result.stderr == "older ones match, too; --limit 30 shows more, --limit 0 all\n"
    assert run("requests", short_log, "--limit", "0").stderr == ""


def test_where_none_matches_nothing_is_printed_but_a_note(short_log: Path) -> None:
    result = run("requests", short_log, "--outcome", "deadline")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no request matches\n")


def test_an_operators_word_takes_a_request_out_of_those_that_are_held(eventful_log: Path, tmp_path: Path) -> None:
    path = tmp_path / "resolved.db"
    with closing(sqlite3.connect(eventful_log)) as source, closing(sqlite3.connect(path)) as copy, copy:
        source.backup(copy)
        (held,) = copy.execute("SELECT request_id FROM events WHERE kind = 'request_suspended.v1'").fetchone()
        payload = json.dumps({"executed": False, "actor": "ada", "reason": "statement"})
        copy.execute(
            "INSERT INTO events (stream, seq, at_us, kind, request_id, payload, chain)"
            " SELECT stream, seq + 1, at_us, 'request_resumed.v1', ?, ?, chain FROM events ORDER BY seq DESC LIMIT 1",
            (held, payload),
        )
    assert answered("requests", path, "--outcome", "held")["requests"] == []
    assert outcomes(answered("requests", path, "--outcome", "open")) == ["open", "open"]


def test_what_is_misspelt_is_refused_with_what_was_meant(eventful_log: Path) -> None:
    assert refused("requests", eventful_log, "--provider", "alpa") == (
        "this log knows no provider 'alpa'; did you mean 'alpha'?"
    )
    assert refused("requests", eventful_log, "--provider", "zzz").endswith("; there are alpha, beta")
    assert "'served'" in refused("requests", eventful_log, "--outcome", "lost")
    assert "write it like 2026-01-31T12:00:00Z, or like 10m" in refused("requests", eventful_log, "--since", "noon")
    assert "--since 2026-01-02T00:00:00.000Z is later than --until" in (
        refused("requests", eventful_log, "--since", "2026-01-02", "--until", "2026-01-01")
    )


def test_however_short_the_looks_are_the_list_is_the_same(eventful_log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with SqliteReader.open(eventful_log) as reader:
        whole = list(reader.newest_requests(RequestsWanted()))
        for window in (1, 2, 7):
            for page in (1, 3):
                monkeypatch.setattr(request_search, "WINDOW", window)
                monkeypatch.setattr(request_search, "PAGE", page)
                assert list(reader.newest_requests(RequestsWanted())) == whole
                assert list(reader.newest_requests(RequestsWanted(provider="beta"))) == [whole[4], whole[5]]
    assert event_search.PAGE == 256


def test_what_is_asked_about_a_request_is_found_by_its_index_and_never_by_a_walk(eventful_log: Path) -> None:
    wanted = RequestsWanted(provider="alpha", became=request_search.Became.HELD)
    with SqliteReader.open(eventful_log) as reader:
        steps = plans(reader, lambda: list(reader.newest_requests(wanted)))
    assert "SEARCH events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)" in steps
    looks = [step for step in steps if step.startswith(("SEARCH its", "SEARCH later", "SCAN"))]
    assert len(looks) > 3
    assert all("USING INDEX events_request (request_id=?" in step for step in looks)
