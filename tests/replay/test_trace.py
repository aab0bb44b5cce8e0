"""Recorded traffic: what a trace may look like, what is refused, and how the engine is put through it."""

import csv
import gzip
import importlib
import sys
from collections import deque
from decimal import Decimal
from pathlib import Path

import pytest
from repository import ROOT, SHARED_DATA

from understudy.adapters.stores import MemoryLog, SqliteLog
from understudy.events.calls import CallFailed, CallStarted
from understudy.events.codec import recorded
from understudy.events.operations import PolicyActivated
from understudy.events.policy import Policy, ProviderSettings
from understudy.events.row import Recorded
from understudy.events.vocabulary import FailureKind, Strategy
from understudy.replay.simulate import Report, SimulationError, TraceError, simulate_trace
from understudy.replay.trace import Outcome, outline, read_trace
from understudy.replay.verify import verify

HEADER = "slot,at_s,provider,ok,latency_ms,failure"
QUIET = Policy(strategy=Strategy.IN_ORDER, exploration=Decimal(0))


def trace(path: Path, *lines: str, header: str = HEADER) -> Path:
    content = "\n".join((header, *lines)) + "\n"
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(content.encode()))
    else:
        path.write_text(content)
    return path


def events(log: MemoryLog) -> list[Recorded]:
    with log.reader() as reader:
        return [recorded(row) for row in reader.rows()]


@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz"])
def test_the_rows_of_a_slot_are_read_together(tmp_path: Path, name: str) -> None:
    path = trace(tmp_path / name, "1,10.5,a,1,200,", "1,10.5,b,0,1000.5,timed_out", "2,11,a,0,3,")
    first, second = read_trace(path)
    assert (first.name, first.at_us) == ("1", 10_500_000)
    assert first.outcomes == {"a": Outcome(200_000, None), "b": Outcome(1_000_500, FailureKind.TIMED_OUT)}
    assert second.outcomes == {"a": Outcome(3_000, FailureKind.TRANSIENT)}
    assert outline(path).providers == ("a", "b")


def test_columns_may_stand_in_any_order_and_others_beside_them(tmp_path: Path) -> None:
    path = trace(tmp_path / "t.csv", "x,,1,100,a,7,1", header="note,failure,ok,latency_ms,provider,at_s,slot")
    assert [slot.outcomes for slot in read_trace(path)] == [{"a": Outcome(100_000, None)}]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("2,1,a,0,5,quota", r"t\.csv:3: failure 'quota' is unknown; the kinds are transient, timed_out, .*rejected"),
        ("2,1,a,1,5,transient", r":3: ok is 1, and yet failure is 'transient'"),
        ("2,1,a,maybe,5,", r":3: ok is 'maybe'; it must be 1 or 0"),
        ("2,1,a,1,soon,", r":3: latency_ms is 'soon'; it must be a number"),
        ("2,1,a,1,-5,", r":3: latency_ms is -5; it must be from 0"),
        ("2,1,a,1,nan,", r":3: latency_ms is 'nan'"),
        ("2,later,a,1,5,", r":3: at_s is 'later'"),
        ("2,1,a", r":3: there are 3 fields where 6 are needed"),
        ("2,1,,1,5,", r":3: the provider is empty"),
        ("2,1,a b,1,5,", r":3: provider is 'a b'; it must be 1 to 100 letters, digits and any of _ \. : -"),
        (f"2,1,{'a' * 101},1,5,", r":3: provider is 'aaa"),
        ("1,1,a,1,5,", r":3: 'a' has a row in slot '1' already"),
        ("2,1,a,1,5,\n1,1,b,1,5,", r":4: slot '1' has ended before"),
    ],
)
def test_a_line_that_makes_no_sense_is_refused_by_file_and_line(tmp_path: Path, line: str, told: str) -> None:
    path = trace(tmp_path / "t.csv", "1,1,a,1,5,", line)
    with pytest.raises(TraceError, match=told):
        list(read_trace(path))


