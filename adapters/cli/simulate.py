"""`understudy simulate`: the real engine on virtual time, over a scenario, recorded traffic or recorded quotes."""

import asyncio
import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from understudy.adapters.cli.alert_log import keep_alerts_off_the_screen
from understudy.adapters.cli.exits import FINE, NOT_AS_IT_SHOULD_BE, Refused
from understudy.adapters.cli.explain import tell_last_failover
from understudy.adapters.cli.files import expect_place_for_a_log, readable_again, readable_once
from understudy.adapters.cli.kept_log import KeptLog
from understudy.adapters.cli.logs import as_json
from understudy.adapters.cli.one_of import OneOf
from understudy.adapters.cli.output import answer, answer_json, facts, note
from understudy.adapters.cli.progress import Progress
from understudy.adapters.cli.simulated_conversions import tell_conversions
from understudy.adapters.cli.simulated_quotes import QuoteOptions, quote_options, quotes_run
from understudy.adapters.cli.simulation_run import Choose, Run, expect_known
from understudy.adapters.cli.verify import findings, verified
from understudy.adapters.cli.what_next import say_what_next
from understudy.adapters.config import load_policy, policy_from, policy_over
from understudy.adapters.stores import SqliteReader
from understudy.events.names import did_you_mean, snake_case
from understudy.events.policy import Policy
from understudy.events.vocabulary import Strategy
from understudy.replay.simulate import (
    Report,
    Scenario,
    VerifiedCounts,
    bundled_scenario,
    bundled_scenarios,
    read_scenario,
    simulate_trace,
)
from understudy.replay.simulate import simulate as simulate_scenario
from understudy.replay.trace import outline
from understudy.replay.verify import Verification

_SALT = b"a simulation hides nothing"
"""The secret of a simulated log: fixed, so that the same run gives the same log to the byte."""


class StrategyName(OneOf):
    """A strategy, in whichever way people write its words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read `round-robin` as `round_robin`."""
        return str(super().convert(snake_case(str(value)), param, ctx))


@click.command()
@click.option("--scenario", metavar="NAME|FILE", help="A bundled scenario by name, or one of yours by its path.")
@click.option("--trace", type=click.Path(path_type=Path), metavar="FILE", help="Recorded traffic, .csv or .csv.gz.")
@quote_options
@click.option("--policy", type=click.Path(path_type=Path), metavar="FILE", help="A policy in place of the scenario's.")
@click.option(
    "--strategy", type=StrategyName([one.value for one in Strategy]), help="A strategy in place of the policy's."
)
@click.option("--seed", type=click.IntRange(min=0), help="Another seed, other dice. The same one: the same log.")
@click.option("--log", "log_file", type=click.Path(path_type=Path), metavar="DB", help="Keep the log in this new file.")
@click.option("--explain", "with_story", is_flag=True, help="Tell the story of a request that failed over, too.")
@as_json
@click.pass_context
def simulate(
    ctx: click.Context,
    /,
    *,
    scenario: str | None,
    trace: Path | None,
    policy: Path | None,
    strategy: str | None,
    seed: int | None,
    log_file: Path | None,
    with_story: bool,
    as_json: bool,
    **of_quotes: Any,
) -> None:
    """Run the real engine on virtual time, over a scenario or what was recorded, then verify the log it wrote.

    A bundled scenario is named without a path: --scenario outage. In a trace each slot is one request, and its rows
    are what every provider would have answered: columns slot,at_s,provider,ok,latency_ms,failure.

    Of quotes an amount is converted at each instant, at the best honest rate: columns t_unix,provider,pair and close.

    Without --policy a scenario's own policy decides, or the defaults; for quotes, those of a converter. Either way
    UNDERSTUDY_... variables of the environment come before it, setting by setting, and --strategy before all.

    \b
    Example:
      understudy simulate --scenario outage --log outage.db --explain
      understudy simulate --trace traffic.csv.gz --strategy fastest --seed 3 --json
      understudy simulate --quotes quotes.csv.gz --pair BTC/USD --side buy --amount 1000

    \b
    Exit codes: 0 run, and its log verified; 1 run, and its log does not verify;
                2 wrong usage, or a file that cannot be used.
    """
    if as_json and with_story:
        raise click.UsageError("--json has no story; run `understudy explain DB last-failover --json` on the log")
    run = _prepared(scenario, trace, QuoteOptions(**of_quotes), choose=partial(_policy, policy, strategy), seed=seed)
    log = KeptLog(salt=_SALT)
    if log_file is not None:
        _expect_free(log_file)
    keep_alerts_off_the_screen()
    with Progress("simulating") as progress:
        report = run.play(log=log, progress=progress)
    if log_file is not None:
        asyncio.run(log.write(log_file))
    with log.reader() if log_file is None else SqliteReader.open(log_file) as reader:
        found = verified(reader)
        if as_json:
            counts = VerifiedCounts(identical=found.identical, differs=found.differs)
            answer_json(replace(report, verify=counts).as_json())
        else:
            answer(f"{run.title}:")
            run.tell(report, found)
        if with_story:
            answer()
            tell_last_failover(reader)
        if log_file is not None and not as_json:
            say_what_next(log_file, reader, failovers=report.failovers if isinstance(report, Report) else 0)
    ctx.exit(FINE if found.ok else NOT_AS_IT_SHOULD_BE)


