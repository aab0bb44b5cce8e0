"""Notices that the log cannot be written, or lags: told at once, and put on record once that can be done again."""

from collections.abc import Callable
from typing import Final, NamedTuple

from understudy.engine.journal import Journal
from understudy.events.alerts import LOG_TROUBLE
from understudy.events.errors import LogUnavailable
from understudy.events.operations import AlertCleared, AlertRaised

LAG_US: Final = 5_000_000
"""A log in which nothing has become durable for so long lags."""
_LONGEST: Final = 500


class _Trouble(NamedTuple):
    since_us: int
    message: str


class LogWatch:
    """Asks a log now and then how it is."""

    def __init__(self, journal: Journal, tell: Callable[[AlertRaised, int], bool]) -> None:
        """`tell` is told of trouble, and since when there is any, as soon as it is noticed.

        It answers whether people have been told: while they are not, because of a silence, it is asked again.
        """
        self._journal = journal
        self._tell = tell
        self._trouble: _Trouble | None = None
        self._told_us: int | None = None
        self._moved = (0, 0)

    def look(self) -> None:
        """See how the log is now."""
        now_us = self._journal.now_us()
        message = self._what_is_wrong(now_us)
        if message is not None and self._trouble is None:
            self._trouble = _Trouble(now_us, message[:_LONGEST])
            self._told_us = None
        if message is None and self._trouble is not None:
            trouble = self._trouble
            alert = AlertRaised(alert=LOG_TROUBLE, subject="", message=trouble.message, told_us=self._told_us)
            self._journal.note(alert)
            self._trouble = None
            lasted_s = (now_us - trouble.since_us) / 1_000_000
            message = f"the log can be written again, after {lasted_s:,.1f} s"
            self._journal.note(AlertCleared(alert=LOG_TROUBLE, subject="", message=message))
        elif self._trouble is not None and self._told_us is None:
            told = AlertRaised(alert=LOG_TROUBLE, subject="", message=self._trouble.message)
            if self._tell(told, self._trouble.since_us):
                self._told_us = now_us

    def _what_is_wrong(self, now_us: int) -> str | None:
        log = self._journal.log
        try:
            log.check()
        except LogUnavailable as error:
            return str(error)
        durable = log.head.seq - log.pending
        if not log.pending or durable != self._moved[0]:
            self._moved = (durable, now_us)
            return None
        lag_us = now_us - self._moved[1]
        if lag_us < LAG_US:
            return None
        return f"nothing has become durable for {lag_us / 1_000_000:,.0f} s; {log.pending:,} events wait"