def test_a_trace_without_a_column_without_slots_or_without_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="there is no column 'failure'; a trace has slot,at_s"):
        outline(trace(tmp_path / "t.csv", header="slot,at_s,provider,ok,latency_ms"))
    with pytest.raises(TraceError, match="there is no slot in this trace"):
        outline(trace(tmp_path / "u.csv"))
    with pytest.raises(TraceError, match=r"^there is no file .*absent\.csv$"):
        outline(tmp_path / "absent.csv")
    (tmp_path / "broken.csv.gz").write_bytes(b"not gzip")
    with pytest.raises(TraceError, match=r"broken\.csv\.gz cannot be read: Not a gzipped file"):
        outline(tmp_path / "broken.csv.gz")
    whole = trace(tmp_path / "whole.csv.gz", "1,1,a,1,5,").read_bytes()
    (tmp_path / "broken.csv.gz").write_bytes(whole[:10] + b"\xff" * 20)
    with pytest.raises(TraceError, match=r"broken\.csv\.gz cannot be read: "):
        outline(tmp_path / "broken.csv.gz")
    (tmp_path / "binary.csv").write_bytes(b"slot\xff")
    with pytest.raises(TraceError, match=r"binary\.csv is not text: its byte 4 is not UTF-8"):
        outline(tmp_path / "binary.csv")


def test_time_counts_until_success_or_giving_up_and_failed_tries_are_in_it(tmp_path: Path) -> None:
    path = trace(
        tmp_path / "t.csv",
        *("1,0,a,1,100,", "1,0,b,1,500,", "1,0,c,1,9,", "1,0,d,1,9,"),
        *("2,60,a,0,1000,transient", "2,60,b,0,30000,timed_out", "2,60,c,0,7,transient", "2,60,d,1,9,"),
        *("3,120,a,0,1000,transient", "3,120,b,1,500,", "3,120,c,1,9,", "3,120,d,1,9,"),
        *("4,180,a,0,10,rejected", "4,180,b,1,500,", "4,180,c,1,9,", "4,180,d,1,9,"),
    )
    lenient = QUIET.model_copy(update={"min_success_rate": Decimal(0), "max_response_time_ms": 10**6})
    report = simulate_trace(path, log=MemoryLog(), policy=lenient, verify=verify)
    # 100; 1,000 + 30,000 + 7 and no fourth provider; 1,000 + 500; 10.
    assert report.as_json() == {
        "requests": 4,
        "success_rate": 0.5,
        "mean_ms": (100 + 31_007 + 1_500 + 10) / 4,
        "p50_ms": 100.0,
        "p95_ms": 31_007.0,
        "p99_ms": 31_007.0,
        "calls_per_request": 7 / 4,
        "failovers": 3,
        "decisions": 7,
        "verify": {"identical": 7, "differs": 0},
    }


def test_a_slot_starts_at_its_time_or_when_the_one_before_has_ended(tmp_path: Path) -> None:
    path = trace(tmp_path / "t.csv", "1,100,a,1,5000,", "2,101,a,1,1000,", "3,200,a,1,1,")
    log = MemoryLog()
    simulate_trace(path, log=log, policy=QUIET)
    starts = [one.at_us for one in events(log) if isinstance(one.event, CallStarted)]
    assert starts == [100_000_000, 105_000_000, 200_000_000]


def test_what_the_policy_says_of_retries_and_limits_does_not_reach_a_trace(tmp_path: Path) -> None:
    path = trace(tmp_path / "t.csv", "1,0,a,0,29999,timed_out", "1,0,b,1,29999,")
    policy = QUIET.model_copy(
        update={"retry_attempts": 5, "request_timeout_ms": 10, "deadline_ms": 20, "max_providers": 1}
    ).with_providers([ProviderSettings(id="b"), ProviderSettings(id="a", request_timeout_ms=7)])
    log = MemoryLog()
    report = simulate_trace(path, log=log, policy=policy)
    assert (report.requests, report.success_rate, report.mean_ms) == (1, 1, 29_999)
    activated = next(one.event for one in events(log) if isinstance(one.event, PolicyActivated)).policy
    assert (activated.retry_attempts, activated.max_providers) == (0, 3)
    assert activated.request_timeout_ms > 30_000
    assert activated.deadline_ms > 3 * activated.request_timeout_ms
    assert [one.id for one in activated.providers] == ["b", "a"]


def test_a_policy_for_a_provider_that_the_trace_does_not_know_is_refused(tmp_path: Path) -> None:
    path = trace(tmp_path / "t.csv", "1,0,a,1,5,")
    policy = Policy(providers=(ProviderSettings(id="zeta"),))
    with pytest.raises(SimulationError, match="configures 'zeta', which is not in the trace; there are a"):
        simulate_trace(path, log=MemoryLog(), policy=policy)


