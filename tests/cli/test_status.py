"""`understudy status`: how providers stand, now, then, and while an engine runs."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from cli.command_line import RESTING, SHORT, answered, on_a_terminal, refused, run, said
from providers_for_tests import Told

from understudy.adapters.stores import SqliteLog
from understudy.engine import Engine, ForcedState, Misconfigured, Policy
from understudy.events.counted import counted


def of(found: dict[str, Any], provider: str) -> dict[str, Any]:
    return next(one for one in found["providers"] if one["provider"] == provider)


def test_a_stopped_engines_providers_stand_as_at_its_last_event(short_log: Path) -> None:
    found = answered("status", short_log)
    assert found["engine_stopped"] is True
    assert found["at"].startswith("2026-01-01T00:00:")
    assert (found["requests"]["accepted"], found["requests"]["completed"]) == (16, 16)
    alpha = of(found, "alpha")
    assert (alpha["status"], alpha["circuit"], alpha["failed"]) == ("unavailable", "open", 3)
    assert alpha["until"] == "2026-01-01T00:01:04.000Z"
    beta = of(found, "beta")
    assert (beta["status"], beta["success_rate"], beta["average_ms"], beta["in_flight"]) == ("healthy", 100.0, 150, 0)


def test_the_table_has_the_figures_and_below_it_stands_why_a_provider_is_out_and_until_when(short_log: Path) -> None:
    shown = run("status", short_log, environment={"COLUMNS": "100"}).stdout
    header, alpha, beta, why = shown.partition("\n\n")[2].splitlines()[:4]
    for name in ("tier", "circuit", "score", "success", "average", "p50", "p95", "calls", "failed", "in flight"):
        assert f" {name}" in header
    assert max(map(len, (header, alpha, beta))) <= 100
    assert why == "alpha: circuit open after 3 failed requests in a row, until 2026-01-01T00:01:04.000Z (in 56s)"
    assert "100.00 %      150  150  150     10" in beta


def test_in_a_pipe_each_provider_has_one_line_with_everything(short_log: Path) -> None:
    header, alpha, beta, end, *_ = said("status", short_log).splitlines()[2:]
    assert header.endswith("in flight  why")
    assert alpha.endswith("  circuit open after 3 failed requests in a row, until 2026-01-01T00:01:04.000Z (in 56s)")
    assert (beta.split()[0], end) == ("beta", "")


def test_where_there_is_room_the_reason_has_a_column(short_log: Path) -> None:
    lines = on_a_terminal("status", short_log, COLUMNS="200", NO_COLOR="1").splitlines()
    assert lines[2].endswith(" why")
    assert "circuit open after 3 failed requests in a row, until 2026-01-01T00:01:04.000Z (in 56s)" in lines[3]


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_what_has_no_room_beside_the_rest_stands_below_it_and_nothing_is_lost(columns: int, own_log: Path) -> None:
    wide = on_a_terminal("status", own_log, COLUMNS="99", NO_COLOR="1")
    narrow = on_a_terminal("status", own_log, COLUMNS=str(columns), NO_COLOR="1")
    path, *lines = narrow.replace("\r", "").split("\n")
    assert max(map(len, lines)) <= columns
    assert str(own_log) in path
    assert narrow.count("beta ") > wide.count("beta ")
    assert set(wide.split()) == set(narrow.split()), "every figure and every word"


def test_columns_that_belong_together_stay_beside_each_other(short_log: Path) -> None:
    lines = on_a_terminal("status", short_log, COLUMNS="80", NO_COLOR="1").splitlines()
    headers = [line.split() for line in lines if line.startswith("provider ")]
    assert headers == [
        ["provider", "tier", "status", "circuit", "score", "success", "average", "p50", "p95"],
        ["provider", "calls", "failed", "in", "flight"],
    ]


def test_the_past_can_be_asked_about_by_time_and_by_position(short_log: Path) -> None:
    then = answered("status", short_log, "--at", "2026-01-01T00:00:02Z")
    assert of(then, "alpha")["status"] == "healthy"
    assert then["at"] == "2026-01-01T00:00:02.000Z"
    by_position = answered("status", short_log, "--position", str(then["seq"]))
    assert of(by_position, "alpha")["calls"] == of(then, "alpha")["calls"]


def test_a_place_before_the_log_begins_is_refused(short_log: Path) -> None:
    assert "nothing had been written to this log by then" in refused("status", short_log, "--at", "2020-01-01")
    assert "name the place once" in refused("status", short_log, "--at", "2026-01-02", "--position", "3")


async def test_one_of_a_kind_is_told_in_the_singular(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    async with Engine(providers=[Told("alpha")], log=SqliteLog(path), watch=False) as engine:
        await engine.call("fetch")
    assert "\n1 request: 1 served (0 after a failover)" in await asyncio.to_thread(said, "status", path)
    assert f"{path}: 1 event in stream " in await asyncio.to_thread(said, "verify", path, "--through", "1")
    assert [counted(count, "reply", "replies") for count in (0, 1, 2_000)] == ["0 replies", "1 reply", "2,000 replies"]


def test_a_place_behind_the_logs_end_is_refused(short_log: Path) -> None:
    end = answered("status", short_log)["seq"]
    assert answered("status", short_log, "--position", str(end))["seq"] == end
    assert refused("status", short_log, "--position", str(end + 1)).startswith(
        f"the log ends at event {end}, before --position {end + 1}; name an earlier place"
    )


async def test_it_works_beside_a_running_engine(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "calls.db")
    alpha, beta = Told("alpha", [Misconfigured("wrong key")]), Told("beta")
    async with Engine(providers=[alpha, beta], log=log, policy=Policy(exploration=Decimal(0)), watch=False) as engine:
        await engine.call("fetch", effect="once")
        engine.override("beta", ForcedState.DRAIN, actor="ada", reason="new disks\x1b", for_ms=600_000)
        await log.durable(log.head.seq)
        found = answered("status", log.path)
        text = said("status", log.path)
    assert found["engine_stopped"] is False
    assert of(found, "alpha")["reason"] == "our key or account there is wrong"
    assert of(found, "beta")["forced"]["actor"] == "ada"
    assert "drained by ada: new disks\\x1b, until " in text
    assert "(in 10m 00s)" in text or "(in 9m 5" in text
    assert any("misconfigured" in one for one in found["alerts"])


def test_lanes_that_a_policy_splits_stand_below_their_provider(tmp_path: Path) -> None:
    path = tmp_path / "split.toml"
    path.write_text(
        SHORT.replace("[policy]", "[policy]\nlane_by = ['country']").replace(
            "duration_s = 8", "duration_s = 8\ncontext = { country = 'us' }"
        )
    )
    run("simulate", "--scenario", path, "--log", tmp_path / "split.db")
    lines = said("status", tmp_path / "split.db").splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("beta "))
    assert lines[place + 1].startswith("  us ")
    lanes = of(answered("status", tmp_path / "split.db"), "beta")["lanes"]
    (lane,) = [one for one in lanes if one["operation_class"] == "serve"]
    assert (lane["context"], lane["success_rate"]) == ({"country": "us"}, 100.0)


def test_a_degraded_provider_that_has_rested_is_said_to_be_overlooked_for_once(tmp_path: Path) -> None:
    path = tmp_path / "resting.toml"
    path.write_text(RESTING)
    run("simulate", "--scenario", path, "--log", tmp_path / "calls.db")
    resting = of(answered("status", tmp_path / "calls.db", "--at", "2026-01-01T00:00:15Z"), "alpha")
    assert (resting["status"], resting["reason"]) == ("degraded", "success rate below 95 %")
    rested = of(answered("status", tmp_path / "calls.db", "--at", "2026-01-01T00:00:18.550Z"), "alpha")
    assert (rested["status"], rested["success_rate"]) == ("healthy", resting["success_rate"])
    assert rested["reason"] == "success rate below 95 % until it rested, and no longer counted as degraded"


@pytest.mark.parametrize("command", ["verify", "status"])
def test_a_log_that_is_only_read_stays_as_it_was(command: str, own_log: Path) -> None:
    before = own_log.read_bytes()
    said(command, own_log)
    assert own_log.read_bytes() == before
