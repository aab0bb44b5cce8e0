"""`understudy archive`, and the commands that read an archive and its log as one."""

import json
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cli.command_line import SHORT, answered, refused, run, said

SINCE = ("--since", "2025-12-01")
LISTS = (
    ("requests", "--limit", "0"),
    ("events", "--limit", "0"),
    ("events", *SINCE, "--until", "2026-01-01T00:00:04Z"),
    ("explain", "last-failover"),
    ("status", "--at", "2026-01-01T00:00:05Z"),
    ("report", "hourly", *SINCE),
    ("report", "failovers", *SINCE),
)


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("played")
    scenario = folder / "short.toml"
    scenario.write_text(SHORT.replace("duration_s = 8", "duration_s = 20"))
    said("simulate", "--scenario", scenario, "--log", folder / "calls.db")
    return folder / "calls.db"


@pytest.fixture
def db(played: Path, tmp_path: Path) -> Path:
    path = tmp_path / "calls.db"
    shutil.copy(played, path)
    return path


def asked(name: str, db: Path, *words: str) -> Any:
    """What a command answers, but for what it says of the archiving itself."""
    report = words[:1] if name == "report" else ()
    found = answered(name, *report, db, *words[len(report) :])
    if name == "events":
        found["events"] = [one for one in found["events"] if one["kind"] != "segment_archived.v1"]
    return json.loads(json.dumps(found))


def test_commands_answer_as_if_nothing_had_been_archived(db: Path) -> None:
    before = [asked(name, db, *words) for name, *words in LISTS]
    verified = answered("verify", db)
    done = answered("archive", db, "--older-than", "1s", "--actor", "ann")
    assert done["events"] > 100
    for (name, *words), expected in zip(LISTS, before, strict=True):
        assert asked(name, db, *words) == expected, (name, words)
    again = answered("verify", db, "--through", str(verified["head_seq"]))
    assert again.pop("archive")["verified_after"] == 0
    assert again == verified
    request = before[0]["requests"][-1]["request_id"]
    assert answered("explain", db, request[:20])["request_id"] == request


def test_without_the_archive_what_is_needed_is_said(db: Path, tmp_path: Path) -> None:
    verified = answered("verify", db)
    first = answered("requests", db, "--limit", "0")["requests"][-1]["request_id"]
    (file,) = answered("archive", db, "--older-than", "1s")["files"]
    Path(file).parent.rename(tmp_path / "elsewhere")
    found = answered("verify", db)
    assert found["ok"]
    assert found["archive"]["verified_after"] == found["archive"]["through"] > 100
    assert f"{file} is not there" in found["archive"]["why_not"]
    assert "not looked at" in said("verify", db)
    assert answered("status", db)["seq"] == verified["head_seq"] + 1
    assert f"{file} is not there" in refused("explain", db, first)
    assert f"{file} is not there" in refused("verify", db, "--through", "3")
    assert answered("explain", db, first, "--archive", str(tmp_path / "elsewhere"))["request_id"] == first
    assert answered("verify", db, "--archive", str(tmp_path / "elsewhere"))["archive"]["verified_after"] == 0


def test_a_file_that_was_altered_is_found_by_verify_and_doctor(db: Path) -> None:
    (file,) = answered("archive", db, "--older-than", "1s")["files"]
    content = bytearray(Path(file).read_bytes())
    content[len(content) // 3] ^= 1
    Path(file).write_bytes(content)
    found = answered("verify", db, code=1)
    assert not found["ok"]
    assert "is not what was written: its SHA-256 is" in found["archive"]["faults"][0]
    assert found["broken"] is None
    checks = {one["check"]: one["verdict"] for one in answered("doctor", db, "--full", code=1)["checks"]}
    assert checks["archive"] == "wrong"


def test_a_report_without_the_archive_says_since_when_it_needs_none_and_a_doctor_complains_once(
    db: Path, tmp_path: Path
) -> None:
    said("archive", db, "--older-than", "1s", "--to", tmp_path / "put")
    archive = (tmp_path / "put").rename(tmp_path / "elsewhere")
    told = refused("report", "hourly", db, *SINCE)
    assert f"{tmp_path / 'put'}" in told
    since = re.search(r"without it: --since (\S+), for nothing later is archived", told)
    assert since is not None
    assert run("report", "hourly", db, "--since", since[1]).exit_code == 0
    assert answered("report", "hourly", db, *SINCE, "--archive", str(archive))["hourly"] != []
    lines = said("doctor", db, *SINCE)
    assert lines.count("cannot be looked into:") == 1
    missing = [one for one in answered("doctor", db, *SINCE)["checks"] if "cannot be looked into" in one["says"]]
    assert f"{len(missing) - 1} more checks cannot be looked into, for the same reason" in lines


def test_what_would_be_archived_is_shown_first(db: Path) -> None:
    told = answered("archive", db, "--older-than", "1s", "--dry-run")
    assert told["events"] > 100
    assert not db.with_name("calls.db.archive").exists()
    assert "nothing to archive is older than" in said("archive", db, "--older-than", "9999d")
    assert answered("archive", db, "--older-than", "1s")["events"] == told["events"]
    assert "nothing to archive" in said("archive", db, "--older-than", "1s")


def test_sql_at_a_prompt_is_said_not_to_see_what_is_archived(db: Path) -> None:
    said("archive", db, "--older-than", "1s")
    shown = run("report", "failures", db, *SINCE, "--sql")
    assert "are archived: at a prompt" in shown.stderr
    with closing(sqlite3.connect(db)) as connection:
        connection.execute(shown.stdout.rstrip(";\n"))


def test_nothing_is_archived_of_what_is_no_log(tmp_path: Path) -> None:
    stranger = tmp_path / "notes.db"
    with closing(sqlite3.connect(stranger)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    assert "not a log of Understudy" in refused("archive", stranger)
    assert [one.name for one in tmp_path.iterdir()] == ["notes.db"]