def _prepared(
    scenario: str | None, trace: Path | None, asked: QuoteOptions, *, choose: Choose, seed: int | None
) -> Run:
    """The run that was asked for: one of the three."""
    if [scenario, trace, asked.quotes].count(None) != 2:  # noqa: PLR2004 - of three.
        bundled = ", ".join(bundled_scenarios())
        raise click.UsageError(f"name either a --scenario, a --trace or --quotes; bundled scenarios: {bundled}")
    if asked.quotes is not None:
        return quotes_run(asked, choose, seed=seed or 0)
    if asked.said:
        raise click.UsageError(f"{', '.join(asked.said)}: only of --quotes")
    if trace is not None:
        return _trace_run(trace, choose, seed=seed or 0)
    return _scenario_run(scenario or "", choose, seed=seed)


def _trace_run(trace: Path, choose: Choose, *, seed: int) -> Run:
    readable_again(trace)
    chosen = choose(otherwise=Policy(), source=str(trace))
    if chosen.preferred_provider is not None:
        expect_known(chosen, outline(trace).providers, where="trace")
    return Run(
        title=f"{trace}, strategy {chosen.strategy}, seed {seed}",
        play=lambda **given: simulate_trace(trace, policy=chosen, seed=seed, **given),
        tell=_tell,
    )


def _scenario_run(name: str, choose: Choose, *, seed: int | None) -> Run:
    weather = _scenario(name)
    chosen = choose(otherwise=weather.policy, source=weather.name)
    dice = weather.seed if seed is None else seed
    expect_known(chosen, [one.id for one in weather.providers], where="scenario")
    return Run(
        title=f"{weather.name}, strategy {chosen.strategy}, seed {dice}",
        play=lambda **given: simulate_scenario(weather, policy=chosen, seed=dice, **given),
        tell=_tell,
    )


def _policy(file: Path | None, strategy: str | None, *, otherwise: Policy, source: str) -> Policy:
    """The policy of `--policy`, or else of the source itself; the environment before it, `--strategy` before all."""
    if file is not None:
        loaded = load_policy(readable_once(file), environment=os.environ)
    else:
        loaded = policy_over(otherwise, environment=os.environ, source=source)
    if variables := sorted(one for one in set(loaded.provenance.values()) if one in os.environ):
        note(f"{', '.join(variables)} of the environment count{'s' if len(variables) == 1 else ''}")
    return loaded.policy if strategy is None else loaded.policy.model_copy(update={"strategy": Strategy(strategy)})


def _scenario(name: str) -> Scenario:
    """The bundled scenario of that name, or the one in that file: a name has no separator and no ending."""
    if os.sep in name or name.endswith(".toml"):
        path = readable_once(Path(name))
        return read_scenario(path, policy=lambda values, source: policy_from(values, source=source))
    bundled = bundled_scenarios()
    if name in bundled:
        return bundled_scenario(name)
    meant = did_you_mean(name, bundled) or "."
    file = f"\nFor the file of that name write .{os.sep}{name}" if Path(name).is_file() else ""
    raise Refused(f"there is no bundled scenario {name!r}{meant}{file}\nThere are {', '.join(bundled)}.")


def _expect_free(path: Path) -> None:
    """Refuse, before any work is done, a place where a new log cannot be begun."""
    expect_place_for_a_log(path)
    if path.exists() and path.stat().st_size > 0:
        raise Refused(f"{path} exists already, and a simulation begins a new log; name another file or remove this one")


def _tell(report: Report, found: Verification) -> None:
    facts(
        [
            ("requests", f"{report.requests:,}"),
            ("success rate", f"{report.success_rate * 100:.3f} %"),
            ("mean", f"{report.mean_ms:,.0f} ms until success or giving up"),
            ("p50, p95, p99", f"{report.p50_ms:,.0f}, {report.p95_ms:,.0f}, {report.p99_ms:,.0f} ms"),
            ("calls per request", f"{report.calls_per_request:.3f}"),
            ("failovers", f"{report.failovers:,}"),
            ("events", f"{found.events:,}"),
            *findings(found),
        ]
    )
    if report.conversions is not None:
        answer()
        tell_conversions(report.conversions)
