"""What the commands have in common that want something of the engine: who, why, how long to wait, and the answer."""

import getpass
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import click

from understudy.adapters.cli.delivery import Delivered, Waiting
from understudy.adapters.cli.event_words import event_json
from understudy.adapters.cli.exits import WAITS, Unanswered
from understudy.adapters.cli.instants import Length
from understudy.adapters.cli.output import answer, answer_json, facts, plain
from understudy.engine.commands import Wish

F = TypeVar("F", bound=Callable[..., Any])

_LONGEST_ACTOR: Final = 200
_LONGEST: Final = 500


class Words(click.ParamType[str]):
    """A text that goes on record for ever: neither empty nor endless."""

    name = "text"

    def __init__(self, *, most: int = _LONGEST) -> None:
        self._most = most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read a text, without the spaces around it."""
        found = str(value).strip()
        if not found:
            self.fail("it is empty; say something that others will understand later", param, ctx)
        if len(found) > self._most:
            self.fail(f"it has {len(found):,} characters; {self._most} is the most", param, ctx)
        try:
            found.encode()
        except UnicodeEncodeError:
            self.fail("it is not text in the encoding of this terminal", param, ctx)
        return found


def actor_option(function: F) -> F:
    """The option `--actor`."""
    who = "Who wants it; by default your login name."
    return click.option("--actor", type=Words(most=_LONGEST_ACTOR), default=_login_name, metavar="NAME", help=who)(
        function
    )


def wish_options(function: F) -> F:
    """The options `--actor` and `--wait`."""
    wait = "How long to wait for a running engine to obey."
    function = click.option(
        "--wait", "wait_us", type=Length(), default="10s", show_default=True, metavar="TIME", help=wait
    )(function)
    return actor_option(function)


def say(db: Path, wish: Wish, done: Delivered, lead: str, *, more: Sequence[tuple[str, str]]) -> None:
    """Tell a person what has been done: a sentence, who wanted it, who wrote it where, and what that came to."""
    written = "written by this command, as no engine is running" if done.owner is None else f"taken by {done.owner}"
    answer(f"{db}: {plain(lead)}")
    lines = [("by", f"{wish.actor}: {wish.reason}"), ("event", f"{done.row.seq:,}, {written}"), *more]
    facts([(name, plain(value)) for name, value in lines])


def say_json(db: Path, done: Delivered | Waiting, found: Mapping[str, object]) -> None:
    """The same as JSON, also while the command waits; `found` is what the command came to, by its own names."""
    waits = isinstance(done, Waiting)
    answer_json(
        {
            "log": str(db),
            "command_id": done.number,
            "done": not waits,
            "waits": done.why if isinstance(done, Waiting) else None,
            "taken_by": done.owner if isinstance(done, Delivered) else None,
            "event": event_json(done.row) if isinstance(done, Delivered) else None,
            **found,
        }
    )


def give_up(ctx: click.Context, db: Path, waiting: Waiting, *, as_json: bool, found: Mapping[str, object]) -> NoReturn:
    """End with WAITS, since nobody has obeyed yet.

    Errors: Unanswered, always.
    """
    if as_json:
        say_json(db, waiting, found)
        ctx.exit(WAITS)
    raise Unanswered(f"command {waiting.number} waits in the inbox of {db}: {waiting.why}")


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise click.UsageError("this system does not know your login name; say who you are with --actor") from error
