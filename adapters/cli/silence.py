"""`understudy silence`: an operator does not want to be told of an alert for a while, or wants it again."""

from pathlib import Path

import click

from understudy.adapters.cli.delivery import Waiting, deliver
from understudy.adapters.cli.exits import Refused
from understudy.adapters.cli.find_request import find_surely
from understudy.adapters.cli.instants import Length, iso
from understudy.adapters.cli.logs import as_json, database
from understudy.adapters.cli.one_of import OneOf
from understudy.adapters.cli.wishes import Words, give_up, say, say_json, wish_options
from understudy.adapters.stores import SqliteReader
from understudy.engine.commands import LiftSilence, Silence
from understudy.engine.restore import restore
from understudy.engine.silencing import not_silenced
from understudy.engine.subjects import OF_A_REQUEST, no_such_subject
from understudy.events.alerts import ALERTS, FALLBACK_SHARE
from understudy.events.codec import decode
from understudy.events.vocabulary import SIDE_OPERATIONS
from understudy.projections.alerting import silence_key
from understudy.projections.standing import Standing

_LONGEST_US = 366 * 86_400_000_000


@click.command()
@database
@click.argument("alert", type=OneOf(tuple(ALERTS)), metavar="ALERT")
@click.argument("subject", required=False)
@click.option(
    "--for", "for_us", type=Length(least_us=1_000, most_us=_LONGEST_US), metavar="TIME", help="How long: 90s, 2h, 7d."
)
@click.option("--lift", is_flag=True, help="Take a silence back.")
@click.option("--reason", type=Words(), required=True, metavar="TEXT", help="Why; others will read it in the log.")
@wish_options
@as_json
@click.pass_context
def silence(
    ctx: click.Context,
    db: Path,
    alert: str,
    subject: str | None,
    *,
    for_us: int | None,
    lift: bool,
    reason: str,
    actor: str,
    wait_us: int,
    as_json: bool,
) -> None:
    """Do not be told of ALERT in the log DB for a while, of SUBJECT (a provider, a request, ...) or of whatever it is
    about.

    ALERT is success_rate, circuit_open, fallback_share, low_stock, log_trouble, chore_failed, local_fault, emergency,
    misconfigured, insufficient_funds, long_throttle, suspended, late_success, contradiction, unclaimed, phantom_stock,
    quarantine, no_honest_quote or command_refused.

    It is raised and cleared on record all the same. If it stands when the silence ends, people are told then.
    `understudy alerts DB` shows alerts with their subjects. A subject that can never be is refused.

    A running engine takes the command from the log's inbox within a second. If none is running, this command writes
    the event itself, and the next engine goes by it.

    \b
    Examples:
      understudy silence calls.db circuit_open alpha --for 2h --reason "they migrate"
      understudy silence calls.db circuit_open alpha --lift --reason "they are done"

    \b
    Exit codes: 0 done; 2 wrong usage, nothing to lift, or DB is no log that
                can be written; 3 not done yet: it waits in the inbox.
    """
    if lift == (for_us is not None):
        raise click.UsageError("say either for how long, with --for, or --lift")
    wish: Silence | LiftSilence
    if for_us is not None:
        subject = _possible(db, alert, subject)
        wish = Silence(alert=alert, subject=subject, for_ms=for_us // 1_000, actor=actor, reason=reason)
    else:
        subject = _silenced(db, alert, subject)
        wish = LiftSilence(alert=alert, subject=subject, actor=actor, reason=reason)
    done = deliver(db, wish, patience_s=wait_us / 1_000_000)
    if isinstance(done, Waiting):
        give_up(ctx, db, done, as_json=as_json, found={})
    until_us = getattr(decode(done.row), "until_us", None)
    what = alert if subject is None else f"{alert} {subject}"
    if as_json:
        say_json(db, done, {"silenced_until": None if until_us is None else iso(until_us)})
    else:
        lead = f"{what} is told again" if until_us is None else f"{what} is silenced until {iso(until_us)}"
        say(db, wish, done, lead, more=[])


def _possible(db: Path, alert: str, subject: str | None) -> str | None:
    """The subject in full. Refuse a slip in typing here: nobody would be silenced, and people told all the same."""
    with SqliteReader.open(db) as reader:
        standing = restore(reader).standing
        why_not = no_such_subject(standing, alert, subject)
        if why_not is not None and alert == FALLBACK_SHARE:
            called = [name for name in reader.operations_called() if name not in SIDE_OPERATIONS]
            why_not = no_such_subject(standing, alert, subject, operations=called)
        if why_not is not None:
            raise Refused(why_not)
        return _in_full(reader, standing, alert, subject)


def _silenced(db: Path, alert: str, subject: str | None) -> str | None:
    """The subject in full, of what is silenced."""
    with SqliteReader.open(db) as reader:
        standing = restore(reader).standing
        why_not = not_silenced(standing, alert, subject, now_us=0)
        if why_not is not None:
            subject = _in_full(reader, standing, alert, subject)
            why_not = not_silenced(standing, alert, subject, now_us=0)
        if why_not is not None:
            raise Refused(why_not)
        return subject


def _in_full(reader: SqliteReader, standing: Standing, alert: str, subject: str | None) -> str | None:
    """The subject with the whole id of its request, if it is about one.

    Errors: Refused if there is no such request, or more than one.
    """
    if alert not in OF_A_REQUEST or subject is None or silence_key(alert, subject) in standing.alerts:
        return subject
    request_id, *provider = subject.split(" ")
    return " ".join([find_surely(reader, request_id, otherwise="`understudy requests` lists them"), *provider])
