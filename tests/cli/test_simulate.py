"""`understudy simulate`: scenarios and traces in, figures and a log out."""

import gzip
import os
from pathlib import Path

import pytest
from cli.command_line import QUOTES, SHORT, answered, refused, run, said

from understudy.adapters.cli.what_next import own_name
from understudy.adapters.stores import SqliteReader
from understudy.projections.standing import FOLD_VERSION

TRACE = """slot,at_s,provider,ok,latency_ms,failure
1,0,alpha,1,100,
1,0,beta,1,300,
2,10,alpha,0,50,timed_out
2,10,beta,1,300,
"""
KEYS = [
    "requests",
    "success_rate",
    "mean_ms",
    "p50_ms",
    "p95_ms",
    "p99_ms",
    "calls_per_request",
    "failovers",
    "decisions",
    "verify",
]


def test_the_json_has_exactly_the_figures_that_runs_are_compared_by(scenario: Path) -> None:
    found = answered("simulate", "--scenario", scenario)
    assert list(found) == KEYS
    assert list(found["verify"]) == ["identical", "differs"]
    assert found["requests"] == 16
    assert found["verify"] == {"identical": found["decisions"], "differs": 0}
    assert found["failovers"] == 3, "after three failures the circuit is open"


CONVERTING = """
name = "converting"
description = "One of two services gives no quotes for a while."
duration_s = 40
operation = "convert"
effect = "once"
arrivals = { per_second = 0.5 }
conversion = { pair = "ETH/BTC", amounts = ["1", "9"], rate = 0.05 }

[policy]
strategy = "in_order"
retry_attempts = 0
trust_lone_quote = true
max_emergency_amount = 5

[[providers]]
id = "alpha"
quotes = {}
phases = [{ latency_ms = 80 }, { from_s = 10, quotes = "fail" }]

[[providers]]
id = "dex"
settings = { priority = 4 }
quotes = { takes_bp = 50 }
"""


def test_of_conversions_the_steps_are_told_and_what_became_of_them(tmp_path: Path) -> None:
    path = tmp_path / "converting.toml"
    path.write_text(CONVERTING)
    found = answered("simulate", "--scenario", path)
    assert list(found) == [*KEYS, "conversions"]
    told = found["conversions"]
    assert (told["served"], told["refused"], told["suspended"], told["executed_twice"]) == (12, 8, 0, 0)
    assert told["shares"] == {"served": 0.6, "refused": 0.4, "suspended": 0.0}
    assert (told["refusals"], told["by_service"]) == ({"no_provider": 8}, {"dex": 7, "alpha": 5})
    assert [(one["step"], one["subject"]) for one in told["steps"]] == [
        ("circuit:opened", "alpha"),
        ("mode:emergency", ""),
        ("alert:raised", ""),
    ]
    text = said("simulate", "--scenario", path)
    assert "  refused         8 (40.00 %)" in text
    assert "  executed twice  0, so say the services' own books" in text
    lines = [line.split() for line in text.splitlines() if "mode:emergency" in line or "circuit:opened" in line]
    assert [line[2] for line in lines] == ["circuit:opened", "mode:emergency"]


def test_the_same_seed_gives_the_same_log_and_another_one_another(scenario: Path, tmp_path: Path) -> None:
    def head(seed: int, *words: str | Path) -> str:
        text = said("simulate", "--scenario", scenario, "--seed", str(seed), *words)
        return next(line for line in text.splitlines() if "chain" in line)

    assert head(1) == head(1, "--log", tmp_path / "calls.db")
    assert head(1) != head(2)


def test_a_log_is_kept_and_verifies_again_from_its_file(scenario: Path, tmp_path: Path) -> None:
    path = tmp_path / "calls.db"
    result = run("simulate", "--scenario", scenario, "--log", path)
    assert f"understudy explain {path} last-failover" in result.stderr
    events = answered("verify", path)["events"]
    assert f"events             {events}" in result.stdout


def test_a_trace_is_played(tmp_path: Path) -> None:
    path = tmp_path / "traffic.csv.gz"
    path.write_bytes(gzip.compress(TRACE.encode()))
    found = answered("simulate", "--trace", path, "--strategy", "in-order")
    assert (found["requests"], found["failovers"], found["mean_ms"]) == (2, 1, 225.0)


