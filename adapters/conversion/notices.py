"""What handlers of a converter's signals are given: one event, typed, and readable under the documents' keys, too.

`event.from_service` and `event["from"]` are the same; so are `event.service_id` and `event["serviceId"]`.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from understudy.events import signals
from understudy.events.names import did_you_mean_setting, snake_case

_THEIR_KEYS: Final = {"from": "from_service", "to": "to_service"}
"""Names of the documents that no spelling turns into ours."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """Something has happened.

    Shape:  `signal` is its name, `event` the event of the log that it is about, `seq` that one's number.
    Units:  `at_us` is in microseconds since 1970.
    """

    signal: str
    event: Any
    seq: int
    at_us: int

    def keys(self) -> list[str]:
        """The names of all fields, so that `dict(event)` has them."""
        return [one.name for one in fields(self)]

    def __getitem__(self, key: str) -> Any:
        """A field under its own name, or as the documents spell it: `serviceId`, `from`, `to`."""
        known = self.keys()
        name = _THEIR_KEYS.get(key, snake_case(key))
        if name not in known:
            raise KeyError(f"{self.signal} says nothing of {key!r}{did_you_mean_setting(key, known)}")
        return getattr(self, name)


@dataclass(frozen=True, kw_only=True)
class ServiceNotice(Notice):
    """Something about a service: it has recovered, or its circuit has half opened or closed."""

    service_id: str


@dataclass(frozen=True, kw_only=True)
class ServiceFailed(ServiceNotice):
    """A conversion failed there by its fault; `failures` is the streak so far."""

    failures: int


@dataclass(frozen=True, kw_only=True)
class ServiceDegraded(ServiceNotice):
    """It misses a `threshold`: `success_rate` or `response_time`."""

    threshold: str


@dataclass(frozen=True, kw_only=True)
class CircuitOpened(ServiceNotice):
    """It gets nothing until `until_us`; `again` if a probe has failed."""

    until_us: int
    again: bool


@dataclass(frozen=True, kw_only=True)
class FailoverSucceeded(Notice):
    """Another one served than the first who was tried."""

    from_service: str
    to_service: str
    failovers: int


@dataclass(frozen=True, kw_only=True)
class ModeChanged(Notice):
    """Who is able to serve at all has changed; the signal's name says to what, `previous` from what."""

    previous: str


@dataclass(frozen=True, kw_only=True)
class ConversionCompleted(ServiceNotice):
    """A conversion was served."""

    request_id: str
    failovers: int


@dataclass(frozen=True, kw_only=True)
class ConversionFailed(Notice):
    """A conversion ended without success, and surely without effect."""

    request_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ConversionSuspended(ServiceNotice):
    """A conversion may have been executed, and is held."""

    request_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class ServiceChosen(Notice):
    """Somebody was chosen, or nobody could be: then `service_id` is None. `order` are all who may be asked."""

    request_id: str
    service_id: str | None
    order: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class AlertRaised(Notice):
    """Something needs a person."""

    alert: str
    subject: str
    message: str


@dataclass(frozen=True, kw_only=True)
class AlertCleared(Notice):
    """Something needs nobody any more; `message` tells how it went, if somebody or something did it."""

    alert: str
    subject: str
    message: str | None


NOTICES: Final[Mapping[str, type[Notice]]] = {
    signals.SERVICE_FAILURE: ServiceFailed,
    signals.SERVICE_RECOVERED: ServiceNotice,
    signals.SERVICE_DEGRADED: ServiceDegraded,
    signals.FAILOVER_SUCCESS: FailoverSucceeded,
    signals.CIRCUIT_OPENED: CircuitOpened,
    signals.CIRCUIT_HALF_OPENED: ServiceNotice,
    signals.CIRCUIT_CLOSED: ServiceNotice,
    "mode:normal": ModeChanged,
    "mode:degraded": ModeChanged,
    "mode:emergency": ModeChanged,
    signals.REQUEST_COMPLETED: ConversionCompleted,
    signals.REQUEST_FAILED: ConversionFailed,
    signals.REQUEST_SUSPENDED: ConversionSuspended,
    signals.DECISION_MADE: ServiceChosen,
    signals.ALERT_RAISED: AlertRaised,
    signals.ALERT_CLEARED: AlertCleared,
}
"""The class of what each signal says."""

Handler = Callable[[Any], Awaitable[object] | object]


def receiver(signal: str, handler: Handler) -> Callable[..., Any]:
    """The engine's receiver that hands a signal on to a handler: awaited if that is async, else in a thread."""
    kind = NOTICES.get(signal, Notice)  # The engine refuses a name that is none.
    names = frozenset(one.name for one in fields(kind)) - {"signal"}

    def notice(says: Mapping[str, Any]) -> Notice:
        return kind(signal=signal, **{name: value for name, value in says.items() if name in names})

    async def awaited(_: object, **says: Any) -> None:
        told = handler(notice(says))
        if inspect.isawaitable(told):
            await told

    def called(_: object, **says: Any) -> None:
        handler(notice(says))

    return awaited if _is_async(handler) else called


def _is_async(handler: Handler) -> bool:
    return inspect.iscoroutinefunction(handler) or inspect.iscoroutinefunction(getattr(handler, "__call__", None))  # noqa: B004
