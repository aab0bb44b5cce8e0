"""`understudy alerts`: what stands, since when, who does not want to hear of it, and what is over."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from understudy.adapters.cli.instants import iso, iso_or_none
from understudy.adapters.cli.logs import as_json, database
from understudy.adapters.cli.output import answer, answer_json, answer_wrapped, plain
from understudy.adapters.stores import SqliteReader
from understudy.engine.restore import restore
from understudy.events.alerts import AlertSilenced, severity
from understudy.events.codec import decode
from understudy.events.counted import counted
from understudy.events.log import LogReader
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.projections.alerting import Alerting
from understudy.projections.standing import Standing

_RECENTLY: Final = 10
"""How many alerts that are over are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """An alert that stands, or that is over since `cleared_us`."""

    alert: str
    subject: str
    message: str
    raised_us: int
    cleared_us: int = 0
    how: str | None = None
    silenced_until_us: int = 0

    @property
    def name(self) -> str:
        return f"{self.alert} {self.subject}".rstrip()

    def to_json(self) -> dict[str, object]:
        return {
            "alert": self.alert,
            "subject": self.subject,
            "severity": severity(self.alert).value,
            "message": self.message,
            "raised_at": iso_or_none(self.raised_us),
            "cleared_at": iso_or_none(self.cleared_us),
            "how": self.how,
            "silenced_until": iso_or_none(self.silenced_until_us),
        }


@click.command()
@database
@as_json
def alerts(db: Path, *, as_json: bool) -> None:
    """List the alerts that stand in the log DB: since when, and until when each is silenced. Then the latest that are
    over, and what channels have not been told yet.

    \b
    Example:
      understudy alerts calls.db
      understudy alerts calls.db --json

    \b
    Exit codes: 0 shown, whether any stands or not; 2 wrong usage, or DB is no
                log that can be read.
    """
    with SqliteReader.open(db) as reader:
        standing = restore(reader).standing
        now_us = max(time.time_ns() // 1000, standing.at_us)
        stand = _standing(standing, _raised(reader), now_us)
        over = _over(reader)
    alerting = standing.alerting
    if as_json:
        found = {
            "standing": [one.to_json() for one in stand],
            "over": [one.to_json() for one in over],
            "silences": [_silence_json(one) for one in _in_force(alerting, now_us)],
            "owed": {channel: len(owed) for channel, owed in alerting.owed.items()},
        }
        answer_json({"log": str(db), **found})
    else:
        _print(db, stand, over)
        for one in _in_force(alerting, now_us):
            what = one.alert if one.subject is None else f"{one.alert} {one.subject}"
            answer_wrapped(plain(f"silenced until {iso(one.until_us)}: {what} (by {one.actor}: {one.reason})"))
        for channel, owed in alerting.owed.items():
            if owed:
                answer(plain(f"{channel} has not taken {counted(len(owed), 'notice')} yet"))


def _raised(reader: LogReader) -> dict[str, AlertRaised]:
    """The latest time that each alert was raised, by `alert|subject`."""
    raised = [event for row in reader.operations(AlertRaised.kind) if isinstance(event := decode(row), AlertRaised)]
    return {f"{event.alert}|{event.subject}": event for event in raised}


def _standing(standing: Standing, raised: Mapping[str, AlertRaised], now_us: int) -> list[_Shown]:
    return [
        _Shown(
            alert=name.partition("|")[0],
            subject=name.partition("|")[2],
            message=raised[name].message if name in raised else "",
            raised_us=since_us,
            silenced_until_us=standing.alerting.silenced_until_us(name, now_us),
        )
        for name, since_us in standing.alerts.items()
    ]


def _over(reader: LogReader) -> list[_Shown]:
    """The alerts that were cleared last, the latest first."""
    raised: dict[str, tuple[int, str]] = {}
    found: list[_Shown] = []
    rows = [*reader.operations(AlertRaised.kind), *reader.operations(AlertCleared.kind)]
    for row in sorted(rows, key=lambda one: one.seq):
        match decode(row):
            case AlertRaised(alert=alert, subject=subject, message=message):
                raised[f"{alert}|{subject}"] = row.at_us, message
            case AlertCleared(alert=alert, subject=subject, message=how):
                at_us, message = raised.pop(f"{alert}|{subject}", (0, ""))
                times = {"raised_us": at_us, "cleared_us": row.at_us}
                found.append(_Shown(alert=alert, subject=subject, message=message, how=how, **times))
            case _:
                pass
    return found[-_RECENTLY:][::-1]


def _in_force(alerting: Alerting, now_us: int) -> list[AlertSilenced]:
    return [one for one in alerting.silences.values() if one.until_us > now_us]


def _silence_json(one: AlertSilenced) -> dict[str, object]:
    shown = {"alert": one.alert, "subject": one.subject, "until": iso(one.until_us)}
    return {**shown, "actor": one.actor, "reason": one.reason}


def _print(db: Path, stand: Sequence[_Shown], over: Sequence[_Shown]) -> None:
    answer(f"{db}: {counted(len(stand), 'alert stands', 'alerts stand') if stand else 'no alert stands'}")
    for one in stand:
        silenced = f"; silenced until {iso(one.silenced_until_us)}" if one.silenced_until_us else ""
        answer_wrapped(plain(f"{severity(one.alert).value}: {one.name}, since {iso(one.raised_us)}{silenced}"))
        answer_wrapped(plain(f"  {one.message}"))
    for one in over:
        how = f": {one.how}" if one.how else ""
        since = f", raised {iso(one.raised_us)}" if one.raised_us else ""
        answer_wrapped(plain(f"over: {one.name}{since}, cleared {iso(one.cleared_us)}{how}"))
