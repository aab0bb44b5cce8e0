"""Tells people of alerts: at once in the program's own logging, and by channels, each at its own pace.

What a channel is owed is a fold of the log (`projections.alerting`), so that a crash loses nothing: it is told at the
next start. It may be told twice, under the same id. Nobody waits for a channel, and an engine that stops waits for them
no longer than `GRACE_S`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, NamedTuple

from understudy.engine.alert_channels import DAY_US, AlertDelivery, Notice
from understudy.engine.alert_rules import next_overdue_us, overdue
from understudy.engine.courier import Courier, delivery_id, read_event
from understudy.engine.hooks import end_tasks, made_durable
from understudy.engine.journal import Journal
from understudy.engine.log_trouble import LogWatch
from understudy.engine.news import of_alert
from understudy.engine.notices import day_of, naming
from understudy.events.alerts import AlertChannelsSet, DigestDue, Severity, Told, severity
from understudy.events.operations import AlertCleared, AlertRaised
from understudy.events.row import Recorded

logger = logging.getLogger("understudy.alerts")

GRACE_S: Final = 2.0
"""How long channels may take for what they are owed when the engine stops."""
_LEVELS: Final = {
    Severity.INFO: logging.INFO,
    Severity.WARNING: logging.WARNING,
    Severity.ERROR: logging.ERROR,
    Severity.CRITICAL: logging.CRITICAL,
}


class _News(NamedTuple):
    """An alert to be logged, and the drill that may have brought it about."""

    recorded: Recorded
    drill: str | None


class Messenger:
    """Everything that leaves one engine about its alerts. From when it is made it takes note of them."""

    def __init__(self, journal: Journal, delivery: AlertDelivery) -> None:
        self._journal = journal
        self._delivery = delivery
        self._couriers = [Courier(journal, one, delivery) for one in delivery.channels]
        self._news: deque[_News] = deque()
        self._quiet: dict[str, tuple[int, Recorded | None]] = {}
        """Alerts that people have not been told of because of a silence: the event that raised each, read or not."""
        self._wake, self._tell = asyncio.Event(), asyncio.Event()
        self._keeping: list[asyncio.Task[None]] = []
        self._telling: set[asyncio.Task[None]] = set()
        self._watch = LogWatch(journal, self._tell_of_trouble)
        self._begun_us = journal.now_us()
        journal.notices = self._take

    def begin(self) -> None:
        """Put on record by which channels people are told, tell what stands already, and go on."""
        journal = self._journal
        alerting = journal.ledger.standing.alerting
        names = tuple(one.name for one in self._delivery.channels)
        if names != tuple(alerting.owed):
            journal.note(AlertChannelsSet(channels=names))
        self._tell_what_stands()
        loop = asyncio.get_running_loop()
        self._keeping = [
            loop.create_task(self._keep_time(), name="watch the time"),
            loop.create_task(self._announce(), name="watch for alerts"),
        ]
        for one in self._couriers:
            self._spawn(one.serve(), name=f"alert by {one.name}")

    def look_at_the_log(self) -> None:
        """See whether the log can be written; asked now and then."""
        self._watch.look()

    async def close(self) -> None:
        """Let channels take what they are owed, for a while; then leave no task behind. Safe to repeat."""
        for one in self._couriers:
            one.finish()
        try:
            if self._telling:
                await asyncio.wait(self._telling, timeout=GRACE_S)
        finally:
            self._journal.notices = None
            for one in self._couriers:
                one.leave()
            tasks = [*self._keeping, *self._telling]
            self._keeping, self._telling = [], set()
            while self._news:
                _log(self._news.popleft())
            await end_tasks(tasks)

    def _spawn(self, work: Coroutine[Any, Any, None], *, name: str) -> None:
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    def _tell_what_stands(self) -> None:
        """An earlier run may have ended before people were told."""
        alerting, now_us = self._journal.ledger.standing.alerting, self._journal.now_us()
        for name, seq in alerting.seqs.items():
            if any(one.recorded.seq == seq for one in self._news) or name in self._quiet:
                continue
            if not alerting.silenced_until_us(name, now_us):
                recorded = read_event(self._journal.log, seq)
                if recorded is not None:
                    self._news.append(_News(recorded, alerting.drilled.get(name)))
            elif name in alerting.muted:
                self._quiet[name] = seq, None

    def _take(self, recorded: Recorded) -> None:
        """An event that says something to people has been folded."""
        event, alerting = recorded.event, self._journal.ledger.standing.alerting
        match event:
            case AlertRaised(told_us=int()):
                for one in self._couriers:
                    one.now_on_record(recorded.seq)
            case AlertRaised(alert=alert, subject=subject) if f"{alert}|{subject}" in alerting.muted:
                self._quiet[f"{alert}|{subject}"] = recorded.seq, recorded
            case AlertCleared() if alerting.hushed:
                pass
            case AlertRaised(alert=alert, subject=subject):
                self._news.append(_News(recorded, alerting.drilled.get(f"{alert}|{subject}")))
                self._tell.set()
            case AlertCleared():
                self._news.append(_News(recorded, None))
                self._tell.set()
            case _:
                pass
        self._wake.set()

    async def _keep_time(self) -> None:
        """Raise what time alone makes due, tell what was silenced once that is over, and see to the page of the day."""
        journal = self._journal
        standing = journal.ledger.standing
        while True:
            self._wake.clear()
            now_us = journal.now_us()
            while (alert := overdue(standing, now_us)) is not None:
                journal.note(alert, at_us=now_us)
            self._release(now_us)
            digest_us = self._delivery.digest_at_us(now_us, standing.alerting.digest_day_us, begun_us=self._begun_us)
            if digest_us is not None and digest_us <= now_us:
                day_us = digest_us - digest_us % DAY_US
                journal.note(DigestDue(day=day_of(day_us), day_us=day_us, since_us=digest_us - DAY_US), at_us=now_us)
                continue
            for one in self._couriers:
                one.look()
            ends = (next_overdue_us(standing, now_us), standing.alerting.next_end_us(now_us), digest_us)
            next_us = min((one for one in ends if one is not None), default=None)
            with suppress(TimeoutError):
                async with asyncio.timeout(None if next_us is None else (next_us - journal.now_us()) / 1_000_000):
                    await self._wake.wait()

    def _release(self, now_us: int) -> None:
        """Tell of alerts that were raised in a silence which is over."""
        alerting = self._journal.ledger.standing.alerting
        for name, (seq, known) in list(self._quiet.items()):
            if alerting.seqs.get(name) == seq and name in alerting.muted and alerting.silenced_until_us(name, now_us):
                continue
            del self._quiet[name]
            recorded = known or read_event(self._journal.log, seq)
            if alerting.seqs.get(name) != seq or recorded is None:
                continue  # It was over before anybody was to hear of it.
            self._news.append(_News(recorded, alerting.drilled.get(name)))
            self._tell.set()
            if self._journal.hooks is not None and isinstance(recorded.event, AlertRaised):
                self._journal.hooks.tell(of_alert(recorded.event), recorded)

    def _tell_of_trouble(self, event: AlertRaised, at_us: int) -> bool:
        """The log is in trouble, which cannot be put on record now; tells whether people have been told."""
        journal = self._journal
        name = f"{event.alert}|{event.subject}"
        if journal.ledger.standing.alerting.silenced_until_us(name, journal.now_us()):
            return False
        recorded = Recorded(journal.log.head.seq, at_us, event)
        _log(_News(recorded, None))
        if journal.hooks is not None:
            journal.hooks.tell_now(of_alert(event), recorded)
        for one in self._couriers:
            notice = Notice(
                delivery_id=delivery_id(journal.log.stream, one.name, event.alert, at_us),
                told=Told.RAISED,
                alert=event.alert,
                subject=event.subject,
                severity=severity(event.alert),
                message=event.message,
                at_us=at_us,
                stream=journal.log.stream,
            )
            self._spawn(one.hurry(notice), name=f"alert by {one.name} at once")
        return True

    async def _announce(self) -> None:
        """Log what is durable, in order."""
        while True:
            self._tell.clear()
            while self._news:
                await made_durable(self._journal.log, self._news[0].recorded.seq)
                _log(self._news.popleft())
            await self._tell.wait()


def _log(news: _News) -> None:
    match news.recorded.event:
        case AlertRaised(alert=alert, subject=subject, message=message):
            told = naming(news.drill, message)
            logger.log(_LEVELS[severity(alert)], "%s: %s", f"{alert} {subject}".rstrip(), told)
        case AlertCleared(alert=alert, subject=subject, message=told):
            logger.info("%s is over%s", f"{alert} {subject}".rstrip(), f": {told}" if told else "")
        case _:
            pass