def test_a_policy_takes_the_place_of_the_scenarios_and_a_strategy_that_of_the_policys(
    scenario: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text("strategy = 'in-order'\nminSuccessRate = 0\nmaxFailures = 100\nretry_attempts = 0\n")
    assert answered("simulate", "--scenario", scenario, "--policy", policy)["failovers"] == 10
    told = said("simulate", "--scenario", scenario, "--policy", policy, "--strategy", "round-robin")
    assert "short, strategy round_robin, seed 1:" in told


def test_the_environment_counts_where_a_policy_is_named(scenario: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("strategy = 'score'\n")
    words = ("simulate", "--scenario", scenario, "--policy", tmp_path / "policy.toml")
    result = run(*words, environment={"UNDERSTUDY_STRATEGY": "fastest"})
    assert "strategy fastest" in result.stdout


def test_the_environment_counts_without_a_policy_too(scenario: Path, tmp_path: Path) -> None:
    (tmp_path / "traffic.csv").write_text(TRACE)
    for words in (("--scenario", scenario), ("--scenario", "outage"), ("--trace", tmp_path / "traffic.csv")):
        result = run("simulate", *words, environment={"UNDERSTUDY_STRATEGY": "fastest", "UNDERSTUDY_WINDOW": "50"})
        assert "strategy fastest" in result.stdout
        assert result.stderr.splitlines()[0] == "UNDERSTUDY_STRATEGY, UNDERSTUDY_WINDOW of the environment count"
        assert "of the environment" not in run("simulate", *words).stderr


def test_what_the_environment_does_not_set_stays_as_the_scenario_has_it(scenario: Path) -> None:
    def failovers(**environment: str) -> str:
        text = run("simulate", "--scenario", scenario, environment=environment).stdout
        return next(line.split()[1] for line in text.splitlines() if "failovers" in line)

    assert failovers() == failovers(UNDERSTUDY_WINDOW="50") == "3"
    assert failovers(UNDERSTUDY_MAX_FAILURES="5") == "5"


def test_the_word_on_the_line_comes_before_the_environment(scenario: Path) -> None:
    words = ("simulate", "--scenario", scenario, "--strategy", "round-robin")
    assert "strategy round_robin" in run(*words, environment={"UNDERSTUDY_STRATEGY": "fastest"}).stdout


def test_a_setting_of_the_environment_that_makes_no_sense_is_refused_by_its_name(scenario: Path) -> None:
    said = refused("simulate", "--scenario", scenario, environment={"UNDERSTUDY_MAX_FAILUERS": "5"})
    assert "UNDERSTUDY_MAX_FAILUERS is unknown; did you mean UNDERSTUDY_MAX_FAILURES?" in said


def test_one_failover_is_explained_on_request(scenario: Path) -> None:
    text = said("simulate", "--scenario", scenario, "--explain")
    assert "served by beta after 1 failover" in text


def test_where_nothing_failed_over_there_is_nothing_to_explain(tmp_path: Path) -> None:
    path = tmp_path / "calm.toml"
    path.write_text(SHORT.replace('{ from_s = 3, state = "refuses" }', ""))
    result = run("simulate", "--scenario", path, "--explain")
    assert result.exit_code == 0
    assert "no request has been served after a failover in this log" in result.stderr


def test_an_unknown_scenario_is_refused_with_the_nearest_and_all_there_are() -> None:
    sentence = refused("simulate", "--scenario", "outag")
    assert sentence.startswith("there is no bundled scenario 'outag'; did you mean 'outage'?\nThere are ")
    assert "brown-out, " in sentence


def test_a_file_without_a_path_is_pointed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine").write_text(SHORT)
    monkeypatch.chdir(tmp_path)
    assert "For the file of that name write ./mine" in refused("simulate", "--scenario", "mine")
    assert answered("simulate", "--scenario", "./mine")["requests"] == 16


def test_an_existing_log_is_not_written_over(own_log: Path, scenario: Path) -> None:
    before = own_log.read_bytes()
    sentence = refused("simulate", "--scenario", scenario, "--log", own_log)
    assert sentence.endswith("exists already, and a simulation begins a new log; name another file or remove this one")
    assert own_log.read_bytes() == before


def test_an_empty_file_may_become_the_log(scenario: Path, tmp_path: Path) -> None:
    (tmp_path / "calls.db").touch()
    said("simulate", "--scenario", scenario, "--log", tmp_path / "calls.db")


def test_a_place_where_no_log_can_be_is_refused_before_anything_is_run(scenario: Path, tmp_path: Path) -> None:
    assert "is a directory; name a file" in refused("simulate", "--scenario", scenario, "--log", tmp_path)
    lost = tmp_path / "nowhere" / "calls.db"
    assert refused("simulate", "--scenario", scenario, "--log", lost).endswith("does not exist; create it first")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "name either a --scenario, a --trace or --quotes; bundled scenarios: "),
        (("--scenario", "outage", "--trace", "t.csv"), "name either a --scenario, a --trace or --quotes"),
        (("--trace", "t.csv", "--quotes", "q.csv"), "name either a --scenario, a --trace or --quotes"),
        (("--scenario", "outage", "--side", "buy", "--list"), "--side, --list: only of --quotes"),
        (("--quotes", "nothing.csv"), "there is no file nothing.csv"),
        (("--quotes", "q.csv", "--amount", "0"), "'0' is not a number above 0"),
        (("--quotes", "q.csv", "--amount", "much"), "'much' is not a number"),
        (("--quotes", "q.csv", "--side", "sel"), "did you mean 'sell'?"),
        (("--scenario", "outage", "--json", "--explain"), "--json has no story"),
        (("--scenario", "outage", "--seed", "-1"), "Invalid value for '--seed'"),
        (("--scenario", "outage", "--strategy", "fast"), "Invalid value for '--strategy'"),
        (("--scenario", "./nothing.toml"), "there is no file nothing.toml"),
        (("--trace", "nothing.csv"), "there is no file nothing.csv"),
        (("--trace", "."), ". is a directory; name a file"),
        (("--trace", "/dev/null"), "/dev/null is not a regular file; it is read more than once"),
        (("--scenario", f".{os.sep}"), ". is a directory; name a file"),
        (("--scenario", "outage", "--policy", "."), ". is a directory; name a file"),
        (("--scenario", "outage", "--policy", "nothing.toml"), "there is no file nothing.toml"),
    ],
)
def test_wrong_words_are_refused_with_a_sentence(words: tuple[str, ...], sentence: str) -> None:
    assert sentence in refused("simulate", *words)


