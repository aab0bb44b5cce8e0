"""What tells two requests under one idempotency key apart: the names of what differs, never its values."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from pydantic import JsonValue

from understudy.engine.acceptance import Asked
from understudy.engine.columns import context_of
from understudy.engine.errors import KeyConflict
from understudy.engine.keys import body_hash
from understudy.events.requests import RequestAccepted
from understudy.events.sensitive import conceal
from understudy.events.vocabulary import Effect


class Terms(NamedTuple):
    """What a request is about, as its fingerprint has it; sensitive values are concealed as in the log."""

    effect: Effect
    context: Mapping[str, JsonValue]
    body: JsonValue
    amount: Decimal | None
    max_price: Decimal | None = None
    only: str | None = None


def terms_asked(asked: Asked, salt: bytes) -> Terms:
    """Those of a request that somebody makes."""
    hidden: Any
    hidden, _ = conceal({"labels": dict(asked.labels), "body": asked.body}, asked.operation.sensitive, salt)
    return Terms(
        asked.effect, {**asked.columns, **hidden["labels"]}, hidden["body"], asked.amount, asked.max_price, asked.only
    )


def terms_accepted(first: RequestAccepted) -> Terms:
    """Those of a request that is in the log."""
    return Terms(
        first.effect, {**context_of(first), **first.labels}, first.body, first.amount, first.max_price, first.only
    )


def conflict(asked: Asked, *, first: str, differing: str) -> KeyConflict:
    """The error of a request under a key that was used for another one; `first` names that one."""
    return KeyConflict(
        f"idempotency key {asked.key!r} was used before for another {asked.operation.name} ({first}), which differs in"
        f" {differing}; a key belongs to one request"
    )


def difference(first: Terms | None, then: Terms) -> str:
    """What differs, in words, as far as it is known."""
    told = [] if first is None else list(_differing(first, then))
    return ", ".join(told) or "what the log does not show"


def _differing(first: Terms, then: Terms) -> Iterator[str]:
    if first.effect is not then.effect:
        yield f"its effect ({first.effect}, now {then.effect})"
    if names := _names(first.context, then.context):
        yield f"its context ({names})"
    if first.amount != then.amount:
        yield "its amount"
    if first.max_price != then.max_price:
        yield "its max_price"
    if first.only != then.only:
        yield "the provider that it is about"
    if _unlike(first.body, then.body):
        match first.body, then.body:
            case dict() as before, dict() as after:
                yield f"its body ({_names(before, after)})"
            case _:
                yield "its body"


def _names(first: Mapping[str, JsonValue], then: Mapping[str, JsonValue]) -> str:
    return ", ".join(name for name in sorted({*first, *then}) if _unlike(first.get(name), then.get(name)))


def _unlike(first: JsonValue, then: JsonValue) -> bool:
    # As the fingerprint has it, to which 1 and true are two things.
    return body_hash(first, b"") != body_hash(then, b"")
