"""What a terminal gets: progress only where it is looked at and after two seconds, columns that stand straight."""

import io
import time
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from understudy.adapters.cli import output
from understudy.adapters.cli.instants import Instant, iso, iso_or_none, length_us, span
from understudy.adapters.cli.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Seconds:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_progress_is_silent_for_two_seconds_then_shows_a_bar_and_leaves_no_trace() -> None:
    stream, clock = Terminal(), Seconds()
    with Progress("verifying", stream=stream, clock=clock) as progress:
        clock.now_s = 1.9
        progress(40, 100)
        assert stream.getvalue() == ""
        clock.now_s = 2.5
        progress(50, 100)
        assert stream.getvalue().endswith("verifying [" + "#" * 15 + "-" * 15 + "]  50 %, 2 s left")
        shown = stream.getvalue()
        clock.now_s = 2.55
        progress(51, 100)
        assert stream.getvalue() == shown, "no more than ten times a second"
    assert stream.getvalue() == f"{shown}\r\x1b[K"


def test_progress_is_silent_where_nobody_looks() -> None:
    stream, clock = io.StringIO(), Seconds()
    with Progress("verifying", stream=stream, clock=clock) as progress:
        clock.now_s = 100
        progress(1, 2)
    assert stream.getvalue() == ""


@pytest.mark.parametrize(("done", "total"), [(0, 0), (0, 10), (11, 10)])
def test_progress_of_odd_figures_is_a_bar_nevertheless(done: int, total: int) -> None:
    stream, clock = Terminal(), Seconds()
    progress = Progress("x", stream=stream, clock=clock)
    clock.now_s = 3
    progress(done, total)
    assert stream.getvalue().count("[") == 2


def test_a_table_stands_straight_whatever_is_coloured() -> None:
    def show() -> None:
        output.table(("name", "n"), [["alpha", "1"], [output.Cell("b", "red"), "10"]], numbers=("n",))

    with CliRunner().isolation() as (stdout, _, _):
        show()
        assert stdout.getvalue().decode().splitlines() == ["name    n", "alpha   1", "b      10"]


def test_progress_that_is_ended_leaves_no_trace_and_shows_nothing_more() -> None:
    stream, clock = Terminal(), Seconds()
    progress = Progress("searching", stream=stream, clock=clock)
    clock.now_s = 3
    progress(1, 2)
    progress.end()
    assert stream.getvalue().endswith("\r\x1b[K")
    shown = stream.getvalue()
    clock.now_s = 4
    progress(2, 2)
    progress.end()
    assert stream.getvalue() == shown


def test_a_long_table_is_as_wide_as_its_first_rows_and_printed_to_its_end() -> None:
    rows = [["a", "1"], ["b", "2"], ["longer", "3"], *([str(number), "4"] for number in range(600))]
    with CliRunner().isolation() as (stdout, _, _):
        output.table(("name", "n"), iter(rows), measured=2)
        lines = stdout.getvalue().decode().splitlines()
    assert lines[:4] == ["name  n", "a     1", "b     2", "longer  3"]
    assert (len(lines), lines[-1]) == (604, "599   4")


def test_what_was_found_before_a_fault_is_printed() -> None:
    def lines() -> Iterator[str]:
        yield "one"
        raise ZeroDivisionError

    with CliRunner().isolation() as (stdout, _, _):
        with pytest.raises(ZeroDivisionError):
            output.answer_lines(lines())
        assert stdout.getvalue() == b"one\n"


def test_a_length_of_time_is_read_and_means_so_long_ago() -> None:
    assert [length_us(text) for text in ("250ms", "90s", "10m", " 2 h", "7d")] == [
        250_000,
        90_000_000,
        600_000_000,
        7_200_000_000,
        604_800_000_000,
    ]
    assert [length_us(text) for text in ("", "10", "m", "-1s", "1w", "1.5h", "9999999999s")] == [None] * 7
    before_us = time.time_ns() // 1000
    found = Instant().convert("10m", None, None)
    assert before_us <= found + 600_000_000 <= time.time_ns() // 1000
    assert Instant().convert("99999d", None, None) == 0, "before all time is its beginning"


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("1970-01-01T00:00:01Z", 1_000_000),
        ("1970-01-01", 0),
        ("1970-01-01 00:00:00.000001", 1),
        ("1970-01-01T01:00:00+01:00", 0),
    ],
)
def test_a_time_is_read_in_utc_unless_it_says_otherwise(text: str, at_us: int) -> None:
    assert Instant().convert(text, None, None) == at_us


def test_instants_and_lengths_are_shown_as_people_read_them() -> None:
    assert iso(1_767_225_600_123_456) == "2026-01-01T00:00:00.123Z"
    assert (iso_or_none(0), iso_or_none(None)) == (None, None)
    assert [span(us * 1_000_000) for us in (-1, 0, 59, 61, 3_599, 3_661)] == [
        "0s",
        "0s",
        "59s",
        "1m 01s",
        "59m 59s",
        "1h 01m",
    ]
    assert span(1) == "1s", "what is left is never shown as nothing"
    assert iso(2**62) == f"{2**62} us"
