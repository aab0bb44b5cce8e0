"""The demonstration as its users run it: a program of its own, real sockets, real signals, short."""

import fcntl
import json
import os
import pty
import shutil
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import Any

import pytest
from cli.command_line import answered, ended_at_last, in_a_process, program, read_end, refused
from given import fails, given, policy_for, succeeds

from understudy.adapters.cli.demo_summary import _row
from understudy.adapters.demo import Books
from understudy.adapters.demo.findings import Avoided, Course, Findings, percentile_ms
from understudy.adapters.demo.weather import Trouble, demo_scenario, troubles
from understudy.events.calls import CallFailed, CallStarted, CallSucceeded
from understudy.events.requests import RequestAccepted, RequestCompleted
from understudy.events.vocabulary import Effect, FailureKind
from understudy.projections.standing import Standing

pytestmark = pytest.mark.xdist_group("demo")  # What is measured in one run is used by several tests.

ESCAPE = "\x1b["


@pytest.fixture(scope="module")
def short_run(tmp_path_factory: pytest.TempPathFactory) -> "tuple[Path, subprocess.CompletedProcess[str]]":
    """A whole demonstration in four seconds, its answer in JSON, its standard error in a pipe."""
    log = tmp_path_factory.mktemp("demo") / "demo.db"
    return log, in_a_process("demo", "--seconds", "4", "--log", log, "--json")


@pytest.fixture(scope="module")
def found(short_run: "tuple[Path, subprocess.CompletedProcess[str]]") -> dict[str, Any]:
    answer = json.loads(short_run[1].stdout)
    assert isinstance(answer, dict)
    return answer


def test_every_request_is_served_whatever_befalls_the_providers(found: dict[str, Any]) -> None:
    assert (found["requests"], found["orders"]) == (400, 100)
    assert (found["success_rate"], found["failed"]) == (1.0, 0)
    assert found["failovers"] > 0
    assert found["calls"] > found["requests"]


def test_every_order_is_executed_once_as_the_servers_books_say(found: dict[str, Any]) -> None:
    assert (found["orders_executed"], found["orders_executed_twice"]) == (found["orders"], 0)


def test_an_outage_is_noticed_and_the_added_time_stated(found: dict[str, Any]) -> None:
    outage = next(one for one in found["troubles"] if (one["what"], one["provider"]) == ("outage", "alpha"))
    assert 0 <= outage["noticed_ms"] < 1_000
    assert outage["failed"] >= 3
    assert outage["back_ms"] is not None
    added = found["added_to_reads_ms"]
    assert added["count"] > 0
    assert 0 < added["p50"] <= added["p99"]


def test_the_log_it_leaves_verifies_and_is_the_one_it_speaks_of(
    short_run: "tuple[Path, subprocess.CompletedProcess[str]]", found: dict[str, Any]
) -> None:
    again = answered("verify", short_run[0])
    assert found["verify"]["ok"]
    assert found["verify"]["identical"] == again["identical"] > 400
    assert (found["verify"]["differs"], again["differs"]) == (0, 0)
    assert found["verify"]["head_chain"] == again["head_chain"]


def test_where_nobody_watches_there_are_plain_lines_now_and_then(
    short_run: "tuple[Path, subprocess.CompletedProcess[str]]",
) -> None:
    told = short_run[1].stderr
    assert ESCAPE not in told
    assert 5 <= sum(" requests, " in line and "of 4 s:" in line for line in told.splitlines()) <= 13


@pytest.mark.parametrize(
    "environment",
    [pytest.param({}, id="colours"), pytest.param({"NO_COLOR": "1"}, id="no-colours", marks=pytest.mark.long)],
)
def test_on_a_terminal_a_table_is_drawn_anew_and_an_earlier_log_replaced(
    environment: dict[str, str],
    short_run: "tuple[Path, subprocess.CompletedProcess[str]]",
    tmp_path: Path,
) -> None:
    log = Path(shutil.copy(short_run[0], tmp_path / "demo.db"))
    shown, answer = watched("demo", "--seconds", "1", "--requests", "40", "--callers", "9", "--log", log, **environment)
    assert shown.count("provider  tier  status") >= 3
    assert f"{ESCAPE}9F" in shown
    assert (f"{ESCAPE}32mhealthy" in shown) is not bool(environment)
    assert "requests         40 in " in answer
    assert ESCAPE not in answer
    assert answered("status", log)["requests"]["accepted"] == 40


