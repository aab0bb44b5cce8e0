"""How calls end, as events: what a provider answered or raised, put into our words, concealed and cut to size."""

from collections.abc import Iterable
from dataclasses import field, fields
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

from pydantic import JsonValue
from pydantic_core import PydanticSerializationError, from_json, to_json

from understudy.engine.columns import columns_of
from understudy.engine.errors import Ambiguous, ProviderError, Transient
from understudy.engine.provider import Found, Reply
from understudy.events.calls import CallAbandoned, CallFact, CallFailed, CallStarted, CallSucceeded
from understudy.events.codec import PAYLOAD_LIMIT
from understudy.events.record import record
from understudy.events.row import Recorded
from understudy.events.sensitive import conceal, redact
from understudy.events.vocabulary import AbandonReason, Effect, FailureKind

MESSAGE_LIMIT: Final = 500
"""Characters of a provider's message that are kept."""
CODE_LIMIT: Final = 100
"""Characters of a provider's code that are kept."""
LONGEST_PAUSE_MS: Final = 7 * 86_400_000
"""No provider is left alone for longer because of what it says: nothing could be done about it."""
_BYTES_MODES: Final[tuple[Literal["utf8", "base64"], ...]] = ("utf8", "base64")
_MOST_UNITS: Final = 1 << 53
_OF_KIND: Final = {one.kind: one for one in ProviderError.__subclasses__()}


@record
class Discretion:
    """What must not reach the log in clear: names of fields, the store's salt, and values known so far (as JSON)."""

    names: frozenset[str] = frozenset()
    salt: bytes = b""
    values: frozenset[str] = field(default=frozenset())

    def knowing(self, values: Iterable[str]) -> "Discretion":
        """The same, with values that a provider has told meanwhile."""
        return Discretion(self.names, self.salt, self.values.union(values))


def plain_json(value: object) -> tuple[JsonValue, bytes]:
    """Any value as JSON, and that encoded: Decimals and dates become text, bytes Base64, unknown objects their type."""
    for bytes_mode in _BYTES_MODES:
        try:
            encoded = to_json(value, bytes_mode=bytes_mode, inf_nan_mode="strings", fallback=_type_of)
            return from_json(encoded), encoded
        except (PydanticSerializationError, ValueError):
            continue  # Broken text, or a list within itself: an outcome is never refused for that.
    name = _type_of(value)
    return name, to_json(name)


def succeeded(
    started: Recorded, value: Reply | Found, *, at_us: int, discretion: Discretion
) -> tuple[CallSucceeded, dict[str, str]]:
    """The event of an answer, and the sensitive values in it by token."""
    call = _call(started)
    content, taken = _told(value.value, discretion)
    cost, stock, finding, quote = None, None, None, None
    if isinstance(value, Found):
        finding = value.finding
    else:
        cost = None if value.cost is None else exactly(value.cost)
        stock = None if value.stock is None else _whole(value.stock)
        quote = value.quote
    event = CallSucceeded(
        request_id=call.request_id,
        provider=call.provider,
        operation=call.operation,
        attempt=call.attempt,
        retry=call.retry,
        drill=call.drill,
        **columns_of(call),
        started_seq=started.seq,
        latency_us=at_us - started.at_us,
        reply=content,
        reference=None if value.reference is None else _text(str(value.reference)[:MESSAGE_LIMIT]),
        cost=cost,
        stock=stock,
        finding=finding,
        quote=quote,
        amount_out=None if value.amount_out is None else exactly(value.amount_out),
    )
    return event, taken


def _told(value: object, discretion: Discretion) -> tuple[JsonValue, dict[str, str]]:
    """A reply as it is put on record, and the sensitive values in it by token."""
    content, encoded = plain_json(value)
    content, taken = conceal(content, discretion.names, discretion.salt)
    if taken:
        encoded = to_json(content)
    return content if len(encoded) <= PAYLOAD_LIMIT else cut(encoded), taken


def exactly(cost: object) -> Decimal | None:
    """A cost as it can be put on record; an adapter's nonsense is left out, for an outcome is never refused."""
    try:
        exact = Decimal(str(cost))
    except InvalidOperation:
        return None
    return exact if exact.is_finite() else None


def _whole(stock: object) -> int | None:
    """A number of units; True is none, and an integer's subclass may tell itself otherwise than an integer."""
    if not isinstance(stock, int) or isinstance(stock, bool):
        return None
    return int(stock) if 0 <= stock < _MOST_UNITS else None


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
        **_shared(call),
        outcome=error.kind,
        started_seq=started.seq,
        latency_us=max(0, ended_us - started.at_us),
        network=error.network,
        code=None if error.code is None else _text(redact(error.code, discretion.values, CODE_LIMIT)),
        message=_text(redact(error.message, discretion.values, MESSAGE_LIMIT)) or None,
        error_type=error_type,
        # No pause is no time: it would be over before the next decision, which would ask nobody else.
        retry_after_us=int(min(pause_ms, LONGEST_PAUSE_MS) * 1000) if pause_ms is not None and pause_ms > 0 else None,
    )


def abandoned(started: Recorded, reason: AbandonReason, *, at_us: int) -> CallAbandoned:
    """The event of a call that we walked away from."""
    call = _call(started)
    return CallAbandoned(
        **_shared(call),
        started_seq=started.seq,
        latency_us=at_us - started.at_us,
        reason=reason,
    )


def made_sure(error: ProviderError) -> ProviderError | None:
    """An adapter's error with everything in it as the rules expect it; None if it has no kind that there is.

    As a rule it is the error itself; one that an adapter has bent (a kind by its plain name, a code put in later, no
    call of `super().__init__`) is made anew.
    """
    try:
        kind = FailureKind(error.kind)
    except (AttributeError, ValueError):
        return None
    message, code = getattr(error, "message", None), getattr(error, "code", None)
    pause_ms, network = getattr(error, "retry_after_ms", None), getattr(error, "network", None)
    if (
        type(error.kind) is FailureKind
        and isinstance(message, str)
        and isinstance(code, str | None)
        and isinstance(network, bool)
        and isinstance(pause_ms, int | float | None)
    ):
        return error
    return _OF_KIND[kind](
        type(error).__name__ if message is None else str(message),
        code=code,
        network=network is True,
        retry_after_ms=pause_ms,
    )


def of_foreign(message: str, effect: Effect) -> ProviderError:
    """What an exception that is none of ours counts as: a write may have been executed, a read was not."""
    return Transient(message) if effect is Effect.READ else Ambiguous(message)


def cut(encoded: bytes) -> JsonValue:
    """What stands for a reply that is too large for the log: its size and beginning."""
    return {"$cut": {"bytes": len(encoded), "beginning": encoded[:1000].decode(errors="replace")}}


def _type_of(value: object) -> str:
    """What stands for a value that is no JSON; its `repr` would be foreign code, and tell addresses."""
    return f"<{type(value).__module__}.{type(value).__qualname__}>"


def _text(text: str) -> str:
    """A text that can be stored: without halves of characters."""
    return text.encode(errors="replace").decode()


def _shared(call: CallStarted) -> dict[str, Any]:
    """What the end of a call repeats of its start."""
    return {field.name: getattr(call, field.name) for field in fields(CallFact)}


def _call(started: Recorded) -> CallStarted:
    event = started.event
    if not isinstance(event, CallStarted):
        raise TypeError(f"event {started.seq} is no CallStarted")
    return event
