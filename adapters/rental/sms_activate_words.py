"""The words of `handler_api.php`, and what each of them means to us."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from understudy.adapters.providers import HttpReply
from understudy.adapters.providers.http_status import retry_after_ms
from understudy.engine.errors import (
    Ambiguous,
    InsufficientFunds,
    Misconfigured,
    NotOffered,
    OutOfStock,
    ProviderError,
    RateLimited,
    Rejected,
    TooExpensive,
    Transient,
)

NONE_ACTIVE: Final = "NO_ACTIVATIONS"
FINE: Final = frozenset(
    (
        *("ACCESS_BALANCE", "ACCESS_NUMBER", "ACCESS_READY", "ACCESS_RETRY_GET", "ACCESS_ACTIVATION", "ACCESS_CANCEL"),
        *("STATUS_WAIT_CODE", "STATUS_WAIT_RETRY", "STATUS_WAIT_RESEND", "STATUS_OK", "STATUS_CANCEL"),
        NONE_ACTIVE,
    )
)
"""Good answers; `NO_ACTIVATIONS` is an empty list."""

OVER: Final = frozenset(
    (
        *("ACTIVATION_NOT_ACTIVE", "FINISHED", "REFUNDED", "CANCELED", "NO_ACTIVATION"),
        *("OTP_RECEIVED", "NEW_OTP_RECEIVED", "FREE_CANCELLATION_EXPIRED"),
    )
)
"""What is cancelled or finished already, or can be cancelled no more, as an answer to be done with it."""

EARLY: Final = "EARLY_CANCEL_DENIED"
"""A number is too young to be given back."""
UNKNOWN_ACTION: Final = "BAD_ACTION"
"""The host does not know what it was asked to do, which our adapter has chosen."""
_CROWDED: Final = "CHANNELS_LIMIT"
_CROWDED_MS: Final = 300_000
"""How long a shop is left alone that has enough of our numbers under way, unless it says how long."""
_BANNED: Final = "BANNED"

_KINDS: Final[Mapping[str, type[ProviderError]]] = {
    **dict.fromkeys(["NO_NUMBERS", "OUT_OF_STOCK", "SIM_OFFLINE"], OutOfStock),
    "WRONG_MAX_PRICE": TooExpensive,
    **dict.fromkeys(["NO_BALANCE", "NO_BALANCE_FORWARD"], InsufficientFunds),
    **dict.fromkeys(
        ["BAD_KEY", "NO_KEY", "ERROR_WRONG_KEY", "WRONG_API_KEY", "ACCOUNT_INACTIVE", _BANNED], Misconfigured
    ),
    **dict.fromkeys(["RATE_LIMITED", _CROWDED], RateLimited),
    **dict.fromkeys(["BAD_SERVICE", "WRONG_SERVICE", "BAD_COUNTRY", "WRONG_COUNTRY", "WRONG_OPERATOR"], NotOffered),
    **dict.fromkeys(["SERVICE_NOT_AVAILABLE", "SERVICE_UNAVAILABLE_REGION", "WHATSAPP_NOT_AVAILABLE"], NotOffered),
    UNKNOWN_ACTION: NotOffered,
    **dict.fromkeys(["BAD_STATUS", "WRONG_ACTIVATION_ID", "NO_ACTIVATION", "NOT_FOUND"], Rejected),
    EARLY: Transient,
}
_OF_THE_SHOP: Final = frozenset(["ERROR_SQL", "SQL_ERROR", "SERVER_ERROR", "NO_CONNECTION", "ORDER_ALREADY_EXISTS"])
"""Something is wrong there: a number may have been rented all the same."""
_INSTANT: Final = re.compile(r"(\d{4})-(\d{1,2})-(\d{1,2})[ T](\d{1,2})[-:](\d{1,2})[-:](\d{1,2})")
_WORD: Final = re.compile(r"[A-Z][A-Z_0-9]+(?=$|[:\s])")


def word_of(reply: HttpReply) -> str | None:
    """The word that an answer begins with, or has as the title of its error; None if there is none."""
    told = reply.json.get("title") if isinstance(reply.json, dict) else None
    found = _WORD.match(told if isinstance(told, str) else reply.text.strip())
    return None if found is None else found[0]


def fault(word: str, reply: HttpReply, *, buys: bool) -> ProviderError | None:
    """The error that a word means; None if it means none that we know."""
    if word in _OF_THE_SHOP:
        return Ambiguous(word, code=word) if buys else Transient(word, code=word)
    kind = _KINDS.get(word)
    if kind is None:
        return None
    _, _, argument = reply.text.strip().partition(":")
    told = f"{word} ({argument[:100]})" if word in {"WRONG_MAX_PRICE", _BANNED} and argument else word
    if word == _BANNED and (pause_ms := _banned_ms(reply)):
        return RateLimited(told, code=word, retry_after_ms=pause_ms)
    if word == _CROWDED:
        pause_ms = retry_after_ms(reply.headers.get("Retry-After"), date=reply.headers.get("Date"))
        return RateLimited(told, code=word, retry_after_ms=pause_ms or _CROWDED_MS)
    return kind(told, code=word)


def _banned_ms(reply: HttpReply) -> int | None:
    """How long a ban lasts, by the date that it names, taken as UTC; None or 0 if it names none that is to come."""
    found = _INSTANT.search(reply.text)
    try:
        until = None if found is None else datetime(*map(int, found.groups()), tzinfo=UTC)  # type: ignore[arg-type,misc]
    except ValueError:
        return None
    return (
        None if until is None else retry_after_ms(format_datetime(until, usegmt=True), date=reply.headers.get("Date"))
    )
