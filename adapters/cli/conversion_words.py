"""What the commands about conversions have in common: what is wanted, where the settings are, how a number is shown."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from understudy.adapters.cli.alert_log import keep_alerts_off_the_screen
from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.files import expect_place_for_a_log
from understudy.adapters.cli.made_up import expect_not_made_up
from understudy.adapters.cli.output import note
from understudy.adapters.conversion.converter import MultiServiceConverter
from understudy.adapters.conversion.files import USUAL_FILE
from understudy.adapters.conversion.settings import SettingsError
from understudy.adapters.stores import MemoryLog, SqliteLog
from understudy.engine.alert_channels import AlertDelivery
from understudy.engine.errors import InvalidRequest

F = TypeVar("F", bound=Callable[..., Any])

UNKNOWN: Final = "-"
"""What stands where a figure is not known."""

_ARGUMENT: Final = re.compile(r"pass (?P<name>[a-z]+)='(?P<value>\w+)'")
"""What an error that is meant for programs advises."""
_NEGATIVE: Final = re.compile(r"-\.?\d")

config_option: Final = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"The settings; by default {USUAL_FILE}, if that is there.",
)


class OfAnAmount(click.Command):
    """A command that is given an amount: one below 0 is a mistake, and no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words."""
        words = tuple(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            taken = [word for word in words if word.startswith(error.option_name) and _NEGATIVE.match(word)]
            if not taken:
                raise
            raise click.UsageError(f"an amount must be greater than 0, not {taken[0]!r}", ctx) from None


@contextmanager
def said_of_options() -> Iterator[None]:
    """Within, an error that advises an argument to programs advises the option of that name."""
    try:
        yield
    except InvalidRequest as error:
        raise Refused(_ARGUMENT.sub(r"add --\g<name> \g<value>", str(error))) from error


def wanted_arguments(function: F) -> F:
    """The arguments FROM TO AMOUNT."""
    function = click.argument("amount")(function)
    function = click.argument("to_coin", metavar="TO")(function)
    return click.argument("from_coin", metavar="FROM")(function)


def opened(config: Path | None, log_file: Path | None) -> MultiServiceConverter:
    """A converter as the settings say, not started yet; it is told where they come from. Without a file, the log is
    kept in memory only, and nobody is pinged, or told of alerts.

    Errors: Refused if there are no settings, or such as cannot be used, and for a log that was made up.
    """
    path = config if config is not None else USUAL_FILE
    if config is None and not path.is_file():
        raise Refused(f"there are no settings: name their file with --config FILE, or put it at {path}")
    if log_file is not None:
        expect_place_for_a_log(log_file)
        expect_not_made_up(log_file)
    keep_alerts_off_the_screen()
    log = MemoryLog() if log_file is None else SqliteLog(log_file)
    environment = {name: text for name, text in os.environ.items() if name.startswith("UNDERSTUDY_")}
    try:
        converter = MultiServiceConverter.from_file(
            path,
            log=log,
            environment=environment,
            watch=log_file is not None,
            alerts=AlertDelivery() if log_file is None else None,
        )
    except SettingsError as error:
        where = f'{path} lists under "secrets" which variables of the environment descriptions may use'
        raise Refused(f"{error}\n{where}" if "not among the credentials" in str(error) else str(error)) from error
    besides = f", and {', '.join(sorted(environment))} of the environment" if environment else ""
    note(f"settings from {path}{besides}")
    if not converter.enabled:
        note(f"multiService is not enabled there: {converter.policy.providers[0].id} alone is asked")
    return converter


def exact(number: Decimal | None) -> str:
    """A number written out, without zeros that say nothing."""
    if number is None:
        return UNKNOWN
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
