"""One request on one line: what it was for, what became of it, who was called, and how long it took."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from understudy.adapters.cli.instants import iso, iso_or_none
from understudy.adapters.stores.event_search import sound, unversioned
from understudy.adapters.stores.request_search import Became
from understudy.events.calls import CallAbandoned, CallStarted
from understudy.events.codec import decode
from understudy.events.errors import UnreadableEvent
from understudy.events.fact import Fact
from understudy.events.requests import (
    RequestAccepted,
    RequestCompleted,
    RequestFailed,
    RequestResumed,
    RequestSuspended,
)
from understudy.events.row import Row
from understudy.events.vocabulary import SIDE_OPERATIONS, AbandonReason

_CALLED = unversioned(CallStarted.kind)
_DRILL = '"drill":'
_TELLING = frozenset(
    unversioned(one.kind) for one in (CallAbandoned, RequestCompleted, RequestFailed, RequestResumed, RequestSuspended)
)


@dataclass(slots=True, kw_only=True)
class RequestSummary:
    """A request as a list shows it.

    Shape:  `context` may have concealed values in it, as the log has them. `provider` is who served it, or whose call
            is in doubt, or else who was called last. `calls` are those that were to serve it: neither look-ups and
            quotes are counted, nor what was intended and never sent; `drills` those that touched any of them.
            `ended_us` is 0 while it has not ended.
    Units:  instants are microseconds since 1970, UTC.
    """

    request_id: str
    accepted_us: int
    operation: str
    effect: str
    key: str | None
    context: dict[str, JsonValue]
    became: Became = Became.OPEN
    reason: str | None = None
    provider: str | None = None
    called: list[str] = field(default_factory=list)
    calls: int = 0
    drills: list[str] = field(default_factory=list)
    failovers: int = 0
    ended_us: int = 0

    @property
    def took_ms(self) -> float | None:
        """Milliseconds from its acceptance to its end."""
        return (self.ended_us - self.accepted_us) / 1000 if self.ended_us else None

    @property
    def outcome(self) -> str:
        """What became of it in a few words."""
        told = f"{self.became}, {self.reason}".replace("_", " ") if self.reason else self.became.value
        return f"{told}, in drill {', '.join(self.drills)}" if self.drills else told

    def to_json(self) -> dict[str, object]:
        """The same as JSON."""
        return {
            "request_id": self.request_id,
            "accepted": iso(self.accepted_us),
            "accepted_us": self.accepted_us,
            "operation": self.operation,
            "effect": self.effect,
            "key": self.key,
            "context": self.context,
            "outcome": self.became.value,
            "reason": self.reason,
            "provider": self.provider,
            "called": self.called,
            "calls": self.calls,
            "drills": self.drills,
            "failovers": self.failovers,
            "took_ms": self.took_ms,
            "ended": iso_or_none(self.ended_us),
        }


def summarized(rows: Sequence[Row]) -> RequestSummary:
    """The summary of a request from all its rows.

    Errors: UnreadableEvent where the request cannot be read.
    """
    accepted = decode(sound(rows[0]))
    if not isinstance(accepted, RequestAccepted):
        raise UnreadableEvent(f"event {rows[0].seq} ({rows[0].kind}) is not how a request begins")
    columns = {name: getattr(accepted, name) for name in ("service", "country", "rental_id", "pair")}
    found = RequestSummary(
        request_id=accepted.request_id,
        accepted_us=rows[0].at_us,
        operation=accepted.operation,
        effect=accepted.effect.value,
        key=accepted.key,
        context={name: value for name, value in {**columns, **accepted.labels}.items() if value is not None},
    )
    for row in rows[1:]:
        _add(found, sound(row))
    return found


def _add_drill(found: RequestSummary, event: Fact) -> None:
    if isinstance(event, CallStarted) and event.drill is not None and event.drill not in found.drills:
        found.drills.append(event.drill)


def _add(found: RequestSummary, row: Row) -> None:
    kind = unversioned(row.kind)
    if kind == _CALLED and (row.operation == found.operation or row.operation not in SIDE_OPERATIONS):
        found.calls += 1
        found.provider = row.provider
        if row.provider is not None and row.provider not in found.called:
            found.called.append(row.provider)
    if kind == _CALLED and _DRILL in row.payload:
        _add_drill(found, decode(row))
    if kind not in _TELLING:
        return
    match decode(row):
        case CallAbandoned(reason=AbandonReason.NOT_SENT):
            found.calls -= 1
        case RequestCompleted(provider=provider, failovers=failovers):
            found.became, found.reason, found.ended_us = Became.SERVED, None, row.at_us
            found.provider, found.failovers = provider, failovers
        case RequestFailed(reason=reason):
            found.became, found.reason, found.ended_us = Became.FAILED, reason.value, row.at_us
        case RequestSuspended(provider=provider, reason=doubt):
            found.became, found.reason, found.provider = Became.HELD, doubt.value, provider
        case RequestResumed() if not found.ended_us:
            found.became, found.reason = Became.OPEN, None
        case _:
            pass
