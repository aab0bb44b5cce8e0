"""Where the engine writes: every append is folded at once, and what must follow from it follows at once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from understudy.engine.follow_ups import NOTICES, due, may_be_due
from understudy.engine.ledger import Ledger
from understudy.engine.ports import System
from understudy.events.decisions import Event
from understudy.events.log import EventLog, SealedBlock, SideWrite
from understudy.events.requests import RequestCompleted
from understudy.events.row import Recorded
from understudy.projections import lane_step as lane

if TYPE_CHECKING:
    from understudy.engine.hooks import Hooks
    from understudy.engine.operation import Operation


class Journal:
    """The log, the ledger that it adds up to, and the clock that dates it, as one."""

    def __init__(self, log: EventLog, ledger: Ledger, system: System) -> None:
        self.log = log
        self.ledger = ledger
        self.system = system
        self.keep: Callable[[SealedBlock], object] = _forget
        """What is done with a block that is full."""
        self.hooks: Hooks | None = None
        self.notices: Callable[[Recorded], object] | None = None
        """Who tells people of alerts; it is told of every event that says something to them."""
        self.operations: Mapping[str, Operation] | None = None
        """What is declared, while an engine serves requests by it; None while an operator only has his say."""

    def now_us(self) -> int:
        """Engine time, never before the last event."""
        now_us, last_us = self.system.now_us(), self.ledger.standing.at_us
        return now_us if now_us > last_us else last_us  # noqa: FURB136 - asked five times a call, and `max` is one more.

    def note(self, event: Event, *, at_us: int | None = None, side: Sequence[SideWrite] = ()) -> Recorded:
        """Append an event and fold it; then append what must follow it: alerts, changes of mode.

        Errors: EventRefused for a `RequestAccepted` that cannot be put on record.
        """
        when_us = self.now_us() if at_us is None else at_us
        ledger = self.ledger
        recorded, changed = self._put(event, when_us, side)
        if may_be_due(ledger.standing, event, changed):
            self._notice(recorded, changed)
            self.follow(event, changed, at_us=when_us)
        builder = ledger.builder
        if builder is not None and builder.full:
            self.seal()
        return recorded

    def follow(self, event: Event, changed: int, *, at_us: int) -> None:
        """Append what must follow an event that has been folded; `changed` is what its fold told of its lane."""
        standing = self.ledger.standing
        while (follow_up := due(standing, event, changed)) is not None:
            self._notice(*self._put(follow_up, at_us, ()))

    def _notice(self, recorded: Recorded, changed: int) -> None:
        """Let those know who tell people of alerts, if an event may say something to them."""
        if self.notices is not None and (changed & lane.OPENED or type(recorded.event) in NOTICES):
            self.notices(recorded)

    def _put(self, event: Event, at_us: int, side: Sequence[SideWrite]) -> tuple[Recorded, int]:
        """Append an event and fold it; those who listen hear of it once it is durable."""
        ledger, hooks = self.ledger, self.hooks
        recorded = self.log.append(event, at_us=at_us, side=side)
        if hooks is None or not hooks.listening:
            return recorded, ledger.fold(recorded)
        hooks.look(ledger.standing)
        before = ledger.requests.get(event.request_id) if isinstance(event, RequestCompleted) else None
        changed = ledger.fold(recorded)
        hooks.take(recorded, changed, ledger.standing, before)
        return recorded, changed

    def seal(self) -> None:
        """Seal what has been taken down so far, if there is anything."""
        ledger = self.ledger
        if ledger.builder is not None and ledger.builder.records:
            chain = self.log.head.chain
            self.keep(ledger.builder.seal(ledger.standing, chain=chain, unsettled=ledger.requests))

    def durable(self, recorded: Recorded) -> Awaitable[None]:
        """Done once the event is durable; raises LogUnavailable if that failed."""
        return self.log.durable(recorded.seq)


def _forget(_: SealedBlock) -> None:
    """Blocks are a cache: without somebody to keep them, nothing is lost."""
