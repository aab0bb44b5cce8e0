"""`understudy preferences`: show and change the settings that an operator may change while an engine runs."""

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click
from pydantic import ValidationError

from understudy.adapters.cli.delivery import Waiting, deliver
from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.logs import as_json, database, policy_in_force
from understudy.adapters.cli.output import answer_json, note, plain, table
from understudy.adapters.cli.wishes import Words, give_up, say, say_json, wish_options
from understudy.adapters.stores import SqliteReader
from understudy.adapters.stores.inbox import commands_waiting
from understudy.engine.commands import SetPreferences
from understudy.events.codec import decode
from understudy.events.log import LogReader
from understudy.events.names import did_you_mean, snake_case
from understudy.events.operations import PreferencesChanged
from understudy.events.policy import Policy
from understudy.events.preferences import PREFERENCES, first_fault, preferences_of, with_preferences


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def preferences() -> None:
    """Show and change the settings that an operator may change while an engine runs."""


@preferences.command()
@database
@as_json
def get(db: Path, *, as_json: bool) -> None:
    """Show the preferences that are in force in the log DB, and who set those that are not as configured.

    What waits for an engine is told besides; at a SQL prompt SELECT * FROM provider_preferences shows that at once. An
    UPDATE there to a value that is in force already changes nothing and is not on record: `understudy preferences set`
    puts that on record, too.

    \b
    Example:
      understudy preferences get calls.db

    \b
    Exit codes: 0 done; 2 wrong usage, or DB is no log that can be read.
    """
    waiting = _waiting(db)  # First: what an engine takes meanwhile is in force then, and not lost between the two.
    with SqliteReader.open(db) as reader:
        values, said = preferences_of(policy_in_force(reader)), _said(reader)
    if as_json:
        told = {name: {"value": value, "set_by": said.get(name)} for name, value in values.items()}
        answer_json({"log": str(db), "preferences": told, "waiting": waiting})
        return
    rows = [(name, _shown(value), plain(said.get(name, "as configured"))) for name, value in values.items()]
    table(("preference", "value", "set by"), rows)
    for name, value in waiting.items():
        note(f"{name} = {_shown(value)} waits in the inbox for an engine, and is in force from then on")


@preferences.command(name="set")
@database
@click.argument("changes", nargs=-1, required=True, metavar="NAME=VALUE...")
@click.option("--reason", type=Words(), required=True, metavar="TEXT", help="Why; others will read it in the log.")
@wish_options
@as_json
@click.pass_context
def set_(
    ctx: click.Context, db: Path, changes: tuple[str, ...], *, reason: str, actor: str, wait_us: int, as_json: bool
) -> None:
    """Change preferences in the log DB: NAME=VALUE, as many as are to change together; `none` is no provider.

    A running engine goes by them within a second, later ones from their start, whatever they are configured with. The
    same at a SQL prompt: UPDATE provider_preferences SET ... .

    \b
    Example:
      understudy preferences set calls.db preferred_provider=alpha --reason "the contract says so"
      understudy preferences set calls.db min_success_rate=97.5 retry_attempts=3 --reason "tuning"

    \b
    Exit codes: 0 done; 2 wrong usage, a value that cannot be, or DB is no log
                that can be written; 3 not done yet: it waits in the inbox.
    """
    wanted = _read_all(changes)
    with SqliteReader.open(db) as reader:
        changed = preferences_of(_changed(policy_in_force(reader), wanted))
    wish = SetPreferences(changes=wanted, actor=actor, reason=reason)
    done = deliver(db, wish, patience_s=wait_us / 1_000_000)
    if isinstance(done, Waiting):
        give_up(ctx, db, done, as_json=as_json, found={})
    elif as_json:
        say_json(db, done, {})
    else:
        say(db, wish, done, ", ".join(f"{name} is {_shown(changed[name])}" for name in wanted), more=[])


def _read_all(changes: Sequence[str]) -> dict[str, str | int | bool | None]:
    """All of them, each preference once.

    Errors: click.UsageError.
    """
    wanted: dict[str, str | int | bool | None] = {}
    for name, value in map(_read, changes):
        if name in wanted:
            raise click.UsageError(f"{name} is given twice; name each preference once")
        wanted[name] = value
    return wanted


def _read(change: str) -> tuple[str, str | int | bool | None]:
    """One NAME=VALUE, the value as the setting has it.

    Errors: click.UsageError.
    """
    typed, equals, value = change.partition("=")
    name = snake_case(typed)
    if not equals:
        raise click.UsageError(f"{change!r} is no NAME=VALUE, such as retry_attempts=3")
    if name not in PREFERENCES:
        known = f"; there are {', '.join(PREFERENCES)}"
        raise click.UsageError(f"there is no preference {typed!r}{did_you_mean(name, PREFERENCES) or known}")
    if name == "preferred_provider":
        return name, None if value.casefold() in {"none", "null", ""} else value
    return name, {"true": True, "false": False}.get(value.casefold(), value)


def _changed(policy: Policy, wanted: dict[str, str | int | bool | None]) -> Policy:
    """The policy as it will be.

    Errors: Refused, in the words of a SQL prompt.
    """
    try:
        return with_preferences(policy, wanted)
    except ValidationError as error:
        raise Refused(first_fault(error, wanted)) from error


def _shown(value: object) -> str:
    return json.dumps(value) if isinstance(value, bool) else "none" if value is None else str(value)


def _waiting(db: Path) -> dict[str, object]:
    """What has been asked for, and no engine has come to yet, by preference; the latest of each."""
    found: dict[str, object] = {}
    for command in commands_waiting(db):
        with suppress(ValueError):  # Whatever else is there, the engine that takes it refuses.
            match json.loads(command.body):
                case {"command": "set_preferences", "changes": dict(changes)}:
                    found |= {name: value for name, value in changes.items() if name in PREFERENCES}
    return found


def _said(reader: LogReader) -> dict[str, str]:
    """Who has set each preference that anybody has, and why."""
    found: dict[str, str] = {}
    for row in reader.operations(PreferencesChanged.kind):
        event = decode(row)
        if isinstance(event, PreferencesChanged):
            found |= dict.fromkeys(event.changes, f"{event.actor}: {event.reason}")
    return found
