"""What a provider has executed for nobody, and what is owed for that: an operation that takes it back.

A request may say what undoes it. Its effect is surely unused if a provider turns out to have executed it after somebody
else had served the request, or after it had failed; or if it was served when its caller was gone, and there is no key
under which anybody could still ask for it. An operator's word that it was executed is another matter: then a person
has it in hand.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from understudy.events.calls import CallStarted, CallSucceeded
from understudy.events.requests import RequestAccepted, RequestCompleted
from understudy.events.vocabulary import Finding, Via

LATE_SUCCESS: Final = "late_success"
"""A provider has executed after all what it was believed not to have, and somebody else was asked, or nobody."""
UNCLAIMED: Final = "unclaimed"
"""A provider has executed something for a caller who is gone, or who has no use for it, and has not undone it yet."""

_MOST_OWED: Final = 1_000
_LONGEST_REFERENCE: Final = 200
"""A longer one cannot be what a request is about."""


@dataclass(slots=True)
class Undoable:
    """An open request whose effect can be taken back.

    Shape:  `gone` tells that nobody waits for it any more, and nobody can ask for it again; `reference` is that of the
            latest call that succeeded.
    """

    undone_by: str
    keyed: bool
    service: str | None = None
    country: str | None = None
    gone: bool = False
    reference: str | None = None


@dataclass(slots=True)
class Owed:
    """An effect that is to be taken back at a provider: `undone_by` of `reference`, which a request has left there.

    Shape:  `done` is the request that has taken it back; None as long as that is owed.
    """

    request_id: str
    provider: str
    undone_by: str
    reference: str
    service: str | None = None
    country: str | None = None
    done: str | None = None


@dataclass(slots=True)
class Unused:
    """Requests that can be undone, effects that are to be, and the requests that do it.

    Shape:  `open` goes by request, `owed` by request and provider (`owed_key`); `undoing` tells the key by the request
            that undoes.
    """

    open: dict[str, Undoable] = field(default_factory=dict)
    owed: dict[str, Owed] = field(default_factory=dict)
    undoing: dict[str, str] = field(default_factory=dict)

    def accepted(self, event: RequestAccepted) -> None:
        """A request that can be undone, or that undoes another, has been taken on."""
        if event.undone_by is not None:
            self.open[event.request_id] = Undoable(event.undone_by, event.key is not None, event.service, event.country)
        if event.undoes is not None and event.only is not None:
            key = owed_key(event.undoes, event.only)
            self.undoing[event.request_id] = key
            if key not in self.owed:
                columns = {"service": event.service, "country": event.country}
                self._owe(event.undoes, event.only, event.operation, event.rental_id, columns)

    def succeeded(self, event: CallSucceeded) -> None:
        """A call of an open request has succeeded: this is what it would be undone by."""
        mine = self.open.get(event.request_id or "")
        if mine is not None and event.quote is None and event.finding in {None, Finding.SUCCEEDED}:
            mine.reference = event.reference

    def left(self, request_id: str) -> None:
        """The caller of a request is gone, or has been told that its outcome is not known."""
        mine = self.open.get(request_id)
        if mine is not None and not mine.keyed:
            mine.gone = True

    def found(self, started: CallStarted, event: CallSucceeded, undone_by: str) -> None:
        """A look-up has found, after a request had ended, that it was executed there after all."""
        columns = {"service": started.service, "country": started.country}
        self._owe(event.request_id or "", event.provider, undone_by, event.reference, columns)

    def completed(self, event: RequestCompleted) -> None:
        """A request has been served: for nobody, perhaps; or it has undone another."""
        key = self.undoing.pop(event.request_id, None)
        if key in self.owed:
            self.owed[key].done = event.request_id
        mine = self.open.pop(event.request_id, None)
        if mine is not None and mine.gone and event.via is not Via.OPERATOR:
            columns = {"service": mine.service, "country": mine.country}
            self._owe(event.request_id, event.provider, mine.undone_by, mine.reference, columns)

    def failed(self, request_id: str) -> None:
        """A request has failed. If it was to undo another, that is still owed."""
        self.undoing.pop(request_id, None)
        self.open.pop(request_id, None)

    def forget(self, request_id: str) -> None:
        """An operator has had the last word on a request."""
        for key in [key for key, one in self.owed.items() if one.request_id == request_id]:
            del self.owed[key]

    def told(self, key: str) -> None:
        """What was owed is done, and nobody need be told of it any more."""
        self.owed.pop(key, None)

    def _owe(
        self, request_id: str, provider: str, undone_by: str, reference: str | None, columns: Mapping[str, str | None]
    ) -> None:
        if not reference or len(reference) > _LONGEST_REFERENCE or not reference.isprintable():
            return  # Nobody could say what is to be undone; the alert tells a person.
        owed = Owed(request_id, provider, undone_by, reference, **columns)
        self.owed.setdefault(owed_key(request_id, provider), owed)
        while len(self.owed) > _MOST_OWED:
            del self.owed[next(iter(self.owed))]

    @classmethod
    def restored(cls, told: Mapping[str, Any]) -> Self:
        """The same as it was told in JSON.

        Errors: KeyError, TypeError if it is no such thing.
        """
        return cls(
            open={request: Undoable(**one) for request, one in told["open"].items()},
            owed={key: Owed(**one) for key, one in told["owed"].items()},
            undoing=dict(told["undoing"]),
        )


def owed_key(request_id: str, provider: str) -> str:
    """The name under which it is kept what is owed for a request at a provider."""
    return f"{request_id} {provider}"


def alert_on(alerts: Mapping[str, int], owed: Owed) -> str | None:
    """The alert that stands for what is owed, as `alert|subject`; None if people have not been told of it."""
    one_of_several = f"{LATE_SUCCESS}|{owed_key(owed.request_id, owed.provider)}"
    names = (one_of_several, f"{LATE_SUCCESS}|{owed.request_id}", f"{UNCLAIMED}|{owed.request_id}")
    return next((name for name in names if name in alerts), None)
