"""A simulation over recorded quotes on the command line: what may be said of it, and its figures in words."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from understudy.adapters.cli.files import readable_once
from understudy.adapters.cli.one_of import OneOf
from understudy.adapters.cli.output import answer, facts, plain, table
from understudy.adapters.cli.simulation_run import Choose, Run, expect_known
from understudy.adapters.cli.verify import findings
from understudy.replay.play_quotes import turned_pair
from understudy.replay.quote_report import Exclusion, QuoteReport
from understudy.replay.quotes_file import COLUMN
from understudy.replay.simulate import CONVERTERS, Side, read_quotes, simulate_quotes
from understudy.replay.verify import Verification

_SHOWN: Final = 10
"""Exclusions that are listed unless all are asked for."""
_MOST_DIGITS: Final = 40
_NOTHING: Final = "-"
_Command = TypeVar("_Command", bound=Callable[..., Any])
_COLUMNS: Final = ("provider", "quotes", "honest", "taken", "excluded", "bp over it", "bp over its honest")


class Amount(click.ParamType[Decimal]):
    """How much is sold each time: a number above 0, exactly as it is written."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        """The number. Errors: BadParameter."""
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            self.fail(f"{value!r} is not a number", param, ctx)
        if not amount.is_finite() or amount <= 0 or abs(amount.adjusted()) > _MOST_DIGITS:
            self.fail(f"{value!r} is not a number above 0", param, ctx)
        return amount


_OPTIONS: Final = (
    click.option("--quotes", type=click.Path(path_type=Path), metavar="FILE", help="Recorded quotes, .csv or .csv.gz."),
    click.option("--pair", metavar="A/B", help="Of --quotes: the pair, where the file has several."),
    click.option("--column", metavar="NAME", help="Of --quotes: the column with the rate.  [default: close]"),
    click.option(
        "--side", type=OneOf([one.value for one in Side]), help="Of --quotes: A is sold or bought.  [default: sell]"
    ),
    click.option("--amount", type=Amount(), help="Of --quotes: how much is sold each time.  [default: 1]"),
    click.option("--list", "every", is_flag=True, help="Of --quotes: list every exclusion, not the first ten alone."),
)


def quote_options(command: _Command) -> _Command:
    """Give a command the options of `QuoteOptions`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True, kw_only=True)
class QuoteOptions:
    """What was said of quotes on the command line."""

    quotes: Path | None
    pair: str | None
    column: str | None
    side: str | None
    amount: Decimal | None
    every: bool

    @property
    def said(self) -> list[str]:
        """The options that make sense with quotes alone, as far as they were given."""
        given = {"--pair": self.pair, "--column": self.column, "--side": self.side, "--amount": self.amount}
        return [name for name, value in given.items() if value is not None] + ["--list"] * self.every


def quotes_run(asked: QuoteOptions, choose: Choose, *, seed: int) -> Run:
    """The simulation that was asked for.

    Errors: TraceError for the file, with the pairs that there are; what choosing a policy raises.
    """
    file = readable_once(asked.quotes or Path())
    quotes = read_quotes(file, pair=asked.pair, column=asked.column or COLUMN)
    side, amount = Side(asked.side or Side.SELL), asked.amount or Decimal(1)
    chosen = choose(otherwise=CONVERTERS, source=str(file))
    expect_known(chosen, quotes.providers, where=f"quotes of {quotes.pair}")
    sold, bought = turned_pair(quotes.pair, side).split("/")
    return Run(
        title=f"{file}, {plain(f'{amount} {sold} into {bought}')} each time, strategy {chosen.strategy}, seed {seed}",
        play=lambda **given: simulate_quotes(quotes, side=side, amount=amount, policy=chosen, seed=seed, **given),
        tell=partial(_tell, listed=None if asked.every else _SHOWN),
    )


def _tell(report: QuoteReport, found: Verification, *, listed: int | None) -> None:
    """Print the figures, what each provider alone would have been worth, and so many of the exclusions; None: all."""
    excluded = f"{report.excluded:,} of {report.quotes:,} quotes"
    if report.by_reason:
        excluded += ": " + ", ".join(f"{reason} {count:,}" for reason, count in report.by_reason.items())
    facts(
        [
            ("requests", f"{report.requests:,}"),
            ("success rate", f"{report.success_rate * 100:.3f} %"),
            ("excluded", excluded),
            ("honest among them", _share(report.false_exclusions, of=report.honest_quotes)),
            ("taken beyond 50 bp", f"{report.taken_not_honest:,}"),
            ("best honest quote", f"{_bp(report.bp_to_best_honest)} bp on average"),
            ("", f"{_bp(report.worst_bp_to_best_honest)} bp at worst"),
            ("events", f"{found.events:,}"),
            *findings(found),
        ]
    )
    answer()
    table(_COLUMNS, _providers(report), numbers=_COLUMNS[1:])
    if report.exclusions:
        answer()
        _list(report.exclusions, listed=listed)


def _providers(report: QuoteReport) -> Iterator[tuple[str, ...]]:
    for provider, one in report.by_provider.items():
        yield (
            provider,
            f"{one.quotes:,}",
            f"{one.honest:,}",
            f"{one.taken:,}",
            f"{sum(one.excluded.values()):,}",
            _bp(one.bp_obtained_over_it),
            _bp(one.bp_obtained_over_its_honest),
        )


def _list(exclusions: tuple[Exclusion, ...], *, listed: int | None) -> None:
    shown = exclusions if listed is None else exclusions[:listed]
    table(
        ("at", "provider", "excluded for", "rate", "bp off the others", "honest"),
        [
            (
                datetime.fromtimestamp(one.at_us / 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                one.provider,
                one.reason,
                f"{one.rate}",
                _bp(one.off_bp),
                {True: "yes", False: "no", None: _NOTHING}[one.honest],
            )
            for one in shown
        ],
        numbers=("rate", "bp off the others"),
    )
    if len(shown) < len(exclusions):
        answer(f"… and {len(exclusions) - len(shown):,} more: --list shows all, and --json has them, too")


def _share(count: int, *, of: int) -> str:
    return f"{count:,} of {of:,} ({count / of * 100:.3f} %)" if of else f"{count:,}"


def _bp(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:+,.3f}"