def test_a_provider_without_a_row_does_not_offer_it_and_is_not_thought_ill(tmp_path: Path) -> None:
    path = trace(tmp_path / "t.csv", "1,0,a,1,5,", "2,1,b,1,5,", "3,2,b,1,5,", "4,3,b,1,5,", "5,4,b,1,5,", "6,5,a,1,5,")
    log = MemoryLog()
    report = simulate_trace(path, log=log, policy=QUIET)
    assert report.success_rate == 1
    assert {one.event.outcome for one in events(log) if isinstance(one.event, CallFailed)} == {"not_offered"}
    last = [one.event.provider for one in events(log) if isinstance(one.event, CallStarted)][-1]
    assert last == "a"


@pytest.fixture
def slots() -> list[str]:
    """A small trace with something in it for every strategy: three providers, one of them failing for a while."""
    lines = []
    for slot in range(120):
        failing = 40 <= slot < 60
        lines += [
            f"{slot},{slot / 5},a,{int(not failing)},{100 + slot % 7},{'transient' if failing else ''}",
            f"{slot},{slot / 5},b,1,{200 + slot % 11},",
            f"{slot},{slot / 5},c,{int(slot % 10 > 0)},{50 + slot % 3},{'' if slot % 10 else 'timed_out'}",
        ]
    return lines


def played(path: Path, seed: int) -> tuple[Report, bytes]:
    log = MemoryLog(salt=bytes(32))
    return simulate_trace(path, log=log, policy=Policy(), seed=seed, verify=verify), log.head.chain


def test_the_same_seed_gives_the_same_log_and_another_seed_another(tmp_path: Path, slots: list[str]) -> None:
    path = trace(tmp_path / "t.csv", *slots)
    one, same, other = played(path, 1), played(path, 1), played(path, 2)
    assert one == same
    assert one[1] != other[1]
    assert one[0].verify.differs == 0


def test_the_store_makes_no_difference(tmp_path: Path, slots: list[str]) -> None:
    path = trace(tmp_path / "t.csv", *slots)
    log = SqliteLog(tmp_path / "log.db", salt=bytes(32))
    report = simulate_trace(path, log=log, policy=Policy(), seed=1, verify=verify)
    with log.reader() as reader:
        assert (report, reader.head().chain) == played(path, 1)


def test_progress_is_told_up_to_the_last_slot(tmp_path: Path, slots: list[str]) -> None:
    told: list[tuple[int, int]] = []
    simulate_trace(
        trace(tmp_path / "t.csv", *slots), log=MemoryLog(), progress=lambda done, of: told.append((done, of))
    )
    assert told[-1] == (120, 120)


def of_recorded_traffic(path: Path, *, lines: int | None = None) -> int:
    """Make a trace of the recorded traffic, or of its last lines; how many slots it has."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        sandbox_trace = importlib.import_module("sandbox_trace")  # A script, which nobody else imports.
    finally:
        sys.path.pop(0)
    source = SHARED_DATA / "computesdk_sandbox" / "requests.csv.gz"
    if lines is not None:
        with gzip.open(source, "rt", newline="") as file:
            some = "".join([next(file), *deque(file, lines)])
        source = path.with_name("requests.csv.gz")
        source.write_bytes(gzip.compress(some.encode()))
    slots = sandbox_trace.complete(sandbox_trace.read_slots(source))
    return int(sandbox_trace.write_trace(path, slots, throttle=False, account=False))


@pytest.mark.shared_data
@pytest.mark.long
def test_recorded_traffic_becomes_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv.gz"
    assert of_recorded_traffic(path, lines=5_000) == 500
    plan = outline(path)
    assert (plan.slots, len(plan.providers)) == (500, 10)


@pytest.mark.soak
@pytest.mark.shared_data
@pytest.mark.long
def test_the_recorded_traffic_becomes_a_trace_of_all_complete_slots(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv.gz"
    assert of_recorded_traffic(path) == 11_433
    plan = outline(path)
    assert (plan.slots, len(plan.providers), plan.longest_us) == (11_433, 10, 30_000_000)
    assert fixed_order(path, ("daytona", "e2b", "modal")) == pytest.approx(420, abs=1)


def fixed_order(path: Path, order: tuple[str, ...]) -> float:
    """The mean time in ms of asking always in this order: a reference that others have worked out, too."""
    with gzip.open(path, "rt", newline="") as file:
        slots: dict[str, dict[str, dict[str, str]]] = {}
        for row in csv.DictReader(file):
            slots.setdefault(row["slot"], {})[row["provider"]] = row
    total = 0.0
    for answers in slots.values():
        for provider in order:
            total += float(answers[provider]["latency_ms"])
            if answers[provider]["ok"] == "1":
                break
    return total / len(slots)
