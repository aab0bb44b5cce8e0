"""How calls end, as events: what a provider answered or raised, put into our words, concealed and cut to size."""

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, from_json, to_json

from understudy.engine.errors import ProviderError
from understudy.engine.provider import Found, Reply
from understudy.events.calls import CallAbandoned, CallFailed, CallStarted, CallSucceeded
from understudy.events.codec import PAYLOAD_LIMIT
from understudy.events.row import Recorded
from understudy.events.sensitive import conceal, redact
from understudy.events.vocabulary import AbandonReason, Effect, FailureKind

MESSAGE_LIMIT: Final = 500
"""Characters of a provider's message that are kept."""
_BYTES_MODES: Final[tuple[Literal["utf8", "base64"], ...]] = ("utf8", "base64")
_MOST_UNITS: Final = 1 << 53
_SHARED: Final = (
    "request_id",
    "provider",
    "operation",
    "attempt",
    "retry",
    "service",
    "country",
    "rental_id",
    "pair",
)


@dataclass(frozen=True, slots=True)
class Discretion:
    """What must not reach the log in clear: names of fields, the store's salt, and values known so far (as JSON)."""

    names: frozenset[str] = frozenset()
    salt: bytes = b""
    values: frozenset[str] = field(default=frozenset())


def plain_json(value: object) -> JsonValue:
    """Any value as JSON: Decimals and dates become text, bytes that are no text Base64, unknown objects their type."""
    for bytes_mode in _BYTES_MODES:
        try:
            return from_json(  # type: ignore[no-any-return]
                to_json(value, bytes_mode=bytes_mode, inf_nan_mode="strings", fallback=_type_of)
            )
        except (PydanticSerializationError, ValueError):
            continue  # Broken text, or a list within itself: an outcome is never refused for that.
    return _type_of(value)


def succeeded(
    started: Recorded, value: Reply | Found, *, at_us: int, discretion: Discretion
) -> tuple[CallSucceeded, dict[str, str]]:
    """The event of an answer, and the sensitive values in it by token."""
    call = _call(started)
    content, taken = conceal(plain_json(value.value), discretion.names, discretion.salt)
    event = CallSucceeded(
        **{name: getattr(call, name) for name in _SHARED},
        started_seq=started.seq,
        latency_us=at_us - started.at_us,
        reply=cut(content),
        reference=None if value.reference is None else _text(str(value.reference)[:MESSAGE_LIMIT]),
        cost=_exact(value.cost) if isinstance(value, Reply) else None,
        stock=_whole(value.stock) if isinstance(value, Reply) else None,
        finding=value.finding if isinstance(value, Found) else None,
    )
    return event, taken


def _exact(cost: object) -> Decimal | None:
    """A cost as it can be put on record; an adapter's nonsense is left out, for an outcome is never refused."""
    try:
        exact = None if cost is None else Decimal(str(cost))
    except InvalidOperation:
        return None
    return exact if exact is None or exact.is_finite() else None


def _whole(stock: object) -> int | None:
    return stock if isinstance(stock, int) and 0 <= stock < _MOST_UNITS else None


def failed(
    started: Recorded,
    error: ProviderError,
    *,
    at_us: int,
    discretion: Discretion,
    error_type: str | None = None,
) -> CallFailed:
    """The event of a failure. A timed-out call's latency is its limit."""
    call = _call(started)
    ended_us = min(at_us, call.deadline_at_us) if error.kind is FailureKind.TIMED_OUT else at_us
    pause_ms = error.retry_after_ms
    return CallFailed(
        **{name: getattr(call, name) for name in _SHARED},
        outcome=error.kind,
        started_seq=started.seq,
        latency_us=max(0, ended_us - started.at_us),
        network=error.network,
        code=None if error.code is None else _text(error.code[:100]),
        message=_text(redact(error.message, discretion.values, MESSAGE_LIMIT)) or None,
        error_type=error_type,
        # No pause is no time: it would be over before the next decision, which would ask nobody else.
        retry_after_us=int(pause_ms * 1000) if pause_ms is not None and pause_ms > 0 else None,
    )


def abandoned(started: Recorded, reason: AbandonReason, *, at_us: int) -> CallAbandoned:
    """The event of a call that we walked away from."""
    call = _call(started)
    return CallAbandoned(
        **{name: getattr(call, name) for name in _SHARED},
        started_seq=started.seq,
        latency_us=at_us - started.at_us,
        reason=reason,
    )


def foreign_kind(effect: Effect) -> FailureKind:
    """What an exception that is none of ours counts as: a write may have been executed."""
    return FailureKind.TRANSIENT if effect is Effect.READ else FailureKind.AMBIGUOUS


def cut(content: JsonValue) -> JsonValue:
    """A reply as it is, or a marker with its size and beginning where it is too large for the log."""
    encoded = to_json(content)
    if len(encoded) <= PAYLOAD_LIMIT:
        return content
    return {"$cut": {"bytes": len(encoded), "beginning": encoded[:1000].decode(errors="replace")}}


def _type_of(value: object) -> str:
    """What stands for a value that is no JSON; its `repr` would be foreign code, and tell addresses."""
    return f"<{type(value).__module__}.{type(value).__qualname__}>"


def _text(text: str) -> str:
    """A text that can be stored: without halves of characters."""
    return text.encode(errors="replace").decode()


def _call(started: Recorded) -> CallStarted:
    event = started.event
    if not isinstance(event, CallStarted):
        raise TypeError(f"event {started.seq} is no CallStarted")
    return event
