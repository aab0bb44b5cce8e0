"""The edge to providers, where drills make their faults up: instead of being sent, or before it is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from understudy.engine.drills import touch
from understudy.engine.journal import Journal
from understudy.events.row import Recorded

if TYPE_CHECKING:
    from understudy.events.calls import CallStarted


class Edge:
    """Does to touched calls what their drills say, as long as these run."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._over: dict[str, asyncio.Event] = {}
        self.attended: set[str] = set()
        """The drills that are seen to."""

    async def ask(self, started: Recorded, ask: Callable[[], Awaitable[Any]]) -> Any:
        """Make a touched call fail, or hold it back and then ask; one whose drill is over is asked at once.

        Errors: ProviderError as the drill makes it up, or as the provider raises it.
        """
        call: CallStarted = started.event  # type: ignore[assignment]
        drill = self._journal.ledger.standing.drills.get(call.provider)
        if drill is not None and drill.drill == call.drill:
            found = touch(drill, call, at_us=started.at_us)
            if found is not None and found.error is not None:
                raise found.error
            if found is not None:
                await self._hold_back(drill.drill, started.at_us + found.delay_us)
        return await ask()

    def release(self, drill: str) -> None:
        """A drill is over: what it holds back goes out now."""
        over = self._over.pop(drill, None)
        if over is not None:
            over.set()

    async def _hold_back(self, drill: str, until_us: int) -> None:
        over = self._over.setdefault(drill, asyncio.Event())
        try:
            async with asyncio.timeout(max(0, until_us - self._journal.now_us()) / 1_000_000):
                await over.wait()
        except TimeoutError:
            return
