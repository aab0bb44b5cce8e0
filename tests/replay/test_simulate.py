"""Scenario files are checked before they run, arrivals are as written, and a run can be repeated."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from understudy.adapters.stores import MemoryLog, SqliteLog
from understudy.events.policy import Policy
from understudy.events.vocabulary import Strategy
from understudy.replay.play_scenario import arrivals_us
from understudy.replay.scenario import REQUESTS_AT_MOST, Scenario
from understudy.replay.simulate import (
    SimulationError,
    bundled_scenario,
    bundled_scenarios,
    parse_scenario,
    play,
    read_scenario,
    simulate,
)
from understudy.replay.verify import verify

SMALL = """
name = "small"
description = "Two providers, one of which fails at times."
duration_s = 30
arrivals = { per_second = 4 }
%s
[[providers]]
id = "alpha"
phases = [{ latency_ms = 100, p95_ms = 300, failures = { transient = 0.2 } }]

[[providers]]
id = "beta"
phases = [{ latency_ms = 200 }]
"""

CONVERTS = """
[conversion]
pair = "ETH/BTC"
amounts = ["1"]
rate = 0.05
"""
QUOTES = """
[[providers]]
id = "gamma"
quotes = {}
"""


def small(more: str = "") -> Scenario:
    return parse_scenario(SMALL % more, source="small.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SMALL % "concurency = 3", r"concurency is unknown; did you mean 'concurrency'\?"),
        (SMALL % "zzz = 3", r"zzz is unknown; known here: arrivals, .*concurrency"),
        (SMALL % '[policy]\nstrategy = "best"', r"policy\.strategy is 'best'; it must be 'score', "),
        (SMALL % "[policy]\nwindow = 0", r"policy\.window is 0; it must be at least 1"),
        (SMALL % '[[policy.providers]]\nid = "x"', r"policy: .*not configured in policy but in each provider's"),
        (SMALL.replace("0.2 }", "1.2 }") % "", r"provider 'alpha', phase 1: .*shares in failures must be from 0 to 1"),
        (SMALL.replace("p95_ms = 300", "p95_ms = 30") % "", r"p95_ms 30 must not be below latency_ms 100"),
        (SMALL.replace("latency_ms = 200", "until_s = 0") % "", r"until_s 0 is not after from_s 0"),
        (SMALL.replace("latency_ms = 200", "up_s = 1") % "", r"up_s and down_s belong together"),
        (
            SMALL.replace("latency_ms = 200", "delay = 1") % "",
            r"provider 'beta', phase 1, delay is unknown; known here: capacity, ",
        ),
        (SMALL.replace("transient = 0.2", "quota = 0.2") % "", r"phase 1, failures\.quota is 'quota'; it must be 'tra"),
        (SMALL % "[[local_faults]]\nfrom_s = 5\nuntil_s = 4", r"local fault 1: until_s 4 is not after from_s 5"),
        (SMALL % "cancel_from_s = 5\ncancel_until_s = 4", r"cancel_until_s 4 is not after cancel_from_s 5"),
        (SMALL.replace('"small"', '"Not small"') % "", r"name is 'Not small'; it must be a name of small letters, "),
        (SMALL.replace('"beta"', '"b c"') % "", r"provider 'b c', id is 'b c'; it must be a name of letters, digits"),
        (SMALL % 'operation = ""', r"operation: it must be printable characters, at least one, and not ''"),
        (SMALL % 'operation = "a\\u0000"', r"operation: it must be printable characters"),
        (SMALL % 'context = { country = "\\n" }', r"context\.country: it must be printable characters"),
        (SMALL % 'concurrency = "many"', r"concurrency is 'many'; it must be a whole number"),
        (SMALL % "providers_ = 1\narrivals_ = 2", r"did you mean 'providers'\?\nsmall\.toml: arrivals_ is unknown"),
        (SMALL.replace('"beta"', '"alpha"') % "", r"provider 'alpha' is scripted twice"),
        (SMALL.replace("per_second = 4", "") % "", r"arrivals: .*no request would ever come"),
        (
            SMALL.replace('id = "beta"', 'id = "beta"\nsettings = { colour = 1 }') % "",
            r"provider 'beta': settings\.colour is unknown; known here: burst",
        ),
        (SMALL.replace('id = "beta"', 'id = "beta"\nsettings = { id = "x" }') % "", r"settings\.id is not set here"),
        (SMALL % QUOTES, r"provider 'gamma' quotes, but nothing is converted; add a table named conversion"),
        (SMALL % CONVERTS, r"nobody could convert anything; give providers a table named quotes"),
        (SMALL % CONVERTS.replace("ETH/BTC", "eth"), r"conversion\.pair is 'eth'; it must be what is sold and what is"),
        (SMALL % CONVERTS.replace('"1"', ""), r"conversion\.amounts is .*; it must be a list of at least 1"),
        (SMALL % CONVERTS.replace('"1"', '"0"'), r"conversion amount 1 is '0'; it must be above 0"),
        (SMALL % f"{CONVERTS}volatility = 3", r"conversion\.volatility is unknown; did you mean 'volatility_bp'\?"),
        (SMALL % f"{CONVERTS}step_s = 0.00001{QUOTES}", r"the market would move more than 1,000,000 times"),
        (
            SMALL % f'context = {{ pair = "a/b" }}\n{CONVERTS}{QUOTES}',
            r"context\.pair is not set here; see conversion\.pair",
        ),
        (
            SMALL % QUOTES.replace("{}", "{ p95_ms = 9 }"),
            r"provider 'gamma', quotes: p95_ms 9 must not be below latency",
        ),
        (SMALL % "duration_s = 5", r"not valid TOML"),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused_by_place(text: str, told: str) -> None:
    with pytest.raises(SimulationError, match=rf"^small\.toml: .*?{told}"):
        parse_scenario(text, source="small.toml")


def test_a_scenario_is_read_from_a_file_and_a_missing_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL % "")
    assert read_scenario(tmp_path / "small.toml") == small()
    with pytest.raises(SimulationError, match=r"^there is no file .*absent\.toml$"):
        read_scenario(tmp_path / "absent.toml")


def test_more_requests_than_memory_may_hold_are_refused_with_their_number() -> None:
    def of(requests: int) -> Scenario:
        text = SMALL.replace("per_second = 4", "per_second = 50, bursts = [%s, %s]")
        burst = "{ at_s = 1, requests = %d }"
        return parse_scenario(text % (burst % 100_000, burst % (requests - 101_500), ""), source="small.toml")

    assert of(300_000).requests == REQUESTS_AT_MOST
    with pytest.raises(SimulationError, match=r"asks for 300,001 requests, and .*: 300,000 are the most"):
        of(300_001)


def test_all_faults_of_a_scenario_are_told_a_line_each() -> None:
    text = SMALL.replace('id = "beta"', 'id = "beta"\nsettings = { colour = 1, weight = -1 }') % "tries = 0\nseed = -1"
    with pytest.raises(SimulationError) as refused:
        parse_scenario(text, source="small.toml")
    one, two, three, four = sorted(str(refused.value).splitlines())
    assert one.startswith("small.toml: provider 'beta': settings.colour is unknown; known here: ")
    assert two == "small.toml: provider 'beta': settings.weight is -1; it must be at least 0"
    assert three == "small.toml: seed is -1; it must be at least 0"
    assert four == "small.toml: tries is 0; it must be at least 1"


def test_the_bundled_scenarios_are_named_like_their_files_and_an_unknown_one_is_refused() -> None:
    assert {bundled_scenario(name).name for name in bundled_scenarios()} == set(bundled_scenarios())
    assert {"outage", "brown-out", "throttling", "slow-but-200", "flapping"} <= set(bundled_scenarios())
    assert {"local-fault", "half-open-herd", "ambiguous-once"} <= set(bundled_scenarios())
    with pytest.raises(SimulationError, match="no scenario 'earthquake' in the package; there are ambiguous-once,"):
        bundled_scenario("earthquake")


@given(st.integers(1, 50), st.integers(1, 60), st.integers(0, 3))
def test_even_arrivals_are_evenly_spaced_within_the_duration(rate: int, duration: int, seed: int) -> None:
    scenario = small().model_copy(
        update={"arrivals": small().arrivals.model_copy(update={"per_second": rate}), "duration_s": duration}
    )
    arrivals = arrivals_us(scenario, seed)
    assert len(arrivals) == rate * duration
    assert all(later - earlier in {1_000_000 // rate, 1_000_000 // rate + 1} for earlier, later in pairwise(arrivals))


def test_bursts_and_random_arrivals_come_in_order_and_stop_at_the_end() -> None:
    text = SMALL.replace(
        "{ per_second = 4 }",
        '{ per_second = 4, pattern = "random", bursts = [{ at_s = 29.9, requests = 9, spacing_ms = 50 }] }',
    )
    scenario = parse_scenario(text % "", source="small.toml")
    arrivals = arrivals_us(scenario, seed=1)
    assert arrivals == sorted(arrivals)
    assert {29_900_000, 29_950_000} <= set(arrivals)
    assert max(arrivals) < 30_000_000
    assert 80 < len(arrivals) < 160
    assert arrivals != arrivals_us(scenario, seed=2)


def test_the_report_counts_what_happened() -> None:
    log = MemoryLog()
    played = play(small(), log=log, verify=verify)
    report = played.report
    calls = sum(len(provider.books.calls) for provider in played.providers.values())
    assert report.requests == 120
    assert report.success_rate == 1
    assert report.calls_per_request == round(calls / 120, 3)
    assert report.decisions == report.verify.identical == 120 + report.failovers
    assert report.p50_ms <= report.p95_ms <= report.p99_ms
    assert list(report.as_json()) == [
        *("requests", "success_rate", "mean_ms", "p50_ms", "p95_ms", "p99_ms"),
        *("calls_per_request", "failovers", "decisions", "verify"),
    ]


def test_policy_and_seed_may_take_the_place_of_the_scenarios_own() -> None:
    def outcome(**chosen: Any) -> tuple[bytes, int]:
        log = MemoryLog(salt=bytes(32))
        report = simulate(small(), log=log, **chosen)
        return log.head.chain, report.failovers

    assert outcome() == outcome(seed=1)
    assert outcome() != outcome(seed=2)
    assert outcome(policy=Policy(strategy=Strategy.IN_ORDER, retry_attempts=0)) != outcome()


def test_a_scenario_on_a_file_writes_what_it_writes_in_memory(tmp_path: Path) -> None:
    scenario = bundled_scenario("ambiguous-once").model_copy(update={"duration_s": 120})
    memory, file = MemoryLog(salt=bytes(32)), SqliteLog(tmp_path / "log.db", salt=bytes(32))
    assert simulate(scenario, log=memory, verify=verify) == simulate(scenario, log=file, verify=verify)
    with file.reader() as reader:
        assert reader.head() == memory.head


def test_concurrency_keeps_callers_waiting() -> None:
    played = play(
        parse_scenario(SMALL.replace("per_second = 4", "per_second = 50") % "concurrency = 3", source=""),
        log=MemoryLog(),
    )
    assert max(sum(books.most_under_way for books in [one.books]) for one in played.providers.values()) <= 3


def test_impatient_callers_are_counted_as_not_served() -> None:
    report = simulate(small("cancel_after_ms = 50\ncancel_until_s = 15"), log=MemoryLog(), verify=verify)
    assert 0.4 < report.success_rate < 0.6
    assert report.verify.differs == 0


def test_progress_reaches_the_last_request() -> None:
    told: list[tuple[int, int]] = []
    simulate(small(), log=MemoryLog(), progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (120, 120)
