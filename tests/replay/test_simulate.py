"""Scenario files are checked before they run, arrivals are as written, and scripted providers keep to their scripts."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from understudy.adapters.stores import MemoryLog, SqliteLog
from understudy.engine.errors import Ambiguous, OutOfStock, ProviderError, RateLimited, Transient
from understudy.engine.provider import Deadline, Request
from understudy.events.policy import Policy
from understudy.events.vocabulary import Effect, Finding, Strategy
from understudy.replay.play_scenario import arrivals_us
from understudy.replay.scenario import Phase, Scenario, Script
from understudy.replay.scripted import ScriptedProvider
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
from understudy.replay.virtual_time import run_virtual, virtually

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


def small(more: str = "") -> Scenario:
    return parse_scenario(SMALL % more, source="small.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (SMALL % "concurency = 3", r"concurency: Extra inputs are not permitted; known here: arrivals, .*concurrency"),
        (SMALL % '[policy]\nstrategy = "best"', r"policy\.strategy: Input should be 'score', "),
        (SMALL % "[policy]\nwindow = 0", r"policy\.window: Input should be greater than or equal to 1"),
        (SMALL % '[[policy.providers]]\nid = "x"', r"policy: .*not configured in policy but in each provider's"),
        (SMALL.replace("0.2 }", "1.2 }") % "", r"providers\.0\.phases\.0: .*shares in failures must be from 0 to 1"),
        (SMALL.replace("p95_ms = 300", "p95_ms = 30") % "", r"p95_ms 30 must not be below latency_ms 100"),
        (SMALL.replace("latency_ms = 200", "until_s = 0") % "", r"until_s 0 is not after from_s 0"),
        (SMALL.replace("latency_ms = 200", "up_s = 1") % "", r"up_s and down_s belong together"),
        (SMALL.replace("latency_ms = 200", "delay = 1") % "", r"phases\.0\.delay: .*known here: capacity, "),
        (SMALL.replace('"beta"', '"alpha"') % "", r"provider 'alpha' is scripted twice"),
        (SMALL.replace("per_second = 4", "") % "", r"arrivals: .*no request would ever come"),
        (
            SMALL.replace('id = "beta"', 'id = "beta"\nsettings = { colour = 1 }') % "",
            r"providers\.1: .*settings\.colour: .*known here: burst, ",
        ),
        (SMALL.replace('id = "beta"', 'id = "beta"\nsettings = { id = "x" }') % "", r"settings\.id is not set here"),
        (SMALL % "duration_s = 5", r"not valid TOML"),
    ],
)
def test_a_scenario_that_makes_no_sense_is_refused_by_place(text: str, told: str) -> None:
    with pytest.raises(SimulationError, match=rf"^small\.toml: .*?{told}"):
        parse_scenario(text, source="small.toml")


def test_a_scenario_is_read_from_a_file_and_a_missing_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "small.toml").write_text(SMALL % "")
    assert read_scenario(tmp_path / "small.toml") == small()
    with pytest.raises(SimulationError, match=r"absent\.toml: cannot be read"):
        read_scenario(tmp_path / "absent.toml")


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
    assert all(
        later - earlier in {1_000_000 // rate, 1_000_000 // rate + 1}
        for earlier, later in zip(arrivals, arrivals[1:], strict=False)
    )


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


REQUEST = Request(request_id="r", operation="order", effect=Effect.ONCE)
NEVER = Deadline(1 << 60, lambda: 0)


def scripted(*phases: dict[str, Any], seed: int = 1, **fields: Any) -> ScriptedProvider:
    return ScriptedProvider(Script(id="p", phases=tuple(Phase(**phase) for phase in phases), **fields), seed=seed)


async def ending(provider: ScriptedProvider, key: str = "k") -> str:
    try:
        await provider.call("order", REQUEST, key=key, deadline=NEVER)
    except ProviderError as error:
        return str(error.kind)
    return "success"


def latencies(provider: ScriptedProvider, count: int) -> list[float]:
    async def main() -> list[float]:
        loop, found = asyncio.get_running_loop(), []
        for _ in range(count):
            began = loop.time()
            await ending(provider)
            found.append(loop.time() - began)
        return found

    return run_virtual(main())


def test_latencies_have_the_median_and_the_95th_percentile_of_the_script() -> None:
    found = sorted(latencies(scripted({"latency_ms": 100, "p95_ms": 400}), 4000))
    assert found[2000] == pytest.approx(0.1, rel=0.06)
    assert found[3800] == pytest.approx(0.4, rel=0.1)


def test_a_providers_dice_are_its_own() -> None:
    phase = {"latency_ms": 100, "p95_ms": 400}
    assert latencies(scripted(phase), 20) == latencies(scripted(phase), 20)
    assert latencies(scripted(phase), 20) != latencies(scripted(phase, seed=2), 20)


@virtually
async def test_failures_come_with_the_shares_of_the_script() -> None:
    provider = scripted({"failures": {"transient": 0.3, "rejected": 0.1}})
    for _ in range(2000):
        await ending(provider)
    assert provider.books.endings["transient"] == pytest.approx(600, rel=0.15)
    assert provider.books.endings["rejected"] == pytest.approx(200, rel=0.25)


@virtually
async def test_the_later_phase_counts_and_only_in_its_time() -> None:
    provider = scripted({}, {"from_s": 10, "until_s": 20, "state": "refuses"})
    found = []
    for _ in range(3):
        found.append(await ending(provider))
        await asyncio.sleep(10.1)
    assert found == ["success", "transient", "success"]


@virtually
async def test_more_calls_a_second_than_allowed_are_sent_away_with_a_time() -> None:
    provider = scripted({"latency_ms": 0, "max_calls_per_second": 2, "retry_after_ms": 700})
    assert [await ending(provider) for _ in range(3)] == ["success", "success", "rate_limited"]
    with pytest.raises(RateLimited) as error:
        await provider.call("order", REQUEST, key="k", deadline=NEVER)
    assert error.value.retry_after_ms == 700
    await asyncio.sleep(1)
    assert await ending(provider) == "success"


@virtually
async def test_capacity_and_load_depend_on_what_is_under_way() -> None:
    provider = scripted({"latency_ms": 100, "slower_by_ms": 50, "capacity": 2})
    loop = asyncio.get_running_loop()

    async def timed() -> tuple[str, float]:
        return await ending(provider), loop.time()

    assert await asyncio.gather(timed(), timed(), timed()) == [("success", 0.1), ("success", 0.15), ("transient", 0)]
    assert provider.books.most_under_way == 3


@virtually
async def test_an_ambiguous_call_is_found_by_look_ups_once_it_has_settled() -> None:
    provider = scripted({"failures": {"ambiguous": 1}, "executed_share": 1}, lookup=True, settle_ms=5000)
    with pytest.raises(Ambiguous):
        await provider.call("order", REQUEST, key="k", deadline=NEVER)
    assert (await provider.lookup("order", REQUEST, key="k", deadline=NEVER)).finding is Finding.ABSENT
    await asyncio.sleep(5)
    assert (await provider.lookup("order", REQUEST, key="k", deadline=NEVER)).finding is Finding.SUCCEEDED
    assert (await provider.lookup("order", REQUEST, key="other", deadline=NEVER)).finding is Finding.ABSENT


@virtually
async def test_the_books_know_of_repeats_and_stock_runs_out() -> None:
    provider = scripted({}, units=2, listed_units=9)
    assert [await ending(provider, key) for key in ("a", "a", "b")] == ["success", "success", "out_of_stock"]
    assert (provider.books.executed_twice, provider.books.executed_for["r"]) == (["a"], 2)
    assert (await provider.stock(REQUEST, deadline=NEVER)).stock == 9
    with pytest.raises(OutOfStock):
        await provider.call("order", REQUEST, key="c", deadline=NEVER)


@pytest.mark.parametrize(
    ("phase", "answers"),
    [
        ({}, True),
        ({"state": "refuses"}, False),
        ({"state": "refuses", "pings": "fine"}, True),
        ({"pings": "fail"}, False),
    ],
)
def test_a_ping_tells_of_the_calls_or_lies_as_scripted(phase: dict[str, Any], answers: bool) -> None:
    async def main() -> bool:
        ping: Callable[[], Awaitable[str]] = scripted(phase, ping=True).ping
        try:
            return await ping() == "pong"
        except Transient:
            return False

    assert run_virtual(main()) is answers


def test_abilities_that_are_not_scripted_are_not_there() -> None:
    provider = scripted({})
    assert not any(hasattr(provider, ability) for ability in ("ping", "lookup", "stock"))
