"""What a status code means for the engine, and what an answer says besides: code, message, when to come back."""

import math
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.client import responses
from typing import Any, Final
from urllib.parse import urlsplit

from understudy.adapters.providers.http_messages import HttpReply
from understudy.engine.errors import (
    Ambiguous,
    InsufficientFunds,
    InvalidReply,
    Misconfigured,
    NotOffered,
    ProviderError,
    RateLimited,
    Rejected,
    Transient,
)
from understudy.events.vocabulary import Effect

LONGEST_PAUSE_MS: Final = 7 * 24 * 3_600_000
"""The longest Retry-After that is believed, a week: exchanges ban for days, nobody means a century."""

KINDS: Final[Mapping[int, type[ProviderError]]] = {
    400: Rejected,
    401: Misconfigured,
    402: InsufficientFunds,
    403: Misconfigured,
    404: Rejected,
    405: NotOffered,
    407: Misconfigured,
    408: Ambiguous,
    409: Rejected,
    410: NotOffered,
    422: Rejected,
    425: Transient,
    429: RateLimited,
    451: NotOffered,
    501: NotOffered,
}
"""What statuses mean unless an adapter knows better. `Ambiguous` stands for: ambiguous for writes, transient for reads.
Statuses that are not listed: 4xx is `Rejected`, 5xx `Ambiguous`, 3xx `InvalidReply`."""

_SECONDS: Final = re.compile(r"[0-9]+(\.[0-9]*)?")
_CODES: Final = ("code", "error_code", "errorCode", "reason", "name", "title")
_MESSAGES: Final = ("message", "msg", "detail", "details", "error_description", "description", "errors")
LONGEST_CODE: Final = 60
LONGEST_TEXT: Final = 200
"""Characters of a provider's code, and of its words, that an error repeats."""


def error_of(
    reply: HttpReply, kinds: Mapping[int, type[ProviderError]], *, retry_after_ms: int | None
) -> ProviderError:
    """The error that an unsuccessful status is, with the provider's own code and words."""
    code, text = told(reply)
    message = f"{reply.status} {responses.get(reply.status, '')}".rstrip() + (f": {text}" if text else "")
    kind = kinds.get(reply.status) or _of_class(reply, declined=retry_after_ms is not None)
    if kind is Ambiguous:
        return unsure(reply.effect, message, code=code, retry_after_ms=retry_after_ms)
    return kind(message, code=code, retry_after_ms=retry_after_ms)


def unsure(effect: Effect, message: str, **details: Any) -> ProviderError:
    """The error of something that may have been executed: a write is ambiguous, a read merely did not succeed."""
    return (Transient if effect is Effect.READ else Ambiguous)(message, **details)


def _of_class(reply: HttpReply, *, declined: bool) -> type[ProviderError]:
    """The meaning of a status that nobody has listed."""
    if reply.status == HTTPStatus.SERVICE_UNAVAILABLE and declined and reply.effect is Effect.READ:
        # For a write this proves nothing: gateways put a Retry-After on the 503 that they answer when a provider,
        # which has received the request, does not answer them in time.
        return RateLimited
    match reply.status // 100:
        case 3:
            return InvalidReply
        case 4:
            return Rejected
        case _:
            return Ambiguous


def told(reply: HttpReply) -> tuple[str, str]:
    """The provider's own code and message, wherever usual APIs put them; else the status and the body's beginning.

    Secrets are taken out before anything is cut: half a secret would not be known for one.
    """
    hide = reply.secrets.hide
    if reply.status // 100 == 3:  # noqa: PLR2004 - the class of redirects
        return str(reply.status), f"points to {_origin(reply.headers.get('Location', ''))}, which is not followed"
    content = reply.json
    if isinstance(content, dict):
        levels = [content, *(content[name] for name in ("error", "errors") if isinstance(content.get(name), dict))]
        codes = [one for level in reversed(levels) for one in _scalars(level, _CODES)]
        texts = [one for level in reversed(levels) for one in _scalars(level, _MESSAGES)]
        plain = content.get("error")
        if isinstance(plain, str):
            (texts if " " in plain else codes).insert(0, plain)
        if codes or texts:
            code = hide(codes[0])[:LONGEST_CODE] if codes else str(reply.status)
            return code, hide(" ".join(dict.fromkeys([*codes[:1], *texts[:1]])))[:LONGEST_TEXT]
    if reply.content_type.endswith("html"):
        return str(reply.status), "an HTML page"
    return str(reply.status), " ".join(hide(reply.text).split())[:LONGEST_TEXT]


def retry_after_ms(value: str | None, *, date: str | None = None, now_s: float | None = None) -> int | None:
    """A Retry-After as a length: of seconds, or until an HTTP date; None where there is none, or nonsense.

    `date` is the answer's own Date: counted from it, a date does not depend on whose clock is right. A date that has
    passed is 0; a length is rounded up, and is a week at most.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return math.ceil(min(Decimal(text) * 1000, Decimal(LONGEST_PAUSE_MS)))
    until = _instant(text)
    if until is None:
        return None
    said = _instant(date or "")
    since_s = said.timestamp() if said is not None else time.time() if now_s is None else now_s
    return min(max(0, math.ceil((until.timestamp() - since_s) * 1000)), LONGEST_PAUSE_MS)


def _instant(text: str) -> datetime | None:
    """An HTTP date, in any of the three forms that there are."""
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _scalars(level: Mapping[str, Any], names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        value = level.get(name)
        if isinstance(value, list) and value:
            value = value[0]
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            yield str(value).strip()


def _origin(location: str) -> str:
    """Where a redirect leads, without what a query or a path may give away."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "nowhere"
    return f"{parts.scheme}://{parts.hostname}" if parts.hostname else "another path"