def test_ctrl_c_ends_it_and_leaves_a_log_that_verifies(tmp_path: Path) -> None:
    log = tmp_path / "demo.db"
    # A background shell has its children ignore SIGINT, which Python inherits.
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    python, _, code, *more = program("demo", "--seconds", "9", "--log", log)
    words = [python, "-c", listening + code, *more]
    with ended_at_last(
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    ) as process:
        assert process.stderr is not None
        while " of 9 s: " not in process.stderr.readline():
            assert process.poll() is None
        began_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        answer, told = process.communicate()
        took_s = time.monotonic() - began_s
    assert process.returncode == 130
    assert took_s < 3, "a second, and room for a busy machine"
    assert answer == ""
    assert f"events are in {log}" in told
    assert "Traceback" not in told
    assert answered("verify", log)["identical"] > 0


def test_a_file_that_is_not_its_own_is_never_replaced(short_log: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.db"
    page.write_text("something dear to somebody")
    log = Path(shutil.copy(short_log, tmp_path / "calls.db"))
    before = log.read_bytes()
    for path in (page, log):
        assert refused("demo", "--log", path) == (
            f"{path} exists, and is not the log of a demo; name another file with --log, or remove this one"
        )
    assert page.read_text() == "something dear to somebody"
    assert log.read_bytes() == before


def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    assert refused("demo", "--log", tmp_path) == f"{tmp_path} is a directory; name a file"
    assert "create it first" in refused("demo", "--log", tmp_path / "no" / "demo.db")


def test_without_a_loopback_interface_it_says_so(tmp_path: Path) -> None:
    alone = ["unshare", "--map-root-user", "--net"]
    if shutil.which("unshare") is None or subprocess.run([*alone, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody have a network of their own")
    words = [*alone, *program("demo", "--log", tmp_path / "demo.db")]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert "the demo needs the loopback interface" in done.stderr
    assert "Traceback" not in done.stderr


def test_all_of_the_plan_happens_within_the_seconds_that_are_given() -> None:
    whole, short = troubles(demo_scenario()), troubles(demo_scenario(seconds=6, requests=77))
    assert {one.what for one in whole} == {"outage", "throttling", "brown-out", "flapping"}
    assert [(one.what, one.provider) for one in short] == [(one.what, one.provider) for one in whole]
    assert [one.until_s for one in short] == pytest.approx([one.until_s / 6 for one in whole])
    assert demo_scenario(seconds=6, requests=77).requests == 77
    assert demo_scenario(seconds=6).policy.recovery_time_ms == demo_scenario().policy.recovery_time_ms // 6


def test_an_order_that_two_servers_have_executed_is_found() -> None:
    alpha, beta = Books(), Books()
    found = Findings(courses=[])
    found.take(RequestAccepted(request_id="r", operation="rent", effect=Effect.ONCE, deadline_at_us=9), 1)
    for attempt, (provider, books) in enumerate([("alpha", alpha), ("beta", beta)], start=1):
        found.take(started(provider, attempt=attempt), 10 * attempt)
        books.enter("executed", "call", key=f"key-at-{provider}")
    found.take(RequestCompleted(request_id="r", operation="rent", provider="beta", attempt=2, failovers=1), 25)
    found.count_executions({"alpha": alpha, "beta": beta})
    assert (found.executed, found.executed_twice) == (2, 1)
    assert (found.orders_added_us, found.took_us) == ([19], [24])


def test_a_provider_that_nobody_went_round_was_not_noticed_and_did_not_come_back() -> None:
    trouble = Trouble(provider="alpha", what="outage", from_s=1, until_s=2)
    course = Course(trouble=trouble, from_us=1_000_000, until_us=2_000_000)
    for at_us in (999_999, 2_000_000):
        course.take(succeeded("alpha"), at_us, Standing())
    assert (course.noticed_ms, course.back_ms, course.failed) == (None, None, 0)


def test_a_provider_that_was_out_when_its_trouble_began_is_told_to_have_been_so() -> None:
    trouble = Trouble(provider="alpha", what="outage", from_s=1, until_s=2)
    known = given(policy_for("alpha", "beta")).serves("alpha", fails(FailureKind.TRANSIENT), times=3)
    assert known.sees("alpha").verdict == "circuit_open"
    after, fresh = known.now_us + 1, given(policy_for("alpha", "beta"))
    out, well = (
        Course(trouble=trouble, from_us=after, until_us=after + 1_000_000),
        Course(trouble=trouble, from_us=after, until_us=after + 1_000_000),
    )
    out.begin(known.standing)
    well.begin(fresh.standing)
    for course in (out, well):
        course.take(failed("alpha"), after + 1_000, known.standing)
        course.take(succeeded("alpha"), after + 1_300_000, known.standing)
    assert (out.already, out.noticed_ms, out.back_ms) == (Avoided.OUT, None, 300)
    assert (well.already, well.noticed_ms, well.back_ms) == (Avoided.NOT, 1, 300)
    assert [row[4] for row in map(_row, (out, well))] == ["was out", "1 ms"]


def test_a_provider_that_stood_behind_the_others_is_noticed_when_it_is_out() -> None:
    trouble = Trouble(provider="alpha", what="outage", from_s=1, until_s=2)
    behind = given(policy_for("alpha", "beta")).serves("alpha", succeeds(), times=8)
    behind.serves("alpha", fails(FailureKind.TRANSIENT), times=2)
    assert behind.sees("alpha").degraded == "success_rate"
    began = behind.now_us + 1
    course = Course(trouble=trouble, from_us=began, until_us=began + 1_000_000)
    course.begin(behind.standing)
    course.take(failed("alpha"), began + 1_000, behind.standing)
    assert (course.already, course.noticed_ms, _row(course)[4]) == (Avoided.BEHIND, None, "was behind")
    behind.serves("alpha", fails(FailureKind.TRANSIENT))
    course.take(failed("alpha"), began + 2_000, behind.standing)
    assert (course.noticed_ms, _row(course)[4]) == (2, "2 ms")


def test_a_provider_that_nobody_asked_meanwhile_is_told_so() -> None:
    trouble = Trouble(provider="alpha", what="outage", from_s=1, until_s=2)
    course = Course(trouble=trouble, from_us=1_000_000, until_us=2_000_000)
    assert _row(course)[4:] == ["not asked", "0", "-"]
    course.take(succeeded("alpha"), 1_500_000, Standing())
    assert _row(course)[4:] == ["not", "0", "-"]


def test_failures_count_only_while_the_trouble_lasts_and_the_first_served_call_is_the_return() -> None:
    trouble = Trouble(provider="alpha", what="outage", from_s=1, until_s=2)
    course = Course(trouble=trouble, from_us=1_000_000, until_us=2_000_000, noticed_us=1_040_000)
    for at_us in (999_999, 1_500_000, 2_000_001):
        course.take(failed("alpha"), at_us, Standing())
    course.take(succeeded("alpha", operation="ping"), 2_100_000, Standing())
    course.take(succeeded("alpha"), 2_200_000, Standing())
    course.take(succeeded("alpha"), 2_300_000, Standing())
    assert (course.noticed_ms, course.back_ms, course.failed) == (40, 200, 1)


def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed() -> None:
    assert [percentile_ms(range(1_000, 101_000, 1_000), percent) for percent in (50, 95, 99)] == [50, 95, 99]
    assert percentile_ms([], 50) is None


def started(provider: str, *, attempt: int) -> CallStarted:
    return CallStarted(
        request_id="r",
        provider=provider,
        operation="rent",
        attempt=attempt,
        key=f"key-at-{provider}",
        deadline_at_us=9,
    )


def succeeded(provider: str, *, operation: str = "rent") -> CallSucceeded:
    return CallSucceeded(provider=provider, operation=operation, started_seq=1, latency_us=1)


def failed(provider: str) -> CallFailed:
    return CallFailed(provider=provider, operation="rent", outcome=FailureKind.TRANSIENT, started_seq=1, latency_us=1)


def watched(*words: str | Path, **environment: str) -> tuple[str, str]:
    """What a program shows on standard error, which is a terminal, and what it answers in a pipe."""
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    kept = {name: text for name, text in os.environ.items() if name != "NO_COLOR"}
    with ended_at_last(
        subprocess.Popen(
            program(*words),
            stdout=subprocess.PIPE,
            stderr=end,
            text=True,
            env={**kept, "TERM": "xterm", **environment},
        )
    ) as process:
        os.close(end)
        shown = b""
        while chunk := read_end(terminal):
            shown += chunk
        answer, _ = process.communicate()
    os.close(terminal)
    assert process.returncode == 0, answer
    return shown.decode(), answer
