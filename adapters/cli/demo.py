"""`understudy demo`: real sockets, providers that fail by plan, and what becomes of the requests meanwhile."""

import asyncio
from pathlib import Path
from typing import Final

import click

from understudy.adapters.cli.alert_log import keep_alerts_off_the_screen
from understudy.adapters.cli.demo_screen import Screen
from understudy.adapters.cli.demo_summary import as_json_object, print_summary
from understudy.adapters.cli.exits import FINE, INTERRUPTED, NOT_AS_IT_SHOULD_BE
from understudy.adapters.cli.explain import tell_last_failover
from understudy.adapters.cli.files import expect_place_for_a_log
from understudy.adapters.cli.logs import as_json
from understudy.adapters.cli.output import answer, answer_json, note
from understudy.adapters.cli.verify import verified
from understudy.adapters.cli.what_next import say_what_next
from understudy.adapters.demo.findings import look_back
from understudy.adapters.demo.own_log import STREAM, clear_own_log
from understudy.adapters.demo.show import Performance, Show
from understudy.adapters.demo.weather import demo_scenario, troubles
from understudy.adapters.stores import SqliteLog, SqliteReader
from understudy.events.counted import counted
from understudy.events.errors import NotALog
from understudy.replay.simulate import Scenario

_LONGEST_S: Final = 3_600


@click.command()
@click.option(
    "--log",
    "log_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    default="understudy-demo.db",
    show_default=True,
    help="Where to leave the log. An earlier demo's log is replaced, nothing else is.",
)
@click.option(
    "--seconds", type=click.FloatRange(1, _LONGEST_S), metavar="N", help="How long it takes; by default 36 seconds."
)
@click.option(
    "--requests", type=click.IntRange(1, 300_000), metavar="N", help="How many come in; by default 100 a second."
)
@click.option("--callers", type=click.IntRange(1, 1_000), metavar="N", help="How many ask at once; by default 24.")
@click.option("--seed", type=click.IntRange(min=0), help="Other dice for traffic and weather.")
@as_json
@click.pass_context
def demo(
    ctx: click.Context,
    /,
    *,
    log_file: Path,
    seconds: float | None,
    requests: int | None,
    callers: int | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Watch an engine keep its callers served while its providers fail.

    Five provider servers on loopback ports have, one after another, an outage, throttling, a brown-out and a flap, with
    latencies as measured at real ones. Concurrent callers send thousands of requests through a real engine over HTTP;
    every fourth is an order that must not be executed twice. Then the log is verified, and one failover explained.

    Circuits rest for a second or two here instead of minutes, so that one can watch them close again. With --seconds
    the whole plan is squeezed or stretched. No two runs are quite the same, not with the same --seed either: the
    sockets and the clock are real.

    \b
    Example:
      understudy demo
      understudy demo --seconds 5 --log five.db --json

    \b
    Exit codes: 0 played, its log verified, and no order executed twice; 1 played, and one of these is not so;
                2 wrong usage, a file that is not a demo's, or no loopback; 130 stopped by Ctrl-C, the log is intact.
    """
    scenario = demo_scenario(seconds=seconds, requests=requests, seed=seed)
    expect_place_for_a_log(log_file)
    clear_own_log(log_file)
    if not as_json:
        _announce(scenario, log_file)
    try:
        performance = _perform(scenario, log_file, callers=callers or scenario.concurrency)
    except KeyboardInterrupt:
        _say_what_there_is(log_file)
        ctx.exit(INTERRUPTED)
    ctx.exit(_tell(performance, scenario, log_file, as_json=as_json))


def _announce(scenario: Scenario, log_file: Path) -> None:
    rest_s = scenario.policy.recovery_time_ms / 1000
    note(
        f"{len(scenario.providers)} provider servers on loopback ports, {counted(scenario.requests, 'request')} in"
        f" {float(scenario.duration_s):g} s, log {log_file}\n"
        f"An open circuit rests for {rest_s:g} s here, not for the usual 5 minutes, so that you can watch it close."
    )


def _perform(scenario: Scenario, log_file: Path, *, callers: int) -> Performance:
    log = SqliteLog(log_file, stream=STREAM)
    with Screen(float(scenario.duration_s), troubles(scenario)) as screen:
        keep_alerts_off_the_screen()
        return asyncio.run(Show(scenario, callers=callers, watch=screen).play(log))


def _say_what_there_is(log_file: Path) -> None:
    try:
        with SqliteReader.open(log_file) as reader:
            note(f"\nstopped; {reader.head().seq:,} events are in {log_file}")
            say_what_next(log_file, reader, failovers=1)
    except NotALog:
        note("\nstopped before anything was written")


def _tell(performance: Performance, scenario: Scenario, log_file: Path, *, as_json: bool) -> int:
    """Answer with what came of it; the exit code."""
    with SqliteReader.open(log_file) as reader:
        found = look_back(reader, troubles=troubles(scenario), began_us=performance.began_us, books=performance.books)
        check = verified(reader)
        if as_json:
            answer_json({"log": str(log_file), **as_json_object(found, check, seconds=performance.took_s)})
        else:
            print_summary(found, check, seconds=performance.took_s)
            answer()
            tell_last_failover(reader)
            say_what_next(log_file, reader, failovers=found.failovers)
    return FINE if check.ok and not found.executed_twice else NOT_AS_IT_SHOULD_BE
