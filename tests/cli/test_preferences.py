"""`understudy preferences` where no engine runs: it is on record, and the next engine goes by it."""

import asyncio
import shutil
from pathlib import Path

import pytest
from cli.command_line import answered, refused, said

from understudy.adapters.stores import SqliteReader
from understudy.replay.verify import verify


@pytest.fixture
def log(short_log: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(short_log, tmp_path / "calls.db"))


def test_what_is_set_is_shown_with_who_has_set_it_and_why(log: Path) -> None:
    before = answered("preferences", "get", log)["preferences"]
    assert before["retry_attempts"] == {"value": 0, "set_by": None}
    text = said(
        "preferences", "set", log, "retryAttempts=3", "fallback-enabled=false", "--reason", "tuning", "--actor", "ann"
    )
    assert text.startswith(f"{log}: retry_attempts is 3, fallback_enabled is false\n")
    after = answered("preferences", "get", log)["preferences"]
    assert after["retry_attempts"] == {"value": 3, "set_by": "ann: tuning"}
    assert after["fallback_enabled"] == {"value": False, "set_by": "ann: tuning"}
    assert after["retry_delay_ms"] == before["retry_delay_ms"]
    assert "fallback_enabled      false  ann: tuning" in said("preferences", "get", log)
    with SqliteReader.open(log) as reader:
        assert verify(reader).ok


def test_a_preferred_provider_can_be_taken_back(log: Path) -> None:
    for value, shown in (("beta", "beta"), ("none", None)):
        said("preferences", "set", log, f"preferred_provider={value}", "--reason", "x", "--actor", "ann")
        assert answered("preferences", "get", log)["preferences"]["preferred_provider"]["value"] == shown


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("retry_attempts", "'retry_attempts' is no NAME=VALUE, such as retry_attempts=3"),
        ("retry_atempts=3", "there is no preference 'retry_atempts'; did you mean 'retry_attempts'?"),
        ("retry_attempts=many", "retry_attempts: Input should be a valid integer"),
        ("min_success_rate=101", "min_success_rate: Input should be less than or equal to 100, not '101'"),
        ("preferred_provider=gamma", "preferred_provider 'gamma' is not configured; known: alpha, beta"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(log: Path, change: str, told: str) -> None:
    before = answered("verify", log)
    assert told in refused("preferences", "set", log, change, "--reason", "x")
    assert answered("verify", log) == before


async def test_a_set_in_json_tells_the_event(log: Path) -> None:
    told = await asyncio.to_thread(
        answered, "preferences", "set", log, "min_success_rate=97.50", "--reason", "x", "--actor", "ann"
    )
    assert (told["done"], told["event"]["kind"]) == (True, "preferences_changed.v1")
    assert told["event"]["event"]["changes"] == {"min_success_rate": "97.5"}
