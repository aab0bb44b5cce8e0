"""The words of `handler_api.php`, and what each of them means to us."""

import re
from collections.abc import Mapping
from typing import Final

from understudy.adapters.providers import HttpReply
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

FINE: Final = frozenset(
    (
        *("ACCESS_BALANCE", "ACCESS_NUMBER", "ACCESS_READY", "ACCESS_RETRY_GET", "ACCESS_ACTIVATION", "ACCESS_CANCEL"),
        *("STATUS_WAIT_CODE", "STATUS_WAIT_RETRY", "STATUS_WAIT_RESEND", "STATUS_OK", "STATUS_CANCEL"),
        "NO_ACTIVATIONS",
    )
)
"""Good answers; `NO_ACTIVATIONS` is an empty list."""

OVER: Final = frozenset(["ACTIVATION_NOT_ACTIVE", "FINISHED", "REFUNDED", "CANCELED", "NO_ACTIVATION"])
"""What is cancelled or finished already, as an answer to be done with it."""

_KINDS: Final[Mapping[str, type[ProviderError]]] = {
    **dict.fromkeys(["NO_NUMBERS", "OUT_OF_STOCK", "SIM_OFFLINE"], OutOfStock),
    "WRONG_MAX_PRICE": TooExpensive,
    **dict.fromkeys(["NO_BALANCE", "NO_BALANCE_FORWARD"], InsufficientFunds),
    **dict.fromkeys(
        ["BAD_KEY", "NO_KEY", "ERROR_WRONG_KEY", "WRONG_API_KEY", "ACCOUNT_INACTIVE", "BANNED"], Misconfigured
    ),
    **dict.fromkeys(["RATE_LIMITED", "CHANNELS_LIMIT"], RateLimited),
    **dict.fromkeys(["BAD_SERVICE", "WRONG_SERVICE", "BAD_COUNTRY", "WRONG_COUNTRY", "WRONG_OPERATOR"], NotOffered),
    **dict.fromkeys(["SERVICE_NOT_AVAILABLE", "SERVICE_UNAVAILABLE_REGION", "WHATSAPP_NOT_AVAILABLE"], NotOffered),
    **dict.fromkeys(["OTP_RECEIVED", "NEW_OTP_RECEIVED", "FREE_CANCELLATION_EXPIRED"], Rejected),
    **dict.fromkeys(["BAD_ACTION", "BAD_STATUS", "WRONG_ACTIVATION_ID", "NO_ACTIVATION", "NOT_FOUND"], Rejected),
    "EARLY_CANCEL_DENIED": Transient,
}
_OF_THE_SHOP: Final = frozenset(["ERROR_SQL", "SQL_ERROR", "SERVER_ERROR", "NO_CONNECTION", "ORDER_ALREADY_EXISTS"])
"""Something is wrong there: a number may have been rented all the same."""
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
    told = f"{word} ({argument[:100]})" if word in {"WRONG_MAX_PRICE", "BANNED"} and argument else word
    return kind(told, code=word)
