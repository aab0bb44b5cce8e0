"""What the commands about conversions have in common: what is wanted, where the settings are, how a number is shown."""

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.files import expect_place_for_a_log
from understudy.adapters.cli.made_up import expect_not_made_up
from understudy.adapters.cli.output import note
from understudy.adapters.conversion.converter import MultiServiceConverter
from understudy.adapters.conversion.files import USUAL_FILE
from understudy.adapters.conversion.settings import SettingsError
from understudy.adapters.stores import MemoryLog, SqliteLog

F = TypeVar("F", bound=Callable[..., Any])

UNKNOWN: Final = "-"
"""What stands where a figure is not known."""

config_option: Final = click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help=f"The settings; by default {USUAL_FILE}, if that is there.",
)


def wanted_arguments(function: F) -> F:
    """The arguments FROM TO AMOUNT."""
    function = click.argument("amount")(function)
    function = click.argument("to_coin", metavar="TO")(function)
    return click.argument("from_coin", metavar="FROM")(function)


def opened(config: Path | None, log_file: Path | None) -> MultiServiceConverter:
    """A converter as the settings say, not started yet; it is told where they come from. Without a file, the log is
    kept in memory only, and nobody is pinged.

    Errors: Refused if there are no settings, or such as cannot be used, and for a log that was made up.
    """
    path = config if config is not None else USUAL_FILE
    if config is None and not path.is_file():
        raise Refused(f"there are no settings: name their file with --config FILE, or put it at {path}")
    if log_file is not None:
        expect_place_for_a_log(log_file)
        expect_not_made_up(log_file)
    log = MemoryLog() if log_file is None else SqliteLog(log_file)
    environment = {name: text for name, text in os.environ.items() if name.startswith("UNDERSTUDY_")}
    try:
        converter = MultiServiceConverter.from_file(path, log=log, environment=environment, watch=log_file is not None)
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
