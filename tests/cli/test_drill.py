"""`understudy drill` beside an engine of another process, and where there is none."""

import json
from pathlib import Path

import pytest
from cli.command_line import answered, refused, run, said
from cli.engine_process import running
from event_samples import EXAMPLES
from telling import NOON

from understudy.adapters.cli.drill_words import drill_row
from understudy.adapters.cli.under_drill import alert_found
from understudy.adapters.stores import SqliteReader
from understudy.adapters.stores.reports import REPORTS, ask
from understudy.engine.drill_commands import ended
from understudy.events.desk import CommandRefused
from understudy.events.drills import DrillEnd, DrillStarted
from understudy.events.operations import AlertRaised
from understudy.projections.standing import Standing
from understudy.replay.drill_report import Held
from understudy.replay.verify import verify

WHY = ("--reason", "to see", "--actor", "ann")


def test_a_drill_beside_an_engine_is_held_seen_stopped_told_and_left_out_of_figures(tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    with running(path) as engine:
        assert engine.ask("call") == "alpha"
        begun = answered("drill", "outage", path, "alpha", "--for", "60s", *WHY)
        drill = begun["drill"]
        assert (begun["done"], begun["event"]["kind"]) == (True, "drill_started.v1")
        assert engine.ask("call") == "beta"
        assert engine.ask("pay") == "beta"
        assert f"drill: {drill}, outage of alpha until " in said("status", path)
        assert_no_symptom(path, drill)
        assert refused("drill", "flap", path, "alpha", "--for", "60s", *WHY).endswith("stop that first")
        last = refused("drill", "outage", path, "beta", "--for", "60s", *WHY)
        assert "nobody but 'beta' can serve" in last
        assert "say `--even-the-last`" in last
        assert said("drill", "stop", path, drill, "--actor", "ann").startswith(f"{path}: drill {drill} is over")
        assert refused("drill", "stop", path, "--actor", "ann").endswith("no drill is running")
        with SqliteReader.open(path) as reader:  # Who typed it has been told: nobody is paged.
            assert len(reader.operations(CommandRefused.kind)) == 3
            assert "command_refused" not in "".join(row.payload for row in reader.operations(AlertRaised.kind))
        assert engine.ask("call") == "alpha"
        assert "drills" not in {one["check"] for one in answered("doctor", path)["checks"]}
        engine.freeze()
        late = refused("drill", "outage", path, "alpha", "--for", "60s", "--wait", "200ms", *WHY)
        assert late.startswith("the command has been taken back: ")
        assert late.endswith("has not taken it within 0.2 s")
        engine.thaw()
        assert engine.ask("call") == "alpha"
        engine.stop()
    assert_told(path, drill)
    assert_left_out(path, drill)
    with SqliteReader.open(path) as reader:
        assert verify(reader).ok
        assert reader.commands_waiting() == 0


def assert_no_symptom(path: Path, drill: str) -> None:
    """The doctor names the drill before all else, and calls nobody ill for it."""
    first, *others = answered("doctor", path)["checks"]
    assert (first["check"], first["verdict"]) == ("drills", "advice")
    assert first["says"].startswith(f"{drill}, outage of alpha, runs until ")
    assert [one for one in others if one["verdict"] == "advice" and "alpha" in one["says"]] == []


def assert_told(path: Path, drill: str) -> None:
    told = answered("drill", "report", path)["reports"][0]
    assert (told["requests"], told["requests_touched"], told["requests_lost"]) == (2, 1, 0)
    assert told["failovers"] == {"beta": 1}
    assert told["noticed_by"] == "its circuit opened"
    assert told["time_to_recover_ms"] < 10_000
    assert "stood in       1 by beta" in said("drill", "report", path, drill)
    assert f"drill {drill}: outage; nothing was sent" in said("explain", path, "last-failover")
    assert f"in drill {drill}" in said("requests", path)
    assert f"drill {drill}: outage" in said("events", path, "--kind", "call_failed")
    (only,) = answered("drill", "list", path)["drills"]
    assert (only["drill"], only["cause"]) == (drill, "stopped")
    assert drill in said("drill", "list", path)


def assert_left_out(path: Path, drill: str) -> None:
    counts = "SELECT failed_requests, total_requests FROM provider_health WHERE provider = 'alpha'"
    assert ask(path, counts)[1] == [(0, 3)]
    assert ask(path, REPORTS["failures"].since(0))[1] == []
    assert ask(path, REPORTS["failovers"].since(0))[1] == []
    assert [row[2] - row[3] for row in ask(path, REPORTS["hourly"].since(0))[1] if row[0] == "alpha"] == [0]
    ((message,),) = ask(path, "SELECT error_message FROM provider_requests WHERE NOT success")[1]
    assert message.startswith(f"drill {drill}")


@pytest.mark.parametrize("words", [("outage", "alpha", "--for", "60s"), ("chaos", "--for", "60s"), ("stop",)])
def test_without_an_engine_it_is_refused_and_nothing_is_left_in_the_inbox(
    short_log: Path, words: tuple[str, ...]
) -> None:
    assert "no engine is running on this log" in refused("drill", words[0], short_log, *words[1:], *WHY)
    with SqliteReader.open(short_log) as reader:
        assert reader.commands_waiting() == 0


def test_the_plan_of_a_chaos_follows_from_its_seed(short_log: Path) -> None:
    plans = [run("drill", "chaos", short_log, "--for", "10m", "--seed", seed, "--dry-run", "--json") for seed in "778"]
    first, same, other = [json.loads(one.stdout)["plan"] for one in plans]
    assert first == same != other
    assert refused("drill", "chaos", short_log, "--for", "10m", "--dry-run").startswith("a plan follows from its seed")
    for length, says in (("20s", "a chaos lasts at least 25,000 ms"), ("2h", "a drill lasts at most 3,600,000 ms")):
        assert says in refused("drill", "chaos", short_log, "--for", length, "--seed", "7", "--dry-run")


def test_a_log_without_drills_is_told_to_have_none(short_log: Path) -> None:
    assert run("drill", "list", short_log).stderr == "There was no drill.\n"
    assert refused("drill", "report", short_log).startswith("there was no drill")


@pytest.mark.parametrize(
    ("drill_over", "named", "verdict"), [(False, True, "fine"), (True, True, "advice"), (False, False, "advice")]
)
@pytest.mark.parametrize("subject", ["alpha", "alpha us any"])
def test_an_alert_that_a_drill_may_have_raised_is_no_advice_while_it_runs(
    subject: str, *, drill_over: bool, named: bool, verdict: str
) -> None:
    standing = Standing()
    drill = next(one for one in EXAMPLES[DrillStarted.kind] if isinstance(one, DrillStarted) and one.provider)
    name = f"circuit_open|{subject}"
    if not drill_over:
        standing.drills[str(drill.provider)] = drill
    if named:
        standing.alerting.drilled[name] = drill.drill
    assert alert_found(standing, name, since_us=1).verdict.value == verdict


@pytest.mark.parametrize(("lasted_us", "told"), [(20_004_000, "20s"), (19_996_000, "20s"), (90_600_000, "1m 31s")])
def test_a_drill_that_ended_some_milliseconds_late_is_listed_with_its_length(lasted_us: int, told: str) -> None:
    drill = next(one for one in EXAMPLES[DrillStarted.kind] if isinstance(one, DrillStarted))
    over = ended(drill, DrillEnd.OVER)
    held = Held(seq=1, at_us=NOON, started=drill, end_seq=2, ended_us=NOON + lasted_us, ended=over)
    assert drill_row(held)[4] == told
