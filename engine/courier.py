"""Brings one channel what it is owed, one thing after another, trying each several times; all of it is on record."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Final, NamedTuple, TypedDict

from understudy.engine.alert_channels import AlertChannel, AlertDelivery, NotDelivered, Notice
from understudy.engine.hooks import made_durable
from understudy.engine.journal import Journal
from understudy.engine.notices import notice_of
from understudy.engine.tasks import is_cancelled
from understudy.events.alerts import AlertDelivered, AlertDeliveryFailed, Told
from understudy.events.codec import recorded as decoded
from understudy.events.errors import UnderstudyError
from understudy.events.log import EventLog
from understudy.events.row import Recorded
from understudy.projections.alerting import Owed

logger = logging.getLogger("understudy.alerts")

ERROR_LIMIT: Final = 300
"""Characters of a channel's error that are kept."""


class _Brought(NamedTuple):
    """How an errand ended: after so many attempts, and with which error, if it was in vain."""

    attempts: int
    error: str | None


class _About(TypedDict):
    """What is put on record of an errand, however it ended."""

    channel: str
    delivery_id: str
    notice_seq: int
    told: Told
    alert: str
    subject: str
    attempts: int


class Courier:
    """One channel, and the way there."""

    def __init__(self, journal: Journal, channel: AlertChannel, delivery: AlertDelivery) -> None:
        self.name = channel.name
        self._journal = journal
        self._channel = channel
        self._delivery = delivery
        self._hurried: tuple[str, int] | None = None
        """The id of what was told before it was on record, and after how many attempts that was taken; 0: not taken."""
        self._early: dict[int, tuple[str, int]] = {}
        """The same by the event that it has become."""
        self._wake = asyncio.Event()
        self._finishing = self._left = False

    def look(self) -> None:
        """Something may be owed, or silenced, that was not."""
        self._wake.set()

    def leave(self) -> None:
        """The engine has stopped: whatever the channel still does is put on record no more."""
        self._left = True

    def finish(self) -> None:
        """Go on as long as the channel takes what it is owed, and end then."""
        self._finishing = True
        self._wake.set()

    async def hurry(self, notice: Notice) -> None:
        """Tell at once what cannot be put on record yet."""
        self._hurried = (notice.delivery_id, 0)
        brought = await self._bring(notice, is_wanted=lambda: True)
        if brought is not None and brought.error is None:
            self._hurried = (notice.delivery_id, brought.attempts)

    def now_on_record(self, seq: int) -> None:
        """What was told at once has become this event."""
        if self._hurried is not None:
            self._early[seq], self._hurried = self._hurried, None

    async def serve(self) -> None:
        """Tell what is owed as soon as it is; ends once `finish` was asked for and nothing can be done at once."""
        alerting, journal = self._journal.ledger.standing.alerting, self._journal
        while True:
            self._wake.clear()
            due = alerting.due(self.name, journal.now_us())
            if due is None:
                if self._finishing:
                    return
                await self._wake.wait()
            elif not await self._settle(*due):
                return

    async def _settle(self, seq: int, one: Owed) -> bool:
        """Tell one thing, and put on record how that went; False if it must be left for the next start."""
        await made_durable(self._journal.log, seq)
        recorded = read_event(self._journal.log, seq)
        delivery_id, attempts = self._early.pop(seq, (self._id_of(seq, recorded), 0))
        brought: _Brought | None = _Brought(attempts, None)
        if recorded is None:
            brought = _Brought(0, "its event is not in the log any more")
        elif not attempts:
            brought = await self._tell(recorded, delivery_id, one.drill, is_wanted=lambda: self._is_due(seq, one))
        if brought is None or self._left:
            return not self._finishing
        self._put_on_record(brought, Told(one.told), one.name, seq=seq, delivery_id=delivery_id)
        return True

    def _put_on_record(self, brought: _Brought, told: Told, name: str, *, seq: int, delivery_id: str) -> None:
        alert, _, subject = name.partition("|")
        about: _About = {
            "channel": self.name,
            "delivery_id": delivery_id,
            "notice_seq": seq,
            "told": told,
            "alert": alert,
            "subject": subject,
            "attempts": brought.attempts,
        }
        if brought.error is None:
            self._journal.note(AlertDelivered(**about))
        else:
            logger.error("alert %s %s was not delivered by %s: %s", alert, subject, self.name, brought.error)
            self._journal.note(AlertDeliveryFailed(**about, error=brought.error))

    async def _tell(
        self, recorded: Recorded, delivery_id: str, drill: str | None, *, is_wanted: Callable[[], bool]
    ) -> _Brought | None:
        try:
            stream = self._journal.log.stream
            notice = await notice_of(recorded, delivery_id, stream=stream, digest=self._delivery.digest, drill=drill)
        except UnderstudyError as error:
            return _Brought(1, str(error)[:ERROR_LIMIT])
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            return _Brought(1, "the page of the day was cancelled by itself")
        except Exception as error:  # noqa: BLE001 - A page that somebody else makes ends no channel; nor does it tell.
            return _Brought(1, f"{type(error).__name__} from the page of the day")
        return await self._bring(notice, is_wanted=is_wanted)

    async def _bring(self, notice: Notice, *, is_wanted: Callable[[], bool]) -> _Brought | None:
        """Try until it is taken, or often enough; None if it is not wanted any more, or the engine stops."""
        for attempts in range(1, self._delivery.attempts + 1):
            error = await self._attempt(notice)
            if error is None or attempts == self._delivery.attempts:
                return _Brought(attempts, error)
            await self._pause(self._delivery.pause_us(attempts))
            if self._finishing or not is_wanted():
                return None
        raise AssertionError("there is at least one attempt")

    async def _attempt(self, notice: Notice) -> str | None:
        """Try once; tells what went wrong."""
        try:
            async with asyncio.timeout(self._delivery.attempt_ms / 1000):
                await self._channel.deliver(notice)
        except NotDelivered as error:
            return str(error)[:ERROR_LIMIT]
        except TimeoutError:
            return f"no answer within {self._delivery.attempt_ms:,} ms"
        except asyncio.CancelledError:
            if is_cancelled():
                raise
            return "it was cancelled by the channel itself"
        except Exception as error:  # noqa: BLE001 - Its text is foreign, and might tell a secret.
            return f"{type(error).__name__} from the channel itself"
        return None

    async def _pause(self, length_us: int) -> None:
        """Wait, but not once the engine stops."""
        journal = self._journal
        until_us = journal.now_us() + length_us
        while not self._finishing and (left_us := until_us - journal.now_us()) > 0:
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(left_us / 1_000_000):
                    await self._wake.wait()

    def _is_due(self, seq: int, one: Owed) -> bool:
        alerting = self._journal.ledger.standing.alerting
        if seq not in alerting.owed.get(self.name, {}):
            return False
        return alerting.may_tell(one, self._journal.now_us())

    def _id_of(self, seq: int, recorded: Recorded | None) -> str:
        at_us = 0 if recorded is None else recorded.at_us
        return delivery_id(self._journal.log.stream, self.name, seq, at_us)


def delivery_id(*parts: object) -> str:
    """What tells one delivery from another, the same whenever it is asked: 32 hex digits."""
    return sha256("|".join(map(str, parts)).encode()).hexdigest()[:32]


def read_event(log: EventLog, seq: int) -> Recorded | None:
    """A durable event of a log; None if it is not there any more."""
    with log.reader() as reader:
        row = reader.row(seq)
    return None if row is None else decoded(row)
