"""Calls that were believed not to have been executed, so that somebody else was asked: what if they were after all?

A look-up said "absent", late enough to be believed, and the request went elsewhere, or ended. Such a call stays watched
for a while: a provider that knows of it later has moved something twice, or for nobody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from understudy.events.calls import CallStarted, CallSucceeded
from understudy.events.vocabulary import Finding

LOOKS: Final = 3
"""Look-ups after which an absence is believed for good."""
_MOST_WATCHED: Final = 1_000


@dataclass(slots=True)
class Left:
    """A call that a look-up did not find.

    Shape:  `served_by` is who served the request instead, None if nobody did; `reference` is that one's. `looks` counts
            the look-ups since the request ended, at `ended_us`. `found` tells that it was executed after all;
            `undone_by` is the operation that would take it back.
    """

    provider: str
    operation: str
    key: str
    served_by: str | None = None
    reference: str | None = None
    ended_us: int = 0
    looks: int = 0
    found: bool = False
    undone_by: str | None = None


@dataclass(slots=True)
class Leftovers:
    """Such calls, by request and provider: of open requests, and of those that have ended."""

    doubts: dict[str, dict[str, Left]] = field(default_factory=dict)
    watched: dict[str, dict[str, Left]] = field(default_factory=dict)

    def succeeded(self, started: CallStarted, event: CallSucceeded) -> None:
        """A look-up has found something out, or a request has been served that had left something behind."""
        request_id = event.request_id or ""
        if event.operation == "lookup":
            self._looked_up(request_id, started, event)
        elif event.reference is not None:
            for left in self.doubts.get(request_id, {}).values():
                left.reference = event.reference

    def _looked_up(self, request_id: str, started: CallStarted, event: CallSucceeded) -> None:
        lefts = self.watched.get(request_id)
        if lefts is None:
            if event.finding is Finding.ABSENT:
                doubt = Left(provider=event.provider, operation=started.operation, key=started.key)
                self.doubts.setdefault(request_id, {})[event.provider] = doubt
            return
        left = lefts.get(event.provider)
        if left is None:
            return
        left.found = left.found or event.finding is Finding.SUCCEEDED
        left.looks += event.finding is Finding.ABSENT
        if left.looks >= LOOKS or event.finding is Finding.FAILED:
            self._drop(request_id, event.provider)

    def _drop(self, request_id: str, provider: str) -> None:
        del self.watched[request_id][provider]
        if not self.watched[request_id]:
            del self.watched[request_id]

    def ended(self, request_id: str, at_us: int, *, served_by: str | None, undone_by: str | None = None) -> None:
        """A request has ended: watch what it has left behind at others."""
        lefts = {who: left for who, left in self.doubts.pop(request_id, {}).items() if who != served_by}
        for left in lefts.values():
            left.served_by, left.ended_us, left.undone_by = served_by, at_us, undone_by
        if lefts:
            self.watched.setdefault(request_id, lefts)
        while len(self.watched) > _MOST_WATCHED:
            del self.watched[next(iter(self.watched))]

    def told(self, subject: str) -> None:
        """People have been told, by an alert about a request, of what was found."""
        request_id = subject.partition(" ")[0]
        for provider in [who for who, left in self.watched.get(request_id, {}).items() if left.found]:
            self._drop(request_id, provider)

    @classmethod
    def restored(cls, told: Mapping[str, Any]) -> Self:
        """The same as it was told in JSON.

        Errors: KeyError, TypeError if it is no such thing.
        """
        return cls(doubts=_restored(told["doubts"]), watched=_restored(told["watched"]))


def _restored(told: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Left]]:
    return {request: {who: Left(**left) for who, left in lefts.items()} for request, lefts in told.items()}