def test_a_policy_that_is_wrong_is_refused_with_all_its_faults(scenario: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text("windo = 1\nmax_failures = 0\n")
    sentence = refused("simulate", "--scenario", scenario, "--policy", tmp_path / "policy.toml")
    assert "windo is unknown; did you mean 'window'?" in sentence
    assert "max_failures is 0; it must be a whole number of at least 1" in sentence


def test_a_scenarios_policy_is_spelt_as_in_a_policy_file_and_all_its_faults_are_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    text = SHORT.replace("retry_attempts = 0", "retryAttempts = 0").replace('"in_order"', '"in-order"')
    path.write_text(text)
    assert answered("simulate", "--scenario", path)["failovers"] == 3
    path.write_text(text.replace("retryAttempts = 0", "max-failuers = 0\nwindow = 0").replace("8", "-8", 1))
    assert refused("simulate", "--scenario", path).splitlines() == [
        f"{path}: policy: max-failuers is unknown; did you mean 'max-failures'?",
        f"{path}: policy: window is 0; it must be a whole number from 1 to 10,000",
        f"{path}: duration_s is -8; it must be above 0",
    ]


def test_a_scenario_that_is_not_text_is_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xff")
    assert refused("simulate", "--scenario", tmp_path / "mine.toml").endswith("is not text: its byte 0 is not UTF-8")


def test_a_failover_is_advised_only_where_there_was_one(tmp_path: Path) -> None:
    path = tmp_path / "calm.toml"
    path.write_text(SHORT.replace('{ from_s = 3, state = "refuses" }', ""))
    result = run("simulate", "--scenario", path, "--log", tmp_path / "my calls.db")
    assert f"  understudy explain '{tmp_path}/my calls.db' last\n" in result.stderr


def test_the_command_is_named_as_it_can_be_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "bin" / "understudy"
    script.parent.mkdir()
    script.touch(mode=0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    assert own_name(str(script)) == "bin/understudy"
    monkeypatch.chdir(script.parent)
    assert own_name(str(script)) == "./understudy"
    monkeypatch.chdir("/")
    assert own_name(str(script)) == str(script).removeprefix("/")
    monkeypatch.setenv("PATH", str(script.parent))
    assert own_name(str(script)) == "understudy"
    assert own_name("/usr/lib/pytest/__main__.py") == "understudy"


def test_a_policy_for_other_providers_is_refused(scenario: Path, tmp_path: Path) -> None:
    policy, trace = tmp_path / "policy.toml", tmp_path / "traffic.csv"
    trace.write_text(TRACE)
    quotes = tmp_path / "quotes.csv"
    quotes.write_text("".join(line for line in QUOTES.splitlines(keepends=True) if "gamma" not in line))
    for text in ("[providers.gamma]\n", "preferred_provider = 'gamma'"):
        policy.write_text(text)
        for words in (("--scenario", scenario), ("--trace", trace), ("--quotes", quotes)):
            sentence = refused("simulate", *words, "--policy", policy)
            assert "'gamma', which is not in the " in sentence
            assert sentence.endswith("; there are alpha, beta")


def test_a_kept_log_has_the_engines_last_snapshot(short_log: Path) -> None:
    with SqliteReader.open(short_log) as reader:
        snapshot = reader.snapshot(fold_version=FOLD_VERSION)
        assert snapshot is not None
        assert reader.chain_at(snapshot.seq) == snapshot.chain
