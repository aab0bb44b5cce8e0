"""The command `understudy` itself: finds a subcommand when it is called for, and ends every failure in a sentence."""

import io
import os
import sys
import traceback
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Final

import click

from understudy.adapters.cli.exits import BUG, INTERRUPTED, READER_GONE, Refused
from understudy.adapters.cli.interrupts import raise_again
from understudy.adapters.cli.output import answering, forget_the_rest
from understudy.events.errors import UnderstudyError

COMMANDS: Final[Mapping[str, str]] = {
    "demo": "Watch it: provider servers that fail, thousands of requests that do not.",
    "simulate": "Run the real engine on virtual time, over a scenario or recorded traffic.",
    "quote": "Ask every conversion service what an amount would fetch.",
    "convert": "Convert coins through the best of several services.",
    "verify": "Recompute a log's hash chain and every decision in it.",
    "requests": "List requests: what became of each, by whom, how soon.",
    "events": "Show the log event by event, and follow it.",
    "explain": "Tell the story of one request.",
    "report": "Answer what operators ask: failures, slow hours, failovers, cost.",
    "status": "Show how every provider stands, now or then.",
    "doctor": "Examine the health of a log.",
    "alerts": "List the alerts that stand, and those that are over.",
    "silence": "Do not be told of an alert for a while, or take that back.",
    "archive": "Move what is old into files, which are read as if it were still there.",
    "override": "Force a provider open, closed or drained, or take that back.",
    "probe": "Find out now whether a provider is well again.",
    "release": "Take a provider out of quarantine: its quotes count again.",
    "sync": "Have providers list their stock and prices now.",
    "resolve": "Say what became of a suspended request.",
    "drill": "Make faults up on purpose, and see what becomes of them.",
    "note": "Keep a peculiarity of a provider on record.",
    "forget": "Erase somebody's sensitive values.",
    "preferences": "Show and change what an operator may change while an engine runs.",
    "policy": "Check policy files.",
    "completion": "Print the script for completion in a shell.",
}
"""Each command with its line of help, in the order of a newcomer's day; a module is imported only when it is used."""


class Commands(click.Group):
    """A group whose commands are modules beside this one, each with a click command of the module's own name."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - As Click has it.
        """The names of the commands, in our order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - As above.
        """The command of a name; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        found = getattr(import_module(f"understudy.adapters.cli.{cmd_name}"), cmd_name)
        raise_again()
        return found if isinstance(found, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - As above.
        """Write the list of commands without importing any of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; an unknown one is refused with the nearest."""
        from understudy.events.names import did_you_mean  # noqa: PLC0415 - Most commands need no advice.

        if args[0] not in COMMANDS and not args[0].startswith("-"):
            known = f"; there are {', '.join(COMMANDS)}"
            ctx.fail(f"there is no command {args[0]!r}{did_you_mean(args[0], COMMANDS) or known}")
        return super().resolve_command(ctx, args)

    def __call__(self, *args: Any, **given: Any) -> Any:
        """Run as a program; a sentence that ends it may be what nobody reads, too."""
        try:
            return super().__call__(*args, **given)
        except BrokenPipeError:
            forget_the_rest(sys.stdout, sys.stderr)
            sys.exit(READER_GONE)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Read the words; `--help` and `--version` answer here."""
        with answering():
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what a user can do something about becomes a sentence, a bug of ours says that it is one."""
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            with answering():
                return super().invoke(ctx)
        except UnderstudyError as error:
            raise Refused(str(error)) from error
        except KeyboardInterrupt:
            click.echo("\nstopped", err=True)
            ctx.exit(INTERRUPTED)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception:  # noqa: BLE001 - The process ends here.
            traceback.print_exc()
            click.echo("This is a bug in Understudy, not a mistake of yours. Please report it.", err=True)
            ctx.exit(BUG)


@click.command(cls=Commands, name="understudy", context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="understudy", message="%(prog)s %(version)s")
def main() -> None:
    """Call one of several providers, fail over when you must, and explain every decision from the log.

    Answers go to standard output, messages and progress to standard error. `understudy COMMAND --help` has an example
    and the exit codes of each command.
    """
